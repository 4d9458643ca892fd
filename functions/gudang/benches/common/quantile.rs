//! Quantiles of what was measured.

use std::time::Duration;

/// The time within which this share of `times` is, in milliseconds; no number where there are none.
pub(crate) fn quantile_ms(times: impl IntoIterator<Item = Duration>, share: f64) -> f64 {
    let mut times: Vec<Duration> = times.into_iter().collect();
    times.sort_unstable();
    let at = ((times.len() as f64 * share) as usize).min(times.len().saturating_sub(1));
    times.get(at).map_or(f64::NAN, |time| time.as_secs_f64() * 1000.0)
}
