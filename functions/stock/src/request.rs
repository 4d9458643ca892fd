//! What a client may send: the shapes of a change, a transfer and a reservation, and the step from there to what the ledger is asked.
//!
//! It knows no transport and no database; whether the product exists is found out later.

use contract::{Count, Location, Money, ProductId, ProductRef, Quantity, Reason, Reference, Sku, StockStream, Time};
use fault::Problem;
use jiff::SignedDuration;
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::decide::AHEAD;
use crate::order::{Hold, Line};
use crate::rule::Movement;

/// The kinds of movement that a client may record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RecordedType {
    /// Units sold.
    Sale,
    /// Units that came in.
    Restock,
    /// A sale taken back.
    Return,
    /// Damage or loss.
    WriteOff,
    /// What was counted on the shelf.
    Count,
}

/// A change as sent. Exactly one of `product_id` and `sku`.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeRequest {
    /// Whose stock, by id.
    pub product_id: Option<ProductId>,
    /// Whose stock, by SKU.
    pub sku: Option<Sku>,
    /// What happened.
    #[serde(rename = "type", deserialize_with = "web::strict::word")]
    pub kind: RecordedType,
    /// Units: 1 to 1,000,000,000; for a COUNT what was counted, 0 allowed.
    pub quantity: Count,
    /// Where; `default` when nothing is said.
    #[serde(default)]
    pub location: Location,
    /// What one unit went for.
    pub unit_price: Option<Money>,
    /// Why.
    pub reason: Option<Reason>,
    /// The shop's own number for it.
    pub reference: Option<Reference>,
    /// When it happened: any time in the past, or up to five minutes ahead; now when nothing is said.
    pub occurred_at: Option<Time>,
}

/// A change that fits the contract, of a product that is still only a name.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Whose stock.
    pub product: ProductRef,
    line: ChangeRequest,
    movement: Movement,
}

impl ChangeRequest {
    /// Checks what no single field shows.
    pub fn check(self, now: Time) -> Result<Asked, Problem> {
        let product = named(self.product_id, self.sku.clone())?;
        let units = || Quantity::new(self.quantity.get()).map_err(|invalid| Problem::field("quantity", invalid.code, invalid.detail));
        let movement = match self.kind {
            RecordedType::Sale => Movement::Sale(units()?),
            RecordedType::Restock => Movement::Restock(units()?),
            RecordedType::Return => Movement::Return(units()?),
            RecordedType::WriteOff => Movement::WriteOff(units()?),
            RecordedType::Count => Movement::Count(self.quantity),
        };
        let latest = now.timestamp() + AHEAD;
        if self.occurred_at.is_some_and(|occurred| occurred.timestamp() > latest) {
            let detail = "must not lie more than 5 minutes ahead";
            return Err(Problem::field("occurred_at", "in_the_future", detail));
        }
        Ok(Asked { product, line: self, movement })
    }
}

impl Asked {
    /// Makes the ledger's line once the product is known.
    pub fn of(self, product_id: ProductId, sku: Sku) -> Line {
        let ChangeRequest { location, unit_price, reason, reference, occurred_at, .. } = self.line;
        let stream = StockStream { product_id, location };
        Line { id: Uuid::now_v7(), stream, sku, movement: self.movement, unit_price, reason, reference, occurred_at }
    }
}

/// A transfer as sent. Exactly one of `product_id` and `sku`.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TransferRequest {
    /// Whose stock, by id.
    pub product_id: Option<ProductId>,
    /// Whose stock, by SKU.
    pub sku: Option<Sku>,
    /// Where the units leave.
    pub from: Location,
    /// Where they arrive: another location.
    pub to: Location,
    /// Units: 1 to 1,000,000,000.
    pub quantity: Quantity,
    /// The shop's own number for it.
    pub reference: Option<Reference>,
}

impl TransferRequest {
    /// Checks what no single field shows, and gives the product's name.
    pub fn check(&self) -> Result<ProductRef, Problem> {
        if self.from == self.to {
            return Err(Problem::field("to", "same_location", "must be another location than `from`"));
        }
        named(self.product_id, self.sku.clone())
    }

    /// Makes both halves once the product is known.
    pub fn of(self, product_id: ProductId, sku: &Sku) -> (Line, Line) {
        let half = |location: Location, movement: Movement| Line {
            id: Uuid::now_v7(),
            stream: StockStream { product_id, location },
            sku: sku.clone(),
            movement,
            unit_price: None,
            reason: None,
            reference: self.reference.clone(),
            occurred_at: None,
        };
        (half(self.from.clone(), Movement::TransferOut(self.quantity)), half(self.to.clone(), Movement::TransferIn(self.quantity)))
    }
}

/// How long units are held when nothing is said, in seconds.
const TTL_SECONDS: i64 = 900;
/// The longest time that units may be held, in seconds: a week.
const TTL_SECONDS_MAX: i64 = 604_800;
/// Lines that a reservation may have.
const LINES: usize = 1000;

