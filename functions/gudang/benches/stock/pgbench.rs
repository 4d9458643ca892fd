//! The parts without Stock: pgbench, one transaction per sale, over the same server's unix socket.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};

/// One sale, as statements within a transaction: the row is locked, changed, and told of; the answer is kept under a key.
const SALE: &str = include_str!("sale.pgbench");
/// An answer as long as Stock's.
const ANSWER: &str = include_str!("answer.json");
/// Sales in a transaction of [`Script::InBatches`].
const BATCH: usize = 64;

/// What a client does again and again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Script {
    /// One sale of one product.
    Hot,
    /// One sale of one product in ten thousand.
    Uniform,
    /// Sales of one product in one transaction.
    InBatches,
}

/// What pgbench did.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Ran {
    pub(crate) sales_per_second: f64,
    pub(crate) p50_ms: f64,
}

impl Script {
    fn text(self) -> String {
        let (level, sales) = match self {
            Self::Hot => ("1", 1),
            Self::Uniform => ("random(1, 10000)", 1),
            Self::InBatches => ("1", BATCH),
        };
        format!("\\set level {level}\nBEGIN;\n{}COMMIT;\n", SALE.repeat(sales))
    }

    fn sales(self) -> usize {
        if self == Self::InBatches { BATCH } else { 1 }
    }
}

/// Runs `program` on the database at `url`.
pub(crate) fn run(program: &Path, url: &str, script: Script, clients: u32, seconds: u32) -> anyhow::Result<Ran> {
    let directory = tempfile::Builder::new().prefix("pgbench").tempdir()?;
    std::fs::write(directory.path().join("script"), script.text())?;
    let mut command = Command::new(program);
    command.args(["--no-vacuum", "--protocol=prepared", "--file=script", "--log", "--log-prefix=log"]);
    command.arg(format!("--client={clients}")).arg(format!("--jobs={}", clients.min(2))).arg(format!("--time={seconds}"));
    command.arg(format!("--define=body={}", ANSWER.trim_end())).arg(url);
    let output = command.current_dir(directory.path()).stdin(Stdio::null()).output().with_context(|| program.display().to_string())?;
    let said = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "pgbench ended with {}: {}", output.status, String::from_utf8_lossy(&output.stderr));
    let transactions = rate(&said).with_context(|| format!("pgbench says no rate: {said}"))?;
    Ok(Ran { sales_per_second: transactions * script.sales() as f64, p50_ms: median_ms(directory.path())? })
}

/// Reads `tps = 127.960396 (without initial connection time)`.
fn rate(said: &str) -> Option<f64> {
    said.lines().find_map(|line| line.strip_prefix("tps = "))?.split(' ').next()?.parse().ok()
}

/// The median of the third column of the logs, microseconds, one line a transaction.
fn median_ms(directory: &Path) -> anyhow::Result<f64> {
    let mut us: Vec<u64> = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with("log.") {
            let log = std::fs::read_to_string(entry.path())?;
            us.extend(log.lines().filter_map(|line| line.split(' ').nth(2)?.parse::<u64>().ok()));
        }
    }
    us.sort_unstable();
    let median = us.get(us.len() / 2).context("pgbench logged nothing")?;
    Ok(*median as f64 / 1000.0)
}
