//! One sale, walked from POST to report and alert, through the running all-in-one.

use std::time::Duration;

use serde_json::{Value, json};
use testkit::{Gudang, Service, eventually};

use crate::said::{GUDANG, Said};

/// Freshness that the contract promises is 2 s, services idle; a debug build on a busy machine gets more.
const FRESH: Duration = Duration::from_secs(10);

#[tokio::test]
async fn a_sale_is_seen_in_stock_report_and_alert() {
    let gudang = Gudang::start(GUDANG);
    let http = |service| gudang.http(service);
    let product = json!({"sku": "85123A", "name": "Heart", "category": "Gifts", "price": "2.55", "currency": "GBP", "min_stock": 5});
    let id = http(Service::Product).post("/v1/products", &product).await.expect(201).json()["id"].clone();

    // Restocked a moment later: Stock asks Product if the event has not come yet.
    let change = |kind: &str, quantity: i64| json!({"sku": "85123A", "type": kind, "quantity": quantity});
    http(Service::Stock).post("/v1/stock-changes", &change("RESTOCK", 10)).await.expect(201);
    let sale = http(Service::Stock).post_keyed("/v1/stock-changes", "order-1", &change("SALE", 7)).await.expect(201);
    let again = http(Service::Stock).post_keyed("/v1/stock-changes", "order-1", &change("SALE", 7)).await.expect(201);
    assert_eq!((again.header("idempotent-replayed"), &again.body), ("true", &sale.body));
    let refused = http(Service::Stock).post("/v1/stock-changes", &change("SALE", 4)).await.expect(409).json();
    assert_eq!((&refused["code"], &refused["available"]), (&json!("insufficient_stock"), &json!(3)));

    let sold = eventually("the sale in the report", FRESH, async || {
        let report = http(Service::Analytics).get("/v1/reports/best-sellers").await.expect(200).json();
        report["items"].get(0).cloned()
    });
    let sold = sold.await;
    assert_eq!((&sold["sku"], &sold["units_sold"], &sold["revenue"]), (&json!("85123A"), &json!(7), &json!("17.85")));
    let alert = eventually("the alert", FRESH, async || {
        http(Service::Notification).get("/v1/notifications").await.expect(200).json()["items"].get(0).cloned()
    });
    let alert = alert.await;
    assert_eq!((&alert["kind"], &alert["product_id"], &alert["available"]), (&json!("LOW_STOCK"), &id, &json!(3)));
    let seen = eventually("the stock in the product", FRESH, async || {
        let stock: Value = http(Service::Product).get("/v1/products/85123A").await.expect(200).json()["stock"].clone();
        (stock["on_hand"] == json!(3)).then_some(stock)
    });
    assert_eq!(seen.await["status"], json!("low"));

    let said = Said::to(&gudang, &["report", "best-sellers"]).expect(0);
    assert!(said.out.contains("85123A") && said.out.contains("17.85"), "{said:?}");
    for (arguments, path, accept) in [
        (["report", "best-sellers", "--by=revenue", "--json"], "/v1/reports/best-sellers?by=revenue", "application/json"),
        (["report", "sales", "--interval=day", "--csv"], "/v1/reports/sales?interval=day", "text/csv"),
    ] {
        let answered = http(Service::Analytics).send("GET", path, &[("accept", accept)], "").await.expect(200).text();
        assert_eq!(Said::to(&gudang, &arguments).expect(0).out, answered);
    }
    let said = Said::to(&gudang, &["audit"]).expect(0);
    assert!(said.out.contains("1 products, 1 stock streams, 2 changes") && said.out.contains("the books balance"), "{said:?}");
    let said = Said::to(&gudang, &["dead-letters", "list"]).expect(0);
    assert_eq!(said.out, "there are no dead letters\n");
}
