//! One sale, walked from POST to report and alert.

use serde_json::json;
use testkit::Service;

use crate::world::World;

pub(super) async fn a_sale_is_seen_in_stock_report_and_alert(world: &World) {
    let product = json!({"sku": "85123A", "name": "Heart", "category": "Hearts", "price": "2.55", "currency": "GBP", "min_stock": 5});
    let id = world.create(product).await["id"].clone();

    // Restocked a moment later: Stock asks Product if the event has not come yet.
    world.moves("85123A", "RESTOCK", 10).await;
    let stock = world.http(Service::Stock);
    let order = json!({"sku": "85123A", "type": "SALE", "quantity": 7});
    let sale = stock.post_keyed("/v1/stock-changes", "order-1", &order).await.expect(201);
    let again = stock.post_keyed("/v1/stock-changes", "order-1", &order).await.expect(201);
    assert_eq!((again.header("idempotent-replayed"), &again.body), ("true", &sale.body));
    let too_much = json!({"sku": "85123A", "type": "SALE", "quantity": 4});
    let refused = stock.post("/v1/stock-changes", &too_much).await.expect(409).json();
    assert_eq!((&refused["code"], &refused["available"]), (&json!("insufficient_stock"), &json!(3)));

    let sold = world.best_seller("Hearts", |sold| !sold.is_null()).await;
    assert_eq!((&sold["sku"], &sold["units_sold"], &sold["revenue"]), (&json!("85123A"), &json!(7), &json!("17.85")));
    let alert = &world.alerts("85123A", 1).await[0];
    assert_eq!((&alert["kind"], &alert["product_id"], &alert["available"]), (&json!("LOW_STOCK"), &id, &json!(3)));
    let seen = world.sees(Service::Product, "/v1/products/85123A", |product| product["stock"]["on_hand"] == 3).await;
    assert_eq!(seen["stock"]["status"], json!("low"));

    let said = world.run(&["report", "best-sellers", "--category=Hearts"]).expect(0);
    assert!(said.out.contains("85123A") && said.out.contains("17.85"), "{said:?}");
    for (arguments, path, accept) in [
        (
            ["report", "best-sellers", "--category=Hearts", "--by=revenue", "--json"],
            "best-sellers?category=Hearts&by=revenue",
            "application/json",
        ),
        (["report", "sales", "--category=Hearts", "--interval=day", "--csv"], "sales?category=Hearts&interval=day", "text/csv"),
    ] {
        let path = format!("/v1/reports/{path}");
        let answered = world.http(Service::Analytics).send("GET", &path, &[("accept", accept)], "").await.expect(200).text();
        assert_eq!(world.run(&arguments).expect(0).out, answered);
    }
}
