//! What a client may send: the shape of one change, and the step from there to a line of the ledger.
//!
//! It knows no transport and no database; whether the product exists is found out later.

use contract::{Count, Location, Money, ProductId, ProductRef, Quantity, Reason, Reference, Sku, Time};
use fault::Problem;
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::decide::AHEAD;
use crate::order::Line;
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
        let product = ProductRef::either(self.product_id, self.sku.clone())
            .map_err(|invalid| Problem::field("product_id", invalid.code, invalid.detail))?;
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
        Line { id: Uuid::now_v7(), product_id, sku, location, movement: self.movement, unit_price, reason, reference, occurred_at }
    }
}
