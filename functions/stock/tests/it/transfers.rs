//! Transfers: what leaves one location arrives at another, in one transaction.

use serde_json::{Value, json};
use testkit::Answer;

use crate::fixture::{Stock, stock};

async fn transfer(stock: &Stock, from: &str, to: &str, quantity: i64) -> Answer {
    stock.http.post("/v1/transfers", &json!({"sku": "A", "from": from, "to": to, "quantity": quantity, "reference": "van 3"})).await
}

fn at<'a>(level: &'a Value, location: &str) -> &'a Value {
    level["locations"].as_array().unwrap().iter().find(|level| level["location"] == location).unwrap()
}

#[tokio::test]
async fn units_leave_here_and_arrive_there() {
    let stock = stock().await;
    stock.with("A", 10).await;
    let moved = transfer(&stock, "default", "shop 2", 4).await.expect(201).json();
    let changes = moved["changes"].as_array().unwrap();
    let kinds: Vec<_> = changes.iter().map(|change| (change["type"].as_str().unwrap(), change["delta"].as_i64().unwrap())).collect();
    assert_eq!(kinds, [("TRANSFER_OUT", -4), ("TRANSFER_IN", 4)]);
    assert_eq!((&moved["id"], &changes[1]["reference"]), (&changes[0]["id"], &json!("van 3")));
    let level = stock.level("A").await;
    assert_eq!(
        (&level["on_hand"], &at(&level, "default")["on_hand"], &at(&level, "shop 2")["on_hand"]),
        (&json!(10), &json!(6), &json!(4))
    );
    let back = stock.http.get("/v1/stock-changes?type=TRANSFER_IN&location=shop%202").await.expect(200).json();
    assert_eq!(back["items"][0], changes[1]);
    stock.balances().await;
}

#[tokio::test]
async fn only_what_is_available_leaves_and_then_nothing_happens() {
    let stock = stock().await;
    stock.with("A", 10).await;
    stock.reserve(&json!([{"sku": "A", "quantity": 7}]), 60).await.expect(201);
    let refused = transfer(&stock, "default", "shop 2", 4).await.expect(409).json();
    assert_eq!((&refused["code"], &refused["requested"], &refused["available"]), (&json!("insufficient_stock"), &json!(4), &json!(3)));
    transfer(&stock, "default", "shop 2", 3).await.expect(201);
    assert_eq!(stock.level("A").await["on_hand"], json!(10));
    stock.balances().await;
}

#[tokio::test]
async fn a_transfer_goes_on_after_archiving_and_needs_two_places() {
    let stock = stock().await;
    let mut product = stock.with("A", 2).await;
    product.version = 2;
    product.status = contract::ProductStatus::Archived;
    stock.hear(&product, "archived").await;
    transfer(&stock, "default", "cellar", 2).await.expect(201);
    let refused = transfer(&stock, "cellar", "cellar", 1).await.expect(422).json();
    assert_eq!(refused["errors"][0]["field"], "to");
    for field in ["from", "to", "quantity"] {
        let mut body = json!({"sku": "A", "from": "a", "to": "b", "quantity": 1});
        body.as_object_mut().unwrap().remove(field);
        let refused = stock.http.post("/v1/transfers", &body).await.expect(422).json();
        assert_eq!(refused["errors"][0]["field"], field);
    }
    stock.balances().await;
}

#[tokio::test]
async fn transfers_to_and_fro_at_once_do_not_deadlock_and_lose_nothing() {
    let stock = stock().await;
    let other = stock.another().await;
    stock.with("A", 50).await;
    transfer(&stock, "default", "shop 2", 25).await.expect(201);
    let moves = (0..80).map(|n| {
        let http = if n % 2 == 0 { stock.http.clone() } else { other.http.clone() };
        let (from, to) = if n % 3 == 0 { ("default", "shop 2") } else { ("shop 2", "default") };
        let body = json!({"sku": "A", "from": from, "to": to, "quantity": 3});
        tokio::spawn(async move { http.post("/v1/transfers", &body).await.status })
    });
    for status in futures_of(moves).await {
        assert!(matches!(status, 201 | 409), "{status}");
    }
    assert_eq!(stock.level("A").await["on_hand"], json!(50));
    stock.balances().await;
}

async fn futures_of(spawned: impl Iterator<Item = tokio::task::JoinHandle<u16>>) -> Vec<u16> {
    let spawned: Vec<_> = spawned.collect();
    let mut ended = Vec::new();
    for task in spawned {
        ended.push(task.await.unwrap());
    }
    ended
}
