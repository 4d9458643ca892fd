//! Imports: each row by itself, with its line, and again without a second effect.

use serde_json::json;
use testkit::Answer;

use crate::fixture::{Stock, stock};

async fn import(stock: &Stock, kind: &str, key: Option<&str>, body: impl Into<Vec<u8>>) -> Answer {
    let mut headers = vec![("content-type", kind)];
    headers.extend(key.map(|key| ("idempotency-key", key)));
    stock.http.send("POST", "/v1/stock-changes/import", &headers, body.into()).await
}

#[tokio::test]
async fn good_rows_count_and_bad_ones_are_named_by_their_line() {
    let stock = stock().await;
    stock.with("A", 10).await;
    let csv = "\u{feff}sku,type,quantity,reference\r\nA,SALE,4,\"first, \"\"quoted\"\"\nand broken\"\r\nA,SALE,many,x\r\nA,SALE,7,too many\r\n\
         nobody,SALE,1,\r\nA,SALE,6,last\r\n";
    let report = import(&stock, "text/csv", None, csv).await.expect(200).json();
    assert_eq!((&report["accepted"], &report["failed"]), (&json!(2), &json!(3)));
    let told: Vec<_> = report["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| (error["line"].as_u64().unwrap(), error["code"].as_str().unwrap()))
        .collect();
    assert_eq!(told, [(4, "invalid_type"), (5, "insufficient_stock"), (6, "product_not_found")]);
    let listed = stock.http.get("/v1/stock-changes?type=SALE").await.expect(200).json();
    assert_eq!(listed["items"][1]["reference"], "first, \"quoted\"\nand broken");
    assert_eq!(stock.level("A").await["on_hand"], json!(0));
}

#[tokio::test]
async fn an_import_sent_again_or_grown_records_only_what_is_new() {
    let stock = stock().await;
    stock.with("A", 5).await;
    let rows = |quantities: &[i64]| -> String {
        let line = |quantity: &i64| json!({"sku": "A", "type": "SALE", "quantity": quantity}).to_string();
        quantities.iter().map(line).collect::<Vec<_>>().join("\n")
    };
    let first = import(&stock, "application/x-ndjson", Some("f"), rows(&[3, 4])).await.expect(200).json();
    assert_eq!((&first["accepted"], &first["failed"]), (&json!(1), &json!(1)));
    stock.change("A", "RESTOCK", 10).await.expect(201);
    let again = import(&stock, "application/x-ndjson", Some("f"), rows(&[3, 4, 1])).await.expect(200).json();
    assert_eq!((&again["accepted"], &again["failed"]), (&json!(2), &json!(1)), "a refused row is refused again");
    assert_eq!(again["errors"][0]["code"], "insufficient_stock");
    let changed = import(&stock, "application/x-ndjson", Some("f"), rows(&[2])).await.expect(200).json();
    assert_eq!(changed["errors"][0]["code"], "idempotency_key_mismatch");
    assert_eq!(stock.level("A").await["on_hand"], json!(11));
    stock.balances().await;
}

#[tokio::test]
async fn an_import_of_many_groups_keeps_each_products_order() {
    let stock = stock().await;
    stock.with("A", 0).await;
    stock.with("B", 0).await;
    let mut csv = String::from("sku,type,quantity\n");
    for round in 0..2500 {
        csv.push_str(if round % 2 == 0 { "A,RESTOCK,1\nB,RESTOCK,2\n" } else { "A,SALE,1\nB,SALE,2\n" });
    }
    let report = import(&stock, "text/csv", Some("many"), csv.clone()).await.expect(200).json();
    assert_eq!((&report["accepted"], &report["failed"]), (&json!(5000), &json!(0)), "{report}");
    let report = import(&stock, "text/csv", Some("many"), csv).await.expect(200).json();
    assert_eq!(report["accepted"], json!(5000));
    let level = stock.level("A").await;
    assert_eq!((&level["on_hand"], &level["version"]), (&json!(0), &json!(2500)));
    stock.balances().await;
}

#[tokio::test]
async fn a_file_that_is_none_is_refused_whole() {
    let stock = stock().await;
    assert_eq!(import(&stock, "text/csv", None, "").await.expect(422).json()["code"], "invalid_request");
    let missing = import(&stock, "text/csv", None, "sku,type\nA,SALE\n").await.expect(422).json();
    assert_eq!(missing["errors"][0]["field"], "quantity");
    let unknown = import(&stock, "text/csv", None, "sku,type,quantity,colour\nA,SALE,1,red\n").await.expect(422).json();
    assert_eq!(unknown["errors"][0]["field"], "colour");
    import(&stock, "application/json", None, "{}").await.expect(415);
    let empty = import(&stock, "application/x-ndjson", None, "").await.expect(200).json();
    assert_eq!((&empty["accepted"], &empty["failed"]), (&json!(0), &json!(0)));
}
