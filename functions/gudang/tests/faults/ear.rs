//! Somebody who listens to `stock-changes` and remembers what lies there, where, and when it was heard. It knows nothing of what it means.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;

use bus::kafka::{self, Settings};
use bus::{Away, Handler, Incoming};
use contract::Topic;
use futures::future::BoxFuture;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::aside;

/// A message: its stream, its version, and when it was heard first.
#[derive(Debug, Clone)]
pub(crate) struct Heard {
    pub(crate) stream: String,
    pub(crate) version: i64,
    pub(crate) at: Instant,
}

/// By partition and offset.
type Places = BTreeMap<(i32, i64), Heard>;

/// A listener. Dropping it ends the listening.
pub(crate) struct Ear {
    notes: Arc<Notes>,
    _listening: DropGuard,
}

#[derive(Default)]
struct Notes(Mutex<Places>);

impl Notes {
    fn places(&self) -> MutexGuard<'_, Places> {
        self.0.lock().expect("notes")
    }
}

impl Handler for Notes {
    fn group(&self) -> &'static str {
        "ear"
    }

    fn topics(&self) -> &[Topic] {
        &[Topic::StockChanges]
    }

    fn handle<'a>(&'a self, batch: &'a [Incoming]) -> BoxFuture<'a, Result<(), Away>> {
        let at = Instant::now();
        for incoming in batch {
            if let (Some(event), Some(origin)) = (incoming.event(), incoming.origin()) {
                let heard = Heard { stream: event.subject.clone(), version: event.version, at };
                self.places().entry((origin.partition, origin.offset)).or_insert(heard);
            }
        }
        Box::pin(async { Ok(()) })
    }
}

impl Ear {
    /// Begins to listen, from the beginning.
    pub(crate) fn open(settings: &Settings) -> Self {
        let (notes, stop) = (Arc::new(Notes::default()), CancellationToken::new());
        let (listener, settings, stopped) = (Arc::clone(&notes), settings.clone(), stop.clone());
        aside::spawn(async move { kafka::consume(&settings, "ear", listener, stopped).await });
        Self { notes, _listening: stop.drop_guard() }
    }

    /// Everything that was heard so far, each message once, in the order of each partition.
    pub(crate) fn heard(&self) -> Vec<Heard> {
        self.notes.places().values().cloned().collect()
    }

    /// The highest version of each stream.
    pub(crate) fn versions(&self) -> HashMap<String, i64> {
        let mut versions = HashMap::new();
        for Heard { stream, version, .. } in self.heard() {
            let highest = versions.entry(stream).or_default();
            *highest = version.max(*highest);
        }
        versions
    }

    /// Where a version came although the one before it had not come yet: there must be none. What came twice is no fault.
    pub(crate) fn disorder(&self) -> Vec<String> {
        let mut versions: HashMap<String, i64> = HashMap::new();
        let mut disorder = Vec::new();
        for Heard { stream, version, .. } in self.heard() {
            let last = versions.entry(stream.clone()).or_default();
            if version > *last + 1 {
                disorder.push(format!("{stream}: {version} came behind {last}"));
            }
            *last = version.max(*last);
        }
        disorder
    }
}
