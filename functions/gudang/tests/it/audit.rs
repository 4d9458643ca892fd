//! The audit finds what is wrong and names it, and does not cry wolf.

use serde_json::json;
use testkit::{Gudang, Service, TestDatabase};

use crate::said::{GUDANG, Said};

#[tokio::test]
async fn a_wrong_copy_is_a_drift_that_is_named_with_both_figures() {
    let product = TestDatabase::create().await;
    let gudang = Gudang::start_with(GUDANG, &[("PRODUCT_DATABASE_URL", product.url())]);
    let shop = json!({"sku": "1", "name": "One", "category": "Things"});
    gudang.http(Service::Product).post("/v1/products", &shop).await.expect(201);
    let restock = json!({"sku": "1", "type": "RESTOCK", "quantity": 10});
    let change = gudang.http(Service::Stock).post("/v1/stock-changes", &restock).await.expect(201).json();
    let said = Said::to(&gudang, &["audit", "--json"]).expect(0);
    assert_eq!(said.json(), json!({"drifts": []}));

    let database = product.database();
    let client = database.get().await.unwrap();
    client.execute("UPDATE product_stock SET on_hand = on_hand + 1", &[]).await.unwrap();
    let drifts = Said::to(&gudang, &["audit", "--json"]).expect(1).json();
    let stream = format!("{}@default", change["product_id"].as_str().unwrap());
    let drift = &drifts["drifts"][0];
    assert_eq!((&drift["service"], &drift["account"], &drift["stream"]), (&json!("product"), &json!("stock"), &json!(stream)));
    assert_eq!((&drift["expected"], &drift["found"]), (&json!("on_hand 10"), &json!("on_hand 11")));
    let said = Said::to(&gudang, &["audit"]).expect(1);
    assert!(said.out.contains("drift: stock of ") && said.out.contains("1 drift\n"), "{said:?}");
}

#[test]
fn a_service_out_of_reach_ends_it_at_once() {
    let mut gudang = Gudang::start(GUDANG);
    let mut command = gudang.command(&["audit"]);
    let begun = std::time::Instant::now();
    let said = Said::by(command.env("ANALYTICS_URL", "http://127.0.0.1:1")).expect(2);
    assert!(said.err.contains("Analytics does not answer at http://127.0.0.1:1") && said.err.contains("ANALYTICS_URL"), "{said:?}");
    assert!(begun.elapsed() < std::time::Duration::from_secs(5));
    gudang.stop();
}
