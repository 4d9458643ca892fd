//! What the books say, and that they notice when a rollup is not what its facts are.

use contract::ChangeType;
use serde_json::{Value, json};

use crate::fixture::World;
use crate::shop::{Movement, Shop, product_event, product_id, stream};

async fn sold() -> World {
    let (world, mut shop) = (World::new().await, Shop::default());
    let sale = Movement { quantity: 3, unit_price: Some("1.10"), ..Movement::default() };
    world
        .deliver(&[
            product_event(1, 2, "a jug", "Giftware"),
            shop.moved(&sale),
            shop.moved(&Movement { currency: "EUR", ..sale.clone() }),
            shop.moved(&Movement { kind: ChangeType::Return, quantity: 1, ..sale.clone() }),
            shop.moved(&Movement { product: 2, kind: ChangeType::Restock, ..sale }),
        ])
        .await;
    world
}

async fn entries(world: &World, account: &str) -> Vec<Value> {
    let mut entries = Vec::new();
    for bucket in 0..=255 {
        let books = world.get(&format!("/v1/books?account={account}&bucket={bucket}")).await.json();
        entries.extend(books["accounts"][account]["entries"].as_array().into_iter().flatten().cloned());
    }
    entries.sort_by_key(|entry| entry["stream"].as_str().unwrap().to_owned());
    entries
}

#[tokio::test]
async fn the_accounts_are_those_that_other_services_keep_too() {
    let world = sold().await;
    let (first, second) = (stream(1, "default"), stream(2, "default"));
    assert_eq!(
        entries(&world, "sales").await,
        [
            json!({"stream": first, "version": 3, "sums": ["6", "1", "2", "5.5"]}),
            json!({"stream": second, "version": 1, "sums": ["0", "0", "0", "0"]}),
        ]
    );
    assert_eq!(
        entries(&world, "versions").await,
        [json!({"stream": first, "version": 3, "sums": []}), json!({"stream": second, "version": 1, "sums": []}),]
    );
    assert_eq!(entries(&world, "products").await, [json!({"stream": product_id(1), "version": 2, "sums": ["10", "0"]})]);
    let books = world.get("/v1/books").await.json();
    assert_eq!((&books["service"], &books["drifts"]), (&json!("analytics"), &json!([])));
    assert_eq!(books["accounts"]["sales"]["totals"], json!(["6", "1", "2", "5.5"]));
}

#[tokio::test]
async fn a_rollup_that_is_not_its_facts_is_named() {
    let world = sold().await;
    world.sql("UPDATE sales_day SET units_sold = units_sold + 1 WHERE series = 1").await;
    world.sql("DELETE FROM sales_month WHERE series = 2").await;
    let drifts = world.get("/v1/books").await.json()["drifts"].clone();
    let (first, drifts) = (stream(1, "default"), drifts.as_array().unwrap().clone());
    assert_eq!(drifts.len(), 2, "{drifts:?}");
    let day = format!("the sales of day 2010-12-01 of {first} in ");
    assert!(drifts[0].as_str().unwrap().starts_with(&day), "{drifts:?}");
    let month = format!("the sales of month 2010-12-01 of {first} in ");
    assert!(drifts[1].as_str().unwrap().starts_with(&month), "{drifts:?}");
}
