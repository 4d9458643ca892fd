//! Searching: by SKU, by its parts, by words with and without accents and typing errors; facets that add up; and all of it as things are now.

use serde_json::{Value, json};
use testkit::Service;

use crate::world::World;

fn skus(found: &Value) -> Vec<&str> {
    found["items"].as_array().expect("items").iter().filter_map(|hit| hit["product"]["sku"].as_str()).collect()
}

/// Searches among the lamps until these are found, best first, by an engine that is not degraded.
async fn finds(world: &World, typed: &str, expected: &[&str]) -> Value {
    let path = format!("/v1/products/search?category=Lamps&q={typed}");
    world.sees(Service::Product, &path, |found| found["degraded"] == false && skus(found) == expected).await
}

pub(super) async fn a_product_is_found_as_it_is_now(world: &World) {
    for (sku, name) in [("LMP-100", "Café lantern"), ("LMP-1000", "Brass lantern"), ("LMP-200", "Desk light")] {
        world.create(json!({"sku": sku, "name": name, "category": "Lamps", "min_stock": 2})).await;
    }
    for (typed, expected) in [
        ("LMP-100", &["LMP-100", "LMP-1000"][..]),
        ("lmp100", &["LMP-100", "LMP-1000"]),
        ("200", &["LMP-200"]),
        ("cafe", &["LMP-100"]),
        ("lantern+bra", &["LMP-1000"]),
        ("lanterm", &["LMP-100", "LMP-1000"]),
        ("chandelier", &[]),
    ] {
        finds(world, typed, expected).await;
    }
    let all = finds(world, "", &["LMP-100", "LMP-1000", "LMP-200"]).await;
    assert_eq!(all["facets"]["stock"], json!({"in": 0, "low": 0, "out": 3}));

    // Stock and names change, and what is found with them.
    world.moves("LMP-100", "RESTOCK", 1).await;
    world.moves("LMP-200", "RESTOCK", 5).await;
    let counted = |found: &Value| found["facets"]["stock"] == json!({"in": 1, "low": 1, "out": 1}) && found["total"] == 3;
    world.sees(Service::Product, "/v1/products/search?category=Lamps", counted).await;
    world.sees(Service::Product, "/v1/products/search?category=Lamps&stock=in", |found| skus(found) == ["LMP-200"]).await;
    let patch = json!({"name": "Reading lantern"}).to_string();
    let headers = [("content-type", "application/merge-patch+json")];
    world.http(Service::Product).send("PATCH", "/v1/products/LMP-200", &headers, patch).await.expect(200);
    finds(world, "reading", &["LMP-200"]).await;
    finds(world, "desk", &[]).await;
    let meant = world.http(Service::Product).get("/v1/products/suggest?q=readi").await.expect(200).json();
    assert_eq!(meant["items"], json!([{"sku": "LMP-200", "name": "Reading lantern"}]));
}
