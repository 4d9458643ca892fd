//! The generation as this process knows it: asked for several times a second, and used by readers only while the answer is young.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::task::AbortHandle;
use uuid::Uuid;

use crate::Origin;
use crate::rounds::{Rounds, Turn};

/// Between two looks.
const LOOK: Duration = Duration::from_millis(200);

/// Watches the generation until it is dropped.
pub(crate) struct Watch<O: Origin> {
    watched: Arc<Watched<O>>,
    holds: Duration,
    looking: AbortHandle,
}

struct Watched<O: Origin> {
    origin: Arc<O>,
    known: Mutex<Option<Known>>,
    /// One question at a time, so that no answer overtakes a younger one.
    turn: Turn,
    questions: Rounds<Uuid, O::Error>,
    renewals: Rounds<Uuid, O::Error>,
}

#[derive(Clone, Copy)]
struct Known {
    generation: Uuid,
    /// When it was asked for.
    asked_at: Instant,
}

impl<O: Origin> Watch<O> {
    /// Begins to watch; an answer `holds` for so long after the question.
    pub(crate) fn begin(origin: Arc<O>, holds: Duration) -> Self {
        let watched = Arc::new(Watched {
            origin,
            known: Mutex::default(),
            turn: Turn::default(),
            questions: Rounds::default(),
            renewals: Rounds::default(),
        });
        let looking = tokio::spawn(look(Arc::clone(&watched))).abort_handle();
        Self { watched, holds, looking }
    }

    /// The generation that a reader may use; none when the last answer is too old.
    pub(crate) fn current(&self) -> Option<Uuid> {
        let known = *self.watched.known();
        known.filter(|known| known.asked_at.elapsed() < self.holds).map(|known| known.generation)
    }

    /// The generation at this very moment, for who takes something out. What others know of it may be younger than what this process knows, and
    /// what they have read under it before the change would stay.
    pub(crate) async fn ask(&self) -> Result<Uuid, Arc<O::Error>> {
        self.watched.ask().await
    }

    /// Has the origin begin another; this process knows it at once. All who wait for one at the same time have one begun together.
    pub(crate) async fn renew(&self) -> Result<Uuid, Arc<O::Error>> {
        self.watched.renew().await
    }
}

impl<O: Origin> Drop for Watch<O> {
    fn drop(&mut self) {
        self.looking.abort();
    }
}

impl<O: Origin> Watched<O> {
    async fn ask(self: &Arc<Self>) -> Result<Uuid, Arc<O::Error>> {
        let watched = Arc::clone(self);
        let ask = move || async move {
            let asked_at = Instant::now();
            let generation = watched.origin.generation().await?;
            Ok(watched.learn(generation, asked_at))
        };
        self.questions.join(&self.turn, ask).await
    }

    async fn renew(self: &Arc<Self>) -> Result<Uuid, Arc<O::Error>> {
        let watched = Arc::clone(self);
        let renew = move || async move {
            metrics::counter!("gudang_cache_generations_total").increment(1);
            let asked_at = Instant::now();
            let generation = watched.origin.renew_generation().await?;
            Ok(watched.learn(generation, asked_at))
        };
        self.renewals.join(&self.turn, renew).await
    }

    fn learn(&self, generation: Uuid, asked_at: Instant) -> Uuid {
        *self.known() = Some(Known { generation, asked_at });
        generation
    }

    /// A pair is whole even where a thread panicked while holding it.
    fn known(&self) -> MutexGuard<'_, Option<Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn look<O: Origin>(watched: Arc<Watched<O>>) {
    loop {
        // An origin that cannot answer leaves the answer to grow old, and Redis is not used until there is another.
        let _ = watched.ask().await;
        tokio::time::sleep(LOOK).await;
    }
}
