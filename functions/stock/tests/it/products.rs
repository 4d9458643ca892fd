//! Products from events: thresholds and archiving reach every stream, late copies change nothing.

use contract::{MinStock, ProductStatus};
use serde_json::{Value, json};

use crate::fixture::{Stock, product, stock};

async fn stream(stock: &Stock, product: &contract::Product) -> Vec<Value> {
    let journal = stock.http.get(&format!("/v1/journal?stream={}@default", product.id)).await.expect(200).json();
    journal["items"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_threshold_that_changes_is_told_to_streams_that_moved_and_only_to_them() {
    let stock = stock().await;
    let mut product = product("A");
    stock.hear(&product, "created").await;
    product.version = 2;
    product.min_stock = MinStock::new(20).unwrap();
    stock.hear(&product, "updated").await;
    assert_eq!(stream(&stock, &product).await.len(), 0, "none before the first movement");
    stock.change("A", "RESTOCK", 15).await.expect(201);
    product.version = 3;
    product.min_stock = MinStock::new(5).unwrap();
    stock.hear(&product, "updated").await;
    product.version = 4;
    product.name = contract::Name::parse("a new name").unwrap();
    stock.hear(&product, "updated").await;
    stock.change("A", "SALE", 1).await.expect(201);

    let events = stream(&stock, &product).await;
    let told: Vec<_> = events.iter().map(|event| (event["type"].as_str().unwrap(), event["data"]["min_stock"].as_i64().unwrap())).collect();
    assert_eq!(told, [("gudang.stock.changed.v1", 20), ("gudang.stock.threshold-changed.v1", 5), ("gudang.stock.changed.v1", 5)]);
    assert_eq!(
        (&events[0]["data"]["name"], &events[2]["data"]["name"]),
        (&json!("A by name"), &json!("a new name")),
        "as Stock knew it then"
    );
    assert_eq!((&events[1]["sequence"], &events[2]["sequence"]), (&json!("2"), &json!("3")));
    stock.balances().await;
}

#[tokio::test]
async fn an_archived_product_sells_nothing_but_its_shelf_can_be_cleared() {
    let stock = stock().await;
    let mut product = product("A");
    stock.hear(&product, "created").await;
    stock.change("A", "RESTOCK", 5).await.expect(201);
    product.version = 2;
    product.status = ProductStatus::Archived;
    stock.hear(&product, "archived").await;
    for kind in ["SALE", "RESTOCK"] {
        assert_eq!(stock.change("A", kind, 1).await.expect(409).json()["code"], "product_archived");
    }
    for kind in ["RETURN", "WRITE_OFF"] {
        stock.change("A", kind, 1).await.expect(201);
    }
    assert_eq!(stock.level("A").await["min_stock"], json!(0));
    product.version = 3;
    product.status = ProductStatus::Active;
    stock.hear(&product, "restored").await;
    stock.change("A", "SALE", 1).await.expect(201);
    let thresholds: Vec<_> = stream(&stock, &product).await.iter().map(|event| event["data"]["min_stock"].clone()).collect();
    assert_eq!(thresholds, [10, 0, 0, 0, 10, 10].map(|units| json!(units)));
    stock.balances().await;
}

#[tokio::test]
async fn a_late_copy_brings_nothing_old_back() {
    let stock = stock().await;
    let first = product("A");
    let mut second = first.clone();
    second.version = 2;
    second.min_stock = MinStock::new(3).unwrap();
    stock.hear(&second, "updated").await;
    stock.hear(&first, "created").await;
    assert_eq!(stock.level("A").await["min_stock"], json!(3));
}

#[tokio::test]
async fn a_product_fetched_on_a_miss_takes_its_own_event_as_a_repetition() {
    let stock = stock().await;
    let product = stock.with("A", 5).await;
    stock.hear(&product, "created").await;
    assert_eq!(stock.http.get("/v1/dead-letters").await.expect(200).json()["items"], json!([]));
    assert_eq!(stream(&stock, &product).await.len(), 1);
}

#[tokio::test]
async fn the_journal_can_be_read_again_and_its_events_have_the_ids_of_the_first_time() {
    let stock = stock().await;
    let product = stock.with("A", 5).await;
    for _ in 0..3 {
        stock.change("A", "SALE", 1).await.expect(201);
    }
    let (topic, journal) = stock.function.publishes.as_ref().unwrap();
    let epoch = journal::Lease::take(&stock.function.database, "test").await.unwrap().unwrap().epoch;
    journal::relay::tick_once(journal, epoch).await.unwrap();
    let events = stock.http.get("/v1/journal?limit=2").await.expect(200).json();
    let after = events["next_cursor"].as_str().unwrap();
    let rest = stock.http.get(&format!("/v1/journal?after={after}")).await.expect(200).json();
    assert_eq!((events["items"].as_array().unwrap().len(), rest["items"].as_array().unwrap().len()), (2, 2));
    let id = contract::Event::id_of(topic.source(), &format!("{}@default", product.id), 4).to_string();
    assert_eq!((&rest["items"][1]["id"], &rest["items"][1]["specversion"]), (&json!(id), &json!("1.0")));
    let event: contract::Event = serde_json::from_value(rest["items"][1].clone()).unwrap();
    assert!(matches!(event.payload(), Ok(contract::event::Payload::Stock(row)) if row.on_hand == 2));
}
