//! Intervals of a sales report: aligned in UTC, weeks from Monday, empty ones included, and never too many.

use contract::Time;
use jiff::civil::{Date, DateTime, Time as Clock};
use jiff::{Timestamp, ToSpan};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::window::{Window, instant, utc};
use super::{Figures, Grain};

/// The most intervals that one report has.
pub(crate) const MAX_INTERVALS: i64 = 10_000;

/// How long an interval is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Interval {
    /// An hour.
    Hour,
    /// A day in UTC.
    #[default]
    Day,
    /// Seven days from Monday.
    Week,
    /// A calendar month.
    Month,
}

/// A report would have more than [`MAX_INTERVALS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooMany;

/// One interval of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Slot {
    /// Where the interval begins, also where the window begins later.
    pub(crate) start: Time,
    pub(crate) figures: Figures,
}

impl Interval {
    /// The contract's word, and PostgreSQL's for `date_trunc`.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
        }
    }

    /// The coarsest rollup that it can be added up from.
    pub(crate) fn grain(self) -> Grain {
        match self {
            Self::Hour => Grain::Fact,
            Self::Day | Self::Week => Grain::Day,
            Self::Month => Grain::Month,
        }
    }

    /// The start of the interval that `at` lies in.
    fn start(self, at: DateTime) -> DateTime {
        let day = at.date();
        let day = match self {
            Self::Hour => return day.at(at.hour(), 0, 0, 0),
            Self::Day => day,
            Self::Week => day.saturating_sub(i64::from(day.weekday().to_monday_zero_offset()).days()),
            Self::Month => day.first_of_month(),
        };
        day.to_datetime(Clock::midnight())
    }

    fn next(self, start: DateTime) -> DateTime {
        start.saturating_add(match self {
            Self::Hour => 1.hour(),
            Self::Day => 1.day(),
            Self::Week => 1.week(),
            Self::Month => 1.month(),
        })
    }

    /// How many intervals lie from the one that begins at `first` to the one that begins at `last`, both counted.
    fn count(self, first: DateTime, last: DateTime) -> i64 {
        let hours = hours_between(first, last);
        1 + match self {
            Self::Hour => hours,
            Self::Day => hours / 24,
            Self::Week => hours / (24 * 7),
            Self::Month => 12 * i64::from(last.year() - first.year()) + i64::from(last.month()) - i64::from(first.month()),
        }
    }
}

fn hours_between(first: DateTime, last: DateTime) -> i64 {
    (instant(last).as_second() - instant(first).as_second()) / 3600
}

/// Makes the intervals of a report from the rows that were found, which are by start: empty ones in between and up to the window's ends.
pub(crate) fn fill(interval: Interval, window: Window, found: &[(DateTime, Figures)]) -> Result<Vec<Slot>, TooMany> {
    let first = window.from.map(|from| interval.start(utc(from.timestamp()))).or(found.first().map(|row| row.0));
    let last = window.to.map(|to| interval.start(utc(just_before(to)))).or(found.last().map(|row| row.0));
    let (Some(first), Some(last)) = (first, last) else { return Ok(Vec::new()) };
    if last < first {
        return Ok(Vec::new());
    }
    if interval.count(first, last) > MAX_INTERVALS {
        return Err(TooMany);
    }
    let mut slots = Vec::new();
    let mut rows = found.iter().peekable();
    let mut start = first;
    while start <= last {
        let figures = rows.next_if(|row| row.0 == start).map_or_else(Figures::default, |row| row.1);
        slots.push(Slot { start: instant(start).into(), figures });
        start = interval.next(start);
    }
    Ok(slots)
}

/// Whether a report by hours over `window` must have too many of them, given the first and last month in which anything was sold.
///
/// So that a report that is refused has read no facts: what is left is bounded by [`MAX_INTERVALS`] and a month at either end.
pub(crate) fn too_many_hours(window: Window, first_month: Option<Date>, last_month: Option<Date>) -> bool {
    let midnight = |day: Date| day.to_datetime(Clock::midnight());
    let from = window.from.map(|from| utc(from.timestamp())).or(first_month.map(|month| midnight(month.saturating_add(1.month()))));
    let to = window.to.map(|to| utc(just_before(to))).or(last_month.map(midnight));
    let (Some(from), Some(to)) = (from, to) else { return false };
    Interval::Hour.count(Interval::Hour.start(from), Interval::Hour.start(to)) > MAX_INTERVALS
}

