//! Kafka without the bus: what lies in a topic, and the plainest way to put it there.

use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::message::{Header, Headers, Message, OwnedHeaders};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use testkit::Kafka;

/// Where Stock's events go.
pub(crate) const STOCK_CHANGES: &str = "stock-changes";
/// A topic with the same settings that nobody uses here.
pub(crate) const UNUSED: &str = "notifications";
/// For one answer of the broker.
const ANSWER: Duration = Duration::from_secs(30);
/// Until everything has come.
const PATIENCE: Duration = Duration::from_mins(3);
/// Between two looks at how much has come.
const LOOK: Duration = Duration::from_millis(20);

/// A new Kafka with the topics.
pub(crate) fn start() -> anyhow::Result<Kafka> {
    let kafka = Kafka::start();
    let begun = Instant::now();
    loop {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gudang"));
        let made = command.args(["topics", "--kafka-bootstrap-servers", kafka.servers()]).output()?;
        if made.status.success() {
            return Ok(kafka);
        }
        // A broker that has just started does not know yet who leads what.
        ensure!(begun.elapsed() < PATIENCE, "gudang topics: {}", String::from_utf8_lossy(&made.stderr));
        thread::sleep(10 * LOOK);
    }
}

/// A message in memory.
pub(crate) struct Kept {
    key: Vec<u8>,
    headers: Vec<(String, Vec<u8>)>,
    bytes: Vec<u8>,
}

/// A consumer of a topic from its beginning, all partitions, as the services' own are set up.
pub(crate) fn consumer(kafka: &Kafka, topic: &str) -> anyhow::Result<BaseConsumer> {
    let consumer = client(kafka)?;
    let mut places = TopicPartitionList::new();
    for partition in 0..partitions(&consumer, topic)? {
        places.add_partition_offset(topic, partition, Offset::Beginning)?;
    }
    consumer.assign(&places)?;
    Ok(consumer)
}

fn client(kafka: &Kafka) -> anyhow::Result<BaseConsumer> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", kafka.servers()).set("group.id", "bench").set("enable.auto.commit", "false");
    config.set("queued.max.messages.kbytes", "8192").set("queued.min.messages", "5000").set("fetch.queue.backoff.ms", "10");
    Ok(config.create()?)
}

fn partitions(client: &BaseConsumer, topic: &str) -> anyhow::Result<i32> {
    let known = client.fetch_metadata(Some(topic), ANSWER)?;
    Ok(known.topics().first().context("the topic is not there")?.partitions().len() as i32)
}

/// How many messages a topic has.
struct Length {
    client: BaseConsumer,
    topic: &'static str,
    partitions: i32,
}

impl Length {
    fn of(kafka: &Kafka, topic: &'static str) -> anyhow::Result<Self> {
        let client = client(kafka)?;
        let partitions = partitions(&client, topic)?;
        Ok(Self { client, topic, partitions })
    }

    fn look(&self) -> anyhow::Result<i64> {
        (0..self.partitions).map(|partition| Ok(self.client.fetch_watermarks(self.topic, partition, ANSWER)?.1)).sum()
    }
}

/// Waits until a topic that is being filled has `count` messages; messages a second since the first of them were seen.
pub(crate) fn filled(kafka: &Kafka, topic: &'static str, count: i64) -> anyhow::Result<f64> {
    let length = Length::of(kafka, topic)?;
    let begun = Instant::now();
    let mut first = None;
    loop {
        let there = length.look()?;
        let now = Instant::now();
        let (at, some) = *first.get_or_insert((now, there));
        if some == 0 {
            first = None;
        }
        if there >= count {
            return Ok((count - some) as f64 / (now - at).as_secs_f64());
        }
        ensure!(begun.elapsed() < PATIENCE, "{there} of {count} messages came in time");
        thread::sleep(LOOK);
    }
}

/// Everything in a topic.
pub(crate) fn everything(kafka: &Kafka, topic: &str, count: i64) -> anyhow::Result<Vec<Kept>> {
    let consumer = consumer(kafka, topic)?;
    let mut kept = Vec::with_capacity(count as usize);
    while (kept.len() as i64) < count {
        let message = consumer.poll(ANSWER).context("no message came")??;
        let headers = message.headers().into_iter().flat_map(Headers::iter);
        kept.push(Kept {
            key: message.key().unwrap_or_default().to_vec(),
            headers: headers.map(|header| (header.key.to_owned(), header.value.unwrap_or_default().to_vec())).collect(),
            bytes: message.payload().unwrap_or_default().to_vec(),
        });
    }
    Ok(kept)
}

/// Puts messages into a topic as fast as a bare producer with the relay's settings does; messages a second. Their headers are ready beforehand,
/// and the producer knows the topic already.
pub(crate) fn produced(kafka: &Kafka, topic: &'static str, messages: &[Kept]) -> anyhow::Result<f64> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", kafka.servers()).set("enable.idempotence", "true").set("acks", "all");
    config.set("partitioner", "murmur2_random").set("compression.type", "lz4").set("linger.ms", "1");
    config.set("queue.buffering.max.kbytes", "16384").set("socket.nagle.disable", "true");
    let producer: ThreadedProducer<DefaultProducerContext> = config.create()?;
    let length = Length::of(kafka, topic)?;
    let before = length.look()?;
    let (first, rest) = messages.split_first().context("there are messages")?;
    send(&producer, topic, first, headers(first))?;
    producer.flush(PATIENCE)?;
    let prepared: Vec<(&Kept, OwnedHeaders)> = rest.iter().map(|kept| (kept, headers(kept))).collect();
    let begun = Instant::now();
    for (kept, headers) in prepared {
        send(&producer, topic, kept, headers)?;
    }
    producer.flush(PATIENCE)?;
    let took = begun.elapsed();
    let came = length.look()? - before;
    ensure!(came == messages.len() as i64, "{came} of {} messages came", messages.len());
    Ok(rest.len() as f64 / took.as_secs_f64())
}

fn headers(kept: &Kept) -> OwnedHeaders {
    let none = OwnedHeaders::new_with_capacity(kept.headers.len());
    kept.headers.iter().fold(none, |all, (key, value)| all.insert(Header { key, value: Some(value) }))
}

fn send(producer: &ThreadedProducer<DefaultProducerContext>, topic: &str, kept: &Kept, headers: OwnedHeaders) -> anyhow::Result<()> {
    let mut record = BaseRecord::to(topic).key(&kept.key).payload(&kept.bytes).headers(headers);
    loop {
        match producer.send(record) {
            Ok(()) => return Ok(()),
            Err((error, again)) if error.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull) => {
                record = again;
                thread::sleep(Duration::from_millis(1));
            }
            Err((error, _)) => return Err(error.into()),
        }
    }
}

/// Waits until a group has committed `count` messages of a topic.
pub(crate) fn consumed(kafka: &Kafka, group: &str, topic: &str, count: i64) -> anyhow::Result<()> {
    let mut config = ClientConfig::new();
    let client: BaseConsumer = config.set("bootstrap.servers", kafka.servers()).set("group.id", group).create()?;
    let mut places = TopicPartitionList::new();
    places.add_partition_range(topic, 0, partitions(&client, topic)? - 1);
    let begun = Instant::now();
    loop {
        let committed = client.committed_offsets(places.clone(), ANSWER)?;
        let settled: i64 = committed.elements().iter().filter_map(|place| place.offset().to_raw()).filter(|offset| *offset > 0).sum();
        if settled >= count {
            return Ok(());
        }
        ensure!(begun.elapsed() < PATIENCE, "{settled} of {count} messages were consumed in time");
        thread::sleep(10 * LOOK);
    }
}
