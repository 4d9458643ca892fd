//! Products for tests.

use contract::Product;
use search::elastic::Document;
use serde_json::json;
use uuid::Uuid;

/// The document of product `n` at `version`.
pub(crate) fn document(n: u128, version: i64, status: &str) -> Document {
    let time = "2026-01-01T00:00:00Z";
    let product: Product =
        serde_json::from_value(json!({"id": Uuid::from_u128(n), "sku": format!("P-{n}"), "name": format!("Lantern {version}"),
        "category": "Garden", "description": null, "price": null, "currency": "EUR", "min_stock": 0, "attributes": {}, "status": status,
        "version": version, "created_at": time, "updated_at": time}))
        .unwrap();
    Document::of(product, 0)
}
