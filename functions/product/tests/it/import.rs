//! Importing products.

use axum::body::{Body, Bytes};
use serde_json::{Value, json};

use crate::fixture::{Reply, Shop, rows};

const CSV: &str = "text/csv";
const NDJSON: &str = "application/x-ndjson";

fn counts(reply: &Reply) -> [i64; 4] {
    assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
    let answer = reply.json();
    ["created", "updated", "unchanged", "failed"].map(|name| answer[name].as_i64().unwrap())
}

fn failures(reply: &Reply) -> Vec<(i64, String)> {
    let answer = reply.json();
    let errors = answer["errors"].as_array().unwrap().iter();
    errors.map(|error| (error["line"].as_i64().unwrap(), error["code"].as_str().unwrap().to_owned())).collect()
}

#[tokio::test]
async fn csv_adds_changes_and_leaves_by_sku() {
    let shop = Shop::open().await;
    let body = "\u{feff}sku,name,category,price,currency,min_stock,attributes.colour,description\r\n\
        a,\"A, \"\"the\"\" first\",Kitchen,1.5,GBP,3,red,\"two\nlines\"\r\n\
        b b,B,Kitchen,,,,,\r\n";
    assert_eq!(counts(&shop.import(CSV, None, body).await), [2, 0, 0, 0]);
    let a = shop.get("/v1/products/a").await.json();
    assert_eq!((&a["name"], &a["price"], &a["min_stock"]), (&json!("A, \"the\" first"), &json!("1.50"), &json!(3)));
    assert_eq!((&a["attributes"], &a["description"], &a["currency"]), (&json!({"colour": "red"}), &json!("two\nlines"), &json!("GBP")));
    let b = shop.get("/v1/products/b%20b").await.json();
    assert_eq!((&b["price"], &b["currency"], &b["min_stock"]), (&json!(null), &json!("EUR"), &json!(0)));

    assert_eq!(counts(&shop.import(CSV, None, body).await), [0, 0, 2, 0]);
    let changed = "sku,name,category\na,A,Kitchen\nb b,B,Kitchen\nc,C,Kitchen";
    assert_eq!(counts(&shop.import(CSV, None, changed).await), [1, 1, 1, 0]);
    let a = shop.get("/v1/products/a").await.json();
    assert_eq!((&a["name"], &a["price"], &a["version"]), (&json!("A"), &json!("1.50"), &json!(2)), "what is absent stays");
    shop.balances().await;
}

#[tokio::test]
async fn ndjson_adds_and_changes_and_null_removes() {
    let shop = Shop::open().await;
    let body = concat!(
        r#"{"sku": "a", "name": "A", "category": "K", "price": "2", "attributes": {"x": "1", "y": "2"}}"#,
        "\n",
        r#"{"sku": "b", "name": "B", "category": "K", "price": null, "attributes": {"x": null}}"#,
        "\r\n",
        "\n",
        r#"{"sku": "a", "name": "A", "category": "K", "price": null, "attributes": {"x": null}}"#,
    );
    assert_eq!(counts(&shop.import(NDJSON, None, body).await), [2, 1, 0, 0]);
    let a = shop.get("/v1/products/a").await.json();
    assert_eq!((&a["price"], &a["attributes"], &a["version"]), (&json!(null), &json!({"y": "2"}), &json!(2)));
    assert_eq!(shop.get("/v1/products/b").await.json()["attributes"], json!({}));
    shop.balances().await;
}

