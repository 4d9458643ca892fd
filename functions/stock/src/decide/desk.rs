//! The levels of a batch while it is decided: each movement changes one of them and leaves a row, and what must not stay is taken back.
//!
//! Pure. It knows what a row looks like and nothing of who asked for it.

use std::collections::HashMap;

use contract::{Change, Money, Quantity, Reason, Reference, StockStream, Time};
use fault::Problem;
use uuid::Uuid;

use crate::order::{Judged, Line};
use crate::rule::{self, Level};

/// A locked level: where a stream stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// The level row's own id, by which it is written and locked.
    pub id: i64,
    /// What the rule judges.
    pub level: Level,
    /// The product's copy in force.
    pub product_version: i64,
    /// When the stream's last row was recorded.
    pub recorded_at: Time,
    /// The latest time at which a movement of the stream occurred.
    pub occurred_at: Option<Time>,
    /// No hold of the stream expires before it.
    pub next_expiry: Option<Time>,
    /// Whether it has to be written.
    pub touched: bool,
}

/// The levels of a batch by stream.
pub type Levels = Vec<(StockStream, Standing)>;

/// A ledger row to be written.
#[derive(Debug, Clone)]
pub struct Row {
    /// The level that it belongs to.
    pub level_id: i64,
    /// The version that it takes.
    pub version: i64,
    /// The ledger's word for what happened.
    pub kind: &'static str,
    /// The change's id; none where the row is no movement.
    pub change_id: Option<Uuid>,
    /// Units as sent; none where the row is no movement.
    pub quantity: Option<i64>,
    /// What it did to `on_hand`.
    pub delta: i64,
    /// What it did to `reserved`.
    pub delta_reserved: i64,
    /// Units on the shelf after it.
    pub on_hand: i64,
    /// Units promised after it.
    pub reserved: i64,
    /// The product's copy that it was judged under.
    pub product_version: i64,
    /// What one unit went for.
    pub unit_price: Option<Money>,
    /// Why.
    pub reason: Option<Reason>,
    /// The shop's own number.
    pub reference: Option<Reference>,
    /// When it happened.
    pub occurred_at: Time,
    /// The latest `occurred_at` of the stream's movements up to this row, where that is another one.
    pub occurred_max: Option<Time>,
    /// When it is recorded.
    pub recorded_at: Time,
}

/// A promise that ends without a sale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// Somebody let it go.
    Released,
    /// Its time passed, then.
    Expired(Time),
}

/// Levels and rows of a batch.
pub(super) struct Desk {
    places: HashMap<StockStream, usize>,
    standings: Vec<Standing>,
    rows: Vec<Row>,
    /// What the levels were before each row since the last mark.
    before: Vec<(usize, Standing)>,
    now: Time,
}

/// A moment to which a desk can be taken back.
#[must_use]
pub(super) struct Mark {
    rows: usize,
}

impl Desk {
    pub(super) fn new(levels: Levels, now: Time) -> Self {
        let (streams, standings): (Vec<_>, Vec<_>) = levels.into_iter().unzip();
        let places = streams.into_iter().enumerate().map(|(place, stream)| (stream, place)).collect();
        Self { places, standings, rows: Vec::new(), before: Vec::new(), now }
    }

    /// When the locks were had.
    pub(super) fn now(&self) -> Time {
        self.now
    }

    /// Remembers how things stand. Only the latest mark can be gone back to.
    pub(super) fn mark(&mut self) -> Mark {
        self.before.clear();
        Mark { rows: self.rows.len() }
    }

    /// Takes back everything since a mark.
    pub(super) fn take_back(&mut self, Mark { rows }: Mark) {
        self.rows.truncate(rows);
        for (place, standing) in self.before.drain(..).rev() {
            if let Some(changed) = self.standings.get_mut(place) {
                *changed = standing;
            }
        }
    }

    /// The levels that changed, and the rows.
    pub(super) fn close(self) -> (Vec<Standing>, Vec<Row>) {
        (self.standings.into_iter().filter(|standing| standing.touched).collect(), self.rows)
    }

