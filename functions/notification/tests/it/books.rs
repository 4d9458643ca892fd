//! The books: what is compared with other services, and that each proof of itself can fail.

use contract::bucket_of;
use serde_json::{Value, json};

use crate::desk::Desk;
use crate::stream::Stream;

async fn entry(desk: &Desk, account: &str, stream: &str) -> Value {
    let books = desk.get(&format!("/v1/books?account={account}&bucket={}", bucket_of(stream))).await;
    let entries = books["accounts"][account]["entries"].as_array().expect("entries").clone();
    entries.into_iter().find(|entry| entry["stream"] == stream).expect("the stream")
}

#[tokio::test]
async fn each_account_says_of_a_stream_what_was_applied() {
    let desk = Desk::open().await;
    let mut stream = Stream::new("22423");
    desk.feed(&[stream.product_event(1, 10, "active"), stream.product_event(3, 20, "archived"), stream.product_event(2, 15, "active")])
        .await;
    desk.feed(&stream.levels(10, &[50, 9, 0, 5])).await;
    let name = stream.name();
    assert_eq!(entry(&desk, "alerts", &name).await, json!({"stream": name, "version": 4, "sums": ["5", "10", "2", "1", "2"]}));
    assert_eq!(entry(&desk, "versions", &name).await, json!({"stream": name, "version": 4, "sums": []}));
    let product = stream.product.to_string();
    assert_eq!(entry(&desk, "products", &product).await, json!({"stream": product, "version": 3, "sums": ["20", "1"]}));
    desk.feed(&stream.levels(10, &[11])).await;
    assert_eq!(entry(&desk, "alerts", &name).await["sums"], json!(["11", "10", "0", "1", "3"]));
}

#[tokio::test]
async fn every_drift_is_named() {
    let desk = Desk::open().await;
    let mut stream = Stream::new("22423");
    desk.feed(&stream.levels(10, &[50, 9, 0, 50, 9])).await;
    assert_eq!(desk.drifts().await, Vec::<String>::new());
    let out = "kind = 'OUT_OF_STOCK'";
    for (damage, mended, told) in [
        ("UPDATE watch SET available = 50", "UPDATE watch SET available = 9", "does not fit available 50"),
        ("UPDATE watch SET state = 2", "UPDATE watch SET state = 1", "does not fit its alerts"),
        ("UPDATE watch SET episodes = 3", "UPDATE watch SET episodes = 2", "3 episodes, alerts of 2"),
        (
            "UPDATE notification SET resolved_at = now() WHERE episode = 2",
            "UPDATE notification SET resolved_at = NULL WHERE episode = 2",
            "is open, it is resolved",
        ),
        (
            &*format!("UPDATE notification SET kind = 'LOW_STOCK', episode = 9 WHERE {out}"),
            "UPDATE notification SET kind = 'OUT_OF_STOCK', episode = 1 WHERE episode = 9",
            "was back in stock and never out",
        ),
        ("UPDATE watch SET journal_version = 9", "UPDATE watch SET journal_version = 6", "version 9, 6 rows"),
        ("UPDATE applied SET version = 0", "UPDATE applied SET version = 5", "no event of it was ever applied"),
    ] {
        desk.meddle(damage).await;
        let drifts = desk.drifts().await;
        assert!(drifts.iter().any(|drift| drift.contains(told) && drift.contains(&stream.name())), "{damage}: {drifts:?}");
        desk.meddle(mended).await;
        assert_eq!(desk.drifts().await, Vec::<String>::new(), "{mended}");
    }
}
