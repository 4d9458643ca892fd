//! Deliveries at a real receiver, which does everything that a receiver should not.

use std::time::Duration;

use notification::ChannelsConfig;
use serde_json::json;
use testkit::eventually;

use crate::desk::{Desk, NOBODY, PATIENCE};
use crate::receiver::{Behaviour, Receiver};
use crate::stream::Stream;

/// A desk with one notification for a receiver that behaves like that.
async fn alerted(plan: &[Behaviour], allow_private: bool) -> (Desk, Receiver) {
    alerted_within(Duration::from_mins(1), plan, allow_private).await
}

/// The same, with this much time for an attempt; five of them close together.
async fn alerted_within(timeout: Duration, plan: &[Behaviour], allow_private: bool) -> (Desk, Receiver) {
    let receiver = Receiver::serve(plan).await;
    let retry_schedule = [0, 20, 20, 40, 40].map(Duration::from_millis).to_vec();
    let channels = ChannelsConfig { webhook: Some(receiver.webhook(allow_private)), retry_schedule, timeout, ..ChannelsConfig::default() };
    let desk = Desk::with(channels, NOBODY).await;
    desk.feed(&Stream::new("22423").levels(10, &[3])).await;
    (desk, receiver)
}

#[tokio::test]
async fn a_webhook_is_signed_and_says_what_the_contract_says() {
    let (desk, receiver) = alerted(&[], true).await;
    let _ticking = desk.tick();
    let delivery = desk.delivery("webhook", "delivered").await;
    assert_eq!((&delivery["attempts"], &delivery["next_attempt_at"], &delivery["last_error"]), (&json!(1), &json!(null), &json!(null)));
    assert_eq!(delivery["attempt_log"][0]["status"], 204);
    let received = receiver.received().remove(0);
    assert!(received.is_genuine());
    assert_eq!(received.headers["content-type"], "application/json");
    let (body, shown) = (received.json(), desk.notifications().await.remove(0));
    assert_eq!((&body["type"], &body["timestamp"]), (&json!("gudang.notification.raised.v1"), &shown["raised_at"]));
    assert_eq!((&body["data"]["id"], &body["data"]["kind"]), (&shown["id"], &json!("LOW_STOCK")));
    let mut forged = received.clone();
    forged.body = received.body.iter().map(|byte| if *byte == b'3' { b'4' } else { *byte }).collect::<Vec<u8>>().into();
    assert!(!forged.is_genuine(), "the control: a changed body must not verify");
}

#[tokio::test]
async fn errors_are_tried_again_by_the_schedule_with_the_same_id() {
    let (desk, receiver) = alerted(&[Behaviour::Status(500), Behaviour::Status(503), Behaviour::Status(404)], true).await;
    let _ticking = desk.tick();
    let delivery = desk.delivery("webhook", "delivered").await;
    assert_eq!(delivery["attempts"], 4);
    let log: Vec<_> = delivery["attempt_log"].as_array().expect("a log").iter().map(|attempt| attempt["status"].clone()).collect();
    assert_eq!(log, [500, 503, 404, 204]);
    let received = receiver.received();
    assert!(received.iter().all(|request| request.is_genuine() && request.id() == received[0].id()));
    assert_eq!(desk.delivery("log", "delivered").await["attempts"], 1, "the other channel is not held up nor repeated");
}

#[tokio::test]
async fn a_used_up_schedule_is_dead_and_a_redelivery_goes_to_every_channel_with_the_same_id() {
    let (desk, receiver) = alerted(&[Behaviour::Status(500); 5], true).await;
    let _ticking = desk.tick();
    let dead = desk.delivery("webhook", "dead").await;
    assert_eq!((&dead["attempts"], &dead["next_attempt_at"]), (&json!(5), &json!(null)));
    assert_eq!(dead["last_error"], "answered 500 Internal Server Error");
    desk.delivery("log", "delivered").await;

    let id = desk.notifications().await[0]["id"].as_str().expect("an id").to_owned();
    desk.post(&format!("/v1/notifications/{id}/redeliver")).await;
    let delivered = desk.delivery("webhook", "delivered").await;
    assert_eq!(delivered["attempts"], 6);
    eventually("the log has it again", PATIENCE, async || (desk.delivery("log", "delivered").await["attempts"] == 2).then_some(())).await;
    let received = receiver.received();
    assert_eq!((received.len(), &received[5].id()), (6, &received[0].id()));
}

#[tokio::test]
async fn a_receiver_that_is_gone_for_good_is_not_tried_again() {
    let (desk, receiver) = alerted(&[Behaviour::Status(410)], true).await;
    let _ticking = desk.tick();
    let dead = desk.delivery("webhook", "dead").await;
    assert_eq!((&dead["attempts"], &dead["last_error"]), (&json!(1), &json!("answered 410 Gone")));
    assert_eq!(receiver.received().len(), 1);
}

