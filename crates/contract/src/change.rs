//! A stock change as Stock answers it, and the event that carries it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{Category, Currency, Location, MinStock, Money, Name, ProductId, Reason, Reference, Sku, StockStream, Time};

/// What kind of movement a change is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ChangeType {
    /// Units sold: a promise, limited by what is available.
    Sale,
    /// Units that came in.
    Restock,
    /// A sale taken back.
    Return,
    /// Damage or loss: a fact, limited by what is on hand.
    WriteOff,
    /// What was counted on the shelf.
    Count,
    /// The leaving half of a transfer.
    TransferOut,
    /// The arriving half of a transfer.
    TransferIn,
}

impl ChangeType {
    /// All of them, in the contract's order.
    pub const ALL: [Self; 7] = [Self::Sale, Self::Restock, Self::Return, Self::WriteOff, Self::Count, Self::TransferOut, Self::TransferIn];

    /// The contract's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sale => "SALE",
            Self::Restock => "RESTOCK",
            Self::Return => "RETURN",
            Self::WriteOff => "WRITE_OFF",
            Self::Count => "COUNT",
            Self::TransferOut => "TRANSFER_OUT",
            Self::TransferIn => "TRANSFER_IN",
        }
    }

    /// Reads the contract's word.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// A movement that was recorded. The levels are those of (product, location) after it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Change {
    /// The change's own id.
    pub id: Uuid,
    /// Whose stock moved.
    pub product_id: ProductId,
    /// Its SKU.
    pub sku: Sku,
    /// Where.
    pub location: Location,
    /// What kind of movement.
    #[serde(rename = "type")]
    pub kind: ChangeType,
    /// Units as sent: moved, or counted for a COUNT.
    pub quantity: i64,
    /// What it did to `on_hand`.
    pub delta: i64,
    /// Units on the shelf after it.
    pub on_hand: i64,
    /// Units promised after it.
    pub reserved: i64,
    /// `on_hand - reserved`.
    pub available: i64,
    /// The stream's version that it took.
    pub version: i64,
    /// What one unit went for, when said.
    pub unit_price: Option<Money>,
    /// Why, when said.
    pub reason: Option<Reason>,
    /// The shop's own number for it, when said.
    pub reference: Option<Reference>,
    /// When it happened.
    pub occurred_at: Time,
    /// When it was recorded; rises along a stream.
    pub recorded_at: Time,
}

/// The data of every event on `stock-changes`: one row of a stock stream, with the product as Stock knew it then.
///
/// Every row of a stream is one: movements, thresholds, and what happens to reservations (whose `delta` is 0).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StockEvent {
    /// The change's id; absent where the row is no movement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<Uuid>,
    /// Whose stock.
    pub product_id: ProductId,
    /// Its SKU.
    pub sku: Sku,
    /// Where.
    pub location: Location,
    /// The kind of movement; absent where the row is none.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<ChangeType>,
    /// Units moved, counted, held or let go; absent for a threshold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantity: Option<i64>,
    /// What it did to `on_hand`.
    pub delta: i64,
    /// Units on the shelf after it.
    pub on_hand: i64,
    /// Units promised after it.
    pub reserved: i64,
    /// `on_hand - reserved`.
    pub available: i64,
    /// The stream's version that it took.
    pub version: i64,
    /// What one unit went for, when said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit_price: Option<Money>,
    /// Why, when said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// The shop's own number for it, when said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<Reference>,
    /// When it happened.
    pub occurred_at: Time,
    /// When it was recorded; rises along a stream.
    pub recorded_at: Time,
    /// The threshold in force: the product's, or 0 while it is archived.
    pub min_stock: MinStock,
    /// The product's name then.
    pub name: Name,
    /// Its category then.
    pub category: Category,
    /// Its price then.
    pub price: Option<Money>,
    /// The currency of its price then, and of `unit_price`.
    pub currency: Currency,
}

impl StockEvent {
    /// The stream that this row belongs to.
    pub fn stream(&self) -> StockStream {
        StockStream { product_id: self.product_id, location: self.location.clone() }
    }

    /// What one unit counts for in reports: the change's price, else the product's, else nothing.
    pub fn price_in_force(&self) -> Option<Money> {
        self.unit_price.or(self.price)
    }
}
