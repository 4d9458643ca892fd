//! The stock that a product shows, and what events do to it.

use bus::{Alien, Incoming, Message};
use contract::{Event, StockEvent};
use serde_json::{Value, json};

use crate::fixture::Shop;

/// The row at `version` of the product's stock at `location`.
pub(crate) fn level(product: &Value, location: &str, version: i64, on_hand: i64, reserved: i64) -> Incoming {
    let time = format!("2026-01-01T00:00:{version:02}Z");
    let data = json!({"id": "018f3c2e-7b8a-7000-8000-000000000001", "product_id": product["id"], "sku": product["sku"],
        "location": location, "type": "COUNT", "quantity": on_hand, "delta": 0, "on_hand": on_hand, "reserved": reserved,
        "available": on_hand - reserved, "version": version, "occurred_at": time, "recorded_at": time, "min_stock": 0,
        "name": product["name"], "category": product["category"], "price": null, "currency": "EUR"});
    let row: StockEvent = serde_json::from_value(data.clone()).unwrap();
    let subject = row.stream().to_string();
    Incoming::Event(Event {
        id: Event::id_of("/gudang/stock", &subject, version),
        source: "/gudang/stock".to_owned(),
        kind: "gudang.stock.changed.v1".to_owned(),
        subject,
        time: row.occurred_at,
        version,
        recorded_at: row.recorded_at,
        partition_key: row.product_id.to_string(),
        traceparent: None,
        position: None,
        data: serde_json::value::to_raw_value(&data).unwrap(),
    })
}

pub(crate) async fn deliver(shop: &Shop, batch: &[Incoming]) {
    shop.function.consumes.as_ref().unwrap().handle(batch).await.unwrap();
}

async fn shown(shop: &Shop) -> (Value, String) {
    let reply = shop.get("/v1/products/mug").await;
    (reply.json()["stock"].clone(), reply.header("etag").to_owned())
}

fn stock(on_hand: i64, reserved: i64, status: &str, second: i64) -> Value {
    json!({"on_hand": on_hand, "reserved": reserved, "available": on_hand - reserved, "status": status,
        "as_of": format!("2026-01-01T00:00:{second:02}Z")})
}

#[tokio::test]
async fn stock_is_summed_over_the_locations_and_so_are_their_versions() {
    let shop = Shop::open().await;
    let mug = shop.add("mug").await;
    deliver(&shop, &[level(&mug, "default", 1, 10, 0), level(&mug, "shelf @4", 1, 5, 1), level(&mug, "default", 2, 7, 2)]).await;
    assert_eq!(shown(&shop).await, (stock(12, 3, "ok", 2), "\"1-3\"".to_owned()));
    assert_eq!(shop.get("/v1/products").await.json()["items"][0]["stock"]["on_hand"], 12);
    let patched = shop.patch("mug", &json!({"min_stock": 10})).await;
    assert_eq!((patched.header("etag"), &patched.json()["stock"]), ("\"2-3\"", &stock(12, 3, "low", 2)));
    shop.balances().await;
}

#[tokio::test]
async fn late_and_repeated_events_do_not_bring_old_stock_back() {
    let shop = Shop::open().await;
    let mug = shop.add("mug").await;
    deliver(&shop, &[level(&mug, "default", 1, 10, 0)]).await;
    deliver(&shop, &[level(&mug, "default", 5, 3, 0)]).await;
    let newest = (stock(3, 0, "ok", 5), "\"1-5\"".to_owned());
    assert_eq!(shown(&shop).await, newest, "levels are absolute, a gap is nothing");
    for late in [level(&mug, "default", 1, 10, 0), level(&mug, "default", 4, 4, 0), level(&mug, "default", 5, 3, 0)] {
        deliver(&shop, &[late.clone(), late]).await;
        assert_eq!(shown(&shop).await, newest);
    }
    deliver(&shop, &[level(&mug, "default", 7, 1, 0), level(&mug, "default", 6, 2, 0)]).await;
    assert_eq!(shown(&shop).await, (stock(1, 0, "ok", 7), "\"1-7\"".to_owned()));
    shop.balances().await;
}