/// A reservation as sent.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReserveRequest {
    /// What to hold: 1 to 1,000 lines, all or none.
    #[schema(min_items = 1, max_items = 1000)]
    pub lines: Vec<HoldRequest>,
    /// For how long, in seconds: 1 to 604,800, counted from now.
    #[serde(default = "usual_ttl")]
    #[schema(minimum = 1, maximum = 604_800, default = 900)]
    pub ttl_seconds: i64,
    /// The shop's own number for it.
    pub reference: Option<Reference>,
}

/// One line of a reservation as sent. Exactly one of `product_id` and `sku`.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HoldRequest {
    /// Whose stock, by id.
    pub product_id: Option<ProductId>,
    /// Whose stock, by SKU.
    pub sku: Option<Sku>,
    /// Units: 1 to 1,000,000,000.
    pub quantity: Quantity,
    /// Where; `default` when nothing is said.
    #[serde(default)]
    pub location: Location,
}

/// A longer or shorter time for a reservation, from now.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExtendRequest {
    /// In seconds: 1 to 604,800.
    #[schema(minimum = 1, maximum = 604_800)]
    pub ttl_seconds: i64,
}

/// The part of a reservation that is sold; the rest is released.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfirmRequest {
    /// What of it; everything when nothing is said.
    #[schema(min_items = 1, max_items = 1000)]
    pub lines: Option<Vec<HoldRequest>>,
}

fn usual_ttl() -> i64 {
    TTL_SECONDS
}

impl ReserveRequest {
    /// Checks what no single field shows; gives the products' names, in order, and the time.
    pub fn check(&self) -> Result<(Vec<ProductRef>, SignedDuration), Problem> {
        let names = hold_names(&self.lines)?;
        Ok((names, ttl(self.ttl_seconds)?))
    }
}

impl ExtendRequest {
    /// Checks the time.
    pub fn check(self) -> Result<SignedDuration, Problem> {
        ttl(self.ttl_seconds)
    }
}

impl ConfirmRequest {
    /// Finds each line among those that are held; nothing means everything.
    pub fn part(self, held: &[Hold]) -> Result<Option<Vec<(StockStream, i64)>>, Problem> {
        let Some(lines) = self.lines else { return Ok(None) };
        let names = hold_names(&lines)?;
        let mut part: Vec<(StockStream, i64)> = Vec::new();
        for (place, (line, name)) in lines.iter().zip(names).enumerate() {
            let named = |hold: &&Hold| match &name {
                ProductRef::Id(id) => hold.stream.product_id == *id,
                ProductRef::Sku(sku) => hold.sku == *sku,
            };
            let here = |hold: &&Hold| hold.stream.location == line.location;
            let Some(found) = held.iter().find(|hold| named(hold) && here(hold)) else {
                let detail = format!("the reservation holds nothing of `{name}` at `{}`", line.location);
                return Err(Problem::field(format!("lines[{place}]"), "not_reserved", detail));
            };
            let most: i64 = held.iter().filter(|hold| hold.stream == found.stream).map(|hold| hold.quantity).sum();
            let before = part.iter().position(|(stream, _)| *stream == found.stream);
            let units = before.and_then(|at| part.get(at)).map_or(0, |(_, units)| *units) + line.quantity.get();
            if units > most {
                let detail = format!("must be at most {most} in all: that is what the reservation holds");
                return Err(Problem::field(format!("lines[{place}].quantity"), "out_of_range", detail));
            }
            match before.and_then(|at| part.get_mut(at)) {
                Some((_, sum)) => *sum = units,
                None => part.push((found.stream.clone(), units)),
            }
        }
        Ok(Some(part))
    }
}

fn hold_names(lines: &[HoldRequest]) -> Result<Vec<ProductRef>, Problem> {
    if !(1..=LINES).contains(&lines.len()) {
        let detail = format!("must have 1 to {LINES} lines, it has {}", lines.len());
        return Err(Problem::field("lines", "out_of_range", detail));
    }
    let name = |(place, line): (usize, &HoldRequest)| {
        named(line.product_id, line.sku.clone()).map_err(|problem| problem.within(&format!("lines[{place}]")))
    };
    lines.iter().enumerate().map(name).collect()
}

fn ttl(seconds: i64) -> Result<SignedDuration, Problem> {
    if (1..=TTL_SECONDS_MAX).contains(&seconds) {
        return Ok(SignedDuration::from_secs(seconds));
    }
    Err(Problem::field("ttl_seconds", "out_of_range", format!("must be from 1 to {TTL_SECONDS_MAX} seconds, it is {seconds}")))
}

fn named(product_id: Option<ProductId>, sku: Option<Sku>) -> Result<ProductRef, Problem> {
    ProductRef::either(product_id, sku).map_err(|invalid| Problem::field("product_id", invalid.code, invalid.detail))
}
