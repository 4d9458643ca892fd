//! What product-events do here: the newest copy of a product is taken, and its streams hear of the threshold in force.

use std::sync::Arc;

use contract::event::Payload;
use futures::future::BoxFuture;
use journal::{Applied, Effect, Journal};
use postgres::{DatabaseError, Transaction};

use crate::store::products;

/// Takes copies of products.
pub struct TakeProducts {
    journal: Arc<Journal>,
}

impl TakeProducts {
    /// Makes the effect; `journal` is woken after each commit, as thresholds stand in it.
    pub fn new(journal: Arc<Journal>) -> Self {
        Self { journal }
    }
}

impl Effect for TakeProducts {
    fn apply<'a>(&'a self, transaction: &'a Transaction<'_>, rows: &'a [Applied<'a>]) -> BoxFuture<'a, Result<(), DatabaseError>> {
        Box::pin(async move {
            let products: Vec<_> = rows
                .iter()
                .filter_map(|row| match &row.payload {
                    Payload::Product(product) => Some(&**product),
                    Payload::Stock(_) | Payload::Notification(_) | Payload::Unknown => None,
                })
                .collect();
            products::take(transaction, &products).await
        })
    }

    fn committed(&self, _: &[Applied<'_>]) {
        self.journal.wake();
    }
}
