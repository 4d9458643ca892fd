//! Remembers that the index is away, so that nobody waits for it until it has answered again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::Index;

/// Between two looks at whether it is back.
const LOOK: Duration = Duration::from_millis(500);

/// Whether the index is away.
#[derive(Debug, Default)]
pub(super) struct Away(AtomicBool);

impl Index {
    /// Whether it is known to be away.
    pub(super) fn is_away(&self) -> bool {
        self.away.0.load(Ordering::Acquire)
    }

    /// From now on nobody asks, but for a task of its own that looks whether it is back.
    pub(super) fn went_away(&self) {
        if self.away.0.swap(true, Ordering::AcqRel) {
            return;
        }
        let (name, client, away) = (Arc::clone(&self.name), self.client.clone(), Arc::downgrade(&self.away));
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(LOOK).await;
                // Whoever wanted to know is gone.
                let Some(away) = away.upgrade() else { return };
                let index = Self { name: Arc::clone(&name), client: client.clone(), away };
                if index.answers().await {
                    index.away.0.store(false, Ordering::Release);
                    return;
                }
            }
        });
    }
}
