//! What callers ask of the ledger, and what it answers. Plain values: no SQL, no transport.

use std::sync::Arc;

use contract::{Change, Money, Quantity, Reason, Reference, Sku, StockStream, Time};
use fault::Problem;
use jiff::SignedDuration;
use postgres::keys::{Answer, Key, RequestHash};
use uuid::Uuid;

use crate::rule::Movement;

/// One movement asked for, of a product that is known.
#[derive(Debug, Clone)]
pub struct Line {
    /// The change's id, given at the edge: an attempt that is repeated records the same change.
    pub id: Uuid,
    /// What moves: whose stock, and where.
    pub stream: StockStream,
    /// The product's SKU.
    pub sku: Sku,
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

/// Units to be promised, of a product that is known.
#[derive(Debug, Clone)]
pub struct Promise {
    /// Whose stock, and where.
    pub stream: StockStream,
    /// The product's SKU.
    pub sku: Sku,
    /// How many.
    pub quantity: Quantity,
}

/// What one request asks.
#[derive(Debug, Clone)]
pub enum Ask {
    /// One change: the change, or the refusal.
    Change(Line),
    /// A row of an import: a change whose answer nobody reads but a replay of the same row.
    ImportRow(Line),
    /// Changes, all or none. A line that was refused before it came here carries its problem.
    Atomic(Vec<Result<Line, Problem>>),
    /// Changes, each by itself.
    Independent(Vec<Result<Line, Problem>>),
    /// Units that leave one location for another: both changes or none.
    Transfer {
        /// The leaving half; its id is the transfer's.
        out: Line,
        /// The arriving half.
        into: Line,
    },
    /// Units to hold for a while: all lines or none.
    Reserve(Reserve),
    /// A step of a reservation that exists.
    Resolve {
        /// Which one.
        reservation: Uuid,
        /// The streams of its lines, which never change.
        streams: Vec<StockStream>,
        /// What to do with it.
        step: Step,
    },
    /// Nothing but a look: what has lapsed in these streams becomes rows of theirs.
    Sweep(Vec<StockStream>),
}

/// A reservation to be made.
#[derive(Debug, Clone)]
pub struct Reserve {
    /// Its id, given at the edge.
    pub id: Uuid,
    /// What to hold.
    pub lines: Vec<Promise>,
    /// For how long, from the moment it is judged.
    pub ttl: SignedDuration,
    /// The shop's own number.
    pub reference: Option<Reference>,
}

/// A step of a reservation.
#[derive(Debug, Clone)]
pub enum Step {
    /// The units are sold: all of them, or a part of each stream, and the rest is let go.
    Confirm(Option<Vec<(StockStream, i64)>>),
    /// The units are let go.
    Release,
    /// The units are held on, from the moment it is judged.
    Extend(SignedDuration),
}

/// A request to the ledger, judged as a whole under one idempotency key.
#[derive(Debug, Clone)]
pub struct Order {
    /// The key, and what it stands for.
    pub key: Option<(Key, RequestHash)>,
    /// What is asked.
    pub ask: Ask,
}

impl Order {
    /// Visits every stream that it needs, as often as it names it.
    pub fn each_stream<'a>(&'a self, mut visit: impl FnMut(&'a StockStream)) {
        match &self.ask {
            Ask::Change(line) | Ask::ImportRow(line) => visit(&line.stream),
            Ask::Atomic(lines) | Ask::Independent(lines) => lines.iter().flatten().for_each(|line| visit(&line.stream)),
            Ask::Transfer { out, into } => [out, into].into_iter().for_each(|line| visit(&line.stream)),
            Ask::Reserve(reserve) => reserve.lines.iter().for_each(|promise| visit(&promise.stream)),
            Ask::Resolve { streams, .. } | Ask::Sweep(streams) => streams.iter().for_each(visit),
        }
    }

    /// The reservation that it is about, if that exists already.
    pub fn reservation(&self) -> Option<Uuid> {
        if let Ask::Resolve { reservation, .. } = &self.ask { Some(*reservation) } else { None }
    }

    /// Lines that it may have to write, at least one.
    pub fn lines(&self) -> usize {
        match &self.ask {
            Ask::Change(_) | Ask::ImportRow(_) => 1,
            Ask::Transfer { .. } => 2,
            Ask::Atomic(lines) | Ask::Independent(lines) => lines.len().max(1),
            Ask::Reserve(reserve) => reserve.lines.len().max(1),
            Ask::Resolve { streams, .. } | Ask::Sweep(streams) => streams.len().max(1),
        }
    }
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

/// A reservation as it was read after the locks of its levels were had.
#[derive(Debug, Clone)]
pub struct Reservation {
    /// Its id.
    pub id: Uuid,
    /// The shop's own number.
    pub reference: Option<Reference>,
    /// When it was made.
    pub created_at: Time,
    /// When it lapses, or would have.
    pub expires_at: Time,
    /// How far it has come.
    pub state: State,
    /// When it was confirmed or released.
    pub resolved_at: Option<Time>,
    /// Whether its streams have rows that say that it expired.
    pub swept: bool,
    /// Its lines, in order.
    pub lines: Arc<[Hold]>,
}

impl Reservation {
    /// Whether it binds nobody any more because its time has passed. What was found to have expired stays so, even if the clock is set back.
    pub fn has_expired(&self, now: Time) -> bool {
        self.state == State::Active && (self.swept || self.expires_at <= now)
    }
}

/// One line of a reservation.
#[derive(Debug, Clone)]
pub struct Hold {
    /// Its place, from 0.
    pub line: i32,
    /// Whose stock, and where.
    pub stream: StockStream,
    /// The product's SKU.
    pub sku: Sku,
    /// Units held.
    pub quantity: i64,
}

/// How far a reservation has come. That it has expired is a question of time alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Neither confirmed nor released.
    Active,
    /// Sold, at least in part.
    Confirmed,
    /// Let go.
    Released,
}

impl State {
    /// The word that is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Confirmed => "CONFIRMED",
            Self::Released => "RELEASED",
        }
    }

    /// Reads the word that is stored.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Active, Self::Confirmed, Self::Released].into_iter().find(|state| state.as_str() == word)
    }
}

/// A hold whose time has passed and that its level still counts.
#[derive(Debug, Clone)]
pub struct Lapsed {
    /// Its reservation.
    pub reservation: Uuid,
    /// Its place in it.
    pub line: i32,
    /// Whose stock, and where.
    pub stream: StockStream,
    /// Units held.
    pub quantity: i64,
    /// When it lapsed.
    pub expires_at: Time,
    /// The reservation's number.
    pub reference: Option<Reference>,
}
