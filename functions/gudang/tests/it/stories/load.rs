//! `gudang load`: it sells what it says that it sells, of products that it makes itself, and says so in figures.

use std::process::Command;

use serde_json::json;
use testkit::{Gudang, Service};

use crate::said::{GUDANG, Said};

#[tokio::test]
async fn what_load_says_was_sold_was_sold() {
    let gudang = Gudang::start(GUDANG);
    let stock = gudang.http(Service::Stock);
    let hot = Said::to(&gudang, &["load", "--seconds", "1", "--connections", "8", "--json"]).expect(0).json();
    assert!(hot["changes"].as_u64() > Some(0) && hot["p99_ms"].as_f64() > Some(0.0), "{hot}");
    assert_eq!((&hot["errors"], &hot["refused"], &hot["turned_away"]), (&json!(0), &json!(0), &json!(0)));
    let level = stock.get("/v1/stock/load-hot").await.expect(200).json();
    // One version more than was sold: the restock.
    assert_eq!(level["version"].as_u64(), hot["changes"].as_u64().map(|changes| changes + 1));

    let batches = ["load", "--seconds", "1", "--connections", "2", "--product", "uniform", "--products", "50", "--batch", "20", "--json"];
    let uniform = Said::to(&gudang, &batches).expect(0).json();
    assert_eq!(uniform["changes"].as_u64(), uniform["requests"].as_u64().map(|requests| requests * 20));
    let levels = stock.get("/v1/stock?limit=500").await.expect(200).json();
    let versions: u64 = levels["items"].as_array().unwrap().iter().filter_map(|level| level["version"].as_u64()).sum();
    let sold = hot["changes"].as_u64().unwrap() + uniform["changes"].as_u64().unwrap();
    assert_eq!(versions, sold + 51, "and 51 restocks");

    // At a rate of its own it asks as often as it was told to, and shows a table.
    let open = Said::to(&gudang, &["load", "--seconds", "1", "--connections", "4", "--rate", "50"]).expect(0);
    assert!(open.out.contains("changes a second") && open.out.contains("| never sent"), "{open:?}");
    let after = stock.get("/v1/stock/load-hot").await.expect(200).json();
    assert_eq!(after["version"].as_u64(), level["version"].as_u64().map(|version| version + 50), "{open:?}");
}

#[test]
fn load_that_finds_no_service_says_how_to_start_one() {
    let said = Said::by(Command::new(GUDANG).args(["load", "--seconds", "1"]).env("STOCK_URL", "http://127.0.0.1:1")).expect(1);
    assert!(said.err.contains("does not answer at http://127.0.0.1:1") && said.err.contains("STOCK_URL"), "{said:?}");
    let said = Said::by(Command::new(GUDANG).args(["load", "--batch", "1001"])).expect(2);
    assert!(said.err.contains("1001"), "{said:?}");
}
