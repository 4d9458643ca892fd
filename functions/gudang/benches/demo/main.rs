//! `make bench`: how long the demo takes, as ratios to what the same PostgreSQL does alone, and how much memory it needs meanwhile.
//!
//! A round is three parts, one after the other, each on a new cluster with the settings of the laptop's: the demo, end to end, by the release
//! program; (a) `COPY` of the same file into one indexed table; (b) one transaction a row by one client, over a sample. Seconds depend on the
//! machine and on who else uses it; ratios within a round do so less, but still: one client that waits for each row suffers more from a busy
//! machine than many do, so what others used is told too. It knows the program by its command line alone.

mod alone;
mod outcome;
#[path = "../common/peak.rs"]
mod peak;
mod product;
#[path = "../common/quiet.rs"]
mod quiet;
mod shop;

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;

use outcome::{Outcome, Round};
use quiet::Watch;
use shop::Shop;

/// Rows of the one-by-one part.
const SAMPLE: usize = 20_000;
/// The file that the project carries, seen from this crate.
const CARRIED: &str = "../../examples/online-retail/online-retail-2010-12-to-2011-08.csv.gz";
/// Where results go, seen from this crate.
const RESULTS: &str = "../../bench/results";

/// Measures `gudang demo` against PostgreSQL alone.
#[derive(Debug, Parser)]
struct Options {
    /// How often everything is measured; medians are shown
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
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
    anyhow::ensure!(options.bench && !cfg!(debug_assertions), "a debug build says nothing about speed: run `make bench`");
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    // Beside the build, not in the system's temporary directory: that may be in memory, where fsync costs nothing.
    let temporary = Path::new(env!("CARGO_TARGET_TMPDIR"));
    tempfile::env::override_temp_dir(temporary).ok().context("the temporary directory was chosen already")?;
    let file = here.join(CARRIED);
    let shop = Shop::read(&file, SAMPLE)?;
    let mut rounds = Vec::new();
    for number in 1..=options.rounds {
        eprintln!("bench: round {number} of {}", options.rounds);
        rounds.push(round(&file, &shop)?);
    }
    let outcome = Outcome::of(rounds);
    println!("{outcome}");
    let written = outcome.write(&here.join(RESULTS))?;
    println!("written to bench/results/{written}");
    Ok(())
}

fn round(file: &Path, shop: &Shop) -> anyhow::Result<Round> {
    let watch = Watch::default();
    watch.calm()?;
    eprintln!("bench: the demo");
    let demo = product::demo(file)?;
    watch.calm()?;
    eprintln!("bench: (a) COPY");
    let copy = alone::copy(shop)?;
    watch.calm()?;
    eprintln!("bench: (b) one transaction a row");
    let one_by_one = alone::one_by_one(shop)?;
    watch.calm()?;
    Ok(Round { demo, copy, one_by_one, others_busy: watch.others_busy() })
}
