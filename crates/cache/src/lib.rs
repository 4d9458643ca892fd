//! Reads through memory and Redis in front of an [`Origin`], with one loader for each thing and nothing older than a second.
//!
//! *Memory* keeps what was read for less than half a second, and forgets at once what this process changes. *Redis*, where there is one, is
//! shared by all processes: whoever changes a thing takes it out of there before the change is acknowledged, and where that fails renews
//! the *generation*, a name in the origin that is part of every key and that each process asks for several times a second. So what could
//! not be taken out is out of reach instead, for a Redis that hangs, is cut off from one process alone, or comes back with what it once knew.
//! This room knows no database, no route, and not what it keeps: bytes with a version.

mod change;
mod flights;
mod generation;
mod kept;
mod memory;
mod redis;
mod rounds;

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::future::BoxFuture;
use moka::sync::Cache as Map;
use uuid::Uuid;

use crate::change::Things;
use crate::flights::Flights;
use crate::generation::Watch;
use crate::memory::Memory;
use crate::redis::{Read, Redis};

pub use crate::change::Change;
pub use crate::redis::{NotRedis, RedisUrl};

/// How long memory may show what it was given. With [`GENERATION_HOLDS`] and one command of Redis it stays below a second.
const MEMORY_HOLDS: Duration = Duration::from_millis(400);
/// How long a generation may be used after it was asked for.
const GENERATION_HOLDS: Duration = Duration::from_millis(500);
/// Who comes later than this after a load began does not wait for it, but begins another.
const LOAD_SHARED: Duration = Duration::from_millis(250);
/// Names kept in memory: a few megabytes when they are long.
const NAMES: u64 = 50_000;

/// Which of two states is newer: each number rises alone, and no state of the origin has one of them lower than an earlier state had it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// Compared first.
    pub major: i64,
    /// Compared second.
    pub minor: i64,
}

/// What is kept of a thing. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Of which state it is.
    pub version: Version,
    /// What is shown.
    pub body: Bytes,
}

/// What the cache stands in front of. It has the truth.
pub trait Origin: Send + Sync + 'static {
    /// Why it cannot answer.
    type Error: Send + Sync + 'static;

    /// Reads a thing as it was at one moment, which is not before the call.
    fn load(&self, id: Uuid) -> BoxFuture<'_, Result<Option<Entry>, Self::Error>>;

    /// Finds the thing with this other name. A name never changes from one thing to another.
    fn named<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<Uuid>, Self::Error>>;

    /// The present generation, the same for every process.
    fn generation(&self) -> BoxFuture<'_, Result<Uuid, Self::Error>>;

    /// Puts another in its place, for every process, and returns it.
    fn renew_generation(&self) -> BoxFuture<'_, Result<Uuid, Self::Error>>;

    /// Returns when every change of these things that is under way now is either visible or undone.
    fn over<'a>(&'a self, ids: &'a [Uuid]) -> BoxFuture<'a, Result<(), Self::Error>>;
}

/// The cache of one process. Cheap to clone.
pub struct Cache<O: Origin>(Arc<Levels<O>>);

impl<O: Origin> Clone for Cache<O> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<O: Origin> std::fmt::Debug for Cache<O> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cache").field("redis", &self.0.shared.is_some()).finish_non_exhaustive()
    }
}

struct Levels<O: Origin> {
    origin: Arc<O>,
    memory: Memory,
    names: Map<String, Uuid>,
    shared: Option<Shared<O>>,
    loads: Flights<(Uuid, u64), Entry, O::Error>,
    look_ups: Flights<String, Uuid, O::Error>,
}

/// The level that all processes share, and what makes it safe.
struct Shared<O: Origin> {
    redis: Redis,
    generation: Watch<O>,
}

impl<O: Origin> Cache<O> {
    /// Opens a cache in front of `origin`; without `redis` it is memory alone. Must be called in a runtime.
    ///
    /// It does not wait for Redis: one that is away is a warning, and is used as soon as it is there.
    pub fn open(origin: Arc<O>, redis: Option<&RedisUrl>) -> Result<Self, NotRedis> {
        let watch = || Watch::begin(Arc::clone(&origin), GENERATION_HOLDS);
        let shared = redis.map(|url| Ok(Shared { redis: Redis::open(url)?, generation: watch() })).transpose()?;
        let (memory, names) = (Memory::new(MEMORY_HOLDS), Map::new(NAMES));
        let (loads, look_ups) = (Flights::new(LOAD_SHARED), Flights::new(LOAD_SHARED));
        Ok(Self(Arc::new(Levels { origin, memory, names, shared, loads, look_ups })))
    }

