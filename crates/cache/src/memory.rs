//! The level in memory: short-lived, bounded, and deaf to whoever read before a change. It knows no other level.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use moka::sync::Cache;
use uuid::Uuid;

use crate::Entry;

/// Bytes that entries may take together.
const BYTES: u64 = 16 << 20;
/// What an entry takes beside its body, about.
const OVERHEAD: u32 = 200;
/// Things share stamps, so that these take 32 KiB whatever there is: a change makes its neighbours be read again too, no more.
const STAMPS: usize = 4096;

/// What this process has read a moment ago.
pub(crate) struct Memory {
    holds: Duration,
    entries: Cache<Uuid, Kept>,
    stamps: Box<[AtomicU64]>,
}

#[derive(Clone)]
struct Kept {
    entry: Entry,
    stamp: u64,
    read_at: Instant,
}

impl Memory {
    /// Shows an entry for as long as `holds` after it was read.
    pub(crate) fn new(holds: Duration) -> Self {
        let entries = Cache::builder()
            .max_capacity(BYTES)
            .weigher(|_, kept: &Kept| u32::try_from(kept.entry.body.len()).unwrap_or(u32::MAX).saturating_add(OVERHEAD))
            .time_to_live(holds)
            .build();
        Self { holds, entries, stamps: (0..STAMPS).map(|_| AtomicU64::new(0)).collect() }
    }

    /// How often the thing, or a neighbour, was changed here. To be asked for before it is read.
    pub(crate) fn stamp(&self, id: Uuid) -> u64 {
        self.place(id).load(Ordering::SeqCst)
    }

    /// What was read since the last change, if that is not long ago.
    pub(crate) fn get(&self, id: Uuid) -> Option<Entry> {
        let kept = self.entries.get(&id)?;
        (kept.stamp == self.stamp(id) && kept.read_at.elapsed() < self.holds).then_some(kept.entry)
    }

    /// Keeps what was read at `read_at`. It is never shown if the thing was changed after `stamp` was asked for.
    pub(crate) fn keep(&self, id: Uuid, stamp: u64, entry: &Entry, read_at: Instant) {
        self.entries.insert(id, Kept { entry: entry.clone(), stamp, read_at });
    }

    /// Forgets a thing, and what is being read of it.
    pub(crate) fn changed(&self, id: Uuid) {
        self.place(id).fetch_add(1, Ordering::SeqCst);
    }

    /// The last bits of an id are random in every version of UUID that things are named by.
    fn place(&self, id: Uuid) -> &AtomicU64 {
        &self.stamps[id.as_u128() as usize % STAMPS]
    }
}
