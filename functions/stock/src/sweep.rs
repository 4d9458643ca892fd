//! The sweeper: sees to it that what has lapsed becomes rows of its streams, also where nobody moves anything.
//!
//! Nothing depends on it but the news: a lapsed hold binds nobody from its `expires_at` on, swept or not. It writes nothing itself; it asks
//! the ledger to look at the streams, and the ledger does what it does in every batch.

use contract::StockStream;
use postgres::{Database, DatabaseError};

use crate::lane::{Lane, LaneError};
use crate::ledger::{LedgerError, Orders, Written};
use crate::order::{Ask, Order};
use crate::store::reservations;

/// Holds that are looked for at once.
const HOLDS: i64 = 1000;

/// Why a sweep broke off. What was left is found again by the next one.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// Lapsed holds could not be looked for.
    #[error("lapsed holds could not be looked for")]
    Database(#[from] DatabaseError),
    /// The lane took no more.
    #[error("lapsed holds could not be handed to the ledger")]
    Lane(#[from] LaneError),
    /// The ledger could not write them.
    #[error("lapsed holds could not be written")]
    Ledger(#[from] LedgerError),
}

/// Sweeps until nothing is left that has lapsed, or nothing more can be done about it now.
pub async fn sweep(database: &Database, lane: &Lane<Orders, Written>) -> Result<(), SweepError> {
    let mut before = Vec::new();
    loop {
        let streams = reservations::lapsed(database, HOLDS).await?;
        if streams.is_empty() || streams == before {
            return Ok(());
        }
        // A request for each stream: one that cannot be written leaves the others alone.
        let asked = |stream: &StockStream| lane.submit(Orders([Order { key: None, ask: Ask::Sweep(vec![stream.clone()]) }].into()));
        for swept in futures::future::join_all(streams.iter().map(asked)).await {
            swept??;
        }
        before = streams;
    }
}
