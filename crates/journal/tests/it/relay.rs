//! The relay: everything arrives, in order, whatever the outlet does in between.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bus::{InProcess, Outlet, Undelivered};
use contract::Event;
use futures::future::BoxFuture;
use journal::{Mode, relay};
use tokio_util::sync::CancellationToken;

use crate::fixture::{consumer, producer, row, stream};

/// Fails every third delivery, the next one after it has taken everything: as a broker whose answer is lost.
struct Moody {
    inner: InProcess,
    asked: AtomicUsize,
    taken: Mutex<Vec<i64>>,
}

impl Outlet for Moody {
    fn name(&self) -> &'static str {
        "moody"
    }

    fn deliver<'a>(&'a self, events: &'a [Event]) -> BoxFuture<'a, Result<(), Undelivered>> {
        Box::pin(async move {
            let failed = |cause: &str| Undelivered { outlet: "moody".to_owned(), cause: cause.into() };
            let turn = self.asked.fetch_add(1, Ordering::SeqCst) % 3;
            if turn == 0 {
                return Err(failed("away"));
            }
            self.inner.deliver(events).await?;
            self.taken.lock().unwrap().extend(events.iter().map(|event| event.version));
            if turn == 1 { Err(failed("the answer was lost")) } else { Ok(()) }
        })
    }
}

#[tokio::test]
async fn an_outlet_that_fails_and_one_that_fails_after_taking_get_everything_and_it_is_applied_once() {
    let producer = producer().await;
    let consumer = consumer(Mode::Gapless).await;
    let outlet =
        Arc::new(Moody { inner: InProcess::new(Arc::clone(&consumer.intake) as _), asked: AtomicUsize::new(0), taken: Mutex::default() });
    let stop = CancellationToken::new();
    let ticking = tokio::spawn(relay::tick(Arc::clone(&producer.journal), producer.epoch, stop.clone()));
    let relaying = tokio::spawn(relay::run(Arc::clone(&producer.journal), Arc::clone(&outlet) as _, producer.epoch, stop.clone()));
    let client = producer.database.get().await.unwrap();
    for version in 1..=5 {
        client.batch_execute(&row(&stream("a"), version)).await.unwrap();
        producer.journal.wake();
        testkit::eventually("the version arrives", Duration::from_secs(20), async || {
            (consumer.versions("a").await.len() as i64 == version).then_some(())
        })
        .await;
    }
    testkit::eventually("the cursor moves on", Duration::from_secs(20), async || {
        (outlet.taken.lock().unwrap().iter().filter(|version| **version == 5).count() >= 2).then_some(())
    })
    .await;
    assert_eq!(consumer.versions("a").await, [1, 2, 3, 4, 5]);
    assert!(outlet.taken.lock().unwrap().len() > 5, "some were sent twice");
    stop.cancel();
    ticking.await.unwrap();
    relaying.await.unwrap();
}

#[tokio::test]
async fn more_than_a_page_arrives_in_order_and_a_new_relay_goes_on_where_the_last_one_stopped() {
    let producer = producer().await;
    let consumer = consumer(Mode::Gapless).await;
    let client = producer.database.get().await.unwrap();
    let fill = |from: i64, to: i64| {
        row(&stream("a"), 1)
            .replace("VALUES (", "SELECT ")
            .replace(", 1, 'gudang", ", n, 'gudang")
            .replace("\"version\":1,", "\"version\":' || n || ',")
            .trim_end_matches(')')
            .to_owned()
            + &format!(" FROM generate_series({from}, {to}) n")
    };
    for (from, to) in [(1, 4500), (4501, 4600)] {
        client.batch_execute(&fill(from, to)).await.unwrap();
        let stop = CancellationToken::new();
        let outlet = Arc::new(InProcess::new(Arc::clone(&consumer.intake) as _));
        let ticking = tokio::spawn(relay::tick(Arc::clone(&producer.journal), producer.epoch, stop.clone()));
        let relaying = tokio::spawn(relay::run(Arc::clone(&producer.journal), outlet, producer.epoch, stop.clone()));
        testkit::eventually("all versions arrive", Duration::from_mins(5), async || {
            (consumer.versions("a").await.len() as i64 == to).then_some(())
        })
        .await;
        stop.cancel();
        ticking.await.unwrap();
        relaying.await.unwrap();
    }
    assert_eq!(consumer.versions("a").await, (1..=4600).collect::<Vec<_>>());
}

/// Notes what it is handed.
#[derive(Default)]
struct Pages(Mutex<Vec<Vec<Event>>>);

impl Outlet for Pages {
    fn name(&self) -> &'static str {
        "pages"
    }

    fn deliver<'a>(&'a self, events: &'a [Event]) -> BoxFuture<'a, Result<(), Undelivered>> {
        self.0.lock().unwrap().push(events.to_vec());
        Box::pin(async { Ok(()) })
    }
}

#[tokio::test]
async fn a_page_is_bounded_in_bytes_and_what_was_committed_before_the_stop_is_delivered_before_the_end() {
    const EVENTS: i64 = 60;
    const BYTES: usize = 300_000;
    let producer = producer().await;
    let client = producer.database.get().await.unwrap();
    // Small where they lie, because they compress well; one is larger than any page.
    let sql = format!(
        "INSERT INTO journal (stream, version, type, partition_key, occurred_at, recorded_at, data) \
         SELECT 'a', n, 'gudang.stock.changed.v1', 'p', now(), now(), '\"' || repeat('x', {BYTES} * CASE n WHEN 30 THEN 20 ELSE 1 END) || '\"' \
         FROM generate_series(1, {EVENTS}) n"
    );
    client.batch_execute(&sql).await.unwrap();
    let pages = Arc::new(Pages::default());
    let (stop, complete) = (CancellationToken::new(), CancellationToken::new());
    let ticking = relay::tick(Arc::clone(&producer.journal), producer.epoch, stop.clone());
    let relaying = tokio::spawn(relay::run(Arc::clone(&producer.journal), Arc::clone(&pages) as _, producer.epoch, complete.clone()));
    // Nobody has woken the journal, and the wish to stop is there before the first look.
    stop.cancel();
    ticking.await;
    complete.cancel();
    relaying.await.unwrap();
    let pages = pages.0.lock().unwrap();
    assert_eq!(pages.concat().iter().map(|event| event.version).collect::<Vec<_>>(), (1..=EVENTS).collect::<Vec<_>>());
    for page in pages.iter() {
        let (_, before) = page.split_last().unwrap();
        let bytes: usize = before.iter().map(|event| event.data.get().len()).sum();
        assert!(bytes < 4 << 20, "{} events, {bytes} bytes before the last", page.len());
    }
    assert!(pages.len() > 4, "{}", pages.len());
}
