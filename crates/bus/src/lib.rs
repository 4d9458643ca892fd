//! What carries events: the two ends that a transport joins, and delivery in process.
//!
//! A producer's relay hands events to an [`Outlet`]; a consumer is a [`Handler`]. In process the one is plugged into the other
//! ([`InProcess`]); over a broker a producer stands at the first and a consumer group at the second. Neither end learns which it is.
//! This room knows no database and no service.

mod in_process;

use contract::{Event, Topic};
use futures::future::BoxFuture;

pub use in_process::InProcess;

/// Where a relay puts what it read from its journal.
pub trait Outlet: Send + Sync + 'static {
    /// Names the cursor that remembers how far this outlet has come. Stable over restarts.
    fn name(&self) -> &str;

    /// Delivers events in order and returns once every one of them is safe at the other end.
    ///
    /// After an error all of them come again, and some may then be there twice: consumers drop them by version.
    fn deliver<'a>(&'a self, events: &'a [Event]) -> BoxFuture<'a, Result<(), Undelivered>>;
}

/// Events could not be handed over. Nothing is lost: the journal has them.
#[derive(Debug, thiserror::Error)]
#[error("could not deliver to {outlet}")]
pub struct Undelivered {
    /// The outlet's name.
    pub outlet: String,
    /// What went wrong.
    #[source]
    pub cause: Box<dyn std::error::Error + Send + Sync>,
}

/// What a transport took from its wire.
#[derive(Debug, Clone)]
pub enum Incoming {
    /// An event whose envelope could be read.
    Event(Event),
    /// Bytes that are no event at all and name no stream.
    Alien {
        /// As they came.
        bytes: Vec<u8>,
        /// What was wrong with them.
        cause: String,
    },
}

/// Consumes events: the part of a service that every host drives the same way.
pub trait Handler: Send + Sync + 'static {
    /// The consumer's name, which is its consumer group: `gudang-analytics`.
    fn group(&self) -> &str;

    /// What it wants to hear of.
    fn topics(&self) -> &[Topic];

    /// Handles a batch in the order in which it came.
    ///
    /// Ok: every event is settled, be it done, a duplicate, a stranger's, or parked with a dead letter. Away: nothing may be taken as
    /// settled; the same batch comes again later.
    fn handle<'a>(&'a self, batch: &'a [Incoming]) -> BoxFuture<'a, Result<(), Away>>;
}

/// The consumer's own database is away. The one reason not to settle an event.
#[derive(Debug, thiserror::Error)]
#[error("the consumer's own database is away")]
pub struct Away(#[source] pub Box<dyn std::error::Error + Send + Sync>);
