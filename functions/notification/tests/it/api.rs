//! The routes, as the contract has them.

use http::{Method, StatusCode};
use notification::ChannelsConfig;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::desk::{Desk, NOBODY};
use crate::receiver::{Behaviour, Receiver};
use crate::stream::Stream;

fn ids(page: &Value) -> Vec<String> {
    page["items"].as_array().expect("items").iter().map(|item| item["id"].as_str().expect("an id").to_owned()).collect()
}

#[tokio::test]
async fn a_list_is_newest_first_and_narrowed_by_product_kind_and_state() {
    let desk = Desk::open().await;
    let (mut one, mut other) = (Stream::new("red shirt XL"), Stream::new("22423"));
    desk.feed(&[one.product_event(1, 10, "active"), other.product_event(1, 10, "active")]).await;
    desk.feed(&one.levels(10, &[9, 0, 50, 5])).await;
    desk.feed(&other.levels(10, &[0])).await;
    let count = async |query: &str| ids(&desk.get(&format!("/v1/notifications?{query}")).await).len();
    assert_eq!(count("").await, 5);
    assert_eq!(count("product=red%20shirt%20XL").await, 4);
    assert_eq!(count(&format!("product={}", other.product)).await, 1);
    assert_eq!(count("product=unknown").await, 0);
    assert_eq!(count("product=search").await, 0);
    assert_eq!(count("kind=OUT_OF_STOCK").await, 2);
    assert_eq!(count("state=open").await, 2);
    assert_eq!(count("state=resolved").await, 3);
    assert_eq!(count("product=22423&kind=OUT_OF_STOCK&state=open").await, 1);
    assert_eq!(count("product=22423&kind=LOW_STOCK").await, 0);
    let raised: Vec<String> = desk.notifications().await.iter().map(|item| item["raised_at"].to_string()).collect();
    assert!(raised.is_sorted(), "{raised:?}");
}

#[tokio::test]
async fn pages_follow_one_another_without_gap_or_overlap() {
    let desk = Desk::open().await;
    let mut streams: Vec<Stream> = (0..7).map(|n| Stream::new(&format!("{n}"))).collect();
    // All at the same instant: the id must break the tie.
    let events: Vec<_> = streams.iter_mut().map(|stream| stream.next(0, 10)).collect();
    desk.feed(&events).await;
    let all = ids(&desk.get("/v1/notifications").await);
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = desk.get(&format!("/v1/notifications?state=open&limit=3{cursor}")).await;
        seen.extend(ids(&page));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(seen, all);
    assert_eq!(seen.len(), 7);
}

