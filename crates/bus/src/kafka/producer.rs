//! The producing end: whole batches are handed over, then all reports awaited together, since one by one they cost a round trip each.
//!
//! Idempotent, so that the broker neither repeats nor reorders what it is sent twice. When a batch fails, what has not left yet is taken back
//! before the error is told: nothing newer of a product can then overtake what comes again.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use contract::{Event, Topic};
use futures::future::BoxFuture;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseRecord, DeliveryResult, Producer as _, ProducerContext, PurgeConfig, ThreadedProducer};
use rdkafka::{ClientConfig, ClientContext};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};

use super::message::{self, Outgoing};
use super::topics::DEAD_LETTERS;
use super::{KafkaFailure, Settings, client};
use crate::{DeadLetter, DeadLetterOffice, Outlet, Undelivered};

/// The cursor of a journal that is relayed to Kafka.
const CURSOR: &str = "kafka";
/// How long a batch may take before what has not left yet is taken back. librdkafka gives up on the rest at twice that.
const PATIENCE: Duration = Duration::from_secs(20);
/// Before a full queue is tried again.
const QUEUE_FULL: Duration = Duration::from_millis(5);

/// One client of a cluster, whom several outlets may share. Cheap to clone.
#[derive(Clone)]
pub struct Producer {
    config: ClientConfig,
    client: Arc<Mutex<Arc<Client>>>,
}

type Client = ThreadedProducer<Reports>;

impl Producer {
    /// Makes the client. It asks no broker: one that is away may come later.
    pub fn new(settings: &Settings) -> Result<Self, KafkaFailure> {
        let mut config = settings.client("gudang-relay");
        for (property, value) in [
            ("enable.idempotence", "true"),
            ("acks", "all"),
            ("partitioner", "murmur2_random"),
            ("compression.type", "lz4"),
            ("linger.ms", "1"),
            ("message.timeout.ms", "40000"),
            ("request.timeout.ms", "10000"),
            ("queue.buffering.max.kbytes", "16384"),
        ] {
            // What somebody has set stays, apart from what nobody may set.
            if !settings.says(property) {
                config.set(property, value);
            }
        }
        let client = Arc::new(Mutex::new(Arc::new(config.create_with_context(Reports)?)));
        Ok(Self { config, client })
    }

    /// An outlet for the journal whose events `topic` carries.
    pub fn outlet(&self, topic: Topic) -> Arc<dyn Outlet> {
        Arc::new(ToTopic { producer: self.clone(), topic })
    }

    /// Where dead letters go.
    pub fn dead_letters(&self) -> Arc<dyn DeadLetterOffice> {
        Arc::new(self.clone())
    }

    fn client(&self) -> MutexGuard<'_, Arc<Client>> {
        self.client.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends everything and returns when all of it is written at enough brokers.
    async fn send<'a>(&self, topic: &str, messages: impl Iterator<Item = Outgoing<'a>>) -> Result<(), KafkaError> {
        let client = Arc::clone(&self.client());
        let batch = Arc::new(Batch::default());
        let until = Instant::now() + PATIENCE;
        for message in messages {
            if let Err(error) = hand_over(&client, topic, message, &batch, until).await {
                batch.fail(error);
                break;
            }
        }
        batch.report(None);
        let mut patience = until - Instant::now();
        loop {
            let heard = timeout(patience, batch.news.notified()).await;
            if batch.open.load(Ordering::Acquire) == 0 {
                break;
            }
            tracing::debug!(topic, in_time = heard.is_ok(), "what has not left yet is taken back");
            client.purge(PurgeConfig::default().queue());
            patience = PATIENCE;
        }
        let failed = batch.failed().take();
        self.renew(&client);
        failed.map_or(Ok(()), Err)
    }

    /// Takes a new client in place of one that can go on no more.
    fn renew(&self, client: &Arc<Client>) {
        let Some((code, reason)) = client.client().fatal_error() else { return };
        let mut current = self.client();
        if Arc::ptr_eq(&current, client) {
            tracing::warn!(kafka.code = %code, reason, "the producer cannot go on, a new one takes its place");
            match self.config.create_with_context(Reports) {
                Ok(new) => *current = Arc::new(new),
                Err(error) => tracing::warn!(error = %error, "a new producer could not be made"),
            }
        }
    }
}

/// Puts one message into the client's queue; while that is full, waits.
async fn hand_over(client: &Client, topic: &str, message: Outgoing<'_>, batch: &Arc<Batch>, until: Instant) -> Result<(), KafkaError> {
    let Outgoing { key, headers, bytes } = message;
    let mut record = BaseRecord::with_opaque_to(topic, Arc::clone(batch)).payload(bytes).headers(headers);
    record.key = key;
    batch.open.fetch_add(1, Ordering::AcqRel);
    loop {
        match client.send(record) {
            Ok(()) => return Ok(()),
            Err((error, again)) => {
                let full = error.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull);
                if !full || Instant::now() >= until {
                    batch.report(None);
                    return Err(error);
                }
                record = again;
                sleep(QUEUE_FULL).await;
            }
        }
    }
}

/// The reports of one batch.
struct Batch {
    /// Those that have not come yet, and one for whoever hands messages over.
    open: AtomicUsize,
    failed: Mutex<Option<KafkaError>>,
    /// Rung by the first error, and when nothing is open any more.
    news: Notify,
}

impl Default for Batch {
    fn default() -> Self {
        Self { open: AtomicUsize::new(1), failed: Mutex::default(), news: Notify::new() }
    }
}

impl Batch {
    fn failed(&self) -> MutexGuard<'_, Option<KafkaError>> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps the first error.
    fn fail(&self, error: KafkaError) {
        self.failed().get_or_insert(error);
        self.news.notify_one();
    }

    fn report(&self, error: Option<KafkaError>) {
        if let Some(error) = error {
            self.fail(error);
        }
        if self.open.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.news.notify_one();
        }
    }
}

/// Takes delivery reports to their batches.
struct Reports;

impl ClientContext for Reports {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        client::log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        client::error(&error, reason);
    }
}

impl ProducerContext for Reports {
    type DeliveryOpaque = Arc<Batch>;

    fn delivery(&self, result: &DeliveryResult<'_>, batch: Arc<Batch>) {
        batch.report(result.as_ref().err().map(|(error, _)| error.clone()));
    }
}

/// An outlet: a producer and a topic.
struct ToTopic {
    producer: Producer,
    topic: Topic,
}

impl Outlet for ToTopic {
    fn name(&self) -> &str {
        CURSOR
    }

    fn deliver<'a>(&'a self, events: &'a [Event]) -> BoxFuture<'a, Result<(), Undelivered>> {
        Box::pin(async move {
            let sent = self.producer.send(self.topic.name(), events.iter().map(message::of_event)).await;
            sent.map_err(|error| undelivered(self.topic.name(), error))
        })
    }
}

impl DeadLetterOffice for Producer {
    fn post<'a>(&'a self, letters: &'a [DeadLetter]) -> BoxFuture<'a, Result<(), Undelivered>> {
        Box::pin(async move {
            let sent = self.send(DEAD_LETTERS, letters.iter().map(message::of_letter)).await;
            sent.map_err(|error| undelivered(DEAD_LETTERS, error))
        })
    }
}

fn undelivered(topic: &str, error: KafkaError) -> Undelivered {
    Undelivered { outlet: format!("Kafka's topic {topic}"), cause: Box::new(KafkaFailure::from(error)) }
}