    /// Judges one movement.
    pub(super) fn movement(&mut self, line: &Line) -> Judged {
        let (place, standing) = self.standing(&line.stream)?;
        let level = rule::apply(standing.level, line.movement).map_err(|refusal| refusal.problem())?;
        let recorded_at = self.now.max(standing.recorded_at);
        let change = Change {
            id: line.id,
            product_id: line.stream.product_id,
            sku: line.sku.clone(),
            location: line.stream.location.clone(),
            kind: line.movement.kind(),
            quantity: line.movement.quantity(),
            delta: level.on_hand - standing.level.on_hand,
            on_hand: level.on_hand,
            reserved: level.reserved,
            available: level.available(),
            version: level.version,
            unit_price: line.unit_price,
            reason: line.reason.clone(),
            reference: line.reference.clone(),
            occurred_at: line.occurred_at.unwrap_or(recorded_at),
            recorded_at,
        };
        let latest = standing.occurred_at.map_or(change.occurred_at, |latest| latest.max(change.occurred_at));
        self.rows.push(Row {
            kind: change.kind.as_str(),
            change_id: Some(change.id),
            quantity: Some(change.quantity),
            unit_price: change.unit_price,
            reason: change.reason.clone(),
            reference: change.reference.clone(),
            ..row(&standing, level, change.occurred_at, Some(latest), recorded_at)
        });
        self.put(place, Standing { level, recorded_at, occurred_at: Some(latest), ..standing });
        Ok(change)
    }

    /// Promises units until `expires_at`; answers with the level that holds them.
    pub(super) fn hold(
        &mut self,
        stream: &StockStream,
        units: Quantity,
        expires_at: Time,
        reference: Option<&Reference>,
    ) -> Result<i64, Problem> {
        let (place, standing) = self.standing(stream)?;
        let level = rule::hold(standing.level, units).map_err(|refusal| refusal.problem())?;
        let recorded_at = self.now.max(standing.recorded_at);
        let row = row(&standing, level, recorded_at, standing.occurred_at, recorded_at);
        self.rows.push(Row { kind: "RESERVED", reference: reference.cloned(), ..row });
        let next_expiry = Some(standing.next_expiry.map_or(expires_at, |next| next.min(expires_at)));
        self.put(place, Standing { level, recorded_at, next_expiry, ..standing });
        Ok(standing.id)
    }

    /// Takes back a promise of `units`.
    pub(super) fn let_go(
        &mut self,
        stream: &StockStream,
        units: i64,
        ending: Ending,
        reference: Option<&Reference>,
    ) -> Result<(), Problem> {
        let (place, standing) = self.standing(stream)?;
        let level = rule::let_go(standing.level, units);
        let recorded_at = self.now.max(standing.recorded_at);
        let (kind, occurred_at) = match ending {
            Ending::Released => ("RELEASED", recorded_at),
            Ending::Expired(expires_at) => ("EXPIRED", expires_at),
        };
        let row = row(&standing, level, occurred_at, standing.occurred_at, recorded_at);
        self.rows.push(Row { kind, reference: reference.cloned(), ..row });
        self.put(place, Standing { level, recorded_at, ..standing });
        Ok(())
    }

    /// A hold of the stream lasts until `expires_at` now.
    pub(super) fn lasts(&mut self, stream: &StockStream, expires_at: Time) -> Result<(), Problem> {
        let (place, standing) = self.standing(stream)?;
        let next_expiry = Some(standing.next_expiry.map_or(expires_at, |next| next.min(expires_at)));
        self.put(place, Standing { next_expiry, ..standing });
        Ok(())
    }

    /// Every stream of the batch was locked before it came here; one that is not is a fault of ours, said without effect.
    fn standing(&self, stream: &StockStream) -> Result<(usize, Standing), Problem> {
        let place = *self.places.get(stream).ok_or_else(Problem::internal)?;
        Ok((place, *self.standings.get(place).ok_or_else(Problem::internal)?))
    }

    fn put(&mut self, place: usize, standing: Standing) {
        if let Some(held) = self.standings.get_mut(place) {
            self.before.push((place, *held));
            *held = Standing { touched: true, ..standing };
        }
    }
}

/// What every row says. `latest` is what the stream's movements had come to by then.
fn row(before: &Standing, after: Level, occurred_at: Time, latest: Option<Time>, recorded_at: Time) -> Row {
    Row {
        level_id: before.id,
        version: after.version,
        kind: "",
        change_id: None,
        quantity: None,
        delta: after.on_hand - before.level.on_hand,
        delta_reserved: after.reserved - before.level.reserved,
        on_hand: after.on_hand,
        reserved: after.reserved,
        product_version: before.product_version,
        unit_price: None,
        reason: None,
        reference: None,
        occurred_at,
        occurred_max: latest.filter(|latest| *latest != occurred_at),
        recorded_at,
    }
}
