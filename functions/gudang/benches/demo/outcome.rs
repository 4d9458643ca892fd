//! What was measured: rates, ratios within each round, their medians, and how they are shown and kept. It measures nothing.

use std::fmt;
use std::fs;
use std::path::Path;

use anyhow::Context;
use serde::Serialize;
use serde_json::json;

/// The demo is to be at least so many times as fast as one transaction a row.
const AIM_TIMES: f64 = 5.0;
/// The demo is to take less on a quiet machine.
const AIM_SECONDS: f64 = 30.0;
/// The services are to have less resident, PostgreSQL aside.
const AIM_MB: f64 = 150.0;
/// The share of the processors that others may use on a machine that counts as quiet.
const QUIET: f64 = 0.1;

/// Rows, and how long they took.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Part {
    pub(crate) rows: u64,
    pub(crate) seconds: f64,
}

impl Part {
    fn rate(self) -> f64 {
        self.rows as f64 / self.seconds
    }
}

/// The part with Gudang.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Demo {
    #[serde(flatten)]
    pub(crate) part: Part,
    /// The most that the services had resident.
    pub(crate) memory_mb: f64,
    /// The most that the command had resident.
    pub(crate) client_memory_mb: f64,
}

/// One round.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Round {
    pub(crate) demo: Demo,
    pub(crate) copy: Part,
    pub(crate) one_by_one: Part,
    /// The most that others used of the processors, between the parts: 0 to 1.
    pub(crate) others_busy: f64,
}

impl Round {
    fn times_one_by_one(&self) -> f64 {
        self.demo.part.rate() / self.one_by_one.rate()
    }

    fn copy_times_demo(&self) -> f64 {
        self.copy.rate() / self.demo.part.rate()
    }
}

/// All rounds.
pub(crate) struct Outcome {
    rounds: Vec<Round>,
}

impl Outcome {
    /// Takes at least one round.
    pub(crate) fn of(rounds: Vec<Round>) -> Self {
        Self { rounds }
    }

    fn median(&self, figure: impl Fn(&Round) -> f64) -> f64 {
        let mut figures: Vec<f64> = self.rounds.iter().map(figure).collect();
        figures.sort_by(f64::total_cmp);
        let middle = figures.len() / 2;
        if figures.len() % 2 == 1 { figures[middle] } else { f64::midpoint(figures[middle - 1], figures[middle]) }
    }

    /// Memory counts all the way, so here the worst round does.
    fn most_memory_mb(&self) -> f64 {
        self.rounds.iter().map(|round| round.demo.memory_mb).fold(0.0, f64::max)
    }

    /// Writes it to a file of its own in `folder`, and returns its name.
    pub(crate) fn write(&self, folder: &Path) -> anyhow::Result<String> {
        let now = jiff::Timestamp::now();
        let median = json!({
            "demo_seconds": rounded(self.median(|round| round.demo.part.seconds)),
            "demo_changes_per_second": self.median(|round| round.demo.part.rate()).round(),
            "copy_rows_per_second": self.median(|round| round.copy.rate()).round(),
            "one_by_one_rows_per_second": self.median(|round| round.one_by_one.rate()).round(),
            "demo_times_one_by_one": rounded(self.median(Round::times_one_by_one)),
            "copy_times_demo": rounded(self.median(Round::copy_times_demo)),
        });
        let kept = json!({
            "taken_at": now.to_string(),
            "version": env!("CARGO_PKG_VERSION"),
            "processors": std::thread::available_parallelism().map_or(0, usize::from),
            "median": median,
            "most_memory_mb": rounded(self.most_memory_mb()),
            "rounds": self.rounds,
        });
        let name = format!("demo-{}.json", now.strftime("%Y%m%dT%H%M%SZ"));
        fs::create_dir_all(folder).context("bench/results")?;
        fs::write(folder.join(&name), serde_json::to_string_pretty(&kept)? + "\n").context("bench/results")?;
        Ok(name)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = |what: &str, part: &dyn Fn(&Round) -> Part| {
            let (rows, seconds) = (self.median(|round| part(round).rows as f64), self.median(|round| part(round).seconds));
            let rate = self.median(|round| part(round).rate());
            writeln!(f, "{what:<32} {rows:>8.0} rows {seconds:>8.2} s {rate:>9.0} a second")
        };
        line("gudang demo, end to end", &|round| round.demo.part)?;
        line("(a) COPY, one indexed table", &|round| round.copy)?;
        line("(b) one transaction a row", &|round| round.one_by_one)?;
        let (times, seconds) = (self.median(Round::times_one_by_one), self.median(|round| round.demo.part.seconds));
        let memory = self.most_memory_mb();
        writeln!(f)?;
        writeln!(f, "the demo is {times:.1} times as fast as (b); aim: at least {AIM_TIMES}: {}", verdict(times >= AIM_TIMES))?;
        writeln!(f, "COPY is {:.1} times as fast as the demo", self.median(Round::copy_times_demo))?;
        writeln!(f, "the demo took {seconds:.1} s; aim, on a quiet machine: under {AIM_SECONDS} s: {}", verdict(seconds < AIM_SECONDS))?;
        writeln!(f, "the services had {memory:.0} MB resident at most; aim: below {AIM_MB} MB: {}", verdict(memory < AIM_MB))?;
        writeln!(f, "the command itself had {:.0} MB resident at most", self.median(|round| round.demo.client_memory_mb))?;
        let others = self.rounds.iter().map(|round| round.others_busy).fold(0.0, f64::max);
        let so = if others <= QUIET { "quiet" } else { "not quiet: measure again when it is, neither seconds nor ratios can be relied on" };
        write!(f, "between the parts others used up to {:.0} % of the processors; this machine was {so}", others * 100.0)
    }
}

fn verdict(met: bool) -> &'static str {
    if met { "met" } else { "missed" }
}

fn rounded(figure: f64) -> f64 {
    (figure * 100.0).round() / 100.0
}