#[tokio::test]
async fn newer_stock_is_never_hidden_behind_a_304() {
    let shop = Shop::open().await;
    let mug = shop.add("mug").await;
    let (_, etag) = shown(&shop).await;
    deliver(&shop, &[level(&mug, "default", 1, 10, 0)]).await;
    let reply = shop.send("GET", "/v1/products/mug", &[("if-none-match", &etag)], axum::body::Body::empty()).await;
    assert_eq!((reply.status.as_u16(), reply.header("etag")), (200, "\"1-1\""));
    let headers = [("content-type", "application/json"), ("if-match", etag.as_str())];
    assert_eq!(shop.send("PATCH", "/v1/products/mug", &headers, r#"{"name":"x"}"#).await.status, 200, "the version alone counts");
}

#[tokio::test]
async fn what_is_no_event_of_ours_is_settled_and_a_broken_one_is_put_aside() {
    let shop = Shop::open().await;
    let mug = shop.add("mug").await;
    let Incoming::Event(good) = level(&mug, "default", 1, 10, 0) else { unreachable!() };
    let foreign = Event { source: "/elsewhere".to_owned(), ..good.clone() };
    let unknown = Event { kind: "gudang.stock.audited.v9".to_owned(), subject: format!("{}@a", good.partition_key), ..good.clone() };
    let broken = Event { subject: format!("{}@b", good.partition_key), ..good.clone() };
    let message = Message { bytes: b"rubbish".to_vec(), ..Message::default() };
    let alien = Incoming::Alien(Alien { message, cause: "no event".to_owned() });
    deliver(&shop, &[Incoming::Event(foreign), Incoming::Event(unknown), Incoming::Event(broken), alien, Incoming::Event(good)]).await;
    assert_eq!(shown(&shop).await.1, "\"1-1\"");
    let letters = shop.get("/v1/dead-letters").await.json();
    let mut reasons: Vec<&str> = letters["items"].as_array().unwrap().iter().map(|letter| letter["reason"].as_str().unwrap()).collect();
    reasons.sort_unstable();
    assert_eq!(reasons, ["alien", "broken"]);
    shop.balances().await;
}

#[tokio::test]
async fn the_books_show_products_stock_and_what_was_applied() {
    let shop = Shop::open().await;
    let mug = shop.add("mug").await;
    shop.patch("mug", &json!({"min_stock": 4})).await;
    shop.step("DELETE", "/v1/products/mug").await;
    deliver(&shop, &[level(&mug, "default", 1, 10, 0), level(&mug, "default", 2, 8, 3)]).await;
    let books = shop.get("/v1/books").await.json();
    assert_eq!(books["service"], "product");
    let accounts = &books["accounts"];
    assert_eq!((&accounts["products"]["totals"], &accounts["products"]["version"]), (&json!(["4", "1"]), &json!(3)));
    assert_eq!((&accounts["stock"]["totals"], &accounts["stock"]["version"]), (&json!(["8", "3"]), &json!(2)));
    assert_eq!((&accounts["versions"]["streams"], &accounts["versions"]["version"]), (&json!(1), &json!(2)));
    let stream = format!("{}@default", mug["id"].as_str().unwrap());
    let bucket = contract::bucket_of(&stream);
    let entries = shop.get(&format!("/v1/books?account=stock&bucket={bucket}")).await.json()["accounts"]["stock"]["entries"].clone();
    assert_eq!(entries, json!([{"stream": stream, "version": 2, "sums": ["8", "3"]}]));
}

#[tokio::test]
async fn a_journal_that_lost_a_row_or_tells_another_story_is_a_drift() {
    let shop = Shop::open().await;
    for sku in ["lost", "forged", "ahead", "fine"] {
        shop.add(sku).await;
    }
    let client = shop.function.database.get().await.unwrap();
    let tamper = "DELETE FROM journal WHERE stream = (SELECT id::text FROM product WHERE sku = 'lost'); \
        UPDATE product SET name = 'other' WHERE sku = 'forged'; \
        INSERT INTO product_stock SELECT id, 'default', 1, 0, 1, now() FROM product WHERE sku = 'ahead'";
    client.batch_execute(tamper).await.unwrap();
    let drifts = shop.get("/v1/books").await.json()["drifts"].as_array().unwrap().len();
    assert_eq!(drifts, 3);
}
