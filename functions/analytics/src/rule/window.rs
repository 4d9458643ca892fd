//! Windows: which rollups and which facts make up the time from `from` to `to`, exactly.
//!
//! Whole months come from month rollups, whole days beside them from day rollups, and what is less than a day at either end from facts.

use contract::{Invalid, Time};
use jiff::civil::{Date, DateTime, Time as Clock, date};
use jiff::tz::Offset;
use jiff::{Timestamp, ToSpan};

/// Before every day that can occur.
const FIRST_DAY: Date = date(1, 1, 1);
/// Behind every day that can occur.
const LAST_DAY: Date = date(9999, 12, 31);

/// One end of a window, as given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bound {
    /// As the client wrote it; answers repeat it so.
    pub(crate) text: String,
    pub(crate) at: Time,
}

impl Bound {
    /// Reads a date, which means its midnight in UTC, or a time.
    pub(crate) fn parse(text: &str) -> Result<Self, Invalid> {
        let at = if is_date(text) { midnight(text.parse().ok()) } else { Time::parse(text).ok() };
        let shape = || Invalid::new("invalid_time", "must be a date such as 2026-01-31 or a time in RFC 3339 such as 2026-01-31T12:00:00Z");
        Ok(Self { text: text.to_owned(), at: at.ok_or_else(shape)? })
    }
}

fn is_date(text: &str) -> bool {
    text.len() == 10 && text.bytes().enumerate().all(|(n, byte)| if n == 4 || n == 7 { byte == b'-' } else { byte.is_ascii_digit() })
}

fn midnight(day: Option<Date>) -> Option<Time> {
    day.filter(|day| day.year() >= 1).map(|day| Time::new(start_of(day)))
}

/// From inclusive, to exclusive; an absent end is open.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) from: Option<Time>,
    pub(crate) to: Option<Time>,
}

/// The coarsest rollup that may be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Grain {
    /// None: facts only.
    Fact,
    /// Days.
    Day,
    /// Months and days.
    Month,
}

/// Half-open ranges that are disjoint and together make up a window. An empty one begins where it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pieces {
    /// First days of months.
    pub(crate) months: (Date, Date),
    pub(crate) days: [(Date, Date); 2],
    pub(crate) facts: [(Timestamp, Timestamp); 2],
}

const NO_DAYS: (Date, Date) = (FIRST_DAY, FIRST_DAY);
const NO_FACTS: (Timestamp, Timestamp) = (Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH);

impl Window {
    /// A window that has something in it; `None` where `from` is not before `to`.
    pub(crate) fn new(from: Option<Time>, to: Option<Time>) -> Option<Self> {
        let empty = matches!((from, to), (Some(from), Some(to)) if from >= to);
        (!empty).then_some(Self { from, to })
    }

    /// The first days of the months that it touches, as a half-open range.
    pub(crate) fn months_touched(self) -> (Date, Date) {
        let first = self.from.map_or(FIRST_DAY, |from| utc(from.timestamp()).date().first_of_month());
        let end = self.to.map_or(LAST_DAY, |to| next_month(utc(to.timestamp()).date()));
        (first, end)
    }

    /// Cuts the window up.
    pub(crate) fn pieces(self, coarsest: Grain) -> Pieces {
        let mut pieces = Pieces { months: NO_DAYS, days: [NO_DAYS; 2], facts: [NO_FACTS; 2] };
        let from = self.from.map_or(start_of(FIRST_DAY), Time::timestamp);
        let to = self.to.map_or(Timestamp::MAX, Time::timestamp);
        let first = self.from.map_or(FIRST_DAY, |from| ceiling(from.timestamp()));
        let end = self.to.map_or(LAST_DAY, |to| utc(to.timestamp()).date());
        if coarsest == Grain::Fact || first > end {
            pieces.facts[0] = (from, to);
            return pieces;
        }
        if self.from.is_some() {
            pieces.facts[0] = (from, start_of(first));
        }
        if self.to.is_some() {
            pieces.facts[1] = (start_of(end), to);
        }
        let first_month = if first.day() == 1 { first } else { next_month(first) };
        let end_month = if self.to.is_some() { end.first_of_month() } else { LAST_DAY };
        if coarsest == Grain::Day || first_month >= end_month {
            pieces.days[0] = (first, end);
            return pieces;
        }
        pieces.months = (first_month, end_month);
        pieces.days = [(first, first_month), (end_month, end)];
        pieces
    }
}

/// A point in time as a calendar and a clock in UTC show it.
pub(super) fn utc(at: Timestamp) -> DateTime {
    Offset::UTC.to_datetime(at)
}

/// The point in time of a calendar and a clock in UTC; the last one that there is where it is beyond.
pub(super) fn instant(at: DateTime) -> Timestamp {
    Offset::UTC.to_timestamp(at).unwrap_or(Timestamp::MAX)
}

fn start_of(day: Date) -> Timestamp {
    instant(day.to_datetime(Clock::midnight()))
}