#[tokio::test]
async fn a_receiver_that_hangs_costs_an_attempt_and_no_more() {
    let (desk, _receiver) = alerted_within(Duration::from_millis(700), &[Behaviour::Hang], true).await;
    let _ticking = desk.tick();
    let delivery = desk.delivery("webhook", "delivered").await;
    assert_eq!(delivery["attempt_log"][0]["error"], "no answer within 700 ms");
}

#[tokio::test]
async fn redirects_are_failures_and_not_followed() {
    let (desk, receiver) = alerted(&[Behaviour::Redirect; 5], true).await;
    let _ticking = desk.tick();
    let dead = desk.delivery("webhook", "dead").await;
    assert_eq!((&dead["attempts"], &dead["last_error"]), (&json!(5), &json!("answered 302 Found; redirects are not followed")));
    assert_eq!(receiver.went_elsewhere(), 0);
}

#[tokio::test]
async fn an_endless_answer_is_not_read_to_its_end() {
    let (desk, receiver) = alerted(&[Behaviour::Endless], true).await;
    let _ticking = desk.tick();
    let delivery = desk.delivery("webhook", "delivered").await;
    assert_eq!(delivery["attempts"], 1);
    // What stands in the buffers of the connection is not ours to bound.
    assert!(receiver.endless_bytes() < 64 << 20, "{} bytes", receiver.endless_bytes());
}

#[tokio::test]
async fn an_address_of_the_inside_is_never_connected_to_unless_that_is_allowed() {
    let (desk, receiver) = alerted(&[], false).await;
    let _ticking = desk.tick();
    let dead = desk.delivery("webhook", "dead").await;
    assert_eq!(dead["attempts"], 1);
    assert!(dead["last_error"].as_str().expect("a reason").contains("NOTIFY_WEBHOOK_ALLOW_PRIVATE"), "{dead}");
    assert_eq!(receiver.received().len(), 0);
}

#[tokio::test]
async fn an_attempt_that_nobody_finished_is_made_again_when_its_lease_has_run_out() {
    let receiver = Receiver::serve(&[Behaviour::Hang]).await;
    let channels = ChannelsConfig { webhook: Some(receiver.webhook(true)), timeout: Duration::from_mins(1), ..ChannelsConfig::default() };
    let desk = Desk::with(channels, NOBODY).await;
    desk.feed(&Stream::new("22423").levels(10, &[3])).await;
    let killed = desk.tick();
    eventually("the first attempt is under way", PATIENCE, async || receiver.received().first().cloned()).await;
    drop(killed);
    desk.meddle("UPDATE delivery SET leased_until = now() - interval '1 second' WHERE channel = 'webhook'").await;
    let _ticking = desk.tick();
    desk.delivery("webhook", "delivered").await;
    let received = receiver.received();
    assert_eq!((received.len(), received[0].id()), (2, received[1].id()));
}

#[tokio::test]
async fn a_redelivery_during_an_attempt_is_not_lost_to_its_result() {
    let (desk, receiver) = alerted(&[Behaviour::Held], true).await;
    let _ticking = desk.tick();
    eventually("the first attempt is under way", PATIENCE, async || receiver.received().first().cloned()).await;
    let id = desk.notifications().await[0]["id"].as_str().expect("an id").to_owned();
    desk.post(&format!("/v1/notifications/{id}/redeliver")).await;
    let delivery = desk.delivery("webhook", "delivered").await;
    assert_eq!(delivery["attempts"], 1, "the second attempt ended first: {delivery}");
    receiver.let_go();
    let both = eventually("the first attempt is written down too", PATIENCE, async || {
        let delivery = desk.delivery("webhook", "delivered").await;
        (delivery["attempts"] == 2).then_some(delivery)
    })
    .await;
    assert_eq!(both["attempt_log"][1]["status"], 500);
    assert_eq!(receiver.received().len(), 2, "and is not tried again");
}

#[tokio::test]
async fn thousands_of_alerts_reach_the_log_while_a_webhook_hangs() {
    let receiver = Receiver::serve(&[Behaviour::Hang; 8]).await;
    let channels = ChannelsConfig { webhook: Some(receiver.webhook(true)), timeout: Duration::from_mins(1), ..ChannelsConfig::default() };
    let desk = Desk::with(channels, NOBODY).await;
    let _ticking = desk.tick();
    let mut streams: Vec<Stream> = (0..3000).map(|n| Stream::new(&format!("sku {n}"))).collect();
    for part in streams.chunks_mut(1000) {
        let events: Vec<_> = part.iter_mut().map(|stream| stream.next(0, 10)).collect();
        desk.feed(&events).await;
    }
    let database = desk.database.database();
    eventually("the log has them all", PATIENCE, async || {
        let client = database.get().await.expect("a connection");
        let row = client.query_one("SELECT count(*) FROM delivery_attempt WHERE channel = 'log'", &[]).await.expect("a count");
        (row.get::<_, i64>(0) == 3000).then_some(())
    })
    .await;
    assert_eq!(receiver.received().len(), 8, "the webhook is tried for eight at once");
}
