//! What every bench does: reads its options, measures in rounds, shows and keeps what came of it. It knows nothing of what is measured.

use std::path::Path;
use std::process::ExitCode;
use std::rc::Rc;

use anyhow::{Context, bail, ensure};
use clap::Parser;

use crate::comparison::Comparison;
use crate::outcome::Outcome;
use crate::quiet::Watch;

/// Where results go, seen from this crate.
const RESULTS: &str = "../../bench/results";

/// Measures in rounds, and shows medians of ratios.
#[derive(Debug, Parser)]
pub(crate) struct Options {
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

/// Measures `comparisons` at the place that is made of the seconds of a part and of the watch to be asked between parts.
pub(crate) fn run<P>(comparisons: &[Comparison<P>], place: impl FnOnce(u32, Rc<Watch>) -> anyhow::Result<P>) -> ExitCode {
    match measure(&Options::parse(), comparisons, place) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn measure<P>(
    options: &Options,
    comparisons: &[Comparison<P>],
    place: impl FnOnce(u32, Rc<Watch>) -> anyhow::Result<P>,
) -> anyhow::Result<()> {
    ensure!(options.bench && !cfg!(debug_assertions), "a debug build says nothing about speed: run `make bench`");
    let wanted: Vec<&Comparison<P>> =
        comparisons.iter().filter(|one| options.only.as_deref().is_none_or(|name| name == one.name)).collect();
    if wanted.is_empty() {
        bail!("--only takes one of {}", comparisons.iter().map(|one| one.name).collect::<Vec<_>>().join(", "));
    }
    // Beside the build, not in the system's temporary directory: that may be in memory, where fsync costs nothing.
    let temporary = Path::new(env!("CARGO_TARGET_TMPDIR"));
    tempfile::env::override_temp_dir(temporary).ok().context("the temporary directory was chosen already")?;
    let watch = Rc::new(Watch::default());
    let place = place(options.seconds, Rc::clone(&watch))?;
    let mut outcome = Outcome::new(&wanted);
    for number in 1..=options.rounds {
        for comparison in &wanted {
            eprintln!("bench: round {number} of {}: {}", options.rounds, comparison.name);
            let figures = (comparison.measure)(&place).with_context(|| comparison.name)?;
            outcome.take(comparison, figures);
        }
    }
    outcome.others_busy = watch.others_busy();
    println!("{outcome}");
    let written = outcome.write(&Path::new(env!("CARGO_MANIFEST_DIR")).join(RESULTS))?;
    println!("written to bench/results/{written}");
    Ok(())
}
