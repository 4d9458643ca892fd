//! What becomes of events: once each, in order, whatever the transport does.

use contract::ChangeType;
use serde_json::{Value, json};

use crate::fixture::World;
use crate::shop::{Movement, Shop, product_event, stream};

async fn units_sold(world: &World) -> i64 {
    let report = world.best_sellers("limit=500").await;
    report["items"].as_array().unwrap().iter().map(|item| item["units_sold"].as_i64().unwrap()).sum()
}

#[tokio::test]
async fn an_event_that_comes_again_counts_once() {
    let (world, mut shop) = (World::new().await, Shop::default());
    let events: Vec<_> = (1..=4).map(|quantity| shop.moved(&Movement { quantity, ..Movement::default() })).collect();
    world.deliver(&events[..2]).await;
    world.deliver(&events).await;
    world.deliver(&[&events[..], &events[..]].concat()).await;
    assert_eq!(units_sold(&world).await, 10);
}

#[tokio::test]
async fn a_gap_is_repaired_from_the_producers_journal() {
    let (world, mut shop) = (World::new().await, Shop::default());
    let events: Vec<_> = (1..=5).map(|quantity| shop.moved(&Movement { quantity, ..Movement::default() })).collect();
    world.record(&events);
    world.deliver(&[events[0].clone(), events[3].clone()]).await;
    assert_eq!(units_sold(&world).await, 15, "everything that the journal has was applied");
    assert_eq!(world.get("/v1/dead-letters").await.json()["items"], json!([]));
}

#[tokio::test]
async fn a_gap_that_cannot_be_repaired_parks_its_stream_alone_until_a_retry() {
    let (world, mut shop) = (World::new().await, Shop::default());
    let events: Vec<_> = (1..=3).map(|quantity| shop.moved(&Movement { quantity, ..Movement::default() })).collect();
    let other = shop.moved(&Movement { product: 2, quantity: 100, ..Movement::default() });
    world.deliver(&[events[0].clone(), events[2].clone(), other]).await;
    assert_eq!(units_sold(&world).await, 101);
    let letters = world.get("/v1/dead-letters").await.json();
    assert_eq!((&letters["items"][0]["reason"], &letters["items"][0]["stream"]), (&json!("gap"), &json!(stream(1, "default"))));
    world.record(&events);
    let id = letters["items"][0]["id"].as_str().unwrap();
    let retried = world.send("POST", &format!("/v1/dead-letters/{id}/retry"), "*/*").await.json();
    assert_eq!(retried, json!({"resolved": true, "version": 3, "error": null}));
    assert_eq!(units_sold(&world).await, 106);
}

#[tokio::test]
async fn what_cannot_be_added_up_is_put_aside_and_the_rest_goes_on() {
    let (world, mut shop) = (World::new().await, Shop::default());
    let beyond = shop.moved(&Movement { quantity: 5_000_000_000, ..Movement::default() });
    let largest = Movement { product: 2, quantity: 1_000_000_000, unit_price: Some("999999999999.9999"), ..Movement::default() };
    world.deliver(&[beyond, shop.moved(&largest), shop.moved(&largest)]).await;
    let report = world.best_sellers("").await;
    assert_eq!(report["items"].as_array().unwrap().len(), 1);
    assert_eq!(report["items"][0]["revenue"], "1999999999999999800000.00");
    assert_eq!(world.get("/v1/dead-letters").await.json()["items"][0]["reason"], "broken");
}

#[tokio::test]
async fn names_and_categories_are_todays_whichever_order_events_come_in() {
    let (world, mut shop) = (World::new().await, Shop::default());
    let named = async |world: &World| -> Value {
        let report = world.best_sellers("").await;
        json!([report["items"][0]["name"], report["items"][0]["category"]])
    };
    world.deliver(&[shop.moved(&Movement::default())]).await;
    assert_eq!(named(&world).await, json!(["as Stock knew it", "Giftware"]));
    world.deliver(&[product_event(1, 1, "first", "A")]).await;
    assert_eq!(named(&world).await, json!(["first", "A"]));
    world.deliver(&[product_event(1, 3, "third", "B"), shop.moved(&Movement { location: "annex", ..Movement::default() })]).await;
    world.deliver(&[product_event(1, 2, "second", "C")]).await;
    assert_eq!(named(&world).await, json!(["third", "B"]));
    world.deliver(&[product_event(2, 1, "early", "A"), shop.moved(&Movement { product: 2, quantity: 9, ..Movement::default() })]).await;
    assert_eq!(named(&world).await, json!(["early", "A"]));
}

#[tokio::test]
async fn a_batch_of_many_series_and_kinds_adds_up() {
    let (world, mut shop) = (World::new().await, Shop::default());
    let kinds = [ChangeType::Restock, ChangeType::Sale, ChangeType::Sale, ChangeType::Return, ChangeType::Count];
    let events: Vec<_> = (0..2000)
        .map(|n| shop.moved(&Movement { product: n % 300, kind: kinds[n as usize % 5], quantity: 2, ..Movement::default() }))
        .collect();
    for batch in events.chunks(700) {
        world.deliver(batch).await;
    }
    assert_eq!(units_sold(&world).await, 2 * 800);
}
