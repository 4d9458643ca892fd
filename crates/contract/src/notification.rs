//! A notification as Notification answers it and as `notifications` events carry it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{Location, MinStock, Name, ProductId, Sku, Time};

/// What a notification says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum NotificationKind {
    /// Below the minimum, not yet empty.
    LowStock,
    /// Nothing left to sell.
    OutOfStock,
    /// Enough again after it had been out.
    BackInStock,
}

impl NotificationKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::LowStock, Self::OutOfStock, Self::BackInStock];

    /// The contract's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::LowStock => "LOW_STOCK",
            Self::OutOfStock => "OUT_OF_STOCK",
            Self::BackInStock => "BACK_IN_STOCK",
        }
    }

    /// Reads the contract's word.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// How far a delivery has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum DeliveryStatus {
    /// Still to be tried.
    Pending,
    /// The channel took it.
    Delivered,
    /// Given up; it can be sent again.
    Dead,
}

/// One notification on one channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Delivery {
    /// `log`, `webhook`, `email`, `slack` or `sqs`.
    pub channel: String,
    /// How far it has come.
    pub status: DeliveryStatus,
    /// How often it was tried.
    pub attempts: i32,
    /// When it is tried next; null when it is not.
    pub next_attempt_at: Option<Time>,
    /// What the last failure said.
    pub last_error: Option<String>,
}

/// An alert of one episode of one product at one location.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Notification {
    /// The notification's own id.
    pub id: Uuid,
    /// What it says.
    pub kind: NotificationKind,
    /// Of which product.
    pub product_id: ProductId,
    /// Its SKU.
    pub sku: Sku,
    /// Its name when it was raised.
    pub name: Name,
    /// Where.
    pub location: Location,
    /// The episode's number in its stream, from 1.
    pub episode: i64,
    /// Units available when it was raised.
    pub available: i64,
    /// The threshold when it was raised.
    pub min_stock: MinStock,
    /// When it was raised.
    pub raised_at: Time,
    /// When its episode closed; null while open.
    pub resolved_at: Option<Time>,
    /// When somebody said "seen"; null before.
    pub acknowledged_at: Option<Time>,
    /// One for each channel.
    pub deliveries: Vec<Delivery>,
}
