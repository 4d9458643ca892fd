//! Delivery in process: an outlet that is the consumer itself. It adds no queue, so what was delivered was handled.

use std::sync::Arc;

use contract::Event;
use futures::future::BoxFuture;

use crate::{Handler, Incoming, Outlet, Undelivered};

/// A [`Handler`] plugged straight into a journal's relay.
pub struct InProcess {
    handler: Arc<dyn Handler>,
}

impl InProcess {
    /// Plugs `handler` in. Its group names the cursor, so each consumer has its own and none holds up another.
    pub fn new(handler: Arc<dyn Handler>) -> Self {
        Self { handler }
    }
}

impl Outlet for InProcess {
    fn name(&self) -> &str {
        self.handler.group()
    }

    fn deliver<'a>(&'a self, events: &'a [Event]) -> BoxFuture<'a, Result<(), Undelivered>> {
        Box::pin(async move {
            let batch: Vec<Incoming> = events.iter().cloned().map(Incoming::Event).collect();
            self.handler.handle(&batch).await.map_err(|away| Undelivered { outlet: self.name().to_owned(), cause: Box::new(away) })
        })
    }
}
