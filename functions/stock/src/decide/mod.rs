//! Decides a batch of orders in memory, in the order in which they came, against levels that are locked.
//!
//! Pure. Each order sees what the ones before it left, and so does each line. It knows no SQL and no clock: whoever calls it gives the
//! levels, the reservations, the answers that are stored already, and the time at which the locks were had.

mod changes;
mod desk;
mod reservations;

use std::collections::HashMap;

use contract::Time;
use jiff::SignedDuration;
use postgres::keys::{Answer, Key, RequestHash};
use uuid::Uuid;

use crate::order::{Ask, Lapsed, Order, Outcome, Reservation};

use desk::Desk;
pub use desk::{Levels, Row, Standing};
pub use reservations::{Ended, Kept};

/// How far ahead of now something may be said to have happened: clocks differ, calendars do not.
pub const AHEAD: SignedDuration = SignedDuration::from_mins(5);

/// Answers that are stored under the batch's keys.
pub type Stored = HashMap<Key, (RequestHash, Answer)>;

/// What decisions stand on, all of it read after the locks were had.
#[derive(Debug)]
pub struct Ground {
    /// Every level that an order of the batch names.
    pub levels: Levels,
    /// The answers that are stored under the batch's keys.
    pub stored: Stored,
    /// Every reservation that an order of the batch is about.
    pub reservations: HashMap<Uuid, Reservation>,
    /// The holds of these levels whose time has passed, each level's by time. They end before anything else happens.
    pub lapsed: Vec<Lapsed>,
    /// The database's clock when the locks were had.
    pub now: Time,
}

/// What a batch came to. Nothing is true of it before it is written.
#[derive(Debug, Default)]
pub struct Decisions {
    /// One for each order, in order.
    pub outcomes: Vec<Outcome>,
    /// The levels that changed, as they will be.
    pub levels: Vec<Standing>,
    /// Ledger rows, in order.
    pub rows: Vec<Row>,
    /// Answers to store.
    pub answers: Vec<(Key, RequestHash, Answer)>,
    /// Reservations that were made.
    pub kept: Vec<Kept>,
    /// Reservations that changed, as they will be.
    pub settled: Vec<Reservation>,
    /// Holds that their levels count no more.
    pub ended: Vec<Ended>,
}

/// Decides `orders`.
pub fn decide(orders: &[&Order], ground: Ground) -> Decisions {
    let Ground { levels, mut stored, reservations, lapsed, now } = ground;
    let mut desk = Desk::new(levels, now);
    let mut book = reservations::Book::new(reservations);
    for lapsed in &lapsed {
        book.expire(&mut desk, lapsed);
    }
    let mut decisions = Decisions { outcomes: Vec::with_capacity(orders.len()), ..Decisions::default() };
    for order in orders {
        let outcome = match order.key.as_ref().and_then(|(key, hash)| Some((hash, stored.get(key)?))) {
            Some((hash, (of, answer))) if hash == of => Outcome::Replayed(answer.clone()),
            Some(_) => Outcome::Mismatch,
            None => {
                let answer = judge(&order.ask, &mut desk, &mut book);
                // What went wrong on our side is no answer to keep.
                if let Some((key, hash)) = order.key.as_ref().filter(|_| answer.status < 500) {
                    stored.insert(*key, (*hash, answer.clone()));
                    decisions.answers.push((*key, *hash, answer.clone()));
                }
                Outcome::Decided(answer)
            }
        };
        decisions.outcomes.push(outcome);
    }
    (decisions.levels, decisions.rows) = desk.close();
    (decisions.kept, decisions.settled, decisions.ended) = book.close();
    decisions
}

fn judge(ask: &Ask, desk: &mut Desk, book: &mut reservations::Book) -> Answer {
    match ask {
        Ask::Change(line) => changes::single(desk, line),
        Ask::ImportRow(line) => changes::import_row(desk, line),
        Ask::Atomic(lines) => changes::atomic(desk, lines),
        Ask::Independent(lines) => changes::independent(desk, lines),
        Ask::Transfer { out, into } => changes::transfer(desk, out, into),
        Ask::Reserve(reserve) => book.reserve(desk, reserve),
        Ask::Resolve { reservation, step, .. } => book.resolve(desk, *reservation, step),
        Ask::Sweep(_) => crate::answer::nothing(),
    }
}
