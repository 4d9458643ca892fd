//! The episode machine: when an alert is raised, and when an episode is over.
//!
//! Pure, and a function of its stream alone. It knows no SQL, no clock, no transport and no other stream; whoever calls it holds the
//! stream's row lock and feeds it every event in version order.

use contract::NotificationKind;

/// Where a stream stands. An episode is open in any state but [`State::Ok`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum State {
    /// No episode is open.
    #[default]
    Ok,
    /// An episode is open that has only been low.
    Low,
    /// An episode is open that has been out, however much there is again by now.
    Out,
}

/// A stream's machine: its state and the number of its open, else its last episode. It starts at OK with the first movement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Watch {
    pub(crate) state: State,
    /// From 1; 0 before the first.
    pub(crate) episode: i64,
}

/// What an event says of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Level {
    /// Units that may still be promised. Below zero after a loss.
    pub(crate) available: i64,
    /// The threshold in force; 0 switches alerts off.
    pub(crate) min_stock: i64,
}

/// What an event did to a stream's machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Happening {
    /// Nothing that anybody should be told.
    Nothing,
    /// An alert of the open episode.
    Raised(NotificationKind),
    /// The episode closed without a word.
    Closed,
    /// The episode closed, and it had been out: one BACK_IN_STOCK.
    ClosedBackInStock,
}

impl Level {
    fn is_out(self) -> bool {
        self.available <= 0
    }

    fn is_below(self) -> bool {
        self.available < self.min_stock
    }

    /// Enough that going around the threshold by a unit or two does not open the next episode at once.
    fn has_recovered(self) -> bool {
        let margin = (self.min_stock + 9) / 10;
        self.available >= self.min_stock + margin.max(1)
    }
}

impl Watch {
    /// Takes the next event of the stream.
    ///
    /// In one episode at most one LOW_STOCK and one OUT_OF_STOCK, straight to out only the latter, and no LOW_STOCK after it.
    pub(crate) fn observe(self, level: Level) -> (Self, Happening) {
        match self.state {
            _ if level.min_stock == 0 => self.close(Happening::Closed),
            State::Ok if level.is_out() => self.open(State::Out, NotificationKind::OutOfStock),
            State::Ok if level.is_below() => self.open(State::Low, NotificationKind::LowStock),
            State::Low if level.is_out() => (Self { state: State::Out, ..self }, Happening::Raised(NotificationKind::OutOfStock)),
            State::Low if level.has_recovered() => self.close(Happening::Closed),
            State::Out if level.has_recovered() => self.close(Happening::ClosedBackInStock),
            State::Ok | State::Low | State::Out => (self, Happening::Nothing),
        }
    }

    fn open(self, state: State, kind: NotificationKind) -> (Self, Happening) {
        (Self { state, episode: self.episode + 1 }, Happening::Raised(kind))
    }

