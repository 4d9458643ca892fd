//! Units move between locations: each has its own alerts and its own line in reports, and the product has the sum.

use serde_json::json;
use testkit::Service;

use crate::world::World;

pub(super) async fn units_that_move_between_locations_stay_in_the_sum(world: &World) {
    world.create(json!({"sku": "clock", "name": "Clock", "category": "Clocks", "price": "9.00", "currency": "GBP", "min_stock": 3})).await;
    let stock = world.http(Service::Stock);
    let change =
        |kind: &str, quantity: i64, location: &str| json!({"sku": "clock", "type": kind, "quantity": quantity, "location": location});
    stock.post("/v1/stock-changes", &change("RESTOCK", 10, "north")).await.expect(201);
    let transfer = |quantity: i64| json!({"sku": "clock", "from": "north", "to": "south", "quantity": quantity, "reference": "van 4"});
    let moved = stock.post("/v1/transfers", &transfer(8)).await.expect(201).json();
    let kinds: Vec<_> = moved["changes"].as_array().expect("changes").iter().map(|change| (&change["type"], &change["on_hand"])).collect();
    assert_eq!(kinds, [(&json!("TRANSFER_OUT"), &json!(2)), (&json!("TRANSFER_IN"), &json!(8))]);
    let refused = stock.post("/v1/transfers", &transfer(3)).await.expect(409).json();
    assert_eq!((&refused["code"], &refused["available"]), (&json!("insufficient_stock"), &json!(2)));

    stock.post("/v1/stock-changes", &change("SALE", 3, "south")).await.expect(201);
    world.sees(Service::Product, "/v1/products/clock", |product| product["stock"]["on_hand"] == 7).await;
    let alert = &world.alerts("clock", 1).await[0];
    assert_eq!((&alert["kind"], &alert["location"], &alert["available"]), (&json!("LOW_STOCK"), &json!("north"), &json!(2)));
    let report = "/v1/reports/best-sellers?category=Clocks";
    world.sees(Service::Analytics, &format!("{report}&location=south"), |report| report["items"][0]["units_sold"] == 3).await;
    let north = world.http(Service::Analytics).get(&format!("{report}&location=north")).await.expect(200).json();
    assert_eq!(north["items"], json!([]), "a transfer is no sale");
}