#[tokio::test]
async fn a_bad_row_fails_alone_with_its_line_and_its_code() {
    let shop = Shop::open().await;
    shop.add("gone").await;
    shop.step("DELETE", "/v1/products/gone").await;
    let body = "sku,name,category,min_stock,price\n\
        a,A,K,1,2.5\n\
        ,B,K,,\n\
        c,C,K,one,\n\
        d,D,K,-1,\n\
        e,E\n\
        f,\"F,K,,\n\
        gone,Gone,K,,\n\
        h,H,K,,1.23456\n\
        i,I,K,,\n";
    let reply = shop.import(CSV, None, body).await;
    assert_eq!(counts(&reply), [2, 0, 0, 7]);
    let failures = failures(&reply);
    let expected = ["missing", "invalid_type", "out_of_range", "malformed_csv", "malformed_csv", "product_archived", "invalid_money"];
    let told: Vec<(i64, &str)> = failures.iter().map(|(line, code)| (*line, code.as_str())).collect();
    assert_eq!(told, (3..).zip(expected).collect::<Vec<_>>());
    assert!(reply.json()["errors"].as_array().unwrap().iter().all(|error| !error["detail"].as_str().unwrap().is_empty()));

    let body = format!(
        "{}\n{{\"sku\": \n[1]\n{}\n{}\n{}\n{}",
        r#"{"sku": "x", "name": "X", "category": "K"}"#,
        r#"{"sku": "y", "name": "Y", "category": "K", "colour": "red"}"#,
        r#"{"sku": "z", "name": "Z", "category": "K", "price": 2}"#,
        r#"{"sku": "w", "name": null, "category": "K"}"#,
        r#"{"sku": "v", "name": "V", "category": "K"}"#,
    );
    let reply = shop.import(NDJSON, None, body).await;
    assert_eq!(counts(&reply), [2, 0, 0, 5]);
    let lines: Vec<i64> = self::failures(&reply).iter().map(|(line, _)| *line).collect();
    assert_eq!(lines, [2, 3, 4, 5, 6]);
    shop.balances().await;
}

#[tokio::test]
async fn a_header_that_breaks_the_contract_refuses_the_whole() {
    let shop = Shop::open().await;
    assert_eq!(shop.import(CSV, None, "sku,name\na,A\n").await.fields(), ["category"]);
    assert_eq!(shop.import(CSV, None, "sku,name,category,colour\na,A,K,red\n").await.fields(), ["colour"]);
    assert_eq!(shop.import(CSV, None, "").await.refused(422).0, "invalid_request");
    assert_eq!(counts(&shop.import(CSV, None, "sku,name,category\n").await), [0, 0, 0, 0]);
    assert_eq!(counts(&shop.import(NDJSON, None, "").await), [0, 0, 0, 0]);
    assert_eq!(shop.import("application/json", None, "{}").await.refused(415).0, "unsupported_media_type");
}

#[tokio::test]
async fn a_sku_that_is_there_twice_is_judged_in_order() {
    let shop = Shop::open().await;
    let body = "sku,name,category\na,A,K\na,B,K\na,B,K\nb,B,K\na,C,K\n";
    assert_eq!(counts(&shop.import(CSV, None, body).await), [2, 2, 1, 0]);
    let a = shop.get("/v1/products/a").await.json();
    assert_eq!((&a["name"], &a["version"]), (&json!("C"), &json!(3)));
    let names: Vec<Value> = shop.journal(&a).await.iter().map(|event| event["data"]["name"].clone()).collect();
    assert_eq!(names, ["A", "B", "C"]);
    shop.balances().await;
}

#[tokio::test]
async fn an_import_sent_again_counts_as_before_and_changes_nothing() {
    let shop = Shop::open().await;
    shop.add("old").await;
    shop.add("gone").await;
    shop.step("DELETE", "/v1/products/gone").await;
    let body = "sku,name,category,min_stock\nnew,N,K,\nold,Changed,K,\nold,Changed,K,\ngone,G,K,\nbad,B,K,x\n";
    let first = shop.import(CSV, Some("k"), body).await;
    assert_eq!(counts(&first), [1, 1, 1, 2]);
    shop.patch("old", &json!({"name": "Since"})).await;
    shop.step("POST", "/v1/products/gone/restore").await;
    let again = shop.import(CSV, Some("k"), body).await;
    assert_eq!(again.body, first.body);
    assert_eq!(shop.get("/v1/products/old").await.json()["name"], "Since");
    shop.balances().await;
}

