//! A cluster with its topics, events, and a handler that notes what it is handed.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bus::kafka::{self, Audience, Settings};
use bus::{Away, Handler, Incoming};
use contract::{Event, Time, Topic};
use futures::future::BoxFuture;
use testkit::Kafka;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// How long anything may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);
/// The group of these tests.
pub(crate) const GROUP: &str = "gudang-test";

pub(crate) fn settings(kafka: &Kafka) -> Settings {
    Settings::new(kafka.servers(), 12, Vec::new()).expect("settings")
}

/// A broker with the topics.
pub(crate) async fn cluster() -> (Kafka, Settings) {
    with_topics(Kafka::start()).await
}

pub(crate) async fn with_topics(kafka: Kafka) -> (Kafka, Settings) {
    let settings = settings(&kafka);
    testkit::eventually("the topics", PATIENCE, async || {
        let audience = Audience { group: GROUP.to_owned(), topics: vec![Topic::StockChanges] };
        kafka::prepare(&settings, vec![audience]).await.ok()
    })
    .await;
    (kafka, settings)
}

/// The product of a number.
pub(crate) fn product(number: usize) -> String {
    Uuid::new_v5(&Uuid::NAMESPACE_OID, &number.to_be_bytes()).to_string()
}

/// A movement, as far as a transport looks at it.
pub(crate) fn event(number: usize, version: i64) -> Event {
    let subject = format!("{}@Depot @2, ß", product(number));
    let data = format!("{{\"version\": {version}, \"name\": \"käse\"}}");
    Event {
        id: Event::id_of(Topic::StockChanges.source(), &subject, version),
        source: Topic::StockChanges.source().to_owned(),
        kind: contract::event::kind::STOCK_CHANGED.to_owned(),
        time: Time::parse("2026-01-02T03:04:05.000006Z").expect("a time"),
        recorded_at: Time::parse("2026-01-02T03:04:06Z").expect("a time"),
        version,
        partition_key: product(number),
        traceparent: (version % 2 == 0).then(|| "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".to_owned()),
        position: None,
        data: serde_json::value::RawValue::from_string(data).expect("JSON"),
        subject,
    }
}

/// Notes every batch, and settles it when it is let.
pub(crate) struct Notes {
    pub(crate) handed: Mutex<Vec<Vec<Incoming>>>,
    /// How often its database is away.
    pub(crate) away: Mutex<usize>,
    /// What a batch needs to be settled.
    pub(crate) gate: Semaphore,
}

impl Notes {
    pub(crate) fn open() -> Arc<Self> {
        Self::with_gate(Semaphore::MAX_PERMITS)
    }

    pub(crate) fn with_gate(permits: usize) -> Arc<Self> {
        Arc::new(Self { handed: Mutex::default(), away: Mutex::default(), gate: Semaphore::new(permits) })
    }

    /// Everything that was handed over, in order.
    pub(crate) fn all(&self) -> Vec<Incoming> {
        self.handed.lock().expect("notes").concat()
    }

    fn is_away(&self) -> bool {
        let mut away = self.away.lock().expect("a count");
        let is_away = *away > 0;
        *away = away.saturating_sub(1);
        is_away
    }

    /// (subject, version) of every event.
    pub(crate) fn events(&self) -> Vec<(String, i64)> {
        self.all().iter().filter_map(Incoming::event).map(|event| (event.subject.clone(), event.version)).collect()
    }

    pub(crate) async fn until(&self, count: usize) {
        testkit::eventually("all messages", PATIENCE, async || (self.all().len() >= count).then_some(())).await;
    }
}

impl Handler for Notes {
    fn group(&self) -> &str {
        GROUP
    }

    fn topics(&self) -> &[Topic] {
        &[Topic::StockChanges]
    }

    fn handle<'a>(&'a self, batch: &'a [Incoming]) -> BoxFuture<'a, Result<(), Away>> {
        Box::pin(async move {
            self.handed.lock().expect("notes").push(batch.to_vec());
            if self.is_away() {
                return Err(Away("the database is on holiday".into()));
            }
            self.gate.acquire().await.expect("a gate").forget();
            Ok(())
        })
    }
}

/// A member at work.
pub(crate) struct Running {
    pub(crate) stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Running {
    pub(crate) fn start(settings: &Settings, notes: &Arc<Notes>) -> Self {
        let (stop, settings, notes) = (CancellationToken::new(), settings.clone(), Arc::clone(notes));
        let token = stop.clone();
        let task = tokio::spawn(async move { kafka::consume(&settings, GROUP, notes, token).await });
        Self { stop, task }
    }

    pub(crate) async fn stop(self) {
        self.stop.cancel();
        tokio::time::timeout(PATIENCE, self.task).await.expect("it stops").expect("it does not panic");
    }
}
