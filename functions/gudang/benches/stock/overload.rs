//! Twice as much as Stock can do, from clients who do not care: how much it still does, how fast it says no, and how soon it is itself again.

use anyhow::bail;

use crate::comparison::{Aim, Claim, Comparison, Figures, of};
use crate::over_http::{Load, Sold, UNIFORM};
use crate::place::Place;

/// Who comes: with so many connections more than Stock lets wait.
struct Crowd {
    connections: u32,
    batch: u32,
}

/// Few with much each: the queue of the lanes is full.
const BATCHES: Crowd = Crowd { connections: 256, batch: 100 };
/// Many with little each: there are more requests than are served at once.
const SINGLES: Crowd = Crowd { connections: 8_000, batch: 1 };
/// The peak is looked for from this share of what a closed loop reaches,
const FROM: f64 = 0.8;
/// in steps of this factor,
const STEP: f64 = 1.2;
/// so many at most,
const STEPS: u32 = 15;
/// until less than this share of what is offered is done.
const KEEPS_UP: f64 = 0.9;
/// How long each of them takes.
const LOOK_SECONDS: u32 = 3;
/// How long the overload lasts.
const OVER_SECONDS: u32 = 10;
/// The normal rate before and after, as a share of the peak.
const NORMAL: f64 = 0.5;
/// How long the normal rate is watched.
const NORMAL_SECONDS: u32 = 8;
/// A rejection that took longer is late.
const LATE_SECONDS: f64 = 0.005;
/// The histogram of rejections that Stock keeps of itself.
const REJECTIONS: &str = "gudang_rejection_seconds";

const PEAK: &str = "peak: changes a second";
const OFFERED: &str = "at twice the peak: changes offered a second";
const GOODPUT: &str = "at twice the peak: changes a second";
const TURNED_AWAY: &str = "at twice the peak: requests turned away, share";
const IN_TIME: &str = "rejections within 5 ms in the server, share";
const BEFORE: &str = "at half the peak, before: p99 ms";
const RECOVERED: &str = "at half the peak, after: seconds until p99 is back within twice that";

/// Overload by single changes.
pub(crate) const OVERLOAD: Comparison<Place> = Comparison {
    name: "overload",
    measure: |place| measure(place, &SINGLES),
    claims: &[GOODPUT_HOLDS, MORE_IS_OFFERED, NO_IS_SAID_AT_ONCE, IT_RECOVERS],
};

/// Overload by batches.
pub(crate) const OVERLOAD_BATCHES: Comparison<Place> = Comparison {
    name: "overload-batches",
    measure: |place| measure(place, &BATCHES),
    claims: &[GOODPUT_HOLDS, MORE_IS_OFFERED, NO_IS_SAID_AT_ONCE, IT_RECOVERS],
};

const GOODPUT_HOLDS: Claim =
    Claim { says: "overload: goodput / peak", figure: |figures| of(figures, GOODPUT) / of(figures, PEAK), aim: Aim::AtLeast(0.9) };
/// What shows that there was an overload at all.
const MORE_IS_OFFERED: Claim =
    Claim { says: "overload: goodput / offered", figure: |figures| of(figures, GOODPUT) / of(figures, OFFERED), aim: Aim::AtMost(0.75) };
const NO_IS_SAID_AT_ONCE: Claim =
    Claim { says: "overload: rejections within 5 ms, share", figure: |figures| of(figures, IN_TIME), aim: Aim::AtLeast(0.99) };
const IT_RECOVERS: Claim =
    Claim { says: "overload: seconds until it is itself again", figure: |figures| of(figures, RECOVERED), aim: Aim::AtMost(5.0) };

fn measure(place: &Place, crowd: &Crowd) -> anyhow::Result<Figures> {
    let batch = f64::from(crowd.batch);
    let open = |rate: f64, seconds| Load::open(UNIFORM, crowd.connections, crowd.batch, rate.max(1.0) as u32).lasting(seconds);
    let closed = place.load(Load::closed(UNIFORM, 64, crowd.batch).lasting(LOOK_SECONDS))?.changes_per_second / batch;
    let peak = peak(closed * FROM, |rate| Ok(place.load(open(rate, LOOK_SECONDS))?.changes_per_second / batch))?;
    let before = place.load(open(peak * NORMAL, LOOK_SECONDS))?.p99_ms;
    let said_no = rejections(place)?;
    let over = place.load(open(peak * 2.0, OVER_SECONDS))?;
    let after = place.load_at_once(place.stock(), open(peak * NORMAL, NORMAL_SECONDS))?;
    let (all, in_time) = rejections(place)?;
    let mut figures = Figures::from([
        (PEAK, peak * batch),
        (GOODPUT, over.changes_per_second),
        (OFFERED, peak * 2.0 * batch),
        (TURNED_AWAY, over.turned_away as f64 / (over.turned_away + over.requests) as f64),
        (BEFORE, before),
        (RECOVERED, recovered(&after, before)),
    ]);
    if all > said_no.0 {
        figures.insert(IN_TIME, (in_time - said_no.1) / (all - said_no.0));
    }
    Ok(figures)
}

/// The most that is done at any rate. It has to be passed: a rate that is kept up with is no peak, and twice of it no overload.
fn peak(from: f64, done_at: impl Fn(f64) -> anyhow::Result<f64>) -> anyhow::Result<f64> {
    let (mut rate, mut peak) = (from, 0.0);
    for _ in 0..STEPS {
        let done = done_at(rate)?;
        peak = f64::max(peak, done);
        if done < KEEPS_UP * rate {
            return Ok(peak);
        }
        rate *= STEP;
    }
    bail!("the peak was not found: {rate:.0} requests a second are still kept up with")
}

/// The seconds after which p99 stayed within twice what it was before.
fn recovered(after: &Sold, before_ms: f64) -> f64 {
    after.by_second.iter().rposition(|second| second.p99_ms > 2.0 * before_ms).map_or(0, |last| last + 1) as f64
}

/// How many requests Stock has turned away, and how many of them in time, by its own watch.
fn rejections(place: &Place) -> anyhow::Result<(f64, f64)> {
    let metrics = place.metrics()?;
    let sum = |matches: &dyn Fn(&str) -> bool| -> f64 {
        let lines = metrics.lines().filter(|line| matches(line));
        lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    };
    let all = sum(&|line| line.starts_with(&format!("{REJECTIONS}_count")));
    let in_time = sum(&|line| line.starts_with(&format!("{REJECTIONS}_bucket")) && line.contains(&format!("le=\"{LATE_SECONDS}\"")));
    Ok((all, in_time))
}
