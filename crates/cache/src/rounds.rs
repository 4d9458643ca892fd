//! What many want at once is done once for all of them, and never for who came after it had begun. It knows nothing of what is done.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::FutureExt;
use futures::future::{BoxFuture, Shared, WeakShared};

type Outcome<T, E> = Result<T, Arc<E>>;
type Round<T, E> = Shared<BoxFuture<'static, Outcome<T, E>>>;
type Next<T, E> = Option<WeakShared<BoxFuture<'static, Outcome<T, E>>>>;

/// Whose turn it is to ask the origin: one at a time.
pub(crate) type Turn = Arc<tokio::sync::Mutex<()>>;

/// The round that has not begun yet.
pub(crate) struct Rounds<T, E>(Arc<Mutex<Next<T, E>>>);

impl<T, E> Default for Rounds<T, E> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T, E> Rounds<T, E>
where
    T: Clone + Send + Sync + 'static,
    E: Send + Sync + 'static,
{
    /// Waits for the next round, which does its work when it gets its turn. Whoever leaves cancels nothing for the others.
    pub(crate) async fn join<F>(&self, turn: &Turn, work: impl FnOnce() -> F + Send + 'static) -> Outcome<T, E>
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
    {
        self.next(turn, work).await
    }

    fn next<F>(&self, turn: &Turn, work: impl FnOnce() -> F + Send + 'static) -> Round<T, E>
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
    {
        let mut next = lock(&self.0);
        if let Some(round) = next.as_ref().and_then(WeakShared::upgrade) {
            return round;
        }
        let (turn, waiting) = (Arc::clone(turn), Arc::clone(&self.0));
        let round = async move {
            let _turn = turn.lock_owned().await;
            // Who comes from now on comes too late for this one.
            lock(&waiting).take();
            work().await.map_err(Arc::new)
        };
        let round = round.boxed().shared();
        *next = round.downgrade();
        round
    }
}

/// A round is whole even where a thread panicked while holding it.
fn lock<T, E>(next: &Mutex<Next<T, E>>) -> MutexGuard<'_, Next<T, E>> {
    next.lock().unwrap_or_else(PoisonError::into_inner)
}
