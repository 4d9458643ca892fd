//! `make bench-reads`: what Product answers of a product that is cached, as a ratio to a handler that returns the same bytes and does nothing.
//!
//! Both are asked by the same connections, in turns within a round; medians of ratios are shown, each with what is aimed at. And what readers
//! notice of a Redis that hangs or is gone. It knows Product by its program and its API.

#[path = "../common/comparison.rs"]
mod comparison;
mod load;
mod outage;
#[path = "../common/outcome.rs"]
mod outcome;
mod place;
#[path = "../common/programs.rs"]
mod programs;
#[path = "../common/quantile.rs"]
mod quantile;
#[path = "../common/quiet.rs"]
mod quiet;
#[path = "../common/run.rs"]
mod run;
#[path = "../common/steady.rs"]
mod steady;
#[path = "../common/wire.rs"]
mod wire;

use std::process::ExitCode;

use comparison::{Aim, Claim, Comparison, Figures, of};
use place::Place;

const CONSTANT: &str = "a handler that returns a constant: reads/s";
const BY_ID: &str = "a cached product by its id: reads/s";
const BY_SKU: &str = "a cached product by its SKU: reads/s";
const WITH_REDIS: &str = "the same by its SKU, Redis configured: reads/s";

/// Reads of one product.
const READS: Comparison<Place> = Comparison {
    name: "reads",
    measure: |place| {
        let mut figures = Figures::new();
        figures.insert(CONSTANT, place.constant()?);
        figures.insert(BY_ID, place.by_id()?);
        figures.insert(BY_SKU, place.by_sku()?);
        figures.insert(WITH_REDIS, place.by_sku_with_redis()?);
        Ok(figures)
    },
    claims: &[
        Claim { says: "by id, to the constant", figure: |figures| of(figures, BY_ID) / of(figures, CONSTANT), aim: Aim::AtLeast(0.7) },
        Claim { says: "by SKU, to the constant", figure: |figures| of(figures, BY_SKU) / of(figures, CONSTANT), aim: Aim::AtLeast(0.7) },
        Claim {
            says: "by SKU with Redis, to the constant",
            figure: |figures| of(figures, WITH_REDIS) / of(figures, CONSTANT),
            aim: Aim::AtLeast(0.7),
        },
    ],
};

fn main() -> ExitCode {
    run::run(&[READS, outage::OUTAGE], Place::make)
}
