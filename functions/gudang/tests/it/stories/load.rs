//! `gudang load`: it sells what it says that it sells, of products that it makes itself, and says so in figures.

use serde_json::json;
use testkit::Service;

use crate::world::World;

pub(super) async fn what_load_says_was_sold_was_sold(world: &World) {
    let stock = world.http(Service::Stock);
    let hot = world.run(&["load", "--seconds", "1", "--connections", "8", "--json"]).expect(0).json();
    assert!(hot["changes"].as_u64() > Some(0) && hot["p99_ms"].as_f64() > Some(0.0), "{hot}");
    assert_eq!((&hot["errors"], &hot["refused"], &hot["turned_away"]), (&json!(0), &json!(0), &json!(0)));
    let level = stock.get("/v1/stock/load-hot").await.expect(200).json();
    // One version more than was sold: the restock.
    assert_eq!(level["version"].as_u64(), hot["changes"].as_u64().map(|changes| changes + 1));

    let batches = ["load", "--seconds", "1", "--connections", "2", "--product", "uniform", "--products", "50", "--batch", "20", "--json"];
    let uniform = world.run(&batches).expect(0).json();
    assert_eq!(uniform["changes"].as_u64(), uniform["requests"].as_u64().map(|requests| requests * 20));
    let levels = stock.get("/v1/stock?limit=500").await.expect(200).json();
    let items = levels["items"].as_array().unwrap().iter();
    let loads = items.filter(|level| level["sku"].as_str().unwrap().starts_with("load-"));
    let versions: u64 = loads.filter_map(|level| level["version"].as_u64()).sum();
    let sold = hot["changes"].as_u64().unwrap() + uniform["changes"].as_u64().unwrap();
    assert_eq!(versions, sold + 51, "and 51 restocks");

    // At a rate of its own it asks as often as it was told to, and shows a table.
    let open = world.run(&["load", "--seconds", "1", "--connections", "4", "--rate", "50"]).expect(0);
    assert!(open.out.contains("changes a second") && open.out.contains("| never sent"), "{open:?}");
    // A machine that has other things to do sends less, and says so.
    let changes = open.out.lines().find_map(|line| line.strip_prefix("| changes  ")?.trim_matches(['|', ' ']).parse::<u64>().ok()).unwrap();
    assert!((1..=50).contains(&changes), "{open:?}");
    let after = stock.get("/v1/stock/load-hot").await.expect(200).json();
    assert_eq!(after["version"].as_u64(), level["version"].as_u64().map(|version| version + changes), "{open:?}");
}
