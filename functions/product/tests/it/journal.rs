//! What Product publishes.

use contract::event::Payload;
use contract::{Event, Topic};
use serde_json::json;

use crate::fixture::Shop;

#[tokio::test]
async fn every_change_is_an_event_with_the_whole_product_but_its_stock() {
    let shop = Shop::open().await;
    let added = shop.add("mug").await;
    let patched = shop.patch("mug", &json!({"price": "2.50"})).await.json();
    let journal = shop.journal(&added).await;
    assert_eq!(journal.len(), 2);
    let mut expected = patched;
    expected.as_object_mut().unwrap().remove("stock");
    assert_eq!(journal[1]["data"], expected);
    assert_eq!(journal[1]["type"], "gudang.product.updated.v1");
    assert_eq!(journal[1]["source"], "/gudang/product");
    assert_eq!(journal[1]["subject"], added["id"]);
    assert_eq!(journal[1]["partitionkey"], added["id"]);
    assert_eq!(journal[1]["sequence"], "2");
    assert_eq!(journal[1]["time"], expected["updated_at"]);
    for event in &journal {
        let event = Event::from_json(event.to_string().as_bytes()).unwrap();
        assert!(matches!(event.payload().unwrap(), Payload::Product(product) if product.version == event.version));
    }
}

#[tokio::test]
async fn a_write_that_changes_nothing_or_is_refused_publishes_nothing() {
    let shop = Shop::open().await;
    let added = shop.add("mug").await;
    shop.patch("mug", &json!({})).await;
    shop.post(&json!({"sku": "mug", "name": "x", "category": "x"})).await;
    shop.patch("mug", &json!({"name": null})).await;
    shop.step("POST", "/v1/products/mug/restore").await;
    assert_eq!(shop.journal(&added).await.len(), 1);
}

#[tokio::test]
async fn the_function_says_what_it_publishes_and_consumes() {
    let shop = Shop::open().await;
    let (topic, _) = shop.function.publishes.as_ref().unwrap();
    assert_eq!((shop.function.name, *topic), ("product", Topic::ProductEvents));
    let handler = shop.function.consumes.as_ref().unwrap();
    assert_eq!((handler.group(), handler.topics()), ("gudang-product", &[Topic::StockChanges][..]));
    shop.function.periodic.tick().await.unwrap();
}
