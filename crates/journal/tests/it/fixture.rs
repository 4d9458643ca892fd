//! A producer's journal, a consumer that adds up what it is told, and a producer that answers for repair.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bus::Incoming;
use contract::event::Payload;
use contract::{Books, Event, StockEvent, Topic};
use futures::future::BoxFuture;
use journal::{Applied, Effect, Feed, Intake, Journal, Mode, Upstream, UpstreamError, append, schema};
use postgres::{Database, DatabaseError, Transaction};
use testkit::TestDatabase;

pub(crate) const PRODUCT: &str = "0198c9f2-7a4e-7c33-9a51-3d2f6f6b9f10";

/// A producer's database with an empty journal, led by the test.
pub(crate) struct Producer {
    pub(crate) database: Database,
    pub(crate) journal: Arc<Journal>,
    pub(crate) epoch: i64,
}

pub(crate) async fn producer() -> Producer {
    let database = TestDatabase::create().await.database();
    database.migrate(&[schema::LEASE, schema::RELAY, schema::JOURNAL]).await.unwrap();
    let journal = Arc::new(Journal::new(database.clone(), append::table(Topic::StockChanges)));
    let epoch = journal::Lease::take(&database, "test").await.unwrap().unwrap().epoch;
    Producer { database, journal, epoch }
}

/// SQL that writes version `version` of `stream`.
pub(crate) fn row(stream: &str, version: i64) -> String {
    let data = serde_json::to_string(&data(stream, version)).unwrap();
    format!(
        "INSERT INTO journal (stream, version, type, partition_key, occurred_at, recorded_at, data) \
         VALUES ('{stream}', {version}, 'gudang.stock.changed.v1', '{PRODUCT}', '2026-01-01T00:00:00Z', '2026-01-01T00:00:{:02}Z', '{data}')",
        version % 60
    )
}

fn data(stream: &str, version: i64) -> StockEvent {
    let location = stream.split_once('@').unwrap().1;
    let event = serde_json::json!({
        "id": "0198c9f2-7a4e-7c33-9a51-3d2f6f6b9f11", "product_id": PRODUCT, "sku": "A", "location": location, "type": "RESTOCK",
        "quantity": 1, "delta": 1, "on_hand": version, "reserved": 0, "available": version, "version": version,
        "occurred_at": "2026-01-01T00:00:00Z", "recorded_at": "2026-01-01T00:00:00Z", "min_stock": 0, "name": "A", "category": "A",
        "price": null, "currency": "USD"
    });
    serde_json::from_value(event).unwrap()
}

/// The stream of the test's product at a location.
pub(crate) fn stream(location: &str) -> String {
    format!("{PRODUCT}@{location}")
}

/// An event as it would come over a wire.
pub(crate) fn event(location: &str, version: i64) -> Event {
    let stream = stream(location);
    Event {
        id: Event::id_of(Topic::StockChanges.source(), &stream, version),
        source: Topic::StockChanges.source().to_owned(),
        kind: "gudang.stock.changed.v1".to_owned(),
        time: contract::Time::parse("2026-01-01T00:00:00Z").unwrap(),
        version,
        recorded_at: contract::Time::parse(&format!("2026-01-01T00:00:{:02}Z", version % 60)).unwrap(),
        partition_key: PRODUCT.to_owned(),
        traceparent: None,
        position: None,
        data: serde_json::value::to_raw_value(&data(&stream, version)).unwrap(),
        subject: stream,
    }
}

/// An event whose data is not what its type promises.
pub(crate) fn broken(location: &str, version: i64) -> Event {
    Event { data: serde_json::value::to_raw_value(&serde_json::json!({"quantity": "many"})).unwrap(), ..event(location, version) }
}

pub(crate) fn incoming(events: impl IntoIterator<Item = Event>) -> Vec<Incoming> {
    events.into_iter().map(Incoming::Event).collect()
}

/// A producer that repair can ask: what it has, and whether it answers.
#[derive(Default)]
pub(crate) struct FakeUpstream {
    pub(crate) events: Mutex<Vec<Event>>,
    pub(crate) away: AtomicBool,
    /// Whether it takes questions and never answers.
    pub(crate) hangs: AtomicBool,
    /// How often it was asked.
    pub(crate) asked: AtomicUsize,
}

