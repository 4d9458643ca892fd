//! What is built first where events are new: each of these meets the same fault as the programs, and must come to grief by it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bus::kafka::{self, Producer, Settings};
use bus::{Away, Handler, Incoming, Outlet};
use contract::event::kind;
use contract::{Event, Time, Topic};
use futures::future::BoxFuture;
use jiff::Timestamp;
use serde_json::json;
use serde_json::value::to_raw_value;
use testkit::Http;
use tokio::task::JoinHandle;
use tokio_postgres::NoTls;
use tokio_util::sync::CancellationToken;

use crate::aside;
use crate::load::{count, sku};

/// What a consumer does besides for each batch, such as telling somebody.
const BESIDES: Duration = Duration::from_millis(300);

/// Consumes without looking at versions: whatever comes is counted, and then its offset is committed.
#[derive(Default)]
pub(crate) struct Forgetful {
    /// Events that were counted.
    pub(crate) counted: AtomicU64,
    /// Set when a batch was counted whose offsets are not committed yet.
    pub(crate) uncommitted: AtomicBool,
}

impl Handler for Forgetful {
    fn group(&self) -> &'static str {
        "forgetful"
    }

    fn topics(&self) -> &[Topic] {
        &[Topic::StockChanges]
    }

    fn handle<'a>(&'a self, batch: &'a [Incoming]) -> BoxFuture<'a, Result<(), Away>> {
        Box::pin(async move {
            self.counted.fetch_add(batch.len() as u64, Ordering::SeqCst);
            self.uncommitted.store(true, Ordering::SeqCst);
            tokio::time::sleep(BESIDES).await;
            Ok(())
        })
    }
}

/// Works so long on the first batch of all that its member is given up, and hears of nothing meanwhile; then counts it like any other, without
/// looking at versions.
pub(crate) struct Sleepy {
    sleeps: Duration,
    has_slept: AtomicBool,
    /// Events that were counted.
    pub(crate) counted: AtomicU64,
}

impl Sleepy {
    pub(crate) fn for_longer_than(max_poll: Duration) -> Self {
        Self { sleeps: max_poll * 2, has_slept: AtomicBool::default(), counted: AtomicU64::default() }
    }
}

impl Handler for Sleepy {
    fn group(&self) -> &'static str {
        "sleepy"
    }

    fn topics(&self) -> &[Topic] {
        &[Topic::StockChanges]
    }

    fn handle<'a>(&'a self, batch: &'a [Incoming]) -> BoxFuture<'a, Result<(), Away>> {
        Box::pin(async move {
            if !self.has_slept.swap(true, Ordering::SeqCst) {
                // The thread sleeps, and with it whatever would ask for messages.
                std::thread::sleep(self.sleeps);
            }
            self.counted.fetch_add(batch.len() as u64, Ordering::SeqCst);
            Ok(())
        })
    }
}

/// Takes a batch as settled whatever its database said.
pub(crate) struct Careless {
    /// Where it has a table `careless`.
    database_url: String,
    /// Events that it has noted there, and those that it could not.
    pub(crate) noted: AtomicU64,
    pub(crate) lost: AtomicU64,
}

impl Careless {
    pub(crate) fn of(database_url: &str) -> Self {
        Self { database_url: database_url.to_owned(), noted: AtomicU64::default(), lost: AtomicU64::default() }
    }

    async fn note(&self, events: i64) -> Result<(), tokio_postgres::Error> {
        let (client, connection) = tokio_postgres::connect(&self.database_url, NoTls).await?;
        tokio::spawn(connection);
        client.execute("INSERT INTO careless VALUES ($1)", &[&events]).await.map(drop)
    }
}

impl Handler for Careless {
    fn group(&self) -> &'static str {
        "careless"
    }

    fn topics(&self) -> &[Topic] {
        &[Topic::StockChanges]
    }

    fn handle<'a>(&'a self, batch: &'a [Incoming]) -> BoxFuture<'a, Result<(), Away>> {
        Box::pin(async move {
            let noted = self.note(batch.len() as i64).await;
            let counter = if noted.is_ok() { &self.noted } else { &self.lost };
            counter.fetch_add(batch.len() as u64, Ordering::SeqCst);
            Ok(())
        })
    }
}

