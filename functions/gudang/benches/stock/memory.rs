//! How much memory Stock needs, each time in a fresh process.

use anyhow::Context;

use crate::comparison::{Aim, Claim, Comparison, Figures, of};
use crate::over_http::{Load, UNIFORM};
use crate::peak::peak_mb;
use crate::place::Place;

const SINGLES: &str = "single changes, 64 connections: MB";
const BATCHES: &str = "batches of 1,000, 64 connections: MB";

/// The most that it has resident.
pub(crate) const MEMORY: Comparison<Place> = Comparison {
    name: "memory",
    measure: |place| {
        let singles = peak(place, Load::closed(UNIFORM, 64, 1))?;
        let batches = peak(place, Load::closed(UNIFORM, 64, 1000))?;
        Ok(Figures::from([(SINGLES, singles), (BATCHES, batches)]))
    },
    claims: &[
        Claim { says: "memory under single changes, MB", figure: |figures| of(figures, SINGLES), aim: Aim::AtMost(40.0) },
        Claim { says: "memory under batches of 1,000, MB", figure: |figures| of(figures, BATCHES), aim: Aim::AtMost(100.0) },
    ],
};

fn peak(place: &Place, load: Load) -> anyhow::Result<f64> {
    let mut stock = place.another_stock(None)?;
    place.load_at_once(&stock, load)?;
    let peak = peak_mb(stock.pid().as_raw_nonzero().get().cast_unsigned()).context("the memory of stock cannot be read");
    stock.stop();
    peak
}
