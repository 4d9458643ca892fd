//! A product that gets another name, price and minimum, is taken off and comes back: every service goes by what it is now.

use serde_json::{Value, json};
use testkit::{Answer, Service, eventually};

use crate::world::{PATIENCE, World};

const PATH: &str = "/v1/products/mug%201";

async fn patch(world: &World, patch: &Value) -> Answer {
    let headers = [("content-type", "application/merge-patch+json")];
    world.http(Service::Product).send("PATCH", PATH, &headers, patch.to_string()).await.expect(200)
}

/// Sells one until the answer has this status.
async fn sells(world: &World, status: u16) -> Answer {
    let sale = json!({"sku": "mug 1", "type": "SALE", "quantity": 1});
    eventually("Stock has heard of it", PATIENCE, async || {
        Some(world.http(Service::Stock).post("/v1/stock-changes", &sale).await).filter(|answer| answer.status == status)
    })
    .await
}

pub(super) async fn a_product_that_changes_is_seen_as_it_is_everywhere(world: &World) {
    world.create(json!({"sku": "mug 1", "name": "Blue mug", "category": "Mugs", "price": "4.00", "currency": "GBP"})).await;
    world.moves("mug 1", "RESTOCK", 20).await;
    world.moves("mug 1", "SALE", 2).await;
    world.best_seller("Mugs", |sold| sold["name"] == "Blue mug" && sold["revenue"] == "8.00").await;

    // Another name, price and minimum: seen here at once, and in every other service before long.
    let patched = patch(world, &json!({"name": "Red mug", "price": "5.50", "min_stock": 30, "category": "Cups"})).await;
    let read = world.http(Service::Product).get(PATH).await.expect(200);
    assert_eq!(
        (read.json()["name"].as_str(), read.header("etag").split('-').next()),
        (Some("Red mug"), patched.header("etag").split('-').next())
    );
    world.sees(Service::Stock, "/v1/stock/mug%201", |stock| stock["min_stock"] == 30 && stock["status"] == "low").await;
    let alert = &world.alerts("mug%201", 1).await[0];
    assert_eq!((&alert["kind"], &alert["name"], &alert["min_stock"]), (&json!("LOW_STOCK"), &json!("Red mug"), &json!(30)));
    world.moves("mug 1", "SALE", 2).await;
    world.best_seller("Cups", |sold| sold["name"] == "Red mug" && sold["revenue"] == "19.00").await;
    let found = |found: &Value| found["items"][0]["product"]["name"] == "Red mug" && found["facets"]["stock"]["low"] == 1;
    world.sees(Service::Product, "/v1/products/search?q=red+mug&category=Cups", found).await;

    // Taken off: nothing is sold any more, what clears the shelf goes on, and nobody is bothered.
    world.http(Service::Product).send("DELETE", PATH, &[], "").await.expect(204);
    assert_eq!(world.http(Service::Product).get(PATH).await.expect(200).json()["status"], json!("archived"));
    let refused = sells(world, 409).await;
    assert_eq!(refused.json()["code"], json!("product_archived"));
    world.moves("mug 1", "WRITE_OFF", 1).await;
    world.sees(Service::Notification, "/v1/notifications?product=mug%201", |alerts| !alerts["items"][0]["resolved_at"].is_null()).await;
    world.sees(Service::Product, "/v1/products/search?q=red+mug&category=Cups", |found| found["total"] == 0).await;

    // And back.
    let restored = world.http(Service::Product).send("POST", &format!("{PATH}/restore"), &[], "").await.expect(200).json();
    assert_eq!(restored["status"], json!("active"));
    sells(world, 201).await;
    world.sees(Service::Product, "/v1/products/search?q=red+mug&category=Cups", |found| found["total"] == 1).await;
    assert_eq!(world.alerts("mug%201", 2).await[1]["episode"], json!(2));
}
