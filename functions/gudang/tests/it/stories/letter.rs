//! An event that a consumer cannot apply: its stream stands aside with one dead letter, others go on, and a retry takes it up in order.

use serde_json::json;
use testkit::{Service, eventually};

use crate::world::{PATIENCE, World};

/// No other story sells so many.
const POISON: i64 = 777_777;

pub(super) async fn what_cannot_be_applied_stands_aside_until_it_is_retried(world: &World) {
    for sku in ["poisoned", "healthy"] {
        world.create(json!({"sku": sku, "name": sku, "category": sku, "price": "1.00", "currency": "GBP"})).await;
        world.moves(sku, "RESTOCK", 1_000_000).await;
    }
    let constraint = format!("ALTER TABLE fact ADD CONSTRAINT no_poison CHECK (quantity <> {POISON}) NOT VALID");
    world.meddle(Service::Analytics, &constraint).await;
    world.moves("poisoned", "SALE", 5).await;
    world.moves("poisoned", "SALE", POISON).await;
    world.moves("poisoned", "SALE", 7).await;
    world.moves("healthy", "SALE", 11).await;
    world.best_seller("healthy", |sold| sold["units_sold"] == 11).await;
    world.best_seller("poisoned", |sold| sold["units_sold"] == 5).await;

    let said = eventually("the letter is listed", PATIENCE, async || {
        Some(world.run(&["dead-letters", "list"]).expect(0)).filter(|said| said.out.contains("Analytics"))
    })
    .await;
    assert_eq!(said.out.matches("Analytics").count(), 1, "one letter, not one for each event behind it: {said:?}");
    assert!(said.out.contains("broken") && said.out.contains("no_poison") && said.out.contains("waits"), "{said:?}");
    let letters = world.http(Service::Analytics).get("/v1/dead-letters").await.expect(200).json();
    let id = letters["items"][0]["id"].as_str().expect("an id");
    let shown = world.run(&["dead-letters", "show", id]).expect(0).json();
    assert!(shown.to_string().contains("poisoned"), "{shown}");
    let said = world.run(&["dead-letters", "retry", id]).expect(1);
    assert!(said.out.contains("fails again: ") && said.out.contains("no_poison"), "{said:?}");

    world.meddle(Service::Analytics, "ALTER TABLE fact DROP CONSTRAINT no_poison").await;
    let said = world.run(&["dead-letters", "retry", "--all"]).expect(0);
    assert!(said.out.contains(id) && said.out.contains("settled, its stream stands at version 4"), "{said:?}");
    world.best_seller("poisoned", |sold| sold["units_sold"] == POISON + 12).await;
    assert_eq!(world.run(&["dead-letters", "list"]).expect(0).out, "there are no dead letters\n");
}
