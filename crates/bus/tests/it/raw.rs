//! Kafka without the bus: what lies in the topics, and what groups have committed.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Headers, Message, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use testkit::Kafka;

use crate::fixture::PATIENCE;

/// A message as it lies there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Lying {
    pub(crate) partition: i32,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) bytes: Vec<u8>,
}

fn client(kafka: &Kafka, group: &str) -> BaseConsumer {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", kafka.servers()).set("group.id", group).set("enable.auto.commit", "false");
    config.set("auto.offset.reset", "earliest").create().expect("a consumer")
}

/// How many partitions a topic has.
pub(crate) fn partitions(kafka: &Kafka, topic: &str) -> i32 {
    client(kafka, "raw").fetch_metadata(Some(topic), PATIENCE).expect("metadata").topics()[0].partitions().len() as i32
}

/// How the members of a group share partitions out.
pub(crate) fn protocol(kafka: &Kafka, group: &str) -> String {
    let groups = client(kafka, "raw").fetch_group_list(Some(group), PATIENCE).expect("groups");
    groups.groups().iter().map(|group| group.protocol().to_owned()).collect()
}

/// What a topic is set to.
pub(crate) async fn settings(kafka: &Kafka, topic: &str) -> BTreeMap<String, String> {
    let admin = admin(kafka);
    let described = admin.describe_configs(&[ResourceSpecifier::Topic(topic)], &AdminOptions::new()).await.expect("an answer");
    let described = described.into_iter().next().expect("a topic").expect("its settings");
    described.entries.into_iter().filter_map(|entry| Some((entry.name, entry.value?))).collect()
}

/// Makes a topic, set as it is told.
pub(crate) async fn make(kafka: &Kafka, topic: &str, partitions: i32, set: &[(&str, &str)]) {
    let new = NewTopic::new(topic, partitions, TopicReplication::Fixed(1));
    let new = set.iter().fold(new, |new, (name, value)| new.set(name, value));
    let made = admin(kafka).create_topics([&new], &AdminOptions::new()).await.expect("an answer");
    assert!(made.iter().all(Result::is_ok), "{made:?}");
}

fn admin(kafka: &Kafka) -> AdminClient<DefaultClientContext> {
    ClientConfig::new().set("bootstrap.servers", kafka.servers()).create().expect("a client")
}

/// Everything in a topic, partition by partition in its order.
pub(crate) fn everything(kafka: &Kafka, topic: &str) -> Vec<Lying> {
    let client = client(kafka, "raw");
    let mut expected = 0;
    let mut places = TopicPartitionList::new();
    for partition in 0..partitions(kafka, topic) {
        let (low, high) = client.fetch_watermarks(topic, partition, PATIENCE).expect("watermarks");
        expected += high - low;
        places.add_partition_offset(topic, partition, Offset::Beginning).expect("a place");
    }
    client.assign(&places).expect("an assignment");
    let mut lying = Vec::new();
    while (lying.len() as i64) < expected {
        let message = client.poll(PATIENCE).expect("a message in time").expect("a message");
        let text = |value: Option<&[u8]>| String::from_utf8(value.unwrap_or_default().to_vec()).expect("text");
        let headers = message.headers().into_iter().flat_map(Headers::iter);
        lying.push(Lying {
            partition: message.partition(),
            key: message.key().map(<[u8]>::to_vec),
            headers: headers.map(|header| (header.key.to_owned(), text(header.value))).collect(),
            bytes: message.payload().unwrap_or_default().to_vec(),
        });
    }
    lying.sort_by_key(|message| message.partition);
    lying
}

/// What a group has committed, by partition; those without are left out.
pub(crate) fn committed(kafka: &Kafka, group: &str, topic: &str) -> BTreeMap<i32, i64> {
    let mut places = TopicPartitionList::new();
    places.add_partition_range(topic, 0, partitions(kafka, topic) - 1);
    let committed = client(kafka, group).committed_offsets(places, PATIENCE).expect("offsets");
    let known = |place: &rdkafka::topic_partition_list::TopicPartitionListElem<'_>| match place.offset() {
        Offset::Offset(offset) => Some((place.partition(), offset)),
        _ => None,
    };
    committed.elements().iter().filter_map(known).collect()
}

/// Puts any bytes into a topic.
pub(crate) async fn put(kafka: &Kafka, topic: &str, key: &[u8], headers: OwnedHeaders, bytes: &[u8]) {
    let producer: FutureProducer = ClientConfig::new().set("bootstrap.servers", kafka.servers()).create().expect("a producer");
    let record = FutureRecord::to(topic).key(key).headers(headers).payload(bytes);
    producer.send(record, Duration::from_secs(30)).await.expect("it is written");
}

/// A producer that sends again what was not answered, and by whose messages the broker cannot tell that they come again.
pub(crate) fn forgetful(kafka: &Kafka) -> FutureProducer {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", kafka.servers()).set("enable.idempotence", "false").set("acks", "all");
    config.create().expect("a producer")
}

/// Sends one message and waits until it is said to be written.
pub(crate) async fn send(producer: &FutureProducer, topic: &str, text: &str) {
    producer.send(FutureRecord::to(topic).key(text).payload(text), PATIENCE).await.expect("it is written");
}
