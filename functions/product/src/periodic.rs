//! Product's periodic work: keys that expire, gaps that wait, streams that stay behind. It knows no clock but the host's.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use host::{Every, Periodic, TickError};
use journal::Intake;
use journal::reconcile::NotCompared;

/// Between two rounds of keeping the idempotency keys.
const KEEP_KEYS: Duration = Duration::from_hours(1);
/// Between two looks for what has not come.
const LOOK_BEHIND: Duration = Duration::from_mins(1);

/// What is done now and then.
pub(crate) struct Work {
    intake: Arc<Intake>,
    keep_keys: Every,
    look_behind: Every,
}

impl Work {
    pub(crate) fn new(intake: Arc<Intake>) -> Self {
        Self { intake, keep_keys: Every::new(KEEP_KEYS), look_behind: Every::new(LOOK_BEHIND) }
    }

    async fn due(&self) -> Result<(), TickError> {
        if self.keep_keys.due() {
            postgres::keys::maintain(self.intake.database()).await.map_err(TickError::new)?;
        }
        if self.look_behind.due() {
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
        Box::pin(self.due())
    }

    /// Nothing here is in a hurry.
    fn woken(&self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::pending())
    }
}
