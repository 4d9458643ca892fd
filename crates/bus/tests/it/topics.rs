//! The topics and the first offsets.

use bus::kafka::{self, Audience};
use contract::Topic;
use testkit::Kafka;

use crate::fixture::{GROUP, Notes, Running, event, settings};
use crate::raw;

#[tokio::test(flavor = "multi_thread")]
async fn topics_are_made_once_and_groups_without_offsets_begin_at_the_beginning() {
    let kafka = Kafka::start();
    let settings = settings(&kafka);
    let audience = || vec![Audience { group: GROUP.to_owned(), topics: vec![Topic::StockChanges, Topic::ProductEvents] }];
    let mut made = kafka::prepare(&settings, audience()).await.expect("topics");
    made.sort();
    assert_eq!(made, ["dead-letters", "notifications", "product-events", "stock-changes"]);
    for topic in ["product-events", "stock-changes"] {
        let begins: Vec<(i32, i64)> = (0..12).map(|partition| (partition, 0)).collect();
        assert_eq!(raw::committed(&kafka, GROUP, topic).into_iter().collect::<Vec<_>>(), begins, "{topic}");
    }
    // With offsets there and members at work, doing it again changes nothing.
    let producer = kafka::Producer::new(&settings).expect("a producer");
    producer.outlet(Topic::StockChanges).deliver(&[event(1, 1)]).await.expect("delivered");
    let notes = Notes::open();
    let running = Running::start(&settings, &notes);
    notes.until(1).await;
    assert!(kafka::prepare(&settings, audience()).await.expect("again").is_empty());
    running.stop().await;
    let before = raw::committed(&kafka, GROUP, "stock-changes");
    assert_eq!(before.values().sum::<i64>(), 1, "{before:?}");
    assert!(kafka::prepare(&settings, audience()).await.expect("and again").is_empty());
    assert_eq!(raw::committed(&kafka, GROUP, "stock-changes"), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn topics_are_set_as_they_are_meant_and_those_that_are_there_stay_as_they_are() {
    let kafka = Kafka::start();
    raw::make(&kafka, "stock-changes", 20, &[("retention.ms", "1000000")]).await;
    kafka::prepare(&settings(&kafka), Vec::new()).await.expect("topics");
    // Whoever comes later with another number changes nothing.
    let more = kafka::Settings::new(kafka.servers(), 24, Vec::new()).expect("settings");
    assert!(kafka::prepare(&more, Vec::new()).await.expect("again").is_empty());
    for (topic, partitions, settled) in [
        ("product-events", 12, vec![("cleanup.policy", "compact"), ("min.insync.replicas", "1")]),
        ("stock-changes", 20, vec![("cleanup.policy", "delete"), ("retention.ms", "1000000")]),
        ("notifications", 12, vec![("cleanup.policy", "delete"), ("retention.ms", "604800000")]),
        ("dead-letters", 12, vec![("cleanup.policy", "delete"), ("retention.ms", "2592000000"), ("max.message.bytes", "8388608")]),
    ] {
        assert_eq!(raw::partitions(&kafka, topic), partitions, "{topic}");
        let said = raw::settings(&kafka, topic).await;
        for (name, value) in settled {
            assert_eq!(said.get(name).map(String::as_str), Some(value), "{topic}: {name}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_is_away_is_an_error_within_a_bound() {
    let mut kafka = Kafka::start();
    kafka.kill();
    let begun = std::time::Instant::now();
    let error = kafka::prepare(&settings(&kafka), Vec::new()).await.expect_err("nobody is there").to_string();
    assert!(error.contains(kafka.servers()), "it says where: {error}");
    assert!(begun.elapsed() < std::time::Duration::from_secs(30));
}

#[tokio::test(flavor = "multi_thread")]
async fn lag_is_what_a_group_has_not_settled_and_asking_moves_nothing() {
    let kafka = Kafka::start();
    let settings = settings(&kafka);
    kafka::prepare(&settings, vec![Audience { group: GROUP.to_owned(), topics: vec![Topic::StockChanges] }]).await.expect("topics");
    let producer = kafka::Producer::new(&settings).expect("a producer");
    let outlet = producer.outlet(Topic::StockChanges);
    for version in 1..=3 {
        outlet.deliver(&[event(1, version), event(2, version)]).await.expect("delivered");
    }
    for group in [GROUP, "somebody-who-never-came"] {
        assert_eq!(kafka::lag(&settings, group, "stock-changes").await.expect("lag"), 6, "{group}");
    }
    assert_eq!(raw::committed(&kafka, GROUP, "stock-changes").values().sum::<i64>(), 0, "nobody has settled anything");
    let notes = Notes::open();
    let running = Running::start(&settings, &notes);
    notes.until(6).await;
    running.stop().await;
    assert_eq!(kafka::lag(&settings, GROUP, "stock-changes").await.expect("lag"), 0);
}
