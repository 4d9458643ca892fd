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
        testkit::eventually("all versions arrive", Duration::from_mins(1), async || {
            (consumer.versions("a").await.len() as i64 == to).then_some(())
        })
        .await;
        stop.cancel();
        ticking.await.unwrap();
        relaying.await.unwrap();
    }
    assert_eq!(consumer.versions("a").await, (1..=4600).collect::<Vec<_>>());
}
