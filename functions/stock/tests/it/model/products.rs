//! The products of one history as Product has them, and how Stock hears of them. It knows no stock.

use std::collections::BTreeMap;
use std::sync::Mutex;

use contract::{MinStock, Product, ProductStatus};

use super::names::Names;
use crate::fixture::Stock;

/// The newest copies, by number.
#[derive(Debug, Default)]
pub(super) struct Products(Mutex<BTreeMap<usize, Product>>);

impl Products {
    /// Product has it from now on; Stock finds out when it is asked.
    pub(super) fn introduce(&self, stock: &Stock, names: &Names, product: usize) {
        let made = stock.only_at_product(&names.sku(product));
        names.call_product(product, made.id.0);
        self.0.lock().unwrap().insert(product, made);
    }

    /// Stock hears of a newer copy; nothing when it was never introduced.
    pub(super) async fn hear(&self, stock: &Stock, product: usize, min_stock: i64, archived: bool) {
        let newer = |copy: &mut Product| {
            copy.version += 1;
            copy.min_stock = MinStock::new(min_stock).unwrap();
            copy.status = if archived { ProductStatus::Archived } else { ProductStatus::Active };
            copy.clone()
        };
        let copy = self.0.lock().unwrap().get_mut(&product).map(newer);
        if let Some(copy) = copy {
            stock.hear(&copy, "updated").await;
        }
    }
}
