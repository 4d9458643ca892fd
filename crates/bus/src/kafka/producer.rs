//! The producing end: whole batches are handed over, then all reports awaited together, since one by one they cost a round trip each.
//!
//! Idempotent, so that the broker neither repeats nor reorders what it is sent twice. When a batch fails or is given up, nothing more of it is
//! handed over and what has not left yet is taken back: nothing newer of a product can then overtake what comes again. Each outlet has a client
//! of its own, so what is taken back is its own alone.

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
use super::topics::{DEAD_LETTERS, LARGEST};
use super::{KafkaFailure, Settings, client};
use crate::{DeadLetter, DeadLetterOffice, Outlet, Undelivered};

/// The cursor of a journal that is relayed to Kafka.
const CURSOR: &str = "kafka";
/// How long a batch may take before what has not left yet is taken back. librdkafka gives up on the rest at twice that.
const PATIENCE: Duration = Duration::from_secs(20);
/// Before a full queue is tried again.
const QUEUE_FULL: Duration = Duration::from_millis(5);

type Client = ThreadedProducer<Reports>;

/// Makes the outlets of a cluster. Cheap to clone.
#[derive(Clone)]
pub struct Producer {
    settings: Settings,
    config: ClientConfig,
    /// Of the first outlet: it was made to see whether one can be.
    first: Arc<Mutex<Option<Line>>>,
}

impl Producer {
    /// Makes a first client. It asks no broker: one that is away may come later.
    pub fn new(settings: &Settings) -> Result<Self, KafkaFailure> {
        let config = config(settings);
        let client = config.create_with_context(Reports).map_err(|error| settings.failure(&error))?;
        let first = Line { settings: settings.clone(), config: config.clone(), client: tokio::sync::Mutex::new(Some(client)) };
        Ok(Self { settings: settings.clone(), config, first: Arc::new(Mutex::new(Some(first))) })
    }

    /// An outlet for the journal whose events `topic` carries.
    pub fn outlet(&self, topic: Topic) -> Arc<dyn Outlet> {
        Arc::new(ToTopic { line: self.line(), topic })
    }

    /// Where dead letters go.
    pub fn dead_letters(&self) -> Arc<dyn DeadLetterOffice> {
        Arc::new(ToDeadLetters { line: self.line() })
    }

    fn line(&self) -> Line {
        let first = self.first.lock().unwrap_or_else(PoisonError::into_inner).take();
        first.unwrap_or_else(|| Line {
            settings: self.settings.clone(),
            config: self.config.clone(),
            client: tokio::sync::Mutex::default(),
        })
    }
}

/// The properties of a producer.
pub(super) fn config(settings: &Settings) -> ClientConfig {
    let largest = LARGEST.to_string();
    settings.client(
        "gudang-relay",
        &[
            ("enable.idempotence", "true"),
            ("acks", "all"),
            ("partitioner", "murmur2_random"),
            ("compression.type", "lz4"),
            ("linger.ms", "1"),
            ("message.timeout.ms", "40000"),
            ("request.timeout.ms", "10000"),
            ("queue.buffering.max.kbytes", "16384"),
            ("message.max.bytes", &largest),
        ],
    )
}

/// One client, for one batch at a time; made when it is first needed.
struct Line {
    settings: Settings,
    config: ClientConfig,
    client: tokio::sync::Mutex<Option<Client>>,
}

impl Line {
    /// Sends everything and returns when all of it is written at enough brokers.
    async fn send<'a>(&self, topic: &str, messages: impl Iterator<Item = Outgoing<'a>>) -> Result<(), KafkaError> {
        let mut place = self.client.lock().await;
        let client = match &mut *place {
            Some(client) => client,
            none => none.insert(self.config.create_with_context(Reports)?),
        };
        let sent = exchange(client, topic, messages).await;
        if let Some((code, reason)) = client.client().fatal_error() {
            tracing::warn!(kafka.code = %code, reason, "the producer cannot go on, a new one takes its place");
            client::let_go(place.take());
        }
        sent
    }

    fn undelivered(&self, topic: &str, error: &KafkaError) -> Undelivered {
        Undelivered { outlet: format!("Kafka's topic {topic}"), cause: Box::new(self.settings.failure(error)) }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        client::let_go(self.client.get_mut().take());
    }
}

/// Hands a batch over and waits until every message of it is reported.
async fn exchange<'a>(client: &Client, topic: &str, messages: impl Iterator<Item = Outgoing<'a>>) -> Result<(), KafkaError> {
    let batch = Arc::new(Batch::default());
    let _given_up = TakeBack { client, batch: &batch };
    let until = Instant::now() + PATIENCE;
    for message in messages {
        if batch.failed().is_some() {
            break;
        }
        if let Err(error) = hand_over(client, topic, message, &batch, until).await {
            batch.fail(error);
            break;
        }
    }
    batch.report(None);
    let mut patience = until - Instant::now();
    loop {
        let heard = timeout(patience, batch.news.notified()).await;
        if batch.is_settled() {
            break;
        }
        tracing::debug!(topic, in_time = heard.is_ok(), "what has not left yet is taken back");
        client.purge(PurgeConfig::default().queue());
        patience = PATIENCE;
    }
    let failed = batch.failed().take();
    failed.map_or(Ok(()), Err)
}

/// Takes back what has not left yet, should nobody wait for it any more.
struct TakeBack<'a> {
    client: &'a Client,
    batch: &'a Batch,
}

impl Drop for TakeBack<'_> {
    fn drop(&mut self) {
        if !self.batch.is_settled() {
            self.client.purge(PurgeConfig::default().queue());
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
    fn is_settled(&self) -> bool {
        self.open.load(Ordering::Acquire) == 0
    }

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

/// An outlet: a client and a topic.
struct ToTopic {
    line: Line,
    topic: Topic,
}

impl Outlet for ToTopic {
    fn name(&self) -> &str {
        CURSOR
    }

    fn deliver<'a>(&'a self, events: &'a [Event]) -> BoxFuture<'a, Result<(), Undelivered>> {
        Box::pin(async move {
            let sent = self.line.send(self.topic.name(), events.iter().map(message::of_event)).await;
            sent.map_err(|error| self.line.undelivered(self.topic.name(), &error))
        })
    }
}

/// The office of dead letters.
struct ToDeadLetters {
    line: Line,
}

impl DeadLetterOffice for ToDeadLetters {
    /// One by one, so that a letter that is refused keeps none behind it.
    fn post<'a>(&'a self, letters: &'a [DeadLetter]) -> BoxFuture<'a, Result<(), Undelivered>> {
        Box::pin(async move {
            for letter in letters {
                let mut sent = self.line.send(DEAD_LETTERS, std::iter::once(message::of_letter(letter))).await;
                if sent.as_ref().is_err_and(is_too_large) {
                    let short = message::in_short(letter);
                    sent = self.line.send(DEAD_LETTERS, std::iter::once(message::of_letter(&short))).await;
                }
                sent.map_err(|error| self.line.undelivered(DEAD_LETTERS, &error))?;
            }
            Ok(())
        })
    }
}

fn is_too_large(error: &KafkaError) -> bool {
    use RDKafkaErrorCode::{MessageBatchTooLarge, MessageSizeTooLarge};
    matches!(error.rdkafka_error_code(), Some(MessageSizeTooLarge | MessageBatchTooLarge))
}
