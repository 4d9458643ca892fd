//! The lease: one leader, a successor with a higher epoch, and a leader of the past that can move nothing.

use std::sync::Arc;

use bus::{Outlet, Undelivered};
use contract::Event;
use futures::future::BoxFuture;
use journal::{Lease, relay};
use tokio_util::sync::CancellationToken;

use crate::fixture::{producer, row, stream};

#[tokio::test]
async fn only_one_leads_and_the_next_has_a_higher_epoch() {
    let producer = producer().await;
    assert!(Lease::take(&producer.database, "other").await.unwrap().is_none(), "the test holds it");
    let again = Lease::take(&producer.database, "test").await.unwrap().expect("a restart of the holder need not wait");
    assert!(again.epoch > producer.epoch);
    again.release().await.unwrap();
    let other = Lease::take(&producer.database, "other").await.unwrap().expect("it was given back");
    assert!(other.renew().await.unwrap());
    let thief = Lease::take(&producer.database, "other").await.unwrap().unwrap();
    assert!(!other.renew().await.unwrap(), "an older epoch is not renewed");
    assert!(thief.renew().await.unwrap());
}

/// Takes events and counts them.
#[derive(Default)]
struct Count(std::sync::atomic::AtomicUsize);

impl Outlet for Count {
    fn name(&self) -> &'static str {
        "count"
    }
    fn deliver<'a>(&'a self, events: &'a [Event]) -> BoxFuture<'a, Result<(), Undelivered>> {
        self.0.fetch_add(events.len(), std::sync::atomic::Ordering::SeqCst);
        Box::pin(std::future::ready(Ok(())))
    }
}

#[tokio::test]
async fn a_relay_of_an_older_epoch_stops_and_ticks_nothing() {
    let producer = producer().await;
    let old = producer.epoch;
    let new = Lease::take(&producer.database, "test").await.unwrap().unwrap().epoch;
    producer.database.get().await.unwrap().batch_execute(&row(&stream("a"), 1)).await.unwrap();
    assert!(!relay::tick_once(&producer.journal, old).await.unwrap(), "an old leader adds no tick");
    assert!(relay::tick_once(&producer.journal, new).await.unwrap());

    let stop = CancellationToken::new();
    let outlet = Arc::new(Count::default());
    let current = tokio::spawn(relay::run(Arc::clone(&producer.journal), Arc::clone(&outlet) as _, new, stop.clone()));
    testkit::eventually("the event is delivered", std::time::Duration::from_secs(10), async || {
        (outlet.0.load(std::sync::atomic::Ordering::SeqCst) == 1).then_some(())
    })
    .await;
    // The old one finds the cursor in newer hands and ends by itself, without `stop`.
    relay::run(Arc::clone(&producer.journal), Arc::clone(&outlet) as _, old, CancellationToken::new()).await;
    assert_eq!(outlet.0.load(std::sync::atomic::Ordering::SeqCst), 1);
    stop.cancel();
    current.await.unwrap();
}
