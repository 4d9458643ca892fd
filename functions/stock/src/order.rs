//! What callers ask of the ledger, and what it answers. Plain values: no SQL, no transport.

use std::sync::Arc;

use contract::{Change, Location, Money, ProductId, Reason, Reference, Sku, StockStream, Time};
use fault::Problem;
use postgres::keys::{Answer, Key, RequestHash};
use uuid::Uuid;

use crate::rule::Movement;

/// One movement asked for, of a product that is known.
#[derive(Debug, Clone)]
pub struct Line {
    /// The change's id, given at the edge: an attempt that is repeated records the same change.
    pub id: Uuid,
    /// Whose stock.
    pub product_id: ProductId,
    /// Its SKU.
    pub sku: Sku,
    /// Where.
    pub location: Location,
    /// What happened.
    pub movement: Movement,
    /// What one unit went for.
    pub unit_price: Option<Money>,
    /// Why.
    pub reason: Option<Reason>,
    /// The shop's own number.
    pub reference: Option<Reference>,
    /// When it happened; when it is recorded, if nothing is said.
    pub occurred_at: Option<Time>,
}

impl Line {
    /// The stream that it moves.
    pub fn stream(&self) -> StockStream {
        StockStream { product_id: self.product_id, location: self.location.clone() }
    }
}

/// How an order is judged and how its answer looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// One change: the change, or the refusal.
    Single,
    /// All lines or none.
    AtomicBatch,
    /// Each line by itself.
    IndependentBatch,
    /// A row of an import: nobody reads its answer but a replay of the same row.
    ImportRow,
}

/// A request to the ledger: lines that are judged together, under one idempotency key.
#[derive(Debug, Clone)]
pub struct Order {
    /// The key, and what it stands for.
    pub key: Option<(Key, RequestHash)>,
    /// How it is judged.
    pub form: Form,
    /// In order. A line that was refused before it came here carries its problem.
    pub lines: Arc<[Result<Line, Problem>]>,
}

/// What became of an order.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// Judged now; the answer is stored with the effect when there was a key.
    Decided(Answer),
    /// Answered before, in the same words.
    Replayed(Answer),
    /// The key stands for another request.
    Mismatch,
}

/// What became of one line.
pub type Judged = Result<Change, Problem>;
