//! Idempotency keys: one effect, and the same words again.

use serde_json::json;

use crate::fixture::stock;

#[tokio::test]
async fn a_repeated_request_gets_the_same_bytes_and_has_no_second_effect() {
    let stock = stock().await;
    stock.with("A", 3).await;
    let sale = json!({"sku": "A", "type": "SALE", "quantity": 2});
    let first = stock.http.post_keyed("/v1/stock-changes", "k1", &sale).await.expect(201);
    let again = stock.http.post_keyed("/v1/stock-changes", "k1", &sale).await.expect(201);
    assert_eq!((first.header("idempotent-replayed"), again.header("idempotent-replayed")), ("", "true"));
    assert_eq!(first.body, again.body);
    let refused = stock.http.post_keyed("/v1/stock-changes", "k2", &sale).await.expect(409);
    stock.change("A", "RESTOCK", 10).await.expect(201);
    let refused_again = stock.http.post_keyed("/v1/stock-changes", "k2", &sale).await.expect(409);
    assert_eq!(refused.body, refused_again.body, "a refusal is final for its key");
    assert_eq!(refused_again.header("content-type"), "application/problem+json");
    assert_eq!(stock.level("A").await["version"], json!(3));
}

#[tokio::test]
async fn a_key_with_another_body_or_path_is_a_mismatch() {
    let stock = stock().await;
    stock.with("A", 9).await;
    stock.http.post_keyed("/v1/stock-changes", "k", &json!({"sku": "A", "type": "SALE", "quantity": 1})).await.expect(201);
    let other = stock.http.post_keyed("/v1/stock-changes", "k", &json!({"sku": "A", "type": "SALE", "quantity": 2})).await;
    let problem = other.expect(422).json();
    assert_eq!((&problem["code"], &problem["errors"][0]["field"]), (&json!("idempotency_key_mismatch"), &json!("Idempotency-Key")));
    let batch = json!({"changes": [{"sku": "A", "type": "SALE", "quantity": 1}]});
    let other = stock.http.post_keyed("/v1/stock-changes/batch", "k", &batch).await;
    assert_eq!(other.expect(422).json()["code"], "idempotency_key_mismatch");
    assert_eq!(stock.level("A").await["on_hand"], json!(8));
}

#[tokio::test]
async fn a_hundred_at_once_with_one_key_over_two_instances_have_one_effect() {
    let stock = stock().await;
    let other = stock.another().await;
    stock.with("A", 100).await;
    let sale = json!({"changes": [{"sku": "A", "type": "SALE", "quantity": 1}]});
    let sent = (0..100).map(|n| {
        let (http, sale) = (if n % 2 == 0 { stock.http.clone() } else { other.http.clone() }, sale.clone());
        tokio::spawn(async move { http.post_keyed("/v1/stock-changes/batch", "one", &sale).await.expect(200) })
    });
    let mut answers = Vec::new();
    for sent in sent.collect::<Vec<_>>() {
        answers.push(sent.await.unwrap());
    }
    assert!(answers.iter().all(|answer| answer.body == answers[0].body));
    assert_eq!(answers.iter().filter(|answer| answer.header("idempotent-replayed") == "true").count(), 99);
    assert_eq!(stock.level("A").await["on_hand"], json!(99));
    stock.balances().await;
}

#[tokio::test]
async fn nothing_is_stored_for_what_was_not_judged() {
    let stock = stock().await;
    let sale = json!({"sku": "A", "type": "RESTOCK", "quantity": 1});
    stock.http.post_keyed("/v1/stock-changes", "early", &sale).await.expect(404);
    stock.with("A", 0).await;
    stock.http.post_keyed("/v1/stock-changes", "early", &sale).await.expect(201);
    for bad in ["", &"k".repeat(256)] {
        let refused = stock.http.post_keyed("/v1/stock-changes", bad, &sale).await.expect(422).json();
        assert_eq!(refused["errors"][0]["field"], "Idempotency-Key");
    }
}

#[tokio::test]
async fn a_change_and_its_key_are_one_transaction_on_a_fresh_connection_too() {
    let stock = stock().await;
    stock.only_at_product("A");
    let restock = json!({"sku": "A", "type": "RESTOCK", "quantity": 1});
    // Each instance has connections of its own, whose first write prepares its statements.
    for n in 0..4 {
        let fresh = stock.another().await;
        fresh.http.post_keyed("/v1/stock-changes", &format!("key {n}"), &restock).await.expect(201);
    }
    let apart = "SELECT count(*) FROM idempotency_key k WHERE NOT EXISTS (SELECT FROM ledger l WHERE l.xid::text = k.xmin::text)";
    let apart: i64 = stock.function.database.get().await.unwrap().query_one(apart, &[]).await.unwrap().get(0);
    assert_eq!(apart, 0, "keys were written by another transaction than their changes");
}