/// Tries again whatever it cannot read.
#[derive(Default)]
pub(crate) struct Stubborn {
    /// Events of batches that it could read.
    pub(crate) read: AtomicU64,
}

impl Handler for Stubborn {
    fn group(&self) -> &'static str {
        "stubborn"
    }

    fn topics(&self) -> &[Topic] {
        &[Topic::StockChanges]
    }

    fn handle<'a>(&'a self, batch: &'a [Incoming]) -> BoxFuture<'a, Result<(), Away>> {
        Box::pin(async move {
            for event in batch.iter().filter_map(Incoming::event) {
                event.payload().map_err(|broken| Away(Box::new(broken)))?;
            }
            self.read.fetch_add(batch.len() as u64, Ordering::SeqCst);
            Ok(())
        })
    }
}

/// A member of a naive group, in this process.
pub(crate) struct Member {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Member {
    pub(crate) fn join(settings: &Settings, handler: &Arc<impl Handler>) -> Self {
        let (stop, settings, handler) = (CancellationToken::new(), settings.clone(), Arc::clone(handler) as Arc<dyn Handler>);
        let stopped = stop.clone();
        let task = aside::spawn(async move {
            let group = handler.group().to_owned();
            kafka::consume(&settings, &group, handler, stopped).await;
        });
        Self { stop, task }
    }

    /// Leaves in good order.
    pub(crate) async fn leave(self) {
        self.stop.cancel();
        self.task.await.expect("it leaves");
    }

    /// Is gone in the middle of whatever it does.
    pub(crate) fn vanish(self) {
        self.task.abort();
    }
}

/// A client that tells Kafka itself of each change that was recorded, one after the other, and gives up on what Kafka does not take. It tells
/// of nothing that the programs would listen to.
pub(crate) struct Teller {
    stop: CancellationToken,
    task: JoinHandle<(Vec<Instant>, usize)>,
}

impl Teller {
    pub(crate) fn start(stock: Http, settings: &Settings) -> Self {
        let stop = CancellationToken::new();
        let outlet = Producer::new(settings).expect("a producer").outlet(Topic::Notifications);
        Self { task: aside::spawn(tell(stock, outlet, stop.clone())), stop }
    }

    /// Its changes in each window from then on, and how many of its events are lost.
    pub(crate) async fn stop(self, outages: (Instant, Instant), window: Duration) -> (Vec<usize>, usize) {
        self.stop.cancel();
        let (told, lost) = self.task.await.expect("it ends");
        (count(&told, outages.0, outages.1, window), lost)
    }
}

async fn tell(stock: Http, outlet: Arc<dyn Outlet>, stop: CancellationToken) -> (Vec<Instant>, usize) {
    let (mut told, mut lost) = (Vec::new(), 0);
    while !stop.is_cancelled() {
        let change = json!({"sku": sku(0, 0), "type": "RESTOCK", "quantity": 1, "location": "elsewhere"});
        stock.post("/v1/stock-changes", &change).await.expect(201);
        if outlet.deliver(&[told_of(told.len() as i64 + 1)]).await.is_err() {
            lost += 1;
        }
        told.push(Instant::now());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    (told, lost)
}

/// Something on a topic to which nobody listens.
fn told_of(version: i64) -> Event {
    let now = Time::new(Timestamp::now());
    Event {
        id: Event::id_of("/gudang/notification", "teller", version),
        source: "/gudang/notification".to_owned(),
        kind: kind::NOTIFICATION_RAISED.to_owned(),
        subject: "teller".to_owned(),
        time: now,
        version,
        recorded_at: now,
        partition_key: "teller".to_owned(),
        traceparent: None,
        position: None,
        data: to_raw_value(&json!({})).expect("JSON"),
    }
}
