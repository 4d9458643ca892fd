//! Decides a batch of orders in memory, in the order in which they came, against levels that are locked.
//!
//! Pure. Each order sees what the ones before it left, and so does each line. It knows no SQL and no clock: whoever calls it gives the
//! levels, the answers that are stored already, and the time at which the locks were had.

use std::collections::HashMap;

use contract::{Change, StockStream, Time};
use jiff::SignedDuration;
use postgres::keys::{Answer, Key, RequestHash};

use crate::answer::{answer, rejected_with_others};
use crate::order::{Form, Judged, Line, Order, Outcome};
use crate::rule::{self, Level};

/// A locked level: where a stream stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The level row's own id, by which it is written and locked.
    pub id: i64,
    /// What the rule judges.
    pub level: Level,
    /// The product's copy in force.
    pub product_version: i64,
    /// When the stream's last row was recorded.
    pub recorded_at: Time,
    /// Whether this batch has changed it.
    pub touched: bool,
}

/// A movement to be written.
#[derive(Debug, Clone)]
pub struct Row {
    /// The level that it belongs to.
    pub level_id: i64,
    /// The product's copy that it was judged under.
    pub product_version: i64,
    /// What the caller reads and the ledger keeps.
    pub change: Change,
}

/// What a batch came to. Nothing is true of it before it is written.
#[derive(Debug, Default)]
pub struct Decisions {
    /// One for each order, in order.
    pub outcomes: Vec<Outcome>,
    /// Ledger rows, in order.
    pub rows: Vec<Row>,
    /// Answers to store.
    pub answers: Vec<(Key, RequestHash, Answer)>,
}

/// The levels of a batch by stream.
pub type Levels = HashMap<StockStream, Standing>;
/// Answers that are stored under the batch's keys.
pub type Stored = HashMap<Key, (RequestHash, Answer)>;

/// Decides `orders` and leaves `levels` as they will be.
pub fn decide(orders: &[Order], levels: &mut Levels, stored: &mut Stored, now: Time) -> Decisions {
    let mut decisions = Decisions { outcomes: Vec::with_capacity(orders.len()), ..Decisions::default() };
    for order in orders {
        let outcome = match order.key.as_ref().and_then(|(key, hash)| Some((hash, stored.get(key)?))) {
            Some((hash, (of, answer))) if hash == of => Outcome::Replayed(answer.clone()),
            Some(_) => Outcome::Mismatch,
            None => {
                let answer = judge(order, levels, &mut decisions.rows, now);
                if let Some((key, hash)) = &order.key {
                    stored.insert(*key, (*hash, answer.clone()));
                    decisions.answers.push((*key, *hash, answer.clone()));
                }
                Outcome::Decided(answer)
            }
        };
        decisions.outcomes.push(outcome);
    }
    decisions
}

fn judge(order: &Order, levels: &mut Levels, rows: &mut Vec<Row>, now: Time) -> Answer {
    let before_rows = rows.len();
    let mut undo: Vec<(StockStream, Standing)> = Vec::new();
    let mut judged = Vec::with_capacity(order.lines.len());
    for line in order.lines.iter() {
        judged.push(match line {
            Ok(line) => movement(line, levels, rows, now, (order.form == Form::AtomicBatch).then_some(&mut undo)),
            Err(problem) => Err(problem.clone()),
        });
    }
    if order.form == Form::AtomicBatch && judged.iter().any(Result::is_err) {
        rows.truncate(before_rows);
        levels.extend(undo.into_iter().rev());
        let refused = judged.into_iter().map(|line| Err(line.err().unwrap_or_else(rejected_with_others))).collect();
        return answer(order.form, refused);
    }
    answer(order.form, judged)
}

/// Judges one line; what it changes is remembered in `undo`, if somebody may want it back.
fn movement(line: &Line, levels: &mut Levels, rows: &mut Vec<Row>, now: Time, undo: Option<&mut Vec<(StockStream, Standing)>>) -> Judged {
    let stream = line.stream();
    // Every stream of the batch was locked before it came here; one that is not is a fault of ours, said without effect.
    let standing = levels.get_mut(&stream).ok_or_else(fault::Problem::internal)?;
    let after = rule::apply(standing.level, line.movement).map_err(|refusal| refusal.problem())?;
    let recorded_at = now.max(standing.recorded_at);
    let change = Change {
        id: line.id,
        product_id: line.product_id,
        sku: line.sku.clone(),
        location: line.location.clone(),
        kind: line.movement.kind(),
        quantity: line.movement.quantity(),
        delta: after.on_hand - standing.level.on_hand,
        on_hand: after.on_hand,
        reserved: after.reserved,
        available: after.available(),
        version: after.version,
        unit_price: line.unit_price,
        reason: line.reason.clone(),
        reference: line.reference.clone(),
        occurred_at: line.occurred_at.unwrap_or(recorded_at),
        recorded_at,
    };
    if let Some(undo) = undo {
        undo.push((stream, standing.clone()));
    }
    *standing = Standing { level: after, recorded_at, touched: true, ..*standing };
    rows.push(Row { level_id: standing.id, product_version: standing.product_version, change: change.clone() });
    Ok(change)
}

/// How far ahead of now something may be said to have happened: clocks differ, calendars do not.
pub const AHEAD: SignedDuration = SignedDuration::from_mins(5);
