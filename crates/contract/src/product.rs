//! The product as Product answers it and as `product-events` carry it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{Category, Currency, Description, Invalid, MinStock, Money, Name, ProductId, Sku, Time};

/// How a request names a product: by id or by SKU. A SKU cannot look like an id, so a path can tell them apart.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ProductRef {
    /// By the id that Product gave.
    Id(ProductId),
    /// By the SKU that the shop chose.
    Sku(Sku),
}

impl ProductRef {
    /// Reads `{ref}` of a path, or a query's `product`. What could not be any product's SKU is `None`: nothing has that name.
    pub fn parse(text: &str) -> Option<Self> {
        match Uuid::try_parse(text) {
            Ok(id) => Some(Self::Id(ProductId(id))),
            Err(_) => Sku::parse(text).ok().map(Self::Sku),
        }
    }

    /// Reads a body's pair of fields, of which exactly one must be there.
    pub fn either(product_id: Option<ProductId>, sku: Option<Sku>) -> Result<Self, Invalid> {
        match (product_id, sku) {
            (Some(id), None) => Ok(Self::Id(id)),
            (None, Some(sku)) => Ok(Self::Sku(sku)),
            (Some(_), Some(_)) => Err(Invalid::new("ambiguous", "send either `product_id` or `sku`, not both")),
            (None, None) => Err(Invalid::new("missing", "send `product_id` or `sku`")),
        }
    }
}

impl std::fmt::Display for ProductRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Id(id) => id.fmt(f),
            Self::Sku(sku) => sku.fmt(f),
        }
    }
}

/// Whether a product is for sale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ProductStatus {
    /// For sale.
    Active,
    /// Taken off; its history and its SKU stay.
    Archived,
}

/// How a level stands against the product's `min_stock`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum StockStatus {
    /// Enough.
    Ok,
    /// `0 < available < min_stock`.
    Low,
    /// `available <= 0`.
    Out,
}

impl StockStatus {
    /// Judges a level.
    pub fn of(available: i64, min_stock: MinStock) -> Self {
        if available <= 0 {
            Self::Out
        } else if available < min_stock.get() {
            Self::Low
        } else {
            Self::Ok
        }
    }
}

/// The last known stock of a product, summed over its locations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProductStock {
    /// Units on the shelves.
    pub on_hand: i64,
    /// Units promised to reservations.
    pub reserved: i64,
    /// `on_hand - reserved`.
    pub available: i64,
    /// Judged against the product's `min_stock`.
    pub status: StockStatus,
    /// When the newest event of it was recorded; null before the first movement.
    pub as_of: Option<Time>,
}

/// A product. Events carry it whole, without `stock`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Product {
    /// Made by Product.
    pub id: ProductId,
    /// Chosen by the shop; never changes.
    pub sku: Sku,
    /// For people.
    pub name: Name,
    /// For grouping.
    pub category: Category,
    /// For people; null when there is none.
    pub description: Option<Description>,
    /// Of one unit; null when unknown.
    pub price: Option<Money>,
    /// Of the price.
    pub currency: Currency,
    /// Units below which it counts as low; 0 switches alerts off.
    pub min_stock: MinStock,
    /// Free labels.
    pub attributes: BTreeMap<String, String>,
    /// Active or archived.
    pub status: ProductStatus,
    /// Rows in this product's journal.
    pub version: i64,
    /// When it was added.
    pub created_at: Time,
    /// When it was last changed.
    pub updated_at: Time,
    /// Last known stock; absent in events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stock: Option<ProductStock>,
}

impl Product {
    /// The threshold that counts for alerts: an archived product has none.
    pub fn effective_min_stock(&self) -> MinStock {
        match self.status {
            ProductStatus::Active => self.min_stock,
            ProductStatus::Archived => MinStock::NONE,
        }
    }
}
