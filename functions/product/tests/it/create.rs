//! Adding products.

use serde_json::json;

use crate::fixture::Shop;

#[tokio::test]
async fn a_new_product_comes_back_whole_with_its_place_and_its_etag() {
    let shop = Shop::open().await;
    let sent = json!({"sku": "MUG-1", "name": "Mug", "category": "Kitchen", "description": "holds tea", "price": "4.5", "currency": "GBP",
        "min_stock": 3, "attributes": {"colour": "red"}});
    let reply = shop.post(&sent).await;
    assert_eq!(reply.status, 201);
    let product = reply.json();
    let id = product["id"].as_str().unwrap();
    assert_eq!(id.as_bytes()[14], b'7', "{id} is a UUIDv7");
    assert_eq!(reply.header("location"), format!("/v1/products/{id}"));
    assert_eq!(reply.header("etag"), "\"1-0\"");
    assert_eq!(reply.header("content-type"), "application/json");
    assert!(!reply.header("x-request-id").is_empty());
    let stock = json!({"on_hand": 0, "reserved": 0, "available": 0, "status": "out", "as_of": null});
    assert_eq!(
        product,
        json!({"id": id, "sku": "MUG-1", "name": "Mug", "category": "Kitchen", "description": "holds tea", "price": "4.50",
            "currency": "GBP", "min_stock": 3, "attributes": {"colour": "red"}, "status": "active", "version": 1,
            "created_at": product["created_at"], "updated_at": product["created_at"], "stock": stock})
    );
    assert_eq!(shop.get(reply.header("location")).await.json(), product);
}

#[tokio::test]
async fn what_is_not_said_has_its_default() {
    let shop = Shop::open().await;
    let product = shop.add("plain").await;
    assert_eq!(product["currency"], "EUR");
    assert_eq!(product["min_stock"], 0);
    assert_eq!(product["attributes"], json!({}));
    assert_eq!((&product["price"], &product["description"]), (&json!(null), &json!(null)));
}

#[tokio::test]
async fn a_sku_is_taken_once_also_by_an_archived_product_and_case_counts() {
    let shop = Shop::open().await;
    shop.add("mug").await;
    shop.add("MUG").await;
    let again = json!({"sku": "mug", "name": "Other", "category": "Other"});
    assert_eq!(shop.post(&again).await.refused(409).0, "sku_taken");
    assert_eq!(shop.step("DELETE", "/v1/products/mug").await.status, 204);
    assert_eq!(shop.post(&again).await.refused(409).0, "sku_taken");
    shop.balances().await;
}

#[tokio::test]
async fn of_two_who_want_a_sku_at_once_one_gets_it() {
    let shop = Shop::open().await;
    let body = json!({"sku": "one", "name": "One", "category": "Kitchen"});
    let mut codes: Vec<u16> =
        futures::future::join_all((0..8).map(|_| shop.post(&body))).await.iter().map(|reply| reply.status.as_u16()).collect();
    codes.sort_unstable();
    assert_eq!(codes, [201, 409, 409, 409, 409, 409, 409, 409]);
    shop.balances().await;
}

#[tokio::test]
async fn limits_of_the_contract_are_kept_to_the_character() {
    let shop = Shop::open().await;
    let product = |name: &str, value: serde_json::Value| {
        let mut product = json!({"sku": "x", "name": "x", "category": "x"});
        product[name] = value;
        product
    };
    for (field, good, bad) in [("sku", 64, 65), ("name", 200, 201), ("category", 100, 101), ("description", 4000, 4001)] {
        let mut fits = product(field, json!("é".repeat(good)));
        if field != "sku" {
            fits["sku"] = json!(format!("long {field}"));
        }
        assert_eq!(shop.post(&fits).await.status, 201, "{field}");
        assert_eq!(shop.post(&product(field, json!("é".repeat(bad)))).await.fields(), [field]);
    }
    for (field, value) in [
        ("min_stock", json!(-1)),
        ("min_stock", json!(1_000_000_001)),
        ("min_stock", json!(1.5)),
        ("min_stock", json!("3")),
        ("min_stock", json!(null)),
        ("price", json!(2.55)),
        ("price", json!("-1")),
        ("price", json!("1.23456")),
        ("price", json!("1000000000000")),
        ("currency", json!("usd")),
        ("currency", json!(null)),
        ("name", json!("")),
        ("name", json!(null)),
        ("name", json!("a\u{0}b")),
        ("sku", json!("018f3c2e-7b8a-7000-8000-000000000000")),
        ("sku", json!("import")),
        ("sku", json!(" a")),
        ("attributes", json!([])),
        ("description", json!("a\u{0}b")),
    ] {
        assert_eq!(shop.post(&product(field, value.clone())).await.fields(), [field], "{value}");
    }
}

#[tokio::test]
async fn attributes_are_bounded_in_number_and_length() {
    let shop = Shop::open().await;
    let product = |sku: &str, attributes: &serde_json::Value| json!({"sku": sku, "name": "x", "category": "x", "attributes": attributes});
    let many = |count: usize| (0..count).map(|n| (format!("n{n}"), json!("v"))).collect::<serde_json::Map<_, _>>();
    assert_eq!(shop.post(&product("a", &json!(many(50)))).await.status, 201);
    assert_eq!(shop.post(&product("b", &json!(many(51)))).await.fields(), ["attributes"]);
    assert_eq!(shop.post(&product("c", &json!({"n".repeat(64): "v".repeat(500)}))).await.status, 201);
    assert_eq!(shop.post(&product("d", &json!({"n".repeat(65): "v"}))).await.fields(), ["attributes"]);
    assert_eq!(shop.post(&product("e", &json!({"size": "v".repeat(501)}))).await.fields(), ["attributes.size"]);
    assert_eq!(shop.post(&product("f", &json!({"size": 3}))).await.fields(), ["attributes.size"]);
    assert_eq!(shop.post(&product("g", &json!({"size": null}))).await.fields(), ["attributes.size"]);
    assert_eq!(shop.post(&product("h", &json!({"": "v"}))).await.fields(), ["attributes"]);
}
