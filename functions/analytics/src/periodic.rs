//! The periodic work: streams that wait for something missing are tried again, and what never came is found by comparing books.

use std::future::pending;
use std::sync::Arc;

use futures::future::BoxFuture;
use host::{Every, Periodic, TickError};
use journal::{Intake, reconcile};

/// Repairs what did not come by itself.
pub(crate) struct Repair {
    intake: Arc<Intake>,
    due: Every,
}

impl Repair {
    /// Makes the periodic work of `intake`; its first round is due at once.
    pub(crate) fn new(intake: Arc<Intake>) -> Self {
        Self { intake, due: Every::new(reconcile::PERIOD) }
    }
}

impl Periodic for Repair {
    fn tick(&self) -> BoxFuture<'_, Result<(), TickError>> {
        Box::pin(async move {
            if self.due.due() {
                self.intake.retry_gaps().await.map_err(TickError::new)?;
                self.intake.reconcile().await.map_err(TickError::new)?;
            }
            Ok(())
        })
    }

    /// Nothing here is too urgent for the next second.
    fn woken(&self) -> BoxFuture<'_, ()> {
        Box::pin(pending())
    }
}
