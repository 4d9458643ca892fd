//! What was measured: figures and ratios of each round, their medians, and how they are shown and kept. It measures nothing.

use std::fmt;
use std::fs;
use std::path::Path;

use anyhow::Context;
use serde_json::{Map, Value, json};

use crate::comparison::{Claim, Comparison, Figures};

/// The share of the processors that others may use on a machine that counts as quiet.
const QUIET: f64 = 0.1;

/// All rounds of all comparisons.
pub(crate) struct Outcome<'a, P> {
    comparisons: Vec<(&'a Comparison<P>, Vec<Figures>)>,
    /// The most that others used of the processors between the parts: 0 to 1.
    pub(crate) others_busy: f64,
}

impl<'a, P> Outcome<'a, P> {
    /// Begins without a round.
    pub(crate) fn new(comparisons: &[&'a Comparison<P>]) -> Self {
        Self { comparisons: comparisons.iter().map(|one| (*one, Vec::new())).collect(), others_busy: 0.0 }
    }

    /// Takes in a round of one comparison.
    pub(crate) fn take(&mut self, comparison: &Comparison<P>, figures: Figures) {
        for (name, figure) in &figures {
            eprintln!("bench:   {name}: {}", shown(*figure));
        }
        if let Some((_, rounds)) = self.comparisons.iter_mut().find(|(one, _)| one.name == comparison.name) {
            rounds.push(figures);
        }
    }

    /// Writes it to a file of its own in `folder`, and returns its name.
    pub(crate) fn write(&self, folder: &Path) -> anyhow::Result<String> {
        let now = jiff::Timestamp::now();
        let mut comparisons = Map::new();
        for (comparison, rounds) in &self.comparisons {
            let claims = comparison.claims.iter().map(|claim| {
                let median = claimed(claim, rounds);
                json!({ "claim": claim.says, "median": kept(median), "aim": claim.aim.words(), "met": claim.aim.is_met(median) })
            });
            let figures: Vec<Value> =
                rounds.iter().map(|figures| figures.iter().map(|(name, figure)| (*name, kept(*figure))).collect()).collect();
            comparisons.insert(comparison.name.to_owned(), json!({ "claims": claims.collect::<Vec<_>>(), "rounds": figures }));
        }
        let kept = json!({
            "taken_at": now.to_string(),
            "version": env!("CARGO_PKG_VERSION"),
            "processors": std::thread::available_parallelism().map_or(0, usize::from),
            "others_busy": kept(self.others_busy),
            "comparisons": comparisons,
        });
        let name = format!("{}-{}.json", env!("CARGO_CRATE_NAME"), now.strftime("%Y%m%dT%H%M%SZ"));
        fs::create_dir_all(folder).context("bench/results")?;
        fs::write(folder.join(&name), serde_json::to_string_pretty(&kept)? + "\n").context("bench/results")?;
        Ok(name)
    }
}

impl<P> fmt::Display for Outcome<'_, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (comparison, rounds) in &self.comparisons {
            writeln!(f, "{}, medians of {} rounds", comparison.name, rounds.len())?;
            for name in rounds.iter().flat_map(Figures::keys).collect::<std::collections::BTreeSet<_>>() {
                let figure = median(rounds.iter().filter_map(|figures| figures.get(name).copied()).collect());
                writeln!(f, "  {name:<70} {:>10}", shown(figure))?;
            }
            for claim in comparison.claims {
                let figure = claimed(claim, rounds);
                let verdict = if figure.is_nan() {
                    "not measured"
                } else if claim.aim.is_met(figure) {
                    "met"
                } else {
                    "missed"
                };
                writeln!(f, "  {:<70} {:>10}  aim: {}: {verdict}", claim.says, shown(figure), claim.aim.words())?;
            }
            writeln!(f)?;
        }
        let so = if self.others_busy <= QUIET { "quiet" } else { "not quiet: measure again when it is, no figure here can be relied on" };
        write!(f, "between the parts others used up to {:.0} % of the processors; this machine was {so}", self.others_busy * 100.0)
    }
}

/// The median of what a claim says of each round; no number where it could not be measured.
fn claimed(claim: &Claim, rounds: &[Figures]) -> f64 {
    median(rounds.iter().map(claim.figure).filter(|figure| !figure.is_nan()).collect())
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    let middle = figures.len() / 2;
    match figures.len() {
        0 => f64::NAN,
        length if length % 2 == 1 => figures[middle],
        _ => f64::midpoint(figures[middle - 1], figures[middle]),
    }
}

/// Small figures with two decimals, large ones without.
fn shown(figure: f64) -> String {
    if figure.is_nan() {
        "-".to_owned()
    } else if figure < 100.0 {
        format!("{figure:.2}")
    } else {
        format!("{figure:.0}")
    }
}

fn kept(figure: f64) -> Value {
    if figure.is_nan() { Value::Null } else { json!((figure * 1000.0).round() / 1000.0) }
}
