//! Functions over Kafka: which of them publishes where, who consumes, and what is told to the topics before. It names no service.
//!
//! A broker that is away keeps nobody from starting: it is asked again for as long as it takes, and the journals keep what it cannot have.

use std::sync::Arc;
use std::time::Duration;

use bus::kafka::{self, Audience, KafkaFailure, Producer, Settings};
use bus::{DeadLetterOffice, Handler, Outlet};
use tokio_util::sync::CancellationToken;

use crate::Function;

/// Before a cluster that is away is asked again.
const ASK_AGAIN: Duration = Duration::from_secs(2);

/// A cluster that this process is a client of.
#[derive(Clone)]
pub struct Broker {
    settings: Settings,
    producer: Producer,
    group: Option<String>,
}

impl Broker {
    /// Makes the clients; `group` overrides the name of a consumer group. It asks no broker.
    pub fn new(settings: Settings, group: Option<String>) -> Result<Self, KafkaFailure> {
        let producer = Producer::new(&settings)?;
        Ok(Self { settings, producer, group })
    }

    /// Where the relay of a function puts what it reads.
    pub(crate) fn outlets(&self, function: &Function) -> Vec<Arc<dyn Outlet>> {
        function.publishes.iter().map(|(topic, _)| self.producer.outlet(*topic)).collect()
    }

    /// Where dead letters go.
    pub(crate) fn office(&self) -> Arc<dyn DeadLetterOffice> {
        self.producer.dead_letters()
    }

    /// The name of a consumer's group.
    fn group<'a>(&'a self, handler: &'a dyn Handler) -> &'a str {
        self.group.as_deref().unwrap_or(handler.group())
    }

    /// Has everybody consume, until `stop`.
    pub(crate) async fn consume(&self, handlers: Vec<Arc<dyn Handler>>, stop: &CancellationToken) {
        let members = handlers.into_iter().map(|handler| {
            let stop = stop.clone();
            async move { kafka::consume(&self.settings, self.group(&*handler), Arc::clone(&handler), stop).await }
        });
        futures::future::join_all(members).await;
    }

    /// Makes what is missing, however long it takes until somebody answers: topics, and what the groups of `handlers` begin with, whoever it is
    /// that consumes for them.
    pub(crate) async fn prepare(&self, handlers: &[Arc<dyn Handler>]) {
        let audience =
            |handler: &Arc<dyn Handler>| Audience { group: self.group(&**handler).to_owned(), topics: handler.topics().to_vec() };
        loop {
            match kafka::prepare(&self.settings, handlers.iter().map(audience).collect()).await {
                Ok(made) if made.is_empty() => return,
                Ok(made) => {
                    tracing::info!(topics = made.join(", "), "topics were made");
                    return;
                }
                Err(error) => {
                    tracing::warn!(error = %error, "the topics could not be looked at, events wait where they are; it is tried again");
                    tokio::time::sleep(ASK_AGAIN).await;
                }
            }
        }
    }
}
