//! What a member of a group takes as settled, and what it does not.

use std::sync::Arc;
use std::time::Duration;

use bus::kafka::Producer;
use contract::{Event, Topic};
use testkit::Kafka;
use tokio::sync::Semaphore;

use crate::fixture::{GROUP, Notes, PATIENCE, Running, cluster, event, with_topics};
use crate::raw;

async fn deliver(settings: &bus::kafka::Settings, events: &[Event]) {
    Producer::new(settings).expect("a producer").outlet(Topic::StockChanges).deliver(events).await.expect("delivered");
}

fn committed(kafka: &Kafka) -> i64 {
    raw::committed(kafka, GROUP, "stock-changes").values().sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_database_is_away_the_same_batch_comes_again_and_nothing_is_committed() {
    let (kafka, settings) = cluster().await;
    deliver(&settings, &(1..=50).map(|version| event(1, version)).collect::<Vec<_>>()).await;
    let notes = Notes::open();
    *notes.away.lock().expect("a count") = 4;
    let running = Running::start(&settings, &notes);
    testkit::eventually("a second attempt", PATIENCE, async || (notes.handed.lock().expect("notes").len() > 1).then_some(())).await;
    assert_eq!(committed(&kafka), 0);
    // What comes in the meantime does not overtake it.
    deliver(&settings, &[event(1, 51)]).await;
    testkit::eventually("the last one", PATIENCE, async || notes.events().iter().any(|(_, version)| *version == 51).then_some(())).await;
    running.stop().await;
    let handed: Vec<Vec<i64>> = notes
        .handed
        .lock()
        .expect("notes")
        .iter()
        .map(|batch| batch.iter().filter_map(|incoming| incoming.event()).map(|event| event.version).collect())
        .collect();
    for again in &handed[1..5] {
        assert_eq!(*again, handed[0], "the same batch");
    }
    let settled: Vec<i64> = handed[4..].concat();
    assert_eq!(settled, (1..=51).collect::<Vec<i64>>(), "then what follows, nothing skipped");
    assert_eq!(committed(&kafka), 51);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_takes_long_keeps_its_place_in_the_group() {
    let (kafka, settings) = cluster().await;
    deliver(&settings, &(0..100).map(|number| event(number, 1)).collect::<Vec<_>>()).await;
    let notes = Notes::with_gate(0);
    let running = Running::start(&settings, &notes);
    notes.until(1).await;
    // Long enough for the member to pause; more comes, which it must neither lose nor take before its turn.
    tokio::time::sleep(Duration::from_secs(3)).await;
    deliver(&settings, &(0..100).map(|number| event(number, 2)).collect::<Vec<_>>()).await;
    notes.gate.add_permits(Semaphore::MAX_PERMITS / 2);
    notes.until(200).await;
    running.stop().await;
    let events = notes.events();
    assert_eq!(events.len(), 200, "each once");
    for number in 0..100 {
        let subject = event(number, 1).subject;
        let versions: Vec<i64> = events.iter().filter(|(known, _)| *known == subject).map(|(_, version)| *version).collect();
        assert_eq!(versions, [1, 2]);
    }
    assert_eq!(committed(&kafka), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_in_the_middle_of_a_batch_lets_it_finish_and_commits_it() {
    let (kafka, settings) = cluster().await;
    deliver(&settings, &(1..=10).map(|version| event(1, version)).collect::<Vec<_>>()).await;
    let notes = Notes::with_gate(0);
    let running = Running::start(&settings, &notes);
    notes.until(10).await;
    let gate = Arc::clone(&notes);
    let stopping = tokio::spawn(running.stop());
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!stopping.is_finished(), "the batch is still under way");
    gate.gate.add_permits(1);
    stopping.await.expect("it stops");
    assert_eq!(committed(&kafka), 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_does_not_wait_for_ever_and_what_was_not_settled_comes_again() {
    let (kafka, settings) = cluster().await;
    deliver(&settings, &[event(1, 1)]).await;
    let notes = Notes::with_gate(0);
    let running = Running::start(&settings, &notes);
    notes.until(1).await;
    let begun = std::time::Instant::now();
    running.stop().await;
    assert!(begun.elapsed() < Duration::from_secs(14), "{:?}", begun.elapsed());
    assert_eq!(committed(&kafka), 0);
    notes.gate.add_permits(1);
    let running = Running::start(&settings, &notes);
    notes.until(2).await;
    running.stop().await;
    assert_eq!((notes.events().len(), committed(&kafka)), (2, 1));
}

/// Two members, one of which leaves: all is settled in the end and in order, whatever came twice.
async fn members_come_and_go(kafka: Kafka) {
    const PRODUCTS: usize = 60;
    let (kafka, settings) = with_topics(kafka).await;
    let (first, second) = (Notes::open(), Notes::open());
    let one = Running::start(&settings, &first);
    for version in 1..=10 {
        deliver(&settings, &(0..PRODUCTS).map(|number| event(number, version)).collect::<Vec<_>>()).await;
        if version == 1 {
            first.until(PRODUCTS).await;
        }
    }
    let two = Running::start(&settings, &second);
    let mut version = 10;
    // Until the second one has got something to do.
    testkit::eventually("a share for the second", PATIENCE, async || {
        version += 1;
        deliver(&settings, &(0..PRODUCTS).map(|number| event(number, version)).collect::<Vec<_>>()).await;
        (!second.events().is_empty()).then_some(())
    })
    .await;
    one.stop().await;
    version += 1;
    deliver(&settings, &(0..PRODUCTS).map(|number| event(number, version)).collect::<Vec<_>>()).await;
    let all = version as usize * PRODUCTS;
    testkit::eventually("every offset", PATIENCE, async || (committed(&kafka) as usize == all).then_some(())).await;
    two.stop().await;
    for notes in [&first, &second] {
        for number in 0..PRODUCTS {
            let subject = event(number, 1).subject;
            let versions: Vec<i64> =
                notes.events().into_iter().filter(|(known, _)| *known == subject).map(|(_, version)| version).collect();
            assert!(versions.is_sorted(), "{versions:?}");
        }
    }
    let mut seen: Vec<(String, i64)> = [first.events(), second.events()].concat();
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), all, "nothing is missing");
}

#[tokio::test(flavor = "multi_thread")]
async fn members_share_a_group_whose_partitions_the_broker_shares_out() {
    members_come_and_go(Kafka::start()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn members_share_a_group_on_a_broker_that_leaves_that_to_them() {
    members_come_and_go(Kafka::start_old()).await;
}
