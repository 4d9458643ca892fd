//! A member of a consumer group as librdkafka sees it: which protocol it speaks, what was taken from it, and how it leaves. It knows no handler.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext, Rebalance, StreamConsumer};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::{ClientContext, TopicPartitionList};

use super::{KafkaFailure, Settings, client};

/// How long leaving a group may take. It goes on behind, should it take longer.
const LEAVE: Duration = Duration::from_secs(3);

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
    let mut config = settings.client(group);
    config.set("group.id", group).set("enable.auto.commit", "false").set("auto.offset.reset", "earliest");
    let usual = [
        ("enable.auto.offset.store", "false"),
        ("queued.max.messages.kbytes", "8192"),
        ("queued.min.messages", "5000"),
        // With a small queue the usual second of waiting, whenever it is full, would be most of the time.
        ("fetch.queue.backoff.ms", "10"),
        ("fetch.error.backoff.ms", "200"),
    ];
    let shared = match protocol {
        Protocol::Broker => ("group.protocol", "consumer"),
        Protocol::Members => ("partition.assignment.strategy", "cooperative-sticky"),
    };
    for (property, value) in usual.into_iter().chain([shared]) {
        if !settings.says(property) {
            config.set(property, value);
        }
    }
    Ok(config.create_with_context(Fate::default())?)
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

/// What happens to a member while it is not looking.
#[derive(Debug, Default)]
pub(super) struct Fate {
    taken: Mutex<HashSet<(Arc<str>, i32)>>,
}

impl Fate {
    fn lock(&self) -> MutexGuard<'_, HashSet<(Arc<str>, i32)>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets what was taken so far.
    pub(super) fn begin(&self) {
        self.lock().clear();
    }

    /// Drops places in partitions that were taken away since.
    pub(super) fn leave_to_others(&self, places: &mut HashMap<(Arc<str>, i32), i64>) {
        let taken = self.lock();
        places.retain(|place, _| !taken.contains(place));
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
    fn pre_rebalance(&self, _: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        match rebalance {
            Rebalance::Assign(given) => tracing::debug!(partitions = given.count(), "partitions were given"),
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
