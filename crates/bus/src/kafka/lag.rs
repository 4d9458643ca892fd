//! How far a consumer group is behind, as the cluster knows it: the ends of the partitions, and what the group has committed of them.

use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::metadata::MetadataTopic;
use rdkafka::{Offset, TopicPartitionList};
use tokio::task::spawn_blocking;

use super::client::Quiet;
use super::hearing::{self, Protocol};
use super::{KafkaFailure, Settings};

/// How long one question to the cluster may take.
const QUESTION: Duration = Duration::from_secs(5);

/// Messages of a topic that a group has not settled. It joins nothing, and commits nothing.
pub async fn lag(settings: &Settings, group: &str, topic: &str) -> Result<u64, KafkaFailure> {
    let (asked, group, topic) = (settings.clone(), group.to_owned(), topic.to_owned());
    // Away from the runtime: the client waits for answers, and takes its time to end.
    let found = spawn_blocking(move || count(&asked, &group, &topic).map_err(|error| asked.failure(&error)));
    found.await.map_err(|error| settings.failure(&error))?
}

fn count(settings: &Settings, group: &str, topic: &str) -> Result<u64, KafkaError> {
    let mut config = hearing::config(settings, group, Protocol::Members);
    // It joins nothing, whatever those who do are told.
    let consumer: BaseConsumer<Quiet> = config.set("group.protocol", "classic").create_with_context(Quiet)?;
    let known = consumer.fetch_metadata(Some(topic), QUESTION)?;
    let mut partitions = TopicPartitionList::new();
    for partition in known.topics().iter().flat_map(MetadataTopic::partitions) {
        partitions.add_partition(topic, partition.id());
    }
    let mut behind = 0;
    for place in consumer.committed_offsets(partitions, QUESTION)?.elements() {
        let (low, high) = consumer.fetch_watermarks(topic, place.partition(), QUESTION)?;
        // Without an offset the group begins at the beginning, and so it does where retention has overtaken it.
        let next = if let Offset::Offset(next) = place.offset() { next.max(low) } else { low };
        behind += high.saturating_sub(next).max(0) as u64;
    }
    Ok(behind)
}
