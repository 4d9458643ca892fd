//! What events do here: products are copied, sales and returns are added up. All of it in the fence's transaction.

use futures::future::BoxFuture;
use journal::{Applied, Effect};
use postgres::{DatabaseError, Transaction};

use crate::{rule, store};

/// The effect of `product-events` and `stock-changes`.
pub(crate) struct Sales;

impl Effect for Sales {
    fn apply<'a>(&'a self, transaction: &'a Transaction<'_>, rows: &'a [Applied<'a>]) -> BoxFuture<'a, Result<(), DatabaseError>> {
        Box::pin(async move {
            // Not transient: the intake halves the batch, which has a smaller sum, until what cannot be added up stands alone.
            let too_large = |error: rule::TooLarge| DatabaseError::codec(serde::de::Error::custom(error));
            let batch = rule::fold(rows.iter().map(|row| &row.payload)).map_err(too_large)?;
            store::write(transaction, &batch).await
        })
    }
}