#[tokio::test]
async fn a_broken_or_grown_import_can_be_sent_again_and_a_changed_row_is_told() {
    let shop = Shop::open().await;
    let first = "sku,name,category,min_stock\na,A,K,\nb,B,K,x\n";
    assert_eq!(counts(&shop.import(CSV, Some("k"), first).await), [1, 0, 0, 1]);
    let grown = "sku,name,category,min_stock\na,A,K,\nb,B,K,1\nc,C,K,\n";
    assert_eq!(counts(&shop.import(CSV, Some("k"), grown).await), [3, 0, 0, 0]);
    let changed = shop.import(CSV, Some("k"), "sku,name,category,min_stock\na,Other,K,\nb,B,K,1\n").await;
    assert_eq!((counts(&changed), failures(&changed)), ([1, 0, 0, 1], vec![(2, "idempotency_key_mismatch".to_owned())]));
    assert_eq!(shop.get("/v1/products/a").await.json()["name"], "A");
    shop.balances().await;
}

#[tokio::test]
async fn imports_and_single_writes_of_the_same_new_products_do_not_fail_one_another() {
    let shop = Shop::open().await;
    let file = |seed: usize| {
        let rows = rows(400, |n| format!("p{:03},from {seed},K\n", (n * 7 + seed * 13) % 400));
        format!("sku,name,category\n{rows}")
    };
    let imports = futures::future::join_all((0..4).map(|seed| shop.import(CSV, None, file(seed))));
    let bodies: Vec<_> = (0..20).map(|n| json!({"sku": format!("p{:03}", n * 20), "name": "single", "category": "K"})).collect();
    let singles = futures::future::join_all(bodies.iter().map(|body| shop.post(body)));
    let (imports, singles) = futures::join!(imports, singles);
    let created: i64 = imports.iter().map(|reply| counts(reply)[0]).sum();
    let added = singles.iter().filter(|reply| reply.status == 201).count();
    assert!(singles.iter().all(|reply| reply.status == 201 || reply.status == 409));
    assert_eq!(created + i64::try_from(added).unwrap(), 400);
    assert!(imports.iter().all(|reply| counts(reply)[3] == 0));
    shop.balances().await;
}

#[tokio::test]
async fn the_same_keyed_import_twice_at_once_is_one() {
    let shop = Shop::open().await;
    let rows = rows(600, |n| format!("p{n:03},P,K\n"));
    let file = format!("sku,name,category\n{rows}");
    let (one, two) = futures::join!(shop.import(CSV, Some("k"), file.clone()), shop.import(CSV, Some("k"), file.clone()));
    assert_eq!((counts(&one), counts(&two)), ([600, 0, 0, 0], [600, 0, 0, 0]));
    shop.balances().await;
}

#[tokio::test]
async fn three_thousand_products_come_in_one_import_and_a_second_time_change_nothing() {
    let shop = Shop::open().await;
    let rows = rows(3000, |n| format!("p{n:04},Product {n},Category {},{n}.99,{}\n", n % 20, n % 50));
    let file = format!("sku,name,category,price,min_stock\n{rows}");
    assert_eq!(counts(&shop.import(CSV, Some("k"), file.clone()).await), [3000, 0, 0, 0]);
    assert_eq!(counts(&shop.import(CSV, None, file).await), [0, 0, 3000, 0]);
    shop.balances().await;
}

#[tokio::test]
async fn a_body_that_breaks_off_keeps_the_groups_before() {
    let shop = Shop::open().await;
    let rows = rows(700, |n| format!("p{n:03},P,K\n"));
    let chunks = [Ok(Bytes::from(format!("sku,name,category\n{rows}p7"))), Err(std::io::Error::other("cut off"))];
    let reply = shop.import(CSV, Some("k"), Body::from_stream(futures::stream::iter(chunks))).await;
    assert_eq!(reply.refused(400).0, "incomplete_body");
    let whole = format!("sku,name,category\n{rows}p700,P,K\n");
    assert_eq!(counts(&shop.import(CSV, Some("k"), whole).await), [701, 0, 0, 0]);
    shop.balances().await;
}
