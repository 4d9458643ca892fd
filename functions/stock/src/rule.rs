//! The rule of stock: judges one movement, or one promise, against one level.
//!
//! Pure. It knows no SQL, no clock, no transport, and it never waits: whoever calls it holds the stream's row lock.

use contract::{ChangeType, Count, Quantity};
use fault::{Fault, Kind, Problem};

/// One product at one location, as read after its row was locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Level {
    /// Units on the shelf. Never below zero.
    pub on_hand: i64,
    /// Units promised to active reservations.
    pub reserved: i64,
    /// Rows in this stream's journal; the next row takes `version + 1`.
    pub version: i64,
    /// Whether the product was taken off: nothing new is promised or brought in.
    pub archived: bool,
}

impl Level {
    /// Units that may still be promised. Below zero only after a loss ate into reserved goods.
    pub fn available(self) -> i64 {
        self.on_hand - self.reserved
    }
}

/// What somebody says has happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Movement {
    /// Units sold.
    Sale(Quantity),
    /// Units that came in.
    Restock(Quantity),
    /// A sale taken back.
    Return(Quantity),
    /// Damage or loss.
    WriteOff(Quantity),
    /// What was counted on the shelf.
    Count(Count),
    /// Units that leave for another location.
    TransferOut(Quantity),
    /// Units that arrive from another location.
    TransferIn(Quantity),
    /// Units sold that a hold of this level had promised.
    Confirmed(Quantity),
}

impl Movement {
    /// The contract's name of it.
    pub fn kind(self) -> ChangeType {
        match self {
            Self::Sale(_) | Self::Confirmed(_) => ChangeType::Sale,
            Self::Restock(_) => ChangeType::Restock,
            Self::Return(_) => ChangeType::Return,
            Self::WriteOff(_) => ChangeType::WriteOff,
            Self::Count(_) => ChangeType::Count,
            Self::TransferOut(_) => ChangeType::TransferOut,
            Self::TransferIn(_) => ChangeType::TransferIn,
        }
    }

    /// The units as sent.
    pub fn quantity(self) -> i64 {
        match self {
            Self::Count(units) => units.get(),
            Self::Sale(units)
            | Self::Restock(units)
            | Self::Return(units)
            | Self::WriteOff(units)
            | Self::TransferOut(units)
            | Self::TransferIn(units)
            | Self::Confirmed(units) => units.get(),
        }
    }
}

/// Why a movement was not recorded. Final for its idempotency key: a retry gets the same answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// More asked for than there is.
    #[error("{requested} units asked for, {available} available")]
    InsufficientStock {
        /// Units asked for.
        requested: i64,
        /// Units that limited the change: available, or on hand for a write-off.
        available: i64,
    },
    /// The product was taken off.
    #[error("the product is archived: restore it first, or use a movement that clears the shelf")]
    ProductArchived,
    /// The shelf would hold more than can be counted.
    #[error("the level would exceed the most units that can be kept")]
    LevelTooHigh,
}

impl Fault for Refusal {
    fn kind(&self) -> Kind {
        Kind::Conflict
    }

    fn code(&self) -> &'static str {
        match self {
            Self::InsufficientStock { .. } => "insufficient_stock",
            Self::ProductArchived => "product_archived",
            Self::LevelTooHigh => "level_too_high",
        }
    }
}

impl Refusal {
    /// The problem that a client reads.
    pub fn problem(&self) -> Problem {
        match *self {
            Self::InsufficientStock { requested, available } => Problem::of(self).with("requested", requested).with("available", available),
            Self::ProductArchived | Self::LevelTooHigh => Problem::of(self),
        }
    }
}

/// The most units that a level may hold: far beyond any shelf, far within what the books can add up.
const MOST_ON_HAND: i64 = 1_000_000_000_000_000;

