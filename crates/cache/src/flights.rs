//! One loader for each key: who asks for what is being loaded waits for that. It knows nothing of what is loaded.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures::FutureExt;
use futures::future::{BoxFuture, Shared, WeakShared};

type Outcome<V, E> = Result<Option<V>, Arc<E>>;
type Load<V, E> = BoxFuture<'static, Outcome<V, E>>;

/// Somebody else's load, which this caller only waited for, found nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Absent;

/// What is being loaded.
pub(crate) struct Flights<K, V, E> {
    shared_for: Duration,
    under_way: Arc<Mutex<HashMap<K, Flight<V, E>>>>,
}

struct Flight<V, E> {
    began: Instant,
    // Weak: a load that nobody waits for any more stands still, and must not be found and finished much later.
    load: WeakShared<Load<V, E>>,
}

impl<K, V, E> Flights<K, V, E>
where
    K: Hash + Eq + Clone + Send + 'static,
    V: Clone + Send + Sync + 'static,
    E: Send + Sync + 'static,
{
    /// Callers join a load until it is `shared_for` old.
    pub(crate) fn new(shared_for: Duration) -> Self {
        Self { shared_for, under_way: Arc::default() }
    }

    /// Waits for the load of `key` that is under way, or begins it. Whoever leaves cancels nothing for the others.
    pub(crate) async fn join<F>(&self, key: K, begin: impl FnOnce() -> F) -> Result<Result<Option<V>, Absent>, Arc<E>>
    where
        F: Future<Output = Result<Option<V>, E>> + Send + 'static,
    {
        let (load, is_ours) = self.find_or_begin(key, begin);
        match load.await? {
            None if !is_ours => Ok(Err(Absent)),
            loaded => Ok(Ok(loaded)),
        }
    }

    fn find_or_begin<F>(&self, key: K, begin: impl FnOnce() -> F) -> (Shared<Load<V, E>>, bool)
    where
        F: Future<Output = Result<Option<V>, E>> + Send + 'static,
    {
        let mut flights = lock(&self.under_way);
        if let Some(flight) = flights.get(&key)
            && flight.began.elapsed() < self.shared_for
            && let Some(load) = flight.load.upgrade()
        {
            return (load, false);
        }
        let began = Instant::now();
        let landing = Landing { key: key.clone(), began, under_way: Arc::clone(&self.under_way) };
        let work = begin();
        let load = async move {
            let loaded = work.await.map_err(Arc::new);
            drop(landing);
            loaded
        };
        let load = load.boxed().shared();
        if let Some(weak) = load.downgrade() {
            flights.insert(key, Flight { began, load: weak });
        }
        (load, true)
    }
}

/// Takes a flight out when it has landed, unless another has taken its place.
struct Landing<K: Hash + Eq, V, E> {
    key: K,
    began: Instant,
    under_way: Arc<Mutex<HashMap<K, Flight<V, E>>>>,
}

impl<K: Hash + Eq, V, E> Drop for Landing<K, V, E> {
    fn drop(&mut self) {
        let mut flights = lock(&self.under_way);
        if flights.get(&self.key).is_some_and(|flight| flight.began == self.began) {
            flights.remove(&self.key);
        }
    }
}

/// A map is whole even where a thread panicked while holding it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
