//! Product's periodic work: keys that expire, gaps that wait, streams that stay behind. It knows no clock but the host's.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::future::{BoxFuture, join};
use host::{Every, Periodic, TickError};
use journal::Intake;
use journal::reconcile::{self, NotCompared};
use tokio::time::sleep;

use crate::indexing::Indexing;
use crate::store;

/// Between two rounds of keeping the idempotency keys.
const KEEP_KEYS: Duration = Duration::from_hours(1);
/// Between two rounds of the search index: a change is to be found within the second.
const INDEX: Duration = Duration::from_millis(200);

/// What is done now and then.
pub(crate) struct Work {
    intake: Arc<Intake>,
    keep_keys: Every,
    look_behind: Every,
    indexing: Option<Indexing>,
}

impl Work {
    pub(crate) fn new(intake: Arc<Intake>, indexing: Option<Indexing>) -> Self {
        Self { intake, indexing, keep_keys: Every::new(KEEP_KEYS), look_behind: Every::new(reconcile::PERIOD) }
    }

    /// Does what is due. The search index waits for none of it.
    async fn all(&self) -> Result<(), TickError> {
        let Some(indexing) = &self.indexing else { return self.due().await };
        let done = AtomicBool::new(false);
        let chores = async {
            let outcome = self.due().await;
            done.store(true, Ordering::Relaxed);
            outcome
        };
        let rounds = async {
            loop {
                let outcome = indexing.round().await;
                if done.load(Ordering::Relaxed) {
                    return outcome.map_err(TickError::new);
                }
                if let Err(error) = outcome {
                    tracing::warn!(error = %fault::chain(&error), "the search index was not brought up to date, it is tried again");
                }
                sleep(INDEX).await;
            }
        };
        let (chores, rounds) = join(chores, rounds).await;
        chores.and(rounds)
    }

    async fn due(&self) -> Result<(), TickError> {
        if self.keep_keys.due() {
            postgres::keys::maintain(self.intake.database()).await.map_err(TickError::new)?;
        }
        if self.look_behind.due() {
            // What an older release has written beside us.
            store::search::catch_up(self.intake.database()).await.map_err(TickError::new)?;
            self.intake.retry_gaps().await.map_err(TickError::new)?;
            match self.intake.reconcile().await {
                // Stock may start after us, or be away for a while: the next round will do.
                Err(NotCompared::Upstream(error)) => tracing::debug!(error = %fault::chain(&error), "stock could not be compared with"),
                compared => drop(compared.map_err(TickError::new)?),
            }
        }
        Ok(())
    }
}

impl Periodic for Work {
    fn tick(&self) -> BoxFuture<'_, Result<(), TickError>> {
        Box::pin(self.all())
    }

    /// Nothing but the search index is in a hurry.
    fn woken(&self) -> BoxFuture<'_, ()> {
        match self.indexing {
            None => Box::pin(std::future::pending()),
            Some(_) => Box::pin(sleep(INDEX)),
        }
    }
}
