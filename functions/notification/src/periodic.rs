//! Notification's periodic work: deliveries, and the chores of a consumer. A slow webhook holds up no chore, and a slow chore no alert.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use host::{Bell, Every, Periodic, TickError};
use journal::Intake;
use journal::reconcile::{self, NotCompared};
use postgres::{Database, DatabaseError};
use tokio::sync::oneshot;

use crate::delivery::Deliveries;

/// Between two clean-ups of idempotency keys.
const KEYS: Duration = Duration::from_hours(1);

/// The periodic work.
pub(crate) struct Work {
    pub(crate) database: Database,
    pub(crate) intake: Arc<Intake>,
    pub(crate) deliveries: Arc<Deliveries>,
    pub(crate) bell: Bell,
    keys: Every,
    repair: Every,
}

/// A chore failed; the others were done.
#[derive(Debug, thiserror::Error)]
enum Chore {
    #[error("deliveries wait for the database")]
    Deliveries(#[source] DatabaseError),
    #[error("old idempotency keys were not cleaned up")]
    Keys(#[source] DatabaseError),
    #[error("streams with gaps were not tried again")]
    Gaps(#[source] DatabaseError),
    #[error("what was applied was not compared with Stock's books")]
    Reconcile(#[source] NotCompared),
}

impl Work {
    pub(crate) fn new(database: Database, intake: Arc<Intake>, deliveries: Arc<Deliveries>, bell: Bell) -> Self {
        Self { database, intake, deliveries, bell, keys: Every::new(KEYS), repair: Every::new(reconcile::PERIOD) }
    }

    /// Does the chores that are due; all of them, whichever fails.
    async fn chores(&self) -> Result<(), Chore> {
        let mut done = Ok(());
        if self.keys.due() {
            done = done.and(postgres::keys::maintain(&self.database).await.map_err(Chore::Keys));
        }
        if self.repair.due() {
            done = done.and(self.intake.retry_gaps().await.map_err(Chore::Gaps));
            done = done.and(self.intake.reconcile().await.map(|_| ()).map_err(Chore::Reconcile));
        }
        done
    }
}

impl Periodic for Work {
    fn tick(&self) -> BoxFuture<'_, Result<(), TickError>> {
        Box::pin(async {
            let (over, chores_over) = oneshot::channel::<()>();
            let chores = async {
                let done = self.chores().await;
                drop(over);
                done
            };
            // Nothing is ever sent: the receiver ends when the sender is dropped.
            let chores_over = chores_over.map(|_| ());
            // The chores first: those that are not due are over at once, and then the deliveries end when nothing is due.
            let (done, delivered) = futures::join!(chores, self.deliveries.run(chores_over));
            delivered.map_err(Chore::Deliveries).and(done).map_err(TickError::new)
        })
    }

    fn woken(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.bell.rung())
    }
}
