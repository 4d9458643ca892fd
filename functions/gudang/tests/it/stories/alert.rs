//! An alert reaches people: once by mail, once by webhook, and again when somebody asks for it.

use serde_json::{Value, json};
use testkit::{Service, eventually};

use crate::world::{PATIENCE, World};

/// How often each channel was tried, once all have delivered.
async fn attempts(world: &World, alert: &Value, attempts: i64) -> Value {
    let path = format!("/v1/notifications/{}", alert["id"].as_str().expect("an id"));
    let all = |alert: &Value| {
        let deliveries = alert["deliveries"].as_array().expect("deliveries");
        let done = |delivery: &Value| delivery["status"] == "delivered" && delivery["attempts"] == attempts;
        let mut channels: Vec<_> = deliveries.iter().filter(|delivery| done(delivery)).map(|delivery| &delivery["channel"]).collect();
        channels.sort_by_key(ToString::to_string);
        channels == [&json!("email"), &json!("log"), &json!("webhook")]
    };
    world.sees(Service::Notification, &path, all).await
}

pub(super) async fn an_alert_is_mailed_and_posted_once_and_again_when_somebody_asks(world: &World) {
    world.create(json!({"sku": "bell", "name": "Bell", "category": "Bells", "min_stock": 5})).await;
    world.moves("bell", "RESTOCK", 6).await;
    world.moves("bell", "SALE", 6).await;
    let out = world.alerts("bell", 1).await.remove(0);
    assert_eq!((&out["kind"], &out["available"]), (&json!("OUT_OF_STOCK"), &json!(0)));
    attempts(world, &out, 1).await;
    let (mails, webhooks) = (world.mails("bell"), world.webhooks("bell"));
    assert_eq!((mails.len(), webhooks.len()), (1, 1), "{mails:?} {webhooks:?}");
    assert!(mails[0].contains("Subject: Reorder now bell "), "{}", mails[0]);
    let (webhook_id, body) = &webhooks[0];
    assert_eq!((&body["type"], &body["data"]["id"]), (&json!("gudang.notification.raised.v1"), &out["id"]));

    let step = |step: &str| format!("/v1/notifications/{}/{step}", out["id"].as_str().expect("an id"));
    let notification = world.http(Service::Notification);
    let seen = notification.send("POST", &step("acknowledge"), &[], "").await.expect(200).json();
    assert!(!seen["acknowledged_at"].is_null(), "{seen}");
    notification.send("POST", &step("redeliver"), &[], "").await.expect(200);
    attempts(world, &out, 2).await;
    assert_eq!(world.mails("bell").len(), 2);
    let ids: Vec<String> = world.webhooks("bell").into_iter().map(|(id, _)| id).collect();
    assert_eq!(ids, [webhook_id.clone(), webhook_id.clone()], "who gets it again can tell");

    world.moves("bell", "RESTOCK", 20).await;
    let back = world.alerts("bell", 2).await.remove(1);
    assert_eq!((&back["kind"], &back["episode"]), (&json!("BACK_IN_STOCK"), &out["episode"]));
    eventually("the good news", PATIENCE, async || (world.mails("bell").len() == 3).then_some(())).await;
}