/// The first day that begins at or after `at`.
fn ceiling(at: Timestamp) -> Date {
    let at = utc(at);
    if at.time() == Clock::midnight() { at.date() } else { at.date().saturating_add(1.day()) }
}

fn next_month(day: Date) -> Date {
    day.first_of_month().saturating_add(1.month())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn time(text: &str) -> Time {
        Bound::parse(text).unwrap().at
    }

    fn pieces(from: &str, to: &str, coarsest: Grain) -> Pieces {
        Window::new(Some(time(from)), Some(time(to))).unwrap().pieces(coarsest)
    }

    fn empty<T: PartialEq + Copy>(range: (T, T)) -> bool {
        range.0 == range.1
    }

    #[test]
    fn everything_is_months_alone() {
        let pieces = Window::default().pieces(Grain::Month);
        assert_eq!(pieces.months, (FIRST_DAY, LAST_DAY));
        assert!(pieces.facts.into_iter().all(empty));
        assert_eq!(pieces.days, [NO_DAYS, (LAST_DAY, LAST_DAY)]);
    }

    #[test]
    fn a_window_within_an_hour_is_facts_alone() {
        let pieces = pieces("2010-12-01T08:10:00Z", "2010-12-01T08:20:00.000001Z", Grain::Month);
        assert_eq!(pieces.facts[0], (time("2010-12-01T08:10:00Z").timestamp(), time("2010-12-01T08:20:00.000001Z").timestamp()));
        assert!(empty(pieces.facts[1]) && empty(pieces.months) && pieces.days.into_iter().all(empty));
    }

    #[test]
    fn a_long_window_is_facts_days_months_days_facts() {
        let pieces = pieces("2010-11-29T12:00:00Z", "2011-02-02T06:00:00Z", Grain::Month);
        assert_eq!(pieces.facts[0], (time("2010-11-29T12:00:00Z").timestamp(), time("2010-11-30").timestamp()));
        assert_eq!(pieces.days[0], (date(2010, 11, 30), date(2010, 12, 1)));
        assert_eq!(pieces.months, (date(2010, 12, 1), date(2011, 2, 1)));
        assert_eq!(pieces.days[1], (date(2011, 2, 1), date(2011, 2, 2)));
        assert_eq!(pieces.facts[1], (time("2011-02-02").timestamp(), time("2011-02-02T06:00:00Z").timestamp()));
    }

    #[test]
    fn whole_months_read_nothing_else() {
        let pieces = pieces("2010-12-01", "2011-01-01", Grain::Month);
        assert_eq!(pieces.months, (date(2010, 12, 1), date(2011, 1, 1)));
        assert!(pieces.facts.into_iter().all(empty) && pieces.days.into_iter().all(empty));
    }

    #[test]
    fn a_date_is_its_midnight_in_utc_and_is_repeated_as_given() {
        assert_eq!(Bound::parse("2010-12-01").unwrap(), Bound { text: "2010-12-01".into(), at: time("2010-12-01T00:00:00Z") });
        for bad in ["2010-13-01", "2010-12-1", "0000-01-01", "20101201", "2010-12-01T00:00:00", "today", "", "2010-02-29", "+010-12-01"] {
            assert!(Bound::parse(bad).is_err(), "{bad:?}");
        }
        assert!(Bound::parse("9999-12-31").is_ok(), "a far future means no end");
    }

    #[test]
    fn a_window_has_something_in_it() {
        let (early, late) = (Some(time("2010-12-01")), Some(time("2010-12-02")));
        assert_eq!(Window::new(late, early), None);
        assert_eq!(Window::new(early, early), None);
        assert!(Window::new(early, late).is_some() && Window::new(None, late).is_some());
    }

    proptest! {
        #[test]
        fn each_moment_of_a_window_is_in_exactly_one_piece(
            from in proptest::option::of(1_280_000_000_i64..1_300_000_000),
            length in proptest::option::of(1_i64..20_000_000),
            at in 1_270_000_000_i64..1_330_000_000,
            grain in prop_oneof![Just(Grain::Fact), Just(Grain::Day), Just(Grain::Month)],
        ) {
            let second = |second: i64| Timestamp::from_second(second).unwrap();
            let to = length.map(|length| from.unwrap_or(1_280_000_000) + length);
            let pieces = Window { from: from.map(|from| second(from).into()), to: to.map(|to| second(to).into()) }.pieces(grain);
            let day = utc(second(at)).date();
            let holds = |(from, to): (Date, Date), day: Date| from <= day && day < to;
            let times = usize::from(holds(pieces.months, day.first_of_month()))
                + pieces.days.iter().filter(|range| holds(**range, day)).count()
                + pieces.facts.iter().filter(|(from, to)| *from <= second(at) && second(at) < *to).count();
            let inside = from.is_none_or(|from| from <= at) && to.is_none_or(|to| at < to);
            prop_assert_eq!(times, usize::from(inside));
        }
    }
}