    fn close(self, how: Happening) -> (Self, Happening) {
        match self.state {
            State::Ok => (self, Happening::Nothing),
            State::Low | State::Out => (Self { state: State::Ok, ..self }, how),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use contract::NotificationKind::{BackInStock, LowStock, OutOfStock};
    use proptest::prelude::*;

    use super::*;

    /// What a history raises, and the episodes in which it does; `None` is a silent close.
    fn told(history: &[(i64, i64)]) -> Vec<(Option<NotificationKind>, i64)> {
        let mut watch = Watch::default();
        let mut told = Vec::new();
        for &(available, min_stock) in history {
            let (next, happening) = watch.observe(Level { available, min_stock });
            watch = next;
            match happening {
                Happening::Nothing => {}
                Happening::Raised(kind) => told.push((Some(kind), watch.episode)),
                Happening::Closed => told.push((None, watch.episode)),
                Happening::ClosedBackInStock => told.push((Some(BackInStock), watch.episode)),
            }
        }
        told
    }

    fn at(min_stock: i64, levels: &[i64]) -> Vec<(Option<NotificationKind>, i64)> {
        told(&levels.iter().map(|available| (*available, min_stock)).collect::<Vec<_>>())
    }

    #[test]
    fn low_is_below_the_minimum_and_not_at_it() {
        assert_eq!(at(10, &[11, 10]), []);
        assert_eq!(at(10, &[10, 9]), [(Some(LowStock), 1)]);
    }

    #[test]
    fn the_first_movement_alone_can_open_an_episode() {
        assert_eq!(at(10, &[5]), [(Some(LowStock), 1)]);
        assert_eq!(at(10, &[0]), [(Some(OutOfStock), 1)]);
    }

    #[test]
    fn an_episode_tells_each_thing_once() {
        assert_eq!(at(10, &[9, 8, 9, 1, 0, -3, 5, 0, 9, 10]), [(Some(LowStock), 1), (Some(OutOfStock), 1)]);
    }

    #[test]
    fn straight_to_out_is_never_low() {
        assert_eq!(at(10, &[50, 0, 5, 9, 0]), [(Some(OutOfStock), 1)]);
    }

    #[test]
    fn an_episode_closes_a_tenth_above_the_minimum_rounded_up_and_at_least_one_unit() {
        for (min_stock, closes) in [(1, 2), (9, 10), (10, 11), (11, 13), (20, 22), (21, 24), (1_000_000_000, 1_100_000_000)] {
            assert_eq!(at(min_stock, &[min_stock - 1, closes - 1]).len(), 1, "{min_stock}: still open one unit below");
            assert_eq!(at(min_stock, &[min_stock - 1, closes]).len(), 2, "{min_stock}: closed");
        }
    }

    #[test]
    fn back_in_stock_is_told_only_after_out() {
        assert_eq!(at(10, &[9, 11]), [(Some(LowStock), 1), (None, 1)]);
        assert_eq!(at(10, &[9, 0, 11]), [(Some(LowStock), 1), (Some(OutOfStock), 1), (Some(BackInStock), 1)]);
        assert_eq!(at(10, &[0, 9, 10, 11, 9]), [(Some(OutOfStock), 1), (Some(BackInStock), 1), (Some(LowStock), 2)]);
    }

    #[test]
    fn no_threshold_no_alert_and_it_closes_without_a_word() {
        assert_eq!(at(0, &[5, 0, -1, 5]), []);
        assert_eq!(told(&[(0, 10), (0, 0), (0, 10)]), [(Some(OutOfStock), 1), (None, 1), (Some(OutOfStock), 2)]);
    }

    #[test]
    fn a_changed_threshold_alone_opens_and_closes() {
        assert_eq!(told(&[(50, 10), (50, 100), (50, 45), (50, 46)]), [(Some(LowStock), 1), (None, 1)]);
    }

    /// The contract's sentences, one by one, over a memory of everything that was said in the open episode.
    fn naive(history: &[(i64, i64)]) -> Vec<(Option<NotificationKind>, i64)> {
        let (mut said, mut open, mut number): (BTreeSet<NotificationKind>, _, _) = (BTreeSet::new(), false, 0);
        let mut out = Vec::new();
        for &(available, min_stock) in history {
            let margin = std::cmp::max(1, (min_stock as f64 / 10.0).ceil() as i64);
            if open && (min_stock == 0 || available >= min_stock + margin) {
                let back = min_stock != 0 && said.contains(&OutOfStock);
                out.push((back.then_some(BackInStock), number));
                (open, said) = (false, BTreeSet::new());
                continue;
            }
            let now = match available {
                _ if min_stock == 0 => continue,
                i64::MIN..=0 => OutOfStock,
                _ if available < min_stock => LowStock,
                _ => continue,
            };
            if !open {
                (open, number) = (true, number + 1);
            }
            let silenced = now == LowStock && said.contains(&OutOfStock);
            if !silenced && said.insert(now) {
                out.push((Some(now), number));
            }
        }
        out
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2000) })]

        #[test]
        fn the_machine_says_what_the_contract_says(
            history in proptest::collection::vec((-3_i64..30, prop_oneof![Just(0_i64), Just(10), 1_i64..25]), 0..80)
        ) {
            prop_assert_eq!(told(&history), naive(&history));
        }

        #[test]
        fn a_state_always_fits_its_level(
            history in proptest::collection::vec((-3_i64..30, 0_i64..25), 1..80)
        ) {
            let mut watch = Watch::default();
            for (available, min_stock) in history {
                let level = Level { available, min_stock };
                watch = watch.observe(level).0;
                match watch.state {
                    State::Ok => prop_assert!(min_stock == 0 || !level.is_below()),
                    State::Low => prop_assert!(min_stock > 0 && !level.is_out() && !level.has_recovered()),
                    State::Out => prop_assert!(min_stock > 0 && !level.has_recovered()),
                }
            }
        }
    }
}