/// The last microsecond before `to`.
fn just_before(to: Time) -> Timestamp {
    to.timestamp().saturating_sub(1.microsecond()).unwrap_or(Timestamp::MIN)
}

#[cfg(test)]
mod tests {
    use super::super::window::Bound;
    use super::*;

    fn time(text: &str) -> Time {
        Bound::parse(text).unwrap().at
    }

    fn window(from: &str, to: &str) -> Window {
        let end = |text: &str| (!text.is_empty()).then(|| time(text));
        Window::new(end(from), end(to)).unwrap()
    }

    fn row(start: &str, units_sold: i64) -> (DateTime, Figures) {
        (utc(time(start).timestamp()), Figures { units_sold, ..Figures::default() })
    }

    fn filled(interval: Interval, from: &str, to: &str, rows: &[(DateTime, Figures)]) -> Vec<(String, i64)> {
        let slots = fill(interval, window(from, to), rows).unwrap();
        slots.iter().map(|slot| (slot.start.to_string(), slot.figures.units_sold)).collect()
    }

    fn expected(slots: &[(&str, i64)]) -> Vec<(String, i64)> {
        slots.iter().map(|(start, units)| ((*start).to_owned(), *units)).collect()
    }

    #[test]
    fn empty_intervals_are_there_and_the_first_begins_before_the_window_does() {
        let rows = [row("2010-12-01T09:00:00Z", 5)];
        let slots = filled(Interval::Hour, "2010-12-01T08:30:00Z", "2010-12-01T10:00:00.000001Z", &rows);
        assert_eq!(slots, expected(&[("2010-12-01T08:00:00Z", 0), ("2010-12-01T09:00:00Z", 5), ("2010-12-01T10:00:00Z", 0)]));
    }

    #[test]
    fn the_end_is_exclusive() {
        assert_eq!(filled(Interval::Day, "2010-12-01", "2010-12-02", &[]), expected(&[("2010-12-01T00:00:00Z", 0)]));
    }

    #[test]
    fn weeks_begin_on_monday() {
        let slots = filled(Interval::Week, "2010-12-01", "2010-12-07", &[]);
        assert_eq!(slots, expected(&[("2010-11-29T00:00:00Z", 0), ("2010-12-06T00:00:00Z", 0)]));
    }

    #[test]
    fn an_open_range_goes_from_the_first_row_to_the_last() {
        let rows = [row("2010-11-01", 1), row("2011-01-01", 2)];
        let slots = filled(Interval::Month, "", "", &rows);
        assert_eq!(slots, expected(&[("2010-11-01T00:00:00Z", 1), ("2010-12-01T00:00:00Z", 0), ("2011-01-01T00:00:00Z", 2)]));
        assert_eq!(filled(Interval::Month, "", "", &[]), []);
        assert_eq!(filled(Interval::Month, "2010-12-01", "", &[]), []);
    }

    #[test]
    fn ten_thousand_intervals_are_the_most() {
        let (from, ten_thousand_days) = ("2000-01-01", "2027-05-19");
        assert_eq!(fill(Interval::Day, window(from, ten_thousand_days), &[]).unwrap().len(), 10_000);
        assert_eq!(fill(Interval::Day, window(from, "2027-05-19T00:00:01Z"), &[]), Err(TooMany));
        assert_eq!(fill(Interval::Hour, window("2000-01-01", "2001-03-01"), &[]), Err(TooMany));
        assert_eq!(fill(Interval::Month, window("0001-01-01", "9999-12-31"), &[]), Err(TooMany));
        assert_eq!(fill(Interval::Month, window("2000-01-01", "2800-01-01"), &[]).unwrap().len(), 9_600);
    }

    #[test]
    fn too_many_hours_are_seen_from_the_months_alone() {
        let month = |text: &str| Some(text.parse::<Date>().unwrap());
        assert!(too_many_hours(Window::default(), month("2010-01-01"), month("2011-12-01")));
        assert!(!too_many_hours(Window::default(), month("2010-12-01"), month("2011-06-01")));
        assert!(!too_many_hours(Window::default(), None, None));
        assert!(too_many_hours(window("2010-01-01", "2012-01-01"), None, None));
        assert!(!too_many_hours(window("2010-01-01", ""), month("2010-01-01"), month("2010-01-01")));
    }
}
