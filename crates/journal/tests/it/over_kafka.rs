//! Relay and fence with a real Kafka between them: whatever dies where, each version is applied once and in order.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bus::kafka::{self, Audience, Settings};
use bus::{Away, Handler, Incoming, Outlet, Undelivered};
use contract::{Event, Topic};
use futures::future::BoxFuture;
use journal::{Mode, relay};
use testkit::Kafka;
use testkit::dice::{Dice, seed};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::fixture::{Consumer, Producer, another, consumer, event, producer, row, stream};

const PATIENCE: Duration = Duration::from_mins(1);
const GROUP: &str = "gudang-test";

async fn cluster() -> (Kafka, Settings) {
    let kafka = tokio::task::block_in_place(Kafka::start);
    let settings = Settings::new(kafka.servers(), 6, Vec::new()).unwrap();
    testkit::eventually("the topics", PATIENCE, async || {
        let audience = Audience { group: GROUP.to_owned(), topics: vec![Topic::StockChanges] };
        kafka::prepare(&settings, vec![audience]).await.ok()
    })
    .await;
    (kafka, settings)
}

/// Journal rows of a few streams, as many versions of each as it was told to write.
struct Writer {
    producer: Producer,
    dice: Dice,
    versions: BTreeMap<String, i64>,
}

impl Writer {
    async fn new(seed: u64) -> Self {
        Self { producer: producer().await, dice: Dice::new(seed, 0), versions: BTreeMap::new() }
    }

    async fn write(&mut self, rows: usize) {
        let client = self.producer.database.get().await.unwrap();
        for _ in 0..rows {
            let location = format!("shelf {}", self.dice.below(5));
            let version = self.versions.entry(location.clone()).or_default();
            *version += 1;
            client.batch_execute(&row(&stream(&location), *version)).await.unwrap();
        }
        self.producer.journal.wake();
    }

    /// Waits until the consumer has applied everything, and then looks at it closely.
    async fn is_applied(&self, consumer: &Consumer) {
        for (location, last) in &self.versions {
            testkit::eventually("everything is applied", PATIENCE, async || {
                (consumer.versions(location).await.len() as i64 >= *last).then_some(())
            })
            .await;
            assert_eq!(consumer.versions(location).await, (1..=*last).collect::<Vec<_>>(), "{location}: each version once and in order");
        }
        assert!(consumer.letters().await.is_empty(), "nothing was put aside");
    }

    fn tick(&self, stop: &CancellationToken) {
        tokio::spawn(relay::tick(Arc::clone(&self.producer.journal), self.producer.epoch, stop.clone()));
    }

    fn relay(&self, outlet: Arc<dyn Outlet>, stop: &CancellationToken) -> tokio::task::JoinHandle<()> {
        tokio::spawn(relay::run(Arc::clone(&self.producer.journal), outlet, self.producer.epoch, stop.clone()))
    }
}

/// Delivers, and then stands still before it can say so.
struct Dying {
    inner: Arc<dyn Outlet>,
    delivered: Arc<Notify>,
}

impl Outlet for Dying {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn deliver<'a>(&'a self, events: &'a [Event]) -> BoxFuture<'a, Result<(), Undelivered>> {
        Box::pin(async move {
            self.inner.deliver(events).await?;
            self.delivered.notify_one();
            std::future::pending().await
        })
    }
}

/// Counts what it is handed; stands still behind a batch when it is told to, as if the process died there.
struct Watched {
    inner: Arc<dyn Handler>,
    handed: AtomicUsize,
    die: Mutex<Option<Arc<Notify>>>,
}

impl Watched {
    fn new(inner: Arc<dyn Handler>) -> Arc<Self> {
        Arc::new(Self { inner, handed: AtomicUsize::new(0), die: Mutex::default() })
    }
}

impl Handler for Watched {
    fn group(&self) -> &str {
        self.inner.group()
    }

    fn topics(&self) -> &[Topic] {
        self.inner.topics()
    }

    fn handle<'a>(&'a self, batch: &'a [Incoming]) -> BoxFuture<'a, Result<(), Away>> {
        Box::pin(async move {
            self.inner.handle(batch).await?;
            self.handed.fetch_add(batch.len(), Ordering::SeqCst);
            let die = self.die.lock().unwrap().take();
            if let Some(died) = die {
                died.notify_one();
                std::future::pending::<()>().await;
            }
            Ok(())
        })
    }
}

