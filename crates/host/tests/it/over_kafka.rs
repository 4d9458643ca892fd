//! Programs over a real Kafka.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bus::kafka::{self, Settings};
use host::{Broker, Role};
use testkit::Kafka;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::fixture::{Notes, PATIENCE, STOP, Till};

fn settings(kafka: &Kafka) -> Settings {
    Settings::new(kafka.servers(), 3, Vec::new()).unwrap()
}

fn broker(kafka: &Kafka) -> Broker {
    Broker::new(settings(kafka), None).unwrap()
}

/// Everything that was published, as a group of its own hears it, once there are so many.
async fn published(kafka: &Kafka, group: &'static str, count: usize) -> Vec<i64> {
    let (notes, stop, settings) = (Notes::new(group), CancellationToken::new(), settings(kafka));
    let (listening, token) = (Arc::clone(&notes), stop.clone());
    let task = tokio::spawn(async move { kafka::consume(&settings, group, listening, token).await });
    testkit::eventually("what was published", PATIENCE, async || (notes.handed().len() >= count).then_some(())).await;
    stop.cancel();
    task.await.unwrap();
    notes.handed()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_does_not_consume_makes_the_topics_publishes_and_hears_nothing() {
    let mut kafka = Kafka::start();
    kafka.kill();
    let till = Till::new().await;
    let api = till.run(Role::Api, Some(broker(&kafka))).await;
    // It leads, and the broker comes later, with no topic.
    till.write(1..=5).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    tokio::task::block_in_place(|| kafka.restart());
    assert_eq!(published(&kafka, "gudang-elsewhere", 5).await, [1, 2, 3, 4, 5]);
    assert_eq!(till.notes.handed(), [0; 0]);
    // A worker beside it does.
    let worker = till.run(Role::Worker, Some(broker(&kafka))).await;
    testkit::eventually("the worker's share", PATIENCE, async || (*till.notes.settled.lock().unwrap() == [1, 2, 3, 4, 5]).then_some(()))
        .await;
    worker.stop().await;
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_that_panics_ends_the_process_with_an_error() {
    let kafka = Kafka::start();
    let till = Till::new().await;
    till.notes.panics.store(true, Ordering::SeqCst);
    till.write(1..=2).await;
    let fallen = till.run(Role::All, Some(broker(&kafka))).await.ended().await.expect_err("it broke down").to_string();
    assert!(fallen.contains("the consumer has a bug"), "{fallen}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_in_the_middle_of_a_batch_settles_it_once_and_publishes_what_was_committed_last() {
    let kafka = Kafka::start();
    let mut till = Till::new().await;
    till.notes.gate.forget_permits(Semaphore::MAX_PERMITS);
    let running = till.run(Role::All, Some(broker(&kafka))).await;
    till.write(1..=3).await;
    testkit::eventually("a batch under way", PATIENCE, async || (till.notes.handed().len() == 3).then_some(())).await;
    let begun = Instant::now();
    running.stop.cancel();
    // Committed by a request that was under way, and told to nobody; then the batch gets done.
    till.write(4..=40).await;
    till.notes.gate.add_permits(10);
    running.task.await.unwrap().expect("in good order");
    assert!(begun.elapsed() < STOP, "{:?}", begun.elapsed());
    assert_eq!(*till.notes.settled.lock().unwrap(), [1, 2, 3]);
    assert_eq!(published(&kafka, "gudang-elsewhere", 40).await, (1..=40).collect::<Vec<_>>());

    // Whoever comes next goes on behind it.
    till.notes = Notes::new("gudang-till");
    let worker = till.run(Role::Worker, Some(broker(&kafka))).await;
    let rest: Vec<i64> = (4..=40).collect();
    testkit::eventually("the rest", PATIENCE, async || (*till.notes.settled.lock().unwrap() == rest).then_some(())).await;
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_while_the_broker_is_away_is_in_time_and_the_journal_keeps_the_rest() {
    let mut kafka = Kafka::start();
    let till = Till::new().await;
    let running = till.run(Role::All, Some(broker(&kafka))).await;
    till.write(1..=1).await;
    testkit::eventually("the first", PATIENCE, async || (*till.notes.settled.lock().unwrap() == [1]).then_some(())).await;
    kafka.kill();
    till.write(2..=9).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    running.stop().await;
    tokio::task::block_in_place(|| kafka.restart());
    let running = till.run(Role::All, Some(broker(&kafka))).await;
    testkit::eventually("the rest", PATIENCE, async || (*till.notes.settled.lock().unwrap() == (1..=9).collect::<Vec<_>>()).then_some(()))
        .await;
    running.stop().await;
}
