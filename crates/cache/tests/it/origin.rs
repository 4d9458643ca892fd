//! An origin that counts its reads, takes its time, and can be held between reading and answering.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use cache::{Cache, Entry, Origin, RedisUrl, Version};
use futures::future::BoxFuture;
use testkit::{Redis, eventually};
use tokio::sync::oneshot;
use uuid::Uuid;

/// How long a promise may take to come true on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
/// What a cache may be behind what was acknowledged.
pub(crate) const BOUND: Duration = Duration::from_secs(1);
/// Nobody listens there.
pub(crate) const NOBODY: &str = "redis://127.0.0.1:1/0";
/// What a read of the origin takes.
const TAKES: Duration = Duration::from_millis(2);

/// The truth: a number for each thing, which is its version, and its name.
#[derive(Debug, Default)]
pub(crate) struct Shelf {
    things: Mutex<HashMap<Uuid, i64>>,
    names: Mutex<HashMap<String, Uuid>>,
    generation: Mutex<Uuid>,
    held: Mutex<Option<oneshot::Receiver<()>>>,
    held_renewal: Mutex<Option<oneshot::Receiver<()>>>,
    /// Held by who is changing things, as rows are locked until the end of a transaction.
    pub(crate) rows: tokio::sync::Mutex<()>,
    pub(crate) renewals: AtomicU64,
    pub(crate) loads: AtomicU64,
    pub(crate) look_ups: AtomicU64,
    pub(crate) broken: AtomicBool,
}

/// It was told to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Broken;

impl Shelf {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self::default())
    }

    /// Sets a thing's version, as a commit does.
    pub(crate) fn put(&self, id: Uuid, version: i64) {
        self.things.lock().expect("a lock").insert(id, version);
    }

    /// Gives a thing a name.
    pub(crate) fn name(&self, name: &str, id: Uuid) {
        self.names.lock().expect("a lock").insert(name.to_owned(), id);
    }

    /// Has nothing any more.
    pub(crate) fn forget_all(&self) {
        self.things.lock().expect("a lock").clear();
        self.names.lock().expect("a lock").clear();
    }

    /// The next read answers only when the sender is used, and with what it read before.
    pub(crate) fn hold_next(&self) -> oneshot::Sender<()> {
        let (go, held) = oneshot::channel();
        *self.held.lock().expect("a lock") = Some(held);
        go
    }

    /// The next renewal of the generation answers only when the sender is used; it is renewed all the same.
    pub(crate) fn hold_next_renewal(&self) -> oneshot::Sender<()> {
        let (go, held) = oneshot::channel();
        *self.held_renewal.lock().expect("a lock") = Some(held);
        go
    }

    pub(crate) fn renewals(&self) -> u64 {
        self.renewals.load(Ordering::SeqCst)
    }

    pub(crate) fn loads(&self) -> u64 {
        self.loads.load(Ordering::SeqCst)
    }

    fn check(&self) -> Result<(), Broken> {
        if self.broken.load(Ordering::SeqCst) { Err(Broken) } else { Ok(()) }
    }
}

impl Origin for Shelf {
    type Error = Broken;

    fn load(&self, id: Uuid) -> BoxFuture<'_, Result<Option<Entry>, Broken>> {
        Box::pin(async move {
            self.loads.fetch_add(1, Ordering::SeqCst);
            self.check()?;
            let read = self.things.lock().expect("a lock").get(&id).copied();
            let held = self.held.lock().expect("a lock").take();
            tokio::time::sleep(TAKES).await;
            if let Some(held) = held {
                let _ = held.await;
            }
            Ok(read.map(|major| Entry { version: Version { major, minor: 0 }, body: Bytes::from(format!("version {major}")) }))
        })
    }

    fn named<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<Uuid>, Broken>> {
        Box::pin(async move {
            self.look_ups.fetch_add(1, Ordering::SeqCst);
            self.check()?;
            let found = self.names.lock().expect("a lock").get(name).copied();
            tokio::time::sleep(TAKES).await;
            Ok(found)
        })
    }

    fn generation(&self) -> BoxFuture<'_, Result<Uuid, Broken>> {
        Box::pin(async move {
            self.check()?;
            Ok(*self.generation.lock().expect("a lock"))
        })
    }

    fn renew_generation(&self) -> BoxFuture<'_, Result<Uuid, Broken>> {
        Box::pin(async move {
            self.check()?;
            let generation = Uuid::now_v7();
            *self.generation.lock().expect("a lock") = generation;
            self.renewals.fetch_add(1, Ordering::SeqCst);
            let held = self.held_renewal.lock().expect("a lock").take();
            tokio::time::sleep(TAKES).await;
            if let Some(held) = held {
                let _ = held.await;
            }
            Ok(generation)
        })
    }

    fn over<'a>(&'a self, _: &'a [Uuid]) -> BoxFuture<'a, Result<(), Broken>> {
        Box::pin(async move {
            self.check()?;
            drop(self.rows.lock().await);
            Ok(())
        })
    }
}

/// A process without Redis.
pub(crate) fn alone(shelf: &Arc<Shelf>) -> Cache<Shelf> {
    Cache::open(Arc::clone(shelf), None).expect("a cache")
}

/// A process that has found Redis.
pub(crate) async fn process(shelf: &Arc<Shelf>, redis: &Redis) -> Cache<Shelf> {
    let cache = starting(shelf, &redis.url());
    uses_redis(&cache).await;
    cache
}

/// A process that may find Redis.
pub(crate) fn starting(shelf: &Arc<Shelf>, url: &str) -> Cache<Shelf> {
    let url: RedisUrl = url.parse().expect("a URL");
    Cache::open(Arc::clone(shelf), Some(&url)).expect("a cache")
}

pub(crate) async fn uses_redis(cache: &Cache<Shelf>) {
    eventually("redis is used", PATIENCE, async || cache.uses_redis().then_some(())).await;
}

/// The version that a process shows; 0 for none.
pub(crate) async fn shown(cache: &Cache<Shelf>, id: Uuid) -> i64 {
    cache.get(id).await.expect("the origin answers").map_or(0, |entry| {
        assert_eq!(entry.body, format!("version {}", entry.version.major));
        entry.version.major
    })
}

/// Waits until all processes show `version`, a second at most, and asserts that none of them then goes back, for as long as an old value could
/// come up again.
pub(crate) async fn all_come_to(caches: &[Cache<Shelf>], id: Uuid, version: i64) {
    let told = Instant::now();
    for (n, cache) in caches.iter().enumerate() {
        loop {
            let begun = told.elapsed();
            let shown = shown(cache, id).await;
            if shown == version {
                break;
            }
            assert!(begun < BOUND, "process {n} shows version {shown} after {begun:?}, {version} was told");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    while told.elapsed() < BOUND * 2 {
        for (n, cache) in caches.iter().enumerate() {
            assert_eq!(shown(cache, id).await, version, "process {n}, after {:?}", told.elapsed());
        }
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
}
