//! Promises: kept, let go, or lapsed. What is promised is not available, to anybody.

use serde_json::{Value, json};
use testkit::Service;

use crate::world::World;

async fn reserve(world: &World, sku: &str, quantity: i64, ttl_seconds: i64) -> Value {
    let body = json!({"lines": [{"sku": sku, "quantity": quantity}], "ttl_seconds": ttl_seconds, "reference": "basket 7"});
    world.http(Service::Stock).post("/v1/reservations", &body).await.expect(201).json()
}

async fn step(world: &World, held: &Value, step: &str, status: u16) -> Value {
    let path = format!("/v1/reservations/{}/{step}", held["id"].as_str().expect("an id"));
    world.http(Service::Stock).send("POST", &path, &[], "").await.expect(status).json()
}

/// Waits until Product shows that so many are on the shelf, and so many of them promised.
async fn shown(world: &World, sku: &str, on_hand: i64, reserved: i64) {
    let right = |product: &Value| product["stock"]["on_hand"] == on_hand && product["stock"]["reserved"] == reserved;
    let product = world.sees(Service::Product, &format!("/v1/products/{sku}"), right).await;
    assert_eq!(product["stock"]["available"], json!(on_hand - reserved));
}

pub(super) async fn a_promise_is_kept_or_lapses_and_everybody_hears_of_it(world: &World) {
    world.create(json!({"sku": "vase", "name": "Vase", "category": "Vases", "price": "3.00", "currency": "GBP", "min_stock": 5})).await;
    world.moves("vase", "RESTOCK", 10).await;
    let kept = reserve(world, "vase", 6, 900).await;
    shown(world, "vase", 10, 6).await;
    let low = &world.alerts("vase", 1).await[0];
    assert_eq!((&low["kind"], &low["available"]), (&json!("LOW_STOCK"), &json!(4)));
    let sale = json!({"sku": "vase", "type": "SALE", "quantity": 5});
    let refused = world.http(Service::Stock).post("/v1/stock-changes", &sale).await.expect(409).json();
    assert_eq!(refused["available"], json!(4), "what is promised is not sold to others");

    assert_eq!(step(world, &kept, "confirm", 200).await["status"], json!("confirmed"));
    shown(world, "vase", 4, 0).await;
    world.best_seller("Vases", |sold| sold["units_sold"] == 6 && sold["revenue"] == "18.00").await;
    world.moves("vase", "RESTOCK", 10).await;
    world.sees(Service::Notification, "/v1/notifications?product=vase", |alerts| !alerts["items"][0]["resolved_at"].is_null()).await;

    // Nobody comes for these: they are free again by themselves.
    let lapses = reserve(world, "vase", 10, 1).await;
    let second = &world.alerts("vase", 2).await[1];
    assert_eq!((&second["kind"], &second["episode"]), (&json!("LOW_STOCK"), &json!(2)));
    let path = format!("/v1/reservations/{}", lapses["id"].as_str().expect("an id"));
    world.sees(Service::Stock, &path, |lapses| lapses["status"] == "expired").await;
    shown(world, "vase", 14, 0).await;
    assert_eq!(step(world, &lapses, "confirm", 409).await["code"], json!("reservation_expired"));
    world.sees(Service::Notification, "/v1/notifications?product=vase", |alerts| !alerts["items"][0]["resolved_at"].is_null()).await;
    world.alerts("vase", 2).await;
}

pub(super) async fn a_promise_that_is_let_go_is_nobodys(world: &World) {
    world.create(json!({"sku": "jug", "name": "Jug", "category": "Jugs"})).await;
    world.moves("jug", "RESTOCK", 4).await;
    let held = reserve(world, "jug", 4, 900).await;
    shown(world, "jug", 4, 4).await;
    assert_eq!(step(world, &held, "release", 200).await["status"], json!("released"));
    shown(world, "jug", 4, 0).await;
    world.moves("jug", "SALE", 4).await;
    shown(world, "jug", 0, 0).await;
}
