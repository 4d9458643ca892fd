//! What becomes of a batch that is given up, and of what others send meanwhile.

use std::sync::Arc;
use std::time::Duration;

use bus::Outlet;
use bus::kafka::Producer;
use contract::Topic;
use testkit::Kafka;

use crate::fixture::{cluster, event};
use crate::raw;

fn versions(kafka: &Kafka, topic: &str) -> Vec<i64> {
    let lying = raw::everything(kafka, topic);
    let sequence = |message: &raw::Lying| message.headers.iter().find(|(name, _)| name == "ce_sequence").map(|(_, value)| value.clone());
    lying.iter().filter_map(sequence).map(|version| version.parse().expect("a number")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_waits_for_any_more_is_not_sent_later_and_others_of_the_same_process_do_not_suffer() {
    let (mut kafka, settings) = cluster().await;
    let producer = Producer::new(&settings).expect("a producer");
    let (given_up, other) = (producer.outlet(Topic::StockChanges), producer.outlet(Topic::Notifications));
    for outlet in [&given_up, &other] {
        outlet.deliver(&[event(1, 1)]).await.expect("delivered");
    }
    kafka.kill();
    let sending = |outlet: Arc<dyn Outlet>| tokio::spawn(async move { outlet.deliver(&[event(1, 2), event(1, 3)]).await });
    let (first, second) = (sending(Arc::clone(&given_up)), sending(other));
    // Long enough for both to have handed everything over.
    tokio::time::sleep(Duration::from_millis(500)).await;
    first.abort();
    assert!(first.await.expect_err("it was given up").is_cancelled());
    tokio::task::block_in_place(|| kafka.restart());
    second.await.expect("no panic").expect("delivered");
    // Behind it in the same queue nothing of the old can be left.
    given_up.deliver(&[event(1, 4)]).await.expect("delivered");
    assert_eq!(versions(&kafka, "stock-changes"), [1, 4]);
    assert_eq!(versions(&kafka, "notifications"), [1, 2, 3]);
}
