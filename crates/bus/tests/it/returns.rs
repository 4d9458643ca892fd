//! A partition that is taken from a member and given back to it, with and without a batch in between.

use std::collections::BTreeSet;
use std::time::Duration;

use bus::kafka::{Producer, Property, Settings};
use contract::{Event, Topic};
use testkit::Kafka;
use tokio::sync::Semaphore;

use crate::fixture::{GROUP, Notes, PATIENCE, Running, cluster, event, with_topics};
use crate::raw;

/// Products enough for every partition to have some.
const PRODUCTS: usize = 100;

async fn deliver(settings: &Settings, version: i64) {
    let events: Vec<Event> = (0..PRODUCTS).map(|number| event(number, version)).collect();
    Producer::new(settings).expect("a producer").outlet(Topic::StockChanges).deliver(&events).await.expect("delivered");
}

/// Partitions that a member has heard `version` from.
fn heard(notes: &Notes, version: i64) -> usize {
    let all = notes.all();
    let of_version = all.iter().filter(|incoming| incoming.event().is_some_and(|event| event.version == version));
    of_version.filter_map(|incoming| incoming.origin()).map(|origin| origin.partition).collect::<BTreeSet<_>>().len()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_taken_away_during_a_long_batch_and_given_back_later_is_heard_again() {
    let (kafka, settings) = cluster().await;
    let (staying, visiting) = (Notes::with_gate(0), Notes::open());
    let one = Running::start(&settings, &staying);
    deliver(&settings, 1).await;
    staying.until(1).await;
    // Its batch takes so long that it pauses all of its partitions; then some of them are taken away.
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let two = Running::start(&settings, &visiting);
    testkit::eventually("a share for the second", PATIENCE, async || (!visiting.all().is_empty()).then_some(())).await;
    staying.gate.add_permits(Semaphore::MAX_PERMITS / 2);
    testkit::eventually("what is left to the first", PATIENCE, async || {
        let heard = |notes: &Notes| notes.events().iter().filter(|(_, version)| *version == 1).count();
        (heard(&staying) + heard(&visiting) >= PRODUCTS).then_some(())
    })
    .await;
    two.stop().await;
    deliver(&settings, 2).await;
    testkit::eventually("all partitions, at the first again", PATIENCE, async || (heard(&staying, 2) == 12).then_some(())).await;
    testkit::eventually("every offset", PATIENCE, async || {
        (raw::committed(&kafka, GROUP, "stock-changes").values().sum::<i64>() as usize == 2 * PRODUCTS).then_some(())
    })
    .await;
    one.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_is_told_to_share_out_by_itself_moves_partitions_one_by_one_on_a_broker_that_could_do_it() {
    let (kafka, _) = with_topics(Kafka::start()).await;
    let classic = Property { name: "group.protocol".into(), value: "classic".into(), given_as: "KAFKA_GROUP_PROTOCOL".into() };
    let settings = Settings::new(kafka.servers(), 12, vec![classic]).expect("usable");
    let (first, second) = (Notes::open(), Notes::open());
    let one = Running::start(&settings, &first);
    deliver(&settings, 1).await;
    first.until(PRODUCTS).await;
    assert_eq!(raw::protocol(&kafka, GROUP), "cooperative-sticky");
    let two = Running::start(&settings, &second);
    let mut version = 1;
    testkit::eventually("a share for the second", PATIENCE, async || {
        version += 1;
        deliver(&settings, version).await;
        (!second.all().is_empty()).then_some(())
    })
    .await;
    one.stop().await;
    version += 1;
    deliver(&settings, version).await;
    testkit::eventually("all partitions, at the second", PATIENCE, async || (heard(&second, version) == 12).then_some(())).await;
    two.stop().await;
}