#[tokio::test]
async fn what_cannot_be_asked_is_refused_and_named() {
    let desk = Desk::open().await;
    for (query, field) in [
        ("kind=LOW", "kind"),
        ("state=closed", "state"),
        ("limit=0", "limit"),
        ("limit=501", "limit"),
        ("cursor=garbage", "cursor"),
        ("produkt=1", "produkt"),
    ] {
        let answer = desk.send(Method::GET, &format!("/v1/notifications?{query}"), None).await;
        assert_eq!((answer.status, &answer.json["errors"][0]["field"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!(field)), "{query}");
    }
    for (method, path) in [
        (Method::GET, format!("/v1/notifications/{}", Uuid::now_v7())),
        (Method::GET, "/v1/notifications/nonsense".to_owned()),
        (Method::POST, format!("/v1/notifications/{}/acknowledge", Uuid::now_v7())),
        (Method::POST, format!("/v1/notifications/{}/redeliver", Uuid::now_v7())),
    ] {
        let answer = desk.send(method, &path, Some("key")).await;
        assert_eq!((answer.status, &answer.json["code"]), (StatusCode::NOT_FOUND, &json!("notification_not_found")), "{path}");
    }
    let answer = desk.send(Method::POST, "/v1/channels/slack/test", None).await;
    assert_eq!((answer.status, &answer.json["code"]), (StatusCode::NOT_FOUND, &json!("channel_not_found")));
}

#[tokio::test]
async fn a_notification_has_the_contracts_fields() {
    let desk = Desk::open().await;
    let mut stream = Stream::new("22423");
    desk.feed(&stream.levels(10, &[3])).await;
    let shown = desk.notifications().await.remove(0);
    let due = shown["deliveries"][0]["next_attempt_at"].clone();
    assert!(due.is_string());
    assert_eq!(
        shown,
        json!({
            "id": shown["id"], "kind": "LOW_STOCK", "product_id": stream.product, "sku": "22423", "name": "Regency cakestand",
            "location": "default", "episode": 1, "available": 3, "min_stock": 10, "raised_at": Stream::recorded_at(1),
            "resolved_at": null, "acknowledged_at": null,
            "deliveries": [{"channel": "log", "status": "pending", "attempts": 0, "next_attempt_at": due, "last_error": null}],
        })
    );
    let id = shown["id"].as_str().expect("an id");
    assert_eq!(Uuid::try_parse(id).expect("a UUID").get_version_num(), 7);
    let whole = desk.get(&format!("/v1/notifications/{id}")).await;
    assert_eq!(whole["deliveries"][0]["attempt_log"], json!([]));
}

#[tokio::test]
async fn the_first_acknowledgement_counts_and_is_told_once() {
    let desk = Desk::open().await;
    let mut stream = Stream::new("22423");
    desk.feed(&stream.levels(10, &[9, 0])).await;
    let id = desk.notifications().await[0]["id"].as_str().expect("an id").to_owned();
    let first = desk.post(&format!("/v1/notifications/{id}/acknowledge")).await;
    assert!(first["acknowledged_at"].is_string());
    let second = desk.post(&format!("/v1/notifications/{id}/acknowledge")).await;
    assert_eq!(second["acknowledged_at"], first["acknowledged_at"]);
    desk.feed(&stream.levels(10, &[50])).await;
    let kinds: Vec<Value> = desk.journal(&stream.name()).await.iter().map(|event| event["type"].clone()).collect();
    let of = |what: &str| json!(format!("gudang.notification.{what}.v1"));
    assert_eq!(kinds, [of("raised"), of("raised"), of("acknowledged"), of("resolved"), of("resolved"), of("raised")]);
    let resolved = desk.journal(&stream.name()).await.remove(3);
    assert_eq!(resolved["data"]["acknowledged_at"], first["acknowledged_at"]);
    assert_eq!(desk.drifts().await, Vec::<String>::new());
}

#[tokio::test]
async fn back_in_stock_can_be_acknowledged_and_has_no_event_but_the_one_that_raised_it() {
    let desk = Desk::open().await;
    let mut stream = Stream::new("22423");
    desk.feed(&stream.levels(10, &[0, 50])).await;
    let back = desk.get("/v1/notifications?kind=BACK_IN_STOCK").await;
    let path = format!("/v1/notifications/{}/acknowledge", ids(&back)[0]);
    assert!(desk.post(&path).await["acknowledged_at"].is_string());
    assert_eq!(desk.journal(&stream.name()).await.len(), 3);
}

#[tokio::test]
async fn a_step_sent_again_with_its_key_is_replayed() {
    let receiver = Receiver::serve(&[]).await;
    let channels = ChannelsConfig { webhook: Some(receiver.webhook(true)), ..ChannelsConfig::default() };
    let desk = Desk::with(channels, NOBODY).await;
    let mut stream = Stream::new("22423");
    desk.feed(&stream.levels(10, &[9])).await;
    let id = desk.notifications().await[0]["id"].as_str().expect("an id").to_owned();
    for path in
        [format!("/v1/notifications/{id}/acknowledge"), format!("/v1/notifications/{id}/redeliver"), "/v1/channels/webhook/test".into()]
    {
        let first = desk.send(Method::POST, &path, Some(&path)).await;
        let again = desk.send(Method::POST, &path, Some(&path)).await;
        assert_eq!((first.status, first.headers.get("idempotent-replayed")), (StatusCode::OK, None));
        assert_eq!((again.status, &again.json), (StatusCode::OK, &first.json));
        assert_eq!(again.headers["idempotent-replayed"], "true");
        let other = desk.send(Method::POST, "/v1/channels/log/test", Some(&path)).await;
        assert_eq!((other.status, &other.json["code"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!("idempotency_key_mismatch")));
        assert_eq!(other.json["errors"][0]["field"], "Idempotency-Key");
    }
    assert_eq!(receiver.received().len(), 1, "the test was sent once");
}

#[tokio::test]
async fn only_configured_channels_are_shown_and_tested() {
    let receiver = Receiver::serve(&[Behaviour::Status(500)]).await;
    let channels = ChannelsConfig { webhook: Some(receiver.webhook(true)), ..ChannelsConfig::default() };
    let desk = Desk::with(channels, NOBODY).await;
    let shown = desk.get("/v1/channels").await;
    let names: Vec<&Value> = shown["items"].as_array().expect("items").iter().map(|item| &item["name"]).collect();
    assert_eq!(names, ["log", "webhook"]);
    assert!(!shown.to_string().contains("alerts") && !shown.to_string().contains("whsec"), "{shown}");
    assert_eq!(desk.post("/v1/channels/log/test").await, json!({"delivered": true, "error": null}));
    let failed = desk.post("/v1/channels/webhook/test").await;
    assert_eq!((&failed["delivered"], &failed["error"]), (&json!(false), &json!("answered 500 Internal Server Error")));
    assert_eq!(desk.post("/v1/channels/webhook/test").await, json!({"delivered": true, "error": null}));
    let received = receiver.received();
    assert!(received.iter().all(crate::receiver::Received::is_genuine));
    assert_eq!(received[0].json()["type"], "gudang.notification.test.v1");

    let alone = Desk::open().await.get("/v1/channels").await;
    assert_eq!(alone["items"].as_array().map(Vec::len), Some(1));
}
