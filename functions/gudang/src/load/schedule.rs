//! When requests are sent: each after the one before it was answered (closed), or at times fixed beforehand (open).
//!
//! Open is the honest one about overload: who comes does not care how long others wait. A request counts from its time, not from when somebody
//! was free to send it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// The times of a run.
#[derive(Debug)]
pub(crate) struct Schedule {
    begun: Instant,
    length: Duration,
    rate: Option<u32>,
    taken: AtomicU64,
}

/// A request's turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Turn {
    /// Its number, from 0.
    pub(crate) number: u64,
    /// Its time, which may be past.
    pub(crate) at: Instant,
}

impl Schedule {
    /// Makes one of `length`, at `rate` a second if that is given.
    pub(crate) fn new(begun: Instant, length: Duration, rate: Option<u32>) -> Self {
        Self { begun, length, rate, taken: AtomicU64::new(0) }
    }

    pub(crate) fn begun(&self) -> Instant {
        self.begun
    }

    pub(crate) fn end(&self) -> Instant {
        self.begun + self.length
    }

    /// Whether requests have times of their own.
    pub(crate) fn is_open(&self) -> bool {
        self.rate.is_some()
    }

    /// The next turn; none when the time is over.
    pub(crate) fn next(&self) -> Option<Turn> {
        self.next_at(Instant::now())
    }

    fn next_at(&self, now: Instant) -> Option<Turn> {
        if now >= self.end() {
            return None;
        }
        let number = self.taken.fetch_add(1, Ordering::Relaxed);
        let at = self.rate.map_or(now, |rate| self.begun + Duration::from_secs_f64(number as f64 / f64::from(rate)));
        if at < self.end() {
            return Some(Turn { number, at });
        }
        self.taken.fetch_sub(1, Ordering::Relaxed);
        None
    }

    /// Requests whose time came and that nobody was free to send.
    pub(crate) fn unsent(&self) -> u64 {
        let due = self.rate.map_or(0, |rate| (f64::from(rate) * self.length.as_secs_f64()).ceil() as u64);
        due.saturating_sub(self.taken.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_closed_schedule_is_always_now_until_it_is_over() {
        let begun = Instant::now();
        let schedule = Schedule::new(begun, SECOND, None);
        let later = begun + SECOND / 2;
        assert_eq!(schedule.next_at(begun), Some(Turn { number: 0, at: begun }));
        assert_eq!(schedule.next_at(later), Some(Turn { number: 1, at: later }));
        assert_eq!(schedule.next_at(begun + SECOND), None);
        assert_eq!(schedule.unsent(), 0);
    }

    #[test]
    fn an_open_schedule_keeps_its_times_however_late_somebody_is_free() {
        let begun = Instant::now();
        let schedule = Schedule::new(begun, SECOND, Some(4));
        let late = begun + SECOND * 9 / 10;
        for number in 0..4 {
            assert_eq!(schedule.next_at(late), Some(Turn { number, at: begun + SECOND / 4 * number as u32 }));
        }
        assert_eq!((schedule.next_at(late), schedule.unsent()), (None, 0));
    }

    #[test]
    fn what_nobody_was_free_to_send_is_counted() {
        let begun = Instant::now();
        let schedule = Schedule::new(begun, SECOND, Some(4));
        assert!(schedule.next_at(begun).is_some() && schedule.next_at(begun + SECOND).is_none());
        assert_eq!(schedule.unsent(), 3);
    }
}
