//! What is no request gets an answer that names the field and the fix, and leaves nothing behind.

use serde_json::{Value, json};

use crate::fixture::stock;

#[tokio::test]
async fn every_field_that_is_wrong_is_named() {
    let stock = stock().await;
    stock.with("A", 5).await;
    let good = json!({"sku": "A", "type": "SALE", "quantity": 1});
    let with = |name: &str, value: Value| {
        let mut body = good.clone();
        body[name] = value;
        body
    };
    let without = |name: &str| {
        let mut body = good.clone();
        body.as_object_mut().unwrap().remove(name);
        body
    };
    let cases = [
        (with("quantity", json!(0)), "quantity", "out_of_range"),
        (with("quantity", json!(-1)), "quantity", "out_of_range"),
        (with("quantity", json!(1_000_000_001)), "quantity", "out_of_range"),
        (with("quantity", json!(18_446_744_073_709_551_615_u64)), "quantity", "out_of_range"),
        (with("quantity", json!(1.5)), "quantity", "invalid_type"),
        (with("quantity", json!("1")), "quantity", "invalid_type"),
        (with("quantity", Value::Null), "quantity", "invalid_type"),
        (without("quantity"), "quantity", "missing"),
        (without("type"), "type", "missing"),
        (with("qty", json!(1)), "qty", "unknown_field"),
        (with("type", json!("STEAL")), "type", "invalid"),
        (with("type", json!("TRANSFER_IN")), "type", "invalid"),
        (with("type", json!(1)), "type", "invalid_type"),
        (with("type", Value::Null), "type", "invalid_type"),
        (with("type", json!({"SALE": null})), "type", "invalid_type"),
        (with("unit_price", json!(2.5)), "unit_price", "invalid_type"),
        (with("unit_price", json!("2.55555")), "unit_price", "invalid_money"),
        (with("occurred_at", json!("yesterday")), "occurred_at", "invalid_time"),
        (with("occurred_at", json!("2999-01-01T00:00:00Z")), "occurred_at", "in_the_future"),
        (with("location", json!("")), "location", "too_short"),
        (with("location", json!("x".repeat(65))), "location", "too_long"),
        (with("reference", json!("x".repeat(129))), "reference", "too_long"),
        (with("reason", json!("nul \u{0}")), "reason", "invalid_character"),
        (with("sku", json!("x".repeat(65))), "sku", "too_long"),
        (with("sku", json!(" A")), "sku", "outer_space"),
        (with("product_id", json!("0198c9f2-7a4e-7c33-9a51-3d2f6f6b9f10")), "product_id", "ambiguous"),
        (without("sku"), "product_id", "missing"),
    ];
    for (body, field, code) in cases {
        let refused = stock.post(&body).await;
        assert_eq!(refused.status, 422, "{body}: {}", refused.text());
        let refused = refused.json();
        assert_eq!((&refused["errors"][0]["field"], &refused["errors"][0]["code"]), (&json!(field), &json!(code)), "{body}: {refused}");
    }
    assert_eq!(stock.level("A").await["version"], json!(1), "nothing was recorded");
}

#[tokio::test]
async fn what_is_no_json_is_400_and_what_is_no_type_415() {
    let stock = stock().await;
    for body in ["", "{", "nonsense", "{\"sku\": \"A\",}", "\u{1}"] {
        let refused = stock.http.send("POST", "/v1/stock-changes", &[("content-type", "application/json")], body.as_bytes().to_vec()).await;
        assert_eq!((refused.status, &refused.json()["code"]), (400, &json!("malformed_json")), "{body:?}");
    }
    stock.http.send("POST", "/v1/stock-changes", &[("content-type", "text/plain")], "{}").await.expect(415);
    stock.http.send("POST", "/v1/stock-changes", &[("content-type", "application/json")], vec![b' '; (1 << 20) + 1]).await.expect(413);
}

#[tokio::test]
async fn queries_are_as_strict_as_bodies() {
    let stock = stock().await;
    for (path, field) in [
        ("/v1/stock-changes?colour=red", "colour"),
        ("/v1/stock-changes?limit=0", "limit"),
        ("/v1/stock-changes?limit=501", "limit"),
        ("/v1/stock-changes?cursor=garbage", "cursor"),
        ("/v1/stock-changes?type=STEAL", "type"),
        ("/v1/stock-changes?from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z", "to"),
        ("/v1/stock?status=much", "status"),
        ("/v1/journal?after=x", "after"),
        ("/v1/books?bucket=256", "bucket"),
        ("/v1/books?account=secret", "account"),
        ("/v1/dead-letters?colour=red", "colour"),
        ("/v1/dead-letters/none?colour=red", "colour"),
    ] {
        let refused = stock.http.get(path).await;
        assert_eq!(refused.status, 422, "{path}: {}", refused.text());
        assert_eq!(refused.json()["errors"][0]["field"], json!(field), "{path}");
    }
    for (path, key, status) in [("?colour=red", "k", 422), ("", &*"k".repeat(256), 422), ("", "k", 404)] {
        let path = format!("/v1/dead-letters/none/retry{path}");
        stock.http.send("POST", &path, &[("idempotency-key", key)], Vec::new()).await.expect(status);
    }
}

#[tokio::test]
async fn a_name_that_no_stream_has_is_an_empty_journal() {
    let stock = stock().await;
    let product = stock.with("A", 5).await;
    let id = product.id.to_string();
    for stream in
        ["nope", "a%00b", "", &format!("{id}@%00"), &id, &format!("{}@default", "f".repeat(36)), &format!("0-0-0-0{}@d", "-".repeat(29))]
    {
        let journal = stock.http.get(&format!("/v1/journal?stream={stream}")).await.expect(200).json();
        assert_eq!(journal, json!({"items": [], "next_cursor": null}), "{stream}");
    }
}

#[tokio::test]
async fn skus_with_spaces_unicode_and_slashes_can_be_named_in_paths() {
    let stock = stock().await;
    for (sku, path) in [("a b", "a%20b"), ("käse/ß", "k%C3%A4se%2F%C3%9F"), ("50%", "50%25"), (&*"é".repeat(64), &*"%C3%A9".repeat(64))]
    {
        stock.with(sku, 4).await;
        let level = stock.http.get(&format!("/v1/stock/{path}")).await.expect(200).json();
        assert_eq!((&level["sku"], &level["on_hand"]), (&json!(sku), &json!(4)));
    }
}
