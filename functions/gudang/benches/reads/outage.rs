//! What readers notice when Redis hangs or is gone: reads of more products than memory holds for long, at a steady rate.

use std::net::SocketAddr;

use anyhow::ensure;

use crate::comparison::{Aim, Claim, Comparison, Figures, of};
use crate::place::{Place, sku};
use crate::quantile::quantile_ms;
use crate::steady::{Ask, Pace};
use crate::wire;

/// Products that take turns: each is read less often than memory holds it, so Redis answers.
pub(crate) const PRODUCTS: u32 = 2_000;
/// Some that are nearly as far from one another as can be, so that neighbours do not come together.
const STRIDE: u32 = 787;
const RATE: u32 = 1_000;
const CONNECTIONS: u32 = 16;

const THERE: &str = "Redis there: p99 ms";
const HUNG: &str = "Redis hangs: p99 ms";
const GONE: &str = "Redis gone: p99 ms";

/// Redis hangs, goes, and comes back.
pub(crate) const OUTAGE: Comparison<Place> = Comparison {
    name: "outage",
    measure,
    claims: &[
        Claim { says: "p99, Redis hangs / there", figure: |figures| of(figures, HUNG) / of(figures, THERE), aim: Aim::AtMost(2.0) },
        Claim { says: "p99, Redis gone / there", figure: |figures| of(figures, GONE) / of(figures, THERE), aim: Aim::AtMost(2.0) },
    ],
};

fn measure(place: &Place) -> anyhow::Result<Figures> {
    let mut figures = Figures::new();
    // Once to fill Redis.
    place.steadily(reads(2))?;
    figures.insert(THERE, p99(place)?);
    place.redis().hang();
    let hung = p99(place);
    place.redis().go_on();
    figures.insert(HUNG, hung?);
    place.steadily(reads(2))?;
    place.redis().stop();
    let gone = p99(place);
    place.redis().restart();
    figures.insert(GONE, gone?);
    place.steadily(reads(2))?;
    Ok(figures)
}

fn reads(seconds: u32) -> Pace {
    Pace { rate: RATE, connections: CONNECTIONS, seconds }
}

fn p99(place: &Place) -> anyhow::Result<f64> {
    let asked = place.steadily(reads(place.seconds()))?;
    Ok(quantile_ms(asked.into_iter().map(|(took, ())| took), 0.99))
}

/// Reads one product after the other.
pub(crate) struct InTurn;

impl Ask for InTurn {
    type Kept = ();

    fn request(&self, address: SocketAddr, turn: u32) -> Vec<u8> {
        wire::request(address, &format!("GET /v1/products/{}", sku(turn.wrapping_mul(STRIDE) % PRODUCTS)), "", "")
    }

    fn kept(&self, _: u32, status: u16, _: &[u8]) -> anyhow::Result<()> {
        ensure!(status == 200, "answered {status}");
        Ok(())
    }
}
