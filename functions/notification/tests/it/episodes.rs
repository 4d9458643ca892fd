//! Alerts are episodes: what a stream raises, however its events arrive.

use notification::ChannelsConfig;
use serde_json::Value;
use testkit::eventually;

use crate::desk::{Desk, NOBODY, PATIENCE};
use crate::receiver::Receiver;
use crate::stream::{Stock, Stream};

fn told(raised: &[(String, i64)]) -> Vec<(&str, i64)> {
    raised.iter().map(|(kind, episode)| (kind.as_str(), *episode)).collect()
}

#[tokio::test]
async fn an_episode_is_low_then_out_then_back_and_says_so_in_the_journal() {
    let desk = Desk::open().await;
    let mut stream = Stream::new("22423");
    // In two batches, so that one closes what another opened.
    desk.feed(&stream.levels(10, &[50, 9, 8, 0, -2])).await;
    desk.feed(&stream.levels(10, &[10, 11, 4])).await;
    assert_eq!(told(&desk.raised().await), [("LOW_STOCK", 1), ("OUT_OF_STOCK", 1), ("BACK_IN_STOCK", 1), ("LOW_STOCK", 2)]);

    let shown = desk.notifications().await;
    let closed = Stream::recorded_at(7).to_string();
    assert_eq!(shown[0]["raised_at"], Stream::recorded_at(2).to_string());
    assert_eq!((&shown[0]["resolved_at"], &shown[1]["resolved_at"]), (&Value::from(&*closed), &Value::from(&*closed)));
    assert_eq!((&shown[2]["raised_at"], &shown[2]["resolved_at"]), (&Value::from(&*closed), &Value::from(&*closed)));
    assert_eq!((&shown[3]["resolved_at"], &shown[3]["available"], &shown[3]["min_stock"]), (&Value::Null, &4.into(), &10.into()));

    let journal = desk.journal(&stream.name()).await;
    let line = |event: &Value| {
        let kind = event["type"].as_str().expect("a type").trim_start_matches("gudang.notification.").trim_end_matches(".v1").to_owned();
        (kind, event["sequence"].as_str().expect("a version").to_owned(), event["data"]["kind"].as_str().expect("a kind").to_owned())
    };
    let lines: Vec<(String, String, String)> = journal.iter().map(line).collect();
    let expected = [
        ("raised", "1", "LOW_STOCK"),
        ("raised", "2", "OUT_OF_STOCK"),
        ("resolved", "3", "LOW_STOCK"),
        ("resolved", "4", "OUT_OF_STOCK"),
        ("raised", "5", "BACK_IN_STOCK"),
        ("raised", "6", "LOW_STOCK"),
    ];
    assert_eq!(lines.iter().map(|(kind, version, what)| (&**kind, &**version, &**what)).collect::<Vec<_>>(), expected);
    assert!(journal.iter().all(|event| event["source"] == "/gudang/notification" && event["subject"] == stream.name()));
    assert_eq!(journal[2]["data"]["deliveries"][0]["channel"], "log");
    assert_eq!(desk.drifts().await, Vec::<String>::new());
}

#[tokio::test]
async fn an_episode_that_opens_and_closes_within_one_batch_is_whole() {
    let desk = Desk::open().await;
    let mut stream = Stream::new("22423");
    desk.feed(&stream.levels(10, &[50, 9, 0, 50, 9, 50, 0])).await;
    assert_eq!(
        told(&desk.raised().await),
        [("LOW_STOCK", 1), ("OUT_OF_STOCK", 1), ("BACK_IN_STOCK", 1), ("LOW_STOCK", 2), ("OUT_OF_STOCK", 3)]
    );
    let open = desk.get("/v1/notifications?state=open").await;
    assert_eq!(open["items"].as_array().map(Vec::len), Some(1));
    assert_eq!(desk.drifts().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_threshold_of_nothing_closes_without_a_word() {
    let desk = Desk::open().await;
    let mut stream = Stream::new("22423");
    desk.feed(&stream.levels(10, &[0])).await;
    desk.feed(&[stream.next(0, 0), stream.next(0, 0)]).await;
    assert_eq!(told(&desk.raised().await), [("OUT_OF_STOCK", 1)]);
    assert_eq!(desk.get("/v1/notifications?state=open").await["items"].as_array().map(Vec::len), Some(0));
    // Restored: the product is out as before, and that is a new episode.
    desk.feed(&[stream.next(0, 10)]).await;
    assert_eq!(told(&desk.raised().await), [("OUT_OF_STOCK", 1), ("OUT_OF_STOCK", 2)]);
    assert_eq!(desk.drifts().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_product_that_was_never_moved_alerts_nobody() {
    let desk = Desk::open().await;
    let stream = Stream::new("22423");
    desk.feed(&[stream.product_event(1, 10, "active")]).await;
    assert_eq!(desk.raised().await, []);
}

#[tokio::test]
async fn flapping_a_thousand_times_with_duplicates_and_batches_out_of_order_is_one_delivery_an_episode() {
    let mut stream = Stream::new("22423");
    // Around the threshold of 100; the margin is 10, so one episode each, whatever happens between 90 and 109.
    let flapping: Vec<i64> = (0..1000).map(|n| [99, 100, 101][n % 3]).collect();
    let mut events = stream.levels(100, &[500]);
    events.extend(stream.levels(100, &flapping));
    events.extend(stream.levels(100, &[109, 110]));
    events.extend(stream.levels(100, &flapping));

    let receiver = Receiver::serve(&[]).await;
    let channels = ChannelsConfig { webhook: Some(receiver.webhook(true)), ..ChannelsConfig::default() };
    let desk = Desk::with(channels, &Stock::serve(events.clone()).await).await;
    let _ticking = desk.tick();
    let batches: Vec<_> = events.chunks(100).collect();
    for pair in batches.chunks(2) {
        // The later one first: a gap, which is repaired from Stock's journal; then the earlier one, a duplicate by then; then all again.
        for batch in pair.iter().rev().chain(pair) {
            desk.feed(batch).await;
        }
    }
    assert_eq!(told(&desk.raised().await), [("LOW_STOCK", 1), ("LOW_STOCK", 2)]);
    eventually("both are delivered", PATIENCE, async || (receiver.received().len() >= 2).then_some(())).await;
    desk.feed(&events).await;
    let ids: std::collections::HashSet<String> = receiver.received().iter().map(crate::receiver::Received::id).collect();
    assert_eq!((receiver.received().len(), ids.len()), (2, 2));
    assert_eq!(desk.get("/v1/dead-letters").await["items"].as_array().map(Vec::len), Some(0));
    assert_eq!(desk.drifts().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_batch_of_many_streams_raises_for_each_its_own() {
    let desk = Desk::with(ChannelsConfig::default(), NOBODY).await;
    let mut streams: Vec<Stream> = (0..300).map(|n| Stream::new(&format!("sku {n}"))).collect();
    let mut events = Vec::new();
    for level in [50, 9, 0, 50] {
        events.extend(streams.iter_mut().map(|stream| stream.next(level, 10)));
    }
    desk.feed(&events).await;
    let books = desk.get("/v1/books?account=alerts").await;
    assert_eq!(books["accounts"]["alerts"]["streams"], 300);
    assert_eq!(books["accounts"]["alerts"]["totals"], serde_json::json!(["15000", "3000", "0", "300", "900"]));
    assert_eq!(desk.drifts().await, Vec::<String>::new());
}
