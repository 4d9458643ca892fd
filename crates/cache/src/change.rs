//! A change that is under way: whatever becomes of who makes it, the cache hears of it. It knows no level of the cache.
//!
//! Who makes a change may leave while it is committed, may never hear what came of the COMMIT, or may find nobody to tell. What Redis has would
//! then stay as it was before, for minutes. So a change that was not told is told in the background, when it is over and as soon as that is possible.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::sleep;
use uuid::Uuid;

use crate::{Cache, Origin};

/// Between two attempts to tell.
const AGAIN: Duration = Duration::from_millis(500);

/// Things that may be changing. To be made before the change is committed; dropped without [`Change::tell`] it is told in the background.
#[must_use = "it is to be told when the change is committed"]
pub struct Change<O: Origin> {
    cache: Cache<O>,
    /// None once it is told.
    things: Option<Things>,
}

/// What changes.
pub(crate) enum Things {
    Ids(Vec<Uuid>),
    /// By its other name.
    Named(String),
}

impl<O: Origin> std::fmt::Debug for Change<O> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Change").field("told", &self.things.is_none()).finish_non_exhaustive()
    }
}

impl<O: Origin> Change<O> {
    pub(crate) fn new(cache: Cache<O>, things: Things) -> Self {
        Self { cache, things: Some(things) }
    }

    /// Tells every level, as [`Cache::changed`] does. To be awaited after the change is committed and before it is acknowledged.
    ///
    /// An error means that the change must not be acknowledged; it is told later.
    pub async fn tell(mut self) -> Result<(), Arc<O::Error>> {
        if let Some(things) = &self.things {
            let ids = ids_of(&self.cache, things).await?;
            self.cache.changed(&ids).await?;
        }
        self.things = None;
        Ok(())
    }
}

impl<O: Origin> Drop for Change<O> {
    fn drop(&mut self) {
        let Some(things) = self.things.take() else { return };
        if matches!(&things, Things::Ids(ids) if ids.is_empty()) {
            return;
        }
        // Where the runtime is gone, so is the process.
        if let Ok(runtime) = Handle::try_current() {
            let cache = self.cache.clone();
            runtime.spawn(async move {
                while tell_when_it_is_over(&cache, &things).await.is_err() {
                    sleep(AGAIN).await;
                }
            });
        }
    }
}

async fn tell_when_it_is_over<O: Origin>(cache: &Cache<O>, things: &Things) -> Result<(), Arc<O::Error>> {
    let ids = ids_of(cache, things).await?;
    // Told before the change is visible, others could read what was there before, and keep it.
    cache.origin().over(&ids).await?;
    cache.changed(&ids).await
}

/// Tells in the background of a change that is committed, until it is told.
pub(crate) fn tell_at_last<O: Origin>(cache: Cache<O>, ids: Vec<Uuid>) {
    tokio::spawn(async move {
        while cache.changed(&ids).await.is_err() {
            sleep(AGAIN).await;
        }
    });
}

/// Nothing is kept of a name that leads nowhere.
async fn ids_of<O: Origin>(cache: &Cache<O>, things: &Things) -> Result<Vec<Uuid>, Arc<O::Error>> {
    match things {
        Things::Ids(ids) => Ok(ids.clone()),
        Things::Named(name) => Ok(cache.id_behind(name).await?.into_iter().collect()),
    }
}
