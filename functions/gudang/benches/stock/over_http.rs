//! The parts with Stock: `gudang load` as a process of its own. Any error of it ends the bench.

use std::process::{Command, Stdio};

use anyhow::{Context, ensure};
use serde::Deserialize;

/// What is sold.
pub(crate) const HOT: &str = "hot";
pub(crate) const UNIFORM: &str = "uniform";

/// How much load.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    product: &'static str,
    connections: u32,
    batch: u32,
    rate: Option<u32>,
    pub(crate) seconds: Option<u32>,
}

impl Load {
    /// Each connection asks again as soon as it is answered.
    pub(crate) fn closed(product: &'static str, connections: u32, batch: u32) -> Self {
        Self { product, connections, batch, rate: None, seconds: None }
    }

    /// So many requests a second, whatever becomes of them.
    pub(crate) fn open(product: &'static str, connections: u32, batch: u32, rate: u32) -> Self {
        Self { rate: Some(rate), ..Self::closed(product, connections, batch) }
    }

    /// For another time than the usual one.
    pub(crate) fn lasting(self, seconds: u32) -> Self {
        Self { seconds: Some(seconds), ..self }
    }
}

/// What `gudang load --json` says, as far as it matters here.
#[derive(Debug, Deserialize)]
pub(crate) struct Sold {
    pub(crate) requests: u64,
    pub(crate) changes_per_second: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) turned_away: u64,
    pub(crate) refused: u64,
    pub(crate) by_second: Vec<Second>,
}

/// One second of it.
#[derive(Debug, Deserialize)]
pub(crate) struct Second {
    pub(crate) p99_ms: f64,
}

/// Puts load on the Stock at `url`.
pub(crate) fn put(load: Load, url: &str, usual_seconds: u32) -> anyhow::Result<Sold> {
    let Load { product, connections, batch, rate, seconds } = load;
    let seconds = seconds.unwrap_or(usual_seconds);
    let mut command = Command::new(env!("CARGO_BIN_EXE_gudang"));
    command.args(["load", "--json", "--product", product, "--stock-url", url]);
    command.arg(format!("--connections={connections}")).arg(format!("--batch={batch}")).arg(format!("--seconds={seconds}"));
    if let Some(rate) = rate {
        command.arg(format!("--rate={rate}"));
    }
    let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output().context("gudang load")?;
    let said = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "gudang load ended with {}: {said}", output.status);
    let sold: Sold = serde_json::from_str(&said)?;
    ensure!(sold.refused == 0, "{} changes were refused", sold.refused);
    Ok(sold)
}
