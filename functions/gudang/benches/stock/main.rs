//! `make bench`: what Stock does with changes over HTTP, as ratios to what pgbench does to the same PostgreSQL with one transaction per sale.
//!
//! Rates depend on the machine and on who else uses it; ratios of parts that take turns within a round do so less. So everything is measured
//! in rounds, medians of ratios are shown, and each with what is aimed at. It knows the service by its program, its API and its process, and
//! its tables only to put products there.

mod comparison;
mod direct;
mod growth;
mod lanes;
mod memory;
mod outcome;
mod over_http;
mod overload;
mod pgbench;
mod place;
#[path = "../demo/quiet.rs"]
mod quiet;

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, bail, ensure};
use clap::Parser;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use comparison::Comparison;
use outcome::Outcome;
use place::Place;

/// Where results go, seen from this crate.
const RESULTS: &str = "../../bench/results";
/// What is measured, in this order within a round.
const COMPARISONS: [Comparison; 9] = [
    direct::HOT,
    direct::UNIFORM,
    direct::ONE,
    direct::BATCHES,
    lanes::LANES,
    overload::OVERLOAD,
    overload::OVERLOAD_BATCHES,
    memory::MEMORY,
    growth::GROWTH,
];

/// Measures Stock against pgbench.
#[derive(Debug, Parser)]
struct Options {
    /// How often everything is measured; medians are shown
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// How long each part takes
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=600))]
    seconds: u32,
    /// Measure one of the comparisons alone
    #[arg(long, value_name = "NAME")]
    only: Option<String>,
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

/// Overload takes thousands of connections; who is started from here inherits the limit.
fn allow_many_connections() {
    let limit = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }) {
        eprintln!("bench: the limit of open files cannot be raised ({error}), overload may not find enough connections");
    }
}

fn run(options: &Options) -> anyhow::Result<()> {
    ensure!(options.bench && !cfg!(debug_assertions), "a debug build says nothing about speed: run `make bench`");
    let wanted: Vec<&Comparison> = COMPARISONS.iter().filter(|one| options.only.as_deref().is_none_or(|name| name == one.name)).collect();
    if wanted.is_empty() {
        bail!("--only takes one of {}", COMPARISONS.map(|one| one.name).join(", "));
    }
    // Beside the build, not in the system's temporary directory: that may be in memory, where fsync costs nothing.
    let temporary = Path::new(env!("CARGO_TARGET_TMPDIR"));
    tempfile::env::override_temp_dir(temporary).ok().context("the temporary directory was chosen already")?;
    allow_many_connections();
    let place = Place::make(options.seconds)?;
    let mut outcome = Outcome::new(&wanted);
    for number in 1..=options.rounds {
        for comparison in &wanted {
            eprintln!("bench: round {number} of {}: {}", options.rounds, comparison.name);
            let figures = (comparison.measure)(&place).with_context(|| comparison.name)?;
            outcome.take(comparison, figures);
        }
    }
    outcome.others_busy = place.others_busy();
    println!("{outcome}");
    let written = outcome.write(&Path::new(env!("CARGO_MANIFEST_DIR")).join(RESULTS))?;
    println!("written to bench/results/{written}");
    Ok(())
}