    /// Reads a thing.
    pub async fn get(&self, id: Uuid) -> Result<Option<Entry>, Arc<O::Error>> {
        let levels = &self.0;
        if let Some(entry) = levels.memory.get(id) {
            count("memory");
            return Ok(Some(entry));
        }
        let stamp = levels.memory.stamp(id);
        let load = || {
            let levels = Arc::clone(levels);
            async move { levels.load(id, stamp).await }
        };
        // A thing may have been made after the load began that found nothing: who only waited for it looks for himself.
        match levels.loads.join((id, stamp), load).await? {
            Ok(entry) => Ok(entry),
            Err(flights::Absent) => Ok(levels.load(id, stamp).await?),
        }
    }

    /// Reads a thing by its other name.
    pub async fn get_named(&self, name: &str) -> Result<Option<Entry>, Arc<O::Error>> {
        let levels = &self.0;
        if let Some(id) = levels.names.get(name) {
            if let Some(entry) = self.get(id).await? {
                return Ok(Some(entry));
            }
            // The origin was put back to an earlier time, and has made other things since.
            levels.names.invalidate(name);
        }
        match self.resolve(name).await? {
            Some(id) => self.get(id).await,
            None => Ok(None),
        }
    }

    /// The id behind a name, which is kept: a name never changes.
    async fn resolve(&self, name: &str) -> Result<Option<Uuid>, Arc<O::Error>> {
        let levels = &self.0;
        let look_up = || {
            let (levels, name) = (Arc::clone(levels), name.to_owned());
            async move { levels.origin.named(&name).await }
        };
        let id = match levels.look_ups.join(name.to_owned(), look_up).await? {
            Ok(id) => id,
            Err(flights::Absent) => levels.origin.named(name).await?,
        };
        if let Some(id) = id {
            levels.names.insert(name.to_owned(), id);
        }
        Ok(id)
    }

    /// Begins a change of things, which it is to be told of: see [`Change`].
    pub fn changing(&self, ids: Vec<Uuid>) -> Change<O> {
        Change::new(self.clone(), Things::Ids(ids))
    }

    /// The same of a thing by its other name.
    pub fn changing_named(&self, name: &str) -> Change<O> {
        Change::new(self.clone(), Things::Named(name.to_owned()))
    }

    /// Tells every level that things have changed. To be awaited after the change is committed and before it is acknowledged: from then on
    /// this process shows nothing older, and every other process nothing older than a second.
    ///
    /// An error means that this cannot be promised, so the change must not be acknowledged; who may not come again with it takes
    /// [`Cache::changing`] or [`Cache::tell_at_last`].
    pub async fn changed(&self, ids: &[Uuid]) -> Result<(), Arc<O::Error>> {
        if ids.is_empty() {
            return Ok(());
        }
        let levels = &self.0;
        if let Some(Shared { redis, generation }) = &levels.shared {
            let told = redis.is_there() && redis.forget(generation.ask().await?, ids).await;
            if !told {
                generation.renew().await?;
            }
        }
        for id in ids {
            levels.memory.changed(*id);
        }
        Ok(())
    }

    /// Tells of a change that is committed, in the background and until it is told.
    pub fn tell_at_last(&self, ids: Vec<Uuid>) {
        change::tell_at_last(self.clone(), ids);
    }

    /// The id behind a name, as it is kept or as the origin has it.
    async fn id_behind(&self, name: &str) -> Result<Option<Uuid>, Arc<O::Error>> {
        match self.0.names.get(name) {
            Some(id) => Ok(Some(id)),
            None => Ok(self.0.origin.named(name).await?),
        }
    }

    fn origin(&self) -> &O {
        &self.0.origin
    }

    /// Whether Redis is used at this moment.
    pub fn uses_redis(&self) -> bool {
        self.0.shared.as_ref().is_some_and(|shared| shared.redis.is_there() && shared.generation.current().is_some())
    }
}

impl<O: Origin> Levels<O> {
    async fn load(&self, id: Uuid, stamp: u64) -> Result<Option<Entry>, O::Error> {
        let claim = match self.look(id).await {
            Read::Found(entry) => {
                count("redis");
                self.memory.keep(id, stamp, &entry, Instant::now());
                return Ok(Some(entry));
            }
            Read::Claimed(claim) => Some(claim),
            Read::Nothing => None,
        };
        count("origin");
        let began = Instant::now();
        let loaded = self.origin.load(id).await?;
        if let Some(entry) = &loaded {
            self.memory.keep(id, stamp, entry, began);
            if let (Some(claim), Some(shared)) = (claim, &self.shared) {
                shared.redis.write(claim, entry).await;
            }
        }
        Ok(loaded)
    }

    async fn look(&self, id: Uuid) -> Read {
        let Some(Shared { redis, generation }) = &self.shared else { return Read::Nothing };
        match generation.current() {
            Some(generation) => redis.read(generation, id).await,
            None => Read::Nothing,
        }
    }
}

fn count(level: &'static str) {
    metrics::counter!("gudang_cache_reads_total", "level" => level).increment(1);
}