fn consume(settings: &Settings, handler: Arc<dyn Handler>, stop: &CancellationToken) -> tokio::task::JoinHandle<()> {
    let (settings, stop) = (settings.clone(), stop.clone());
    tokio::spawn(async move { kafka::consume(&settings, GROUP, handler, stop).await })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_dies_fifty_times_between_producing_and_its_cursor_loses_and_doubles_nothing() {
    let seed = seed();
    println!("seed {seed}");
    let (_kafka, settings) = cluster().await;
    let (mut writer, consumer) = (Writer::new(seed).await, consumer(Mode::Gapless).await);
    let (stop, watched) = (CancellationToken::new(), Watched::new(Arc::clone(&consumer.intake) as _));
    writer.tick(&stop);
    let consuming = consume(&settings, Arc::clone(&watched) as _, &stop);
    for _ in 0..50 {
        let rows = 1 + writer.dice.below(10) as usize;
        writer.write(rows).await;
        // A process of its own: a new client, which knows nothing of the last one's.
        let outlet = kafka::Producer::new(&settings).unwrap().outlet(Topic::StockChanges);
        let delivered = Arc::new(Notify::new());
        let relaying = writer.relay(Arc::new(Dying { inner: outlet, delivered: Arc::clone(&delivered) }), &stop);
        tokio::time::timeout(PATIENCE, delivered.notified()).await.expect("a delivery");
        relaying.abort();
        let _ = relaying.await;
    }
    let relaying = writer.relay(kafka::Producer::new(&settings).unwrap().outlet(Topic::StockChanges), &stop);
    writer.is_applied(&consumer).await;
    let written: i64 = writer.versions.values().sum();
    // Each of the fifty sent something that the last one sent again.
    testkit::eventually("what came twice", PATIENCE, async || (watched.handed.load(Ordering::SeqCst) as i64 >= written + 50).then_some(()))
        .await;
    stop.cancel();
    relaying.await.unwrap();
    consuming.await.unwrap();
    writer.is_applied(&consumer).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_that_dies_between_its_database_s_commit_and_that_of_offsets_applies_nothing_twice() {
    let seed = seed();
    println!("seed {seed}");
    let (_kafka, settings) = cluster().await;
    let (mut writer, consumer) = (Writer::new(seed).await, consumer(Mode::Gapless).await);
    let stop = CancellationToken::new();
    let watched = Watched::new(Arc::clone(&consumer.intake) as _);
    writer.tick(&stop);
    let relaying = writer.relay(kafka::Producer::new(&settings).unwrap().outlet(Topic::StockChanges), &stop);
    for _ in 0..10 {
        let rows = 1 + writer.dice.below(20) as usize;
        writer.write(rows).await;
        let died = Arc::new(Notify::new());
        *watched.die.lock().unwrap() = Some(Arc::clone(&died));
        let consuming = consume(&settings, Arc::clone(&watched) as _, &stop);
        tokio::time::timeout(PATIENCE, died.notified()).await.expect("a batch");
        consuming.abort();
        let _ = consuming.await;
    }
    let consuming = consume(&settings, Arc::clone(&watched) as _, &stop);
    writer.is_applied(&consumer).await;
    let written: i64 = writer.versions.values().sum();
    testkit::eventually("what came twice", PATIENCE, async || (watched.handed.load(Ordering::SeqCst) as i64 > written).then_some(())).await;
    stop.cancel();
    relaying.await.unwrap();
    consuming.await.unwrap();
    writer.is_applied(&consumer).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn members_that_come_and_go_apply_everything_once() {
    const STORM: Duration = Duration::from_secs(15);
    let seed = seed();
    println!("seed {seed}");
    let (_kafka, settings) = cluster().await;
    let (mut writer, consumer) = (Writer::new(seed).await, consumer(Mode::Gapless).await);
    let stop = CancellationToken::new();
    writer.tick(&stop);
    let relaying = writer.relay(kafka::Producer::new(&settings).unwrap().outlet(Topic::StockChanges), &stop);
    let staying = consume(&settings, Arc::clone(&consumer.intake) as _, &stop);
    let begun = Instant::now();
    while begun.elapsed() < STORM {
        let guest = another(&consumer.database, &consumer.upstream, Mode::Gapless);
        let leave = CancellationToken::new();
        let visiting = consume(&settings, guest, &leave);
        for _ in 0..10 {
            let rows = 1 + writer.dice.below(10) as usize;
            writer.write(rows).await;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        // One leaves in good order, the next one without a word.
        if writer.dice.once_in(2) {
            leave.cancel();
            visiting.await.unwrap();
        } else {
            visiting.abort();
        }
    }
    writer.is_applied(&consumer).await;
    stop.cancel();
    relaying.await.unwrap();
    staying.await.unwrap();
    writer.is_applied(&consumer).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_missing_in_the_topic_is_fetched_from_the_journal_within_five_seconds() {
    let (_kafka, settings) = cluster().await;
    let consumer = consumer(Mode::Gapless).await;
    *consumer.upstream.events.lock().unwrap() = (1..=4).map(|version| event("a", version)).collect();
    let outlet = kafka::Producer::new(&settings).unwrap().outlet(Topic::StockChanges);
    let stop = CancellationToken::new();
    let consuming = consume(&settings, Arc::clone(&consumer.intake) as _, &stop);
    outlet.deliver(&[event("a", 1), event("b", 1)]).await.unwrap();
    testkit::eventually("the first", PATIENCE, async || (consumer.versions("a").await == [1]).then_some(())).await;
    outlet.deliver(&[event("a", 2), event("a", 4), event("b", 2)]).await.unwrap();
    let five_seconds = Duration::from_secs(5);
    testkit::eventually("the gap is closed", five_seconds, async || (consumer.versions("a").await == [1, 2, 3, 4]).then_some(())).await;
    assert_eq!(consumer.versions("b").await, [1, 2]);
    assert!(consumer.letters().await.is_empty());
    stop.cancel();
    consuming.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_is_sent_on_once_with_its_place() {
    let (_kafka, settings) = cluster().await;
    let consumer = consumer(Mode::Gapless).await;
    let stop = CancellationToken::new();
    let consuming = consume(&settings, Arc::clone(&consumer.intake) as _, &stop);
    let producer = kafka::Producer::new(&settings).unwrap();
    // Nobody has version 1: it cannot be repaired.
    producer.outlet(Topic::StockChanges).deliver(&[event("a", 2)]).await.unwrap();
    testkit::eventually("the letter", PATIENCE, async || (consumer.letters().await.len() == 1).then_some(())).await;
    let office = Arc::new(Office { posted: Mutex::default(), away: AtomicUsize::new(1) });
    let epoch = journal::Lease::take(&consumer.database, "test").await.unwrap().unwrap().epoch;
    let (database, posting, ended) = (consumer.database.clone(), Arc::clone(&office), stop.clone());
    let sending = tokio::spawn(async move { journal::post::run(database, GROUP.to_owned(), &*posting, epoch, ended).await });
    testkit::eventually("it is sent", PATIENCE, async || (!office.posted.lock().unwrap().is_empty()).then_some(())).await;
    tokio::time::sleep(Duration::from_millis(2500)).await;
    stop.cancel();
    sending.await.unwrap();
    consuming.await.unwrap();
    let posted = office.posted.lock().unwrap();
    let [letter] = &posted[..] else { panic!("once: {posted:?}") };
    assert_eq!((letter.consumer.as_str(), letter.error.as_str()), (GROUP, "version 2 came, 1 is missing"));
    let origin = letter.message.origin().expect("a place");
    assert_eq!((&*origin.topic, origin.offset), ("stock-changes", 0));
    let headers = &letter.message.message().expect("as it came").headers;
    assert!(headers.contains(&("ce_sequence".to_owned(), b"2".to_vec())), "{headers:?}");
}

/// Takes letters, once it is there.
struct Office {
    posted: Mutex<Vec<bus::DeadLetter>>,
    away: AtomicUsize,
}

impl bus::DeadLetterOffice for Office {
    fn post<'a>(&'a self, letters: &'a [bus::DeadLetter]) -> BoxFuture<'a, Result<(), Undelivered>> {
        Box::pin(async move {
            if self.away.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok() {
                return Err(Undelivered { outlet: "the office".to_owned(), cause: "it is closed".into() });
            }
            self.posted.lock().unwrap().extend_from_slice(letters);
            Ok(())
        })
    }
}
