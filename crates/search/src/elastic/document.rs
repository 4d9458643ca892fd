//! A product as the index has it: folded texts to be found by, and the product itself to be shown.

use contract::{Product, ProductStatus, StockStatus};
use serde::Serialize;

use crate::{Level, text};

/// A product in the index.
#[derive(Debug, Clone, Serialize)]
pub struct Document {
    #[serde(skip)]
    pub(super) id: String,
    #[serde(skip)]
    pub(super) version: i64,
    sku: String,
    sku_key: String,
    name_key: String,
    words: String,
    category: String,
    level: &'static str,
    status: &'static str,
    product: Product,
}

impl Document {
    /// Makes the document of a product with its stock; `stock_version` is the sum of its locations'.
    ///
    /// Its version is the product's and the stock's added up: both only rise, so a change of either makes a later document.
    pub fn of(product: Product, stock_version: i64) -> Self {
        let level = match product.stock.as_ref().map(|stock| stock.status) {
            Some(StockStatus::Ok) => Level::In,
            Some(StockStatus::Low) => Level::Low,
            Some(StockStatus::Out) | None => Level::Out,
        };
        Self {
            id: product.id.to_string(),
            version: product.version + stock_version,
            sku: product.sku.to_string(),
            sku_key: text::sku_key(product.sku.as_str()),
            name_key: text::words(product.name.as_str()).join(" "),
            words: text::name_words(product.name.as_str()).into_iter().collect::<Vec<_>>().join(" "),
            category: product.category.to_string(),
            level: level.as_str(),
            status: match product.status {
                ProductStatus::Active => "active",
                ProductStatus::Archived => "archived",
            },
            product,
        }
    }

    /// Its product's id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The version that it has in the index.
    pub fn version(&self) -> i64 {
        self.version
    }
}
