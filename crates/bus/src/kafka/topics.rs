//! The topics: made where they are missing, never changed where they are. And the first offsets of consumer groups, so that whoever scales
//! consumers by their lag sees one before the first of them has run.

use std::time::Duration;

use contract::Topic;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::metadata::MetadataTopic;
use rdkafka::{Offset, TopicPartitionList};
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;

use super::client::Quiet;
use super::hearing::{self, Protocol};
use super::{KafkaFailure, Settings};

/// The topic of what consumers could not handle.
pub const DEAD_LETTERS: &str = "dead-letters";
/// The largest message that a producer of ours hands over. Events are far below; a dead letter is as large as somebody else's message was.
pub(super) const LARGEST: usize = 8 << 20;
/// How long one question to the cluster may take.
const QUESTION: Duration = Duration::from_secs(10);
/// Copies of each partition, where the cluster has brokers enough.
const COPIES: usize = 3;

/// Every topic, with what makes it one of its kind. Product events carry the whole product, so the newest of each is enough; the others
/// are kept for as long as a group's offsets are, and the journals have them anyway. Dead letters wait for people.
const TOPICS: [(&str, &[(&str, &str)]); 4] = [
    ("product-events", &[("cleanup.policy", "compact"), ("min.compaction.lag.ms", "86400000")]),
    ("stock-changes", &[("cleanup.policy", "delete"), ("retention.ms", "604800000")]),
    ("notifications", &[("cleanup.policy", "delete"), ("retention.ms", "604800000")]),
    (DEAD_LETTERS, &[("cleanup.policy", "delete"), ("retention.ms", "2592000000"), ("max.message.bytes", "8388608")]),
];

/// A consumer group and what it wants to hear of.
#[derive(Debug, Clone)]
pub struct Audience {
    /// Its name.
    pub group: String,
    /// Its topics.
    pub topics: Vec<Topic>,
}

/// Makes the topics that are missing, and commits the beginning of each partition for groups that have nothing committed there. Returns the
/// names of the topics that it made. Doing it again does nothing.
pub async fn prepare(settings: &Settings, audiences: Vec<Audience>) -> Result<Vec<String>, KafkaFailure> {
    let (asked, runtime) = (settings.clone(), Handle::current());
    // All of it away from the runtime: clients wait for answers, and take their time to end.
    let prepared = spawn_blocking(move || {
        let made = runtime.block_on(make_missing(&asked))?;
        audiences.iter().try_for_each(|audience| commit_beginnings(&asked, audience)).map_err(|error| asked.failure(&error))?;
        Ok(made)
    });
    prepared.await.map_err(|error| settings.failure(&error))?
}

async fn make_missing(settings: &Settings) -> Result<Vec<String>, KafkaFailure> {
    let failure = |error: KafkaError| settings.failure(&error);
    let admin: AdminClient<Quiet> = settings.client("gudang-topics", &[]).create_with_context(Quiet).map_err(failure)?;
    let cluster = admin.inner().fetch_metadata(None, QUESTION).map_err(failure)?;
    let there: Vec<&str> = cluster.topics().iter().map(MetadataTopic::name).collect();
    let copies = cluster.brokers().len().clamp(1, COPIES);
    // One copy may be away while others are written to: a broker can be restarted.
    let in_sync = (copies - 1).max(1).to_string();
    let missing: Vec<NewTopic<'_>> = TOPICS
        .iter()
        .filter(|(name, _)| !there.contains(name))
        .map(|(name, settled)| {
            let mut topic = NewTopic::new(name, settings.partitions().into(), TopicReplication::Fixed(copies as i32));
            topic = topic.set("min.insync.replicas", &in_sync);
            settled.iter().fold(topic, |topic, (name, value)| topic.set(name, value))
        })
        .collect();
    if missing.is_empty() {
        return Ok(Vec::new());
    }
    let options = AdminOptions::new().request_timeout(Some(QUESTION)).operation_timeout(Some(QUESTION));
    let mut made = Vec::new();
    for outcome in admin.create_topics(&missing, &options).await.map_err(failure)? {
        match outcome {
            Ok(name) => made.push(name),
            // Somebody else was there first.
            Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((name, code)) => return Err(settings.failure(&format!("the topic {name} could not be made: {code}"))),
        }
    }
    Ok(made)
}

/// Commits the beginning of each partition that has no offset yet. A group with members sees to its own, and refuses those of others.
fn commit_beginnings(settings: &Settings, audience: &Audience) -> Result<(), KafkaError> {
    let mut config = hearing::config(settings, &audience.group, Protocol::Members);
    // It joins nothing, whatever those who do are told.
    let consumer: BaseConsumer<Quiet> = config.set("group.protocol", "classic").create_with_context(Quiet)?;
    let mut partitions = TopicPartitionList::new();
    for topic in &audience.topics {
        let known = consumer.fetch_metadata(Some(topic.name()), QUESTION)?;
        for partition in known.topics().iter().flat_map(MetadataTopic::partitions) {
            partitions.add_partition(topic.name(), partition.id());
        }
    }
    let committed = consumer.committed_offsets(partitions, QUESTION)?;
    let mut beginnings = TopicPartitionList::new();
    for place in committed.elements().iter().filter(|place| place.offset() == Offset::Invalid) {
        let (low, _) = consumer.fetch_watermarks(place.topic(), place.partition(), QUESTION)?;
        beginnings.add_partition_offset(place.topic(), place.partition(), Offset::Offset(low))?;
    }
    if beginnings.count() == 0 {
        return Ok(());
    }
    match consumer.commit(&beginnings, CommitMode::Sync) {
        Ok(()) => Ok(()),
        Err(error) if has_members(&error) => Ok(()),
        Err(error) => Err(error),
    }
}

fn has_members(error: &KafkaError) -> bool {
    use RDKafkaErrorCode::{FencedMemberEpoch, IllegalGeneration, StaleMemberEpoch, UnknownMemberId};
    matches!(error.rdkafka_error_code(), Some(UnknownMemberId | IllegalGeneration | StaleMemberEpoch | FencedMemberEpoch))
}
