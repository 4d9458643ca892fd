//! The part with Gudang: the all-in-one on an empty data directory, and `gudang demo` as its client, both as processes of their own.

use std::path::Path;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde::Deserialize;
use testkit::Gudang;

use crate::outcome::{Demo, Part};
use crate::peak::peak_mb;

/// Between two looks at a process's memory. The kernel keeps the peak; only the last moment before the end could be missed.
const LOOK: Duration = Duration::from_millis(20);

/// What `gudang demo --json` says of itself, as far as it matters here.
#[derive(Deserialize)]
struct Summary {
    changes: u64,
}

/// Runs the demo once. The start of the services is no part of it: they were running.
pub(crate) fn demo(file: &Path) -> anyhow::Result<Demo> {
    let mut gudang = Gudang::start(env!("CARGO_BIN_EXE_gudang"));
    let begun = Instant::now();
    let mut command = gudang.command(&["demo", "--json", "--data"]);
    let child = command.arg(file).stdin(Stdio::null()).stdout(Stdio::piped()).spawn().context("gudang demo")?;
    let client = child.id();
    let watched = thread::spawn(move || watch(client));
    let output = child.wait_with_output()?;
    let seconds = begun.elapsed().as_secs_f64();
    ensure!(output.status.success(), "gudang demo ended with {}; the services said:\n{}", output.status, gudang.log());
    let memory_mb = peak_mb(gudang.pid()).context("the memory of the services cannot be read")?;
    let client_memory_mb = watched.join().ok().context("the memory of the client cannot be read")?;
    let summary: Summary = serde_json::from_slice(&output.stdout)?;
    gudang.stop();
    Ok(Demo { part: Part { rows: summary.changes, seconds }, memory_mb, client_memory_mb })
}

/// The peak of a process that will end by itself.
fn watch(pid: u32) -> f64 {
    let mut peak = 0.0;
    while let Some(now) = peak_mb(pid) {
        peak = now;
        thread::sleep(LOOK);
    }
    peak
}