impl Upstream for FakeUpstream {
    fn stream_after<'a>(&'a self, stream: &'a str, version: i64, limit: usize) -> BoxFuture<'a, Result<Vec<Event>, UpstreamError>> {
        Box::pin(async move {
            self.asked.fetch_add(1, Ordering::SeqCst);
            if self.hangs.load(Ordering::SeqCst) {
                std::future::pending::<()>().await;
            }
            if self.away.load(Ordering::SeqCst) {
                return Err(UpstreamError("nobody is there".into()));
            }
            let events = self.events.lock().unwrap();
            let behind = events.iter().filter(|event| event.subject == stream && event.version > version);
            Ok(behind.take(limit).cloned().collect())
        })
    }

    fn books<'a>(&'a self, _: &'a str, bucket: Option<u8>) -> BoxFuture<'a, Result<Books, UpstreamError>> {
        Box::pin(async move {
            // Made by the same SQL as a producer's: its versions in a table of one's own.
            let database = TestDatabase::create().await.database();
            database.migrate(&[schema::FENCE]).await.unwrap();
            let client = database.get().await.unwrap();
            let events = self.events.lock().unwrap().clone();
            for event in events {
                let sql = "INSERT INTO applied (stream, version) VALUES ($1, $2) ON CONFLICT (stream) DO UPDATE SET version = $2";
                client.execute(sql, &[&event.subject, &event.version]).await.unwrap();
            }
            let keeper = journal::books::Keeper { service: "fake", accounts: &[journal::books::APPLIED_STOCK], checks: &[] };
            Ok(keeper.books(&database, None, bucket).await.unwrap())
        })
    }
}

/// Adds up the deltas of each stream; refuses the deltas that a CHECK forbids.
struct AddUp;

impl Effect for AddUp {
    fn apply<'a>(&'a self, transaction: &'a Transaction<'_>, rows: &'a [Applied<'a>]) -> BoxFuture<'a, Result<(), DatabaseError>> {
        Box::pin(async move {
            for row in rows {
                let Payload::Stock(stock) = &row.payload else { continue };
                let sql = "INSERT INTO total VALUES ($1, $2, ARRAY[$3::bigint]) ON CONFLICT (stream) \
                     DO UPDATE SET units = total.units + $2, versions = total.versions || $3::bigint";
                postgres::execute(transaction, sql, &[&row.event.subject, &stock.delta, &stock.version]).await?;
            }
            Ok(())
        })
    }
}

/// A consumer and the producer that it repairs from.
pub(crate) struct Consumer {
    pub(crate) database: Database,
    pub(crate) intake: Arc<Intake>,
    pub(crate) upstream: Arc<FakeUpstream>,
}

pub(crate) async fn consumer(mode: Mode) -> Consumer {
    let database = TestDatabase::create().await.database();
    database.migrate(&[schema::LEASE, schema::FENCE, schema::letters(schema::FIRST_OWN_VERSION)]).await.unwrap();
    let sql = "CREATE TABLE total (stream text PRIMARY KEY, units bigint NOT NULL, versions bigint[] NOT NULL, \
         CHECK (units <> 13 OR stream NOT LIKE '%@poison'))";
    database.get().await.unwrap().batch_execute(sql).await.unwrap();
    let upstream = Arc::new(FakeUpstream::default());
    let intake = another(&database, &upstream, mode);
    Consumer { database, intake, upstream }
}

/// Another process of the same consumer.
pub(crate) fn another(database: &Database, upstream: &Arc<FakeUpstream>, mode: Mode) -> Arc<Intake> {
    let feeds = vec![Feed { topic: Topic::StockChanges, mode, upstream: Arc::clone(upstream) as _ }];
    Arc::new(Intake::new(database.clone(), "gudang-test", feeds, Arc::new(AddUp)))
}

impl Consumer {
    /// The versions that were applied to a stream, in order.
    pub(crate) async fn versions(&self, location: &str) -> Vec<i64> {
        let client = self.database.get().await.unwrap();
        let row = client.query_opt("SELECT versions FROM total WHERE stream = $1", &[&stream(location)]).await.unwrap();
        row.map(|row| row.get(0)).unwrap_or_default()
    }

    pub(crate) async fn letters(&self) -> Vec<journal::letters::Letter> {
        journal::letters::list(&self.database, None, 100).await.unwrap()
    }
}

/// `(stream, version)` of events.
pub(crate) fn named(events: &[Event]) -> Vec<(&str, i64)> {
    events.iter().map(|event| (event.subject.split_once('@').unwrap().1, event.version)).collect()
}
