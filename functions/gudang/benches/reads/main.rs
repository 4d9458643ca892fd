//! `make bench-reads`: what Product answers of a product that is cached, as a ratio to a handler that returns the same bytes and does nothing.
//!
//! Both are asked by the same connections, in turns within a round; medians of ratios are shown, each with what is aimed at. It knows Product by
//! its program and its API.

#[expect(dead_code, reason = "it is shared with the bench of Stock, which needs more of it")]
#[path = "../stock/comparison.rs"]
mod comparison;
mod load;
#[path = "../stock/outcome.rs"]
mod outcome;
mod place;
#[path = "../demo/quiet.rs"]
mod quiet;

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, ensure};
use clap::Parser;

use comparison::{Aim, Claim, Comparison, Figures, of};
use outcome::Outcome;
use place::Place;

/// Where results go, seen from this crate.
const RESULTS: &str = "../../bench/results";

const CONSTANT: &str = "a handler that returns a constant: reads/s";
const BY_ID: &str = "a cached product by its id: reads/s";
const BY_SKU: &str = "a cached product by its SKU: reads/s";
const WITH_REDIS: &str = "the same by its SKU, Redis configured: reads/s";

/// Reads of one product.
const READS: Comparison = Comparison {
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

/// Measures reads of a cached product.
#[derive(Debug, Parser)]
struct Options {
    /// How often everything is measured; medians are shown
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// How long each part takes
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=600))]
    seconds: u32,
    /// Given by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> anyhow::Result<()> {
    ensure!(options.bench && !cfg!(debug_assertions), "a debug build says nothing about speed: run `make bench-reads`");
    let place = Place::make(options.seconds)?;
    let mut outcome = Outcome::new(&[&READS]);
    for number in 1..=options.rounds {
        eprintln!("bench: round {number} of {}", options.rounds);
        outcome.take(&READS, (READS.measure)(&place).context(READS.name)?);
    }
    outcome.others_busy = place.others_busy();
    println!("{outcome}");
    let written = outcome.write(&Path::new(env!("CARGO_MANIFEST_DIR")).join(RESULTS))?;
    println!("written to bench/results/{written}");
    Ok(())
}