/// Judges `movement` and returns the level after it.
///
/// Promises are checked, facts are recorded: a sale or a transfer needs available units, a write-off only needs units on the shelf, and a
/// count is true whatever the books said. What a hold had promised needs units on the shelf: they may have been lost since. Nothing is
/// clamped: a movement happens whole or not at all.
pub fn apply(level: Level, movement: Movement) -> Result<Level, Refusal> {
    if level.archived && matches!(movement, Movement::Sale(_) | Movement::Restock(_)) {
        return Err(Refusal::ProductArchived);
    }
    let delta = match movement {
        Movement::Sale(units) | Movement::TransferOut(units) => -within(level.available(), units)?,
        Movement::WriteOff(units) | Movement::Confirmed(units) => -within(level.on_hand, units)?,
        Movement::Restock(units) | Movement::Return(units) | Movement::TransferIn(units) => units.get(),
        Movement::Count(counted) => counted.get() - level.on_hand,
    };
    let on_hand = level.on_hand + delta;
    if on_hand > MOST_ON_HAND {
        return Err(Refusal::LevelTooHigh);
    }
    let reserved = if let Movement::Confirmed(units) = movement { level.reserved - units.get() } else { level.reserved };
    Ok(Level { on_hand, reserved, version: level.version + 1, ..level })
}

/// Promises units: they stay on the shelf and are not available any more.
pub fn hold(level: Level, units: Quantity) -> Result<Level, Refusal> {
    if level.archived {
        return Err(Refusal::ProductArchived);
    }
    let reserved = level.reserved + within(level.available(), units)?;
    Ok(Level { reserved, version: level.version + 1, ..level })
}

/// Takes a promise back: released, or lapsed.
pub fn let_go(level: Level, units: i64) -> Level {
    Level { reserved: level.reserved - units, version: level.version + 1, ..level }
}

fn within(available: i64, requested: Quantity) -> Result<i64, Refusal> {
    let requested = requested.get();
    if requested > available {
        return Err(Refusal::InsufficientStock { requested, available });
    }
    Ok(requested)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEN: Level = Level { on_hand: 10, reserved: 4, version: 7, archived: false };

    fn units(units: i64) -> Quantity {
        Quantity::new(units).expect("a quantity")
    }

    #[test]
    fn the_last_available_unit_sells_and_no_more() {
        assert_eq!(apply(TEN, Movement::Sale(units(6))), Ok(Level { on_hand: 4, version: 8, ..TEN }));
        assert_eq!(apply(TEN, Movement::Sale(units(7))), Err(Refusal::InsufficientStock { requested: 7, available: 6 }));
    }

    #[test]
    fn a_loss_is_recorded_even_where_it_eats_into_promises() {
        let after = apply(TEN, Movement::Count(Count::new(3).expect("a count"))).expect("a count is never refused");
        assert_eq!(after.available(), -1);
        assert_eq!(apply(TEN, Movement::WriteOff(units(10))).map(|level| level.on_hand), Ok(0));
        assert_eq!(apply(TEN, Movement::WriteOff(units(11))), Err(Refusal::InsufficientStock { requested: 11, available: 10 }));
    }

    #[test]
    fn a_hold_takes_what_is_available_and_gives_it_back() {
        let held = hold(TEN, units(6)).expect("six are available");
        assert_eq!((held.available(), held.on_hand, held.version), (0, 10, 8));
        assert_eq!(hold(TEN, units(7)), Err(Refusal::InsufficientStock { requested: 7, available: 6 }));
        assert_eq!(let_go(held, 6), Level { version: 9, ..TEN });
        assert_eq!(hold(Level { archived: true, ..TEN }, units(1)), Err(Refusal::ProductArchived));
    }

    #[test]
    fn what_was_promised_sells_while_it_lies_on_the_shelf() {
        assert_eq!(apply(TEN, Movement::Confirmed(units(4))), Ok(Level { on_hand: 6, reserved: 0, version: 8, archived: false }));
        let lost = Level { on_hand: 3, ..TEN };
        assert_eq!(apply(lost, Movement::Confirmed(units(3))).map(Level::available), Ok(-1));
        assert_eq!(apply(lost, Movement::Confirmed(units(4))), Err(Refusal::InsufficientStock { requested: 4, available: 3 }));
    }

    #[test]
    fn what_clears_the_shelf_goes_on_after_archiving() {
        let archived = Level { archived: true, ..TEN };
        for refused in [Movement::Sale(units(1)), Movement::Restock(units(1))] {
            assert_eq!(apply(archived, refused), Err(Refusal::ProductArchived));
        }
        for recorded in [Movement::Return(units(1)), Movement::WriteOff(units(1)), Movement::Count(Count::new(0).expect("a count"))] {
            assert!(apply(archived, recorded).is_ok());
        }
    }

    #[test]
    fn counting_what_the_books_say_is_recorded_too() {
        let after = apply(TEN, Movement::Count(Count::new(10).expect("a count")));
        assert_eq!(after, Ok(Level { version: 8, ..TEN }));
    }
}
