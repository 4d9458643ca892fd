//! What stock-changes do in Product: they bring the stock that a product shows.
//!
//! Every event carries the level after it, so of many only the newest of each location is written. It knows no fence: what comes here has
//! passed it.

use std::collections::{BTreeMap, BTreeSet};

use contract::StockEvent;
use contract::event::Payload;
use futures::future::BoxFuture;
use journal::{Applied, Effect};
use postgres::{DatabaseError, Transaction};

use crate::cache::Products;
use crate::store;

/// Keeps the copy of the stock.
#[derive(Debug)]
pub(crate) struct CopyStock {
    pub(crate) products: Products,
}

impl Effect for CopyStock {
    fn apply<'a>(&'a self, transaction: &'a Transaction<'_>, rows: &'a [Applied<'a>]) -> BoxFuture<'a, Result<(), DatabaseError>> {
        Box::pin(async move {
            let levels = newest(rows.iter().map(|row| &row.payload));
            if levels.is_empty() {
                return Ok(());
            }
            store::stock::take(transaction, &levels).await
        })
    }

    /// The consumer tells of whole batches before it is done with them; what was repaired beside any batch is told here.
    fn committed(&self, rows: &[Applied<'_>]) {
        let ids: BTreeSet<_> =
            rows.iter().filter_map(|row| if let Payload::Stock(level) = &row.payload { Some(level.product_id.0) } else { None }).collect();
        self.products.tell_at_last(ids.into_iter().collect());
    }
}

/// The newest level of each location, sorted. What is no row of a stock stream says nothing of levels.
fn newest<'a>(payloads: impl Iterator<Item = &'a Payload>) -> Vec<&'a StockEvent> {
    let mut levels: BTreeMap<_, &StockEvent> = BTreeMap::new();
    for payload in payloads {
        let Payload::Stock(level) = payload else { continue };
        let newest = levels.entry((level.product_id, &level.location)).or_insert(level);
        if newest.version < level.version {
            *newest = level;
        }
    }
    levels.into_values().collect()
}
