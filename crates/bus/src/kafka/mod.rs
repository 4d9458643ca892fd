//! Events over Kafka: a producer at the one end, a consumer group at the other, and the topics between them.
//!
//! No Kafka transactions and no stored offsets: what comes twice is told by its version, behind the other end. This is the only place that
//! names rdkafka, and nothing of it shows outside.

mod client;
mod consumer;
mod hearing;
mod lag;
mod message;
mod producer;
mod settings;
mod topics;

pub use consumer::consume;
pub use lag::lag;
pub use producer::Producer;
pub use settings::{Property, Settings, SettingsError};
pub use topics::{Audience, DEAD_LETTERS, prepare};

/// Kafka could not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[error("Kafka at {servers}: {cause}")]
pub struct KafkaFailure {
    /// Where it is, as it was given.
    servers: String,
    /// What went wrong.
    cause: String,
}
