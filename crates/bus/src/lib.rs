//! What carries events: the two ends that a transport joins, and the transports, in process and over Kafka.
//!
//! A producer's relay hands events to an [`Outlet`]; a consumer is a [`Handler`]. In process the one is plugged into the other
//! ([`InProcess`]); over a broker a producer stands at the first and a consumer group at the second ([`kafka`]). Neither end learns which
//! it is. This room knows no database and no service.

mod in_process;
pub mod kafka;

use std::sync::Arc;

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
    /// One that a broker carried, and the message that it was there.
    Carried(Event, Message),
    /// A CloudEvent of somebody else, and where a broker had it: nobody here has anything to do with it.
    Foreign(Option<Origin>),
    /// A message that is no event at all and names no stream.
    Alien(Alien),
}

impl Incoming {
    /// The event, if it is one.
    pub fn event(&self) -> Option<&Event> {
        match self {
            Self::Event(event) | Self::Carried(event, _) => Some(event),
            Self::Foreign(_) | Self::Alien(_) => None,
        }
    }

    /// The message as it came, where that is known.
    pub fn message(&self) -> Option<&Message> {
        match self {
            Self::Event(_) | Self::Foreign(_) => None,
            Self::Carried(_, message) | Self::Alien(Alien { message, .. }) => Some(message),
        }
    }

    /// Where it lay, if a broker carried it.
    pub fn origin(&self) -> Option<&Origin> {
        match self {
            Self::Foreign(origin) => origin.as_ref(),
            _ => self.message()?.origin.as_ref(),
        }
    }
}

/// A message's place on a broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The topic.
    pub topic: Arc<str>,
    /// The partition.
    pub partition: i32,
    /// The offset.
    pub offset: i64,
}

/// A message as it came, to the byte.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Message {
    /// Its key.
    pub key: Option<Vec<u8>>,
    /// Its headers, in their order.
    pub headers: Vec<(String, Vec<u8>)>,
    /// What it carries.
    pub bytes: Vec<u8>,
    /// Where it lay, if a broker carried it.
    pub origin: Option<Origin>,
}

/// A message that is no event.
#[derive(Debug, Clone, Default)]
pub struct Alien {
    /// It.
    pub message: Message,
    /// What was wrong with it.
    pub cause: String,
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

/// What a consumer put aside, for whoever looks after such things.
#[derive(Debug, Clone)]
pub struct DeadLetter {
    /// What it could not handle.
    pub message: Incoming,
    /// Why.
    pub error: String,
    /// The consumer's name.
    pub consumer: String,
}

/// Where dead letters are sent.
pub trait DeadLetterOffice: Send + Sync + 'static {
    /// Sends letters, each as it came, and returns once every one of them is safe. After an error all of them come again.
    fn post<'a>(&'a self, letters: &'a [DeadLetter]) -> BoxFuture<'a, Result<(), Undelivered>>;
}
