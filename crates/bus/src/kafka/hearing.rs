//! A member of a consumer group as librdkafka sees it: which protocol it speaks, what was taken from it, and how it leaves. It knows no handler.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext, Rebalance, StreamConsumer};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::{ClientConfig, ClientContext, TopicPartitionList};

use super::{KafkaFailure, Settings, client};

/// How long leaving a group may take. It goes on behind, should it take longer.
const LEAVE: Duration = Duration::from_secs(2);

/// How a group shares partitions out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    /// The broker does (KIP-848): quick, and nobody stops for the others.
    Broker,
    /// The members do, cooperatively: for brokers before 4.0.
    Members,
}

/// A consumer and what happens to it.
pub(super) type Member = StreamConsumer<Fate>;

/// Joins nothing yet: makes a member of `group`.
pub(super) fn member(settings: &Settings, group: &str, protocol: Protocol) -> Result<Member, KafkaFailure> {
    config(settings, group, protocol).create_with_context(Fate::default()).map_err(|error| settings.failure(&error))
}

/// The properties of a member.
pub(super) fn config(settings: &Settings, group: &str, protocol: Protocol) -> ClientConfig {
    let usual = [
        ("group.id", group),
        ("enable.auto.commit", "false"),
        ("auto.offset.reset", "earliest"),
        ("enable.auto.offset.store", "false"),
        // What one answer of a broker may carry, and what may wait here.
        ("fetch.max.bytes", "4194304"),
        ("queued.max.messages.kbytes", "8192"),
        ("queued.min.messages", "5000"),
        // With a small queue the usual second of waiting, whenever it is full, would be most of the time.
        ("fetch.queue.backoff.ms", "10"),
        ("fetch.error.backoff.ms", "200"),
    ];
    let shared: &[(&str, &str)] = match protocol {
        Protocol::Broker => &[("group.protocol", "consumer")],
        Protocol::Members => &[("group.protocol", "classic"), ("partition.assignment.strategy", "cooperative-sticky")],
    };
    let session = settings.session_ms().filter(|_| protocol == Protocol::Members).map(|session| session.to_string());
    let session = session.as_deref().map(|session| ("session.timeout.ms", session));
    settings.client(group, &[&usual, shared, session.as_slice()].concat())
}

/// Commits what was settled and drops a member, which tells the group; away from the runtime and within a bound.
pub(super) async fn leave(member: Member, settled: TopicPartitionList) {
    let left = tokio::task::spawn_blocking(move || {
        if settled.count() > 0
            && let Err(error) = member.commit(&settled, CommitMode::Sync)
        {
            tracing::debug!(error = %error, "offsets were not committed");
        }
        drop(member);
    });
    if tokio::time::timeout(LEAVE, left).await.is_err() {
        tracing::warn!("leaving the consumer group takes long; the group will notice by itself");
    }
}

/// Whether the broker does not share partitions out itself.
pub(super) fn is_too_old(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode::{InvalidRequest, UnsupportedFeature, UnsupportedVersion};
    matches!(code, UnsupportedFeature | UnsupportedVersion | InvalidRequest)
}

/// A partition of a topic.
pub(super) type Place = (Arc<str>, i32);

/// What happens to a member while it is not looking.
#[derive(Debug, Default)]
pub(super) struct Fate {
    taken: Mutex<HashSet<Place>>,
}

impl Fate {
    fn lock(&self) -> MutexGuard<'_, HashSet<Place>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The partitions that were taken away since this was asked last. It happens only while the member listens: what it has heard of them by then
    /// is of the time before, and what it hears later of the time after.
    pub(super) fn taken(&self) -> HashSet<Place> {
        std::mem::take(&mut *self.lock())
    }
}

impl ClientContext for Fate {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        client::log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        client::error(&error, reason);
    }
}

impl ConsumerContext for Fate {
    fn pre_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        match rebalance {
            Rebalance::Assign(given) => {
                tracing::debug!(partitions = given.count(), "partitions were given");
                // One that was taken away in a pause is still paused, and nobody else would end that.
                if let Err(error) = consumer.resume(given) {
                    tracing::warn!(error = %error, "partitions that were given could not be resumed");
                }
            }
            Rebalance::Revoke(taken) => {
                tracing::debug!(partitions = taken.count(), "partitions were taken away");
                self.lock().extend(taken.elements().iter().map(|place| (Arc::from(place.topic()), place.partition())));
            }
            Rebalance::Error(error) => tracing::warn!(error = %error, "the consumer group could not share its partitions out"),
        }
    }

    fn commit_callback(&self, result: KafkaResult<()>, _: &TopicPartitionList) {
        if let Err(error) = result {
            // Nothing is lost: what is heard again is dropped by its version.
            tracing::debug!(error = %error, "offsets were not committed");
            metrics::counter!("gudang_kafka_commit_failures_total").increment(1);
        }
    }
}
