//! How quiet the machine is. It knows nothing of what is measured.

use std::cell::Cell;
use std::thread;
use std::time::Duration;

use anyhow::Context;

/// How long others are watched.
const MOMENT: Duration = Duration::from_secs(2);

/// Watches what others use of the processors between the parts of a bench.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    most: Cell<f64>,
}

impl Watch {
    /// Lets no part pay for what the one before it left to be written, then watches others for a moment.
    pub(crate) fn calm(&self) -> anyhow::Result<()> {
        rustix::fs::sync();
        let (busy, all) = ticks()?;
        thread::sleep(MOMENT);
        let (busy_after, all_after) = ticks()?;
        let share = (busy_after - busy) as f64 / (all_after - all).max(1) as f64;
        self.most.set(self.most.get().max(share));
        Ok(())
    }

    /// The most that others used of the processors, from 0 to 1.
    pub(crate) fn others_busy(&self) -> f64 {
        self.most.get()
    }
}

/// Ticks of all processors since the start, busy ones and all (`cpu` of proc(5)'s stat).
fn ticks() -> anyhow::Result<(u64, u64)> {
    let stat = std::fs::read_to_string("/proc/stat").context("/proc/stat")?;
    let line = stat.lines().find_map(|line| line.strip_prefix("cpu ")).context("/proc/stat has no line for all processors")?;
    // user, nice, system, idle, iowait, irq, softirq, steal; what comes after is in the first two already.
    let ticks = line.split_whitespace().take(8).map(str::parse).collect::<Result<Vec<u64>, _>>()?;
    let all = ticks.iter().sum::<u64>();
    let idle = ticks.iter().skip(3).take(2).sum::<u64>();
    Ok((all - idle, all))
}
