//! Batches: judged in order, all or none or each by itself.

use serde_json::{Value, json};

use crate::fixture::{Stock, stock};

fn line(sku: &str, kind: &str, quantity: i64) -> Value {
    json!({"sku": sku, "type": kind, "quantity": quantity})
}

async fn batch(stock: &Stock, mode: &str, changes: &[Value]) -> testkit::Answer {
    stock.http.post("/v1/stock-changes/batch", &json!({"mode": mode, "changes": changes})).await
}

#[tokio::test]
async fn the_same_product_twice_counts_as_the_sum() {
    let stock = stock().await;
    stock.with("A", 10).await;
    let twice = [line("A", "SALE", 6), line("A", "SALE", 6)];
    let refused = batch(&stock, "atomic", &twice).await.expect(409).json();
    assert_eq!(refused["code"], "batch_rejected");
    assert_eq!(refused["results"][1]["error"]["available"], json!(4), "it sees what the line before left");
    assert_eq!(refused["results"][0]["error"]["code"], "batch_rejected");
    assert_eq!(stock.level("A").await["version"], json!(1), "nothing was recorded");
    let judged = batch(&stock, "independent", &twice).await.expect(200).json();
    assert_eq!((&judged["accepted"], &judged["rejected"]), (&json!(1), &json!(1)));
    assert_eq!(
        (&judged["results"][0]["change"]["on_hand"], &judged["results"][1]["error"]["code"]),
        (&json!(4), &json!("insufficient_stock"))
    );
    stock.balances().await;
}

#[tokio::test]
async fn a_line_may_live_of_what_the_line_before_brought() {
    let stock = stock().await;
    stock.with("A", 0).await;
    stock.with("B", 0).await;
    let lines = [line("A", "RESTOCK", 5), line("B", "RESTOCK", 1), line("A", "SALE", 5), line("B", "SALE", 1)];
    let judged = batch(&stock, "atomic", &lines).await.expect(200).json();
    assert_eq!((&judged["accepted"], &judged["results"][2]["change"]["version"]), (&json!(4), &json!(2)));
    stock.balances().await;
}

#[tokio::test]
async fn an_invalid_line_is_refused_by_itself_or_takes_all_with_it_as_422() {
    let stock = stock().await;
    stock.with("A", 5).await;
    let lines = [
        line("A", "SALE", 1),
        line("A", "SALE", 0),
        line("nobody", "SALE", 1),
        json!({"sku": "A", "type": "SALE", "quantity": 1, "qty": 1}),
    ];
    let refused = batch(&stock, "atomic", &lines).await.expect(422).json();
    let fields: Vec<_> = refused["errors"].as_array().unwrap().iter().map(|error| error["field"].as_str().unwrap()).collect();
    assert_eq!(fields, ["changes[1].quantity", "changes[3].qty"]);
    let judged = batch(&stock, "independent", &lines).await.expect(200).json();
    assert_eq!((&judged["accepted"], &judged["rejected"]), (&json!(1), &json!(3)));
    assert_eq!(judged["results"][1]["error"]["errors"][0]["field"], "changes[1].quantity");
    assert_eq!(judged["results"][2]["error"]["code"], "product_not_found");
    assert_eq!(stock.level("A").await["on_hand"], json!(4));
}

#[tokio::test]
async fn a_batch_has_one_to_a_thousand_lines() {
    let stock = stock().await;
    stock.with("A", 5).await;
    for lines in [vec![], vec![line("A", "SALE", 1); 1001]] {
        let refused = batch(&stock, "atomic", &lines).await.expect(422).json();
        assert_eq!(refused["errors"][0]["field"], "changes");
    }
    let judged = batch(&stock, "atomic", &vec![line("A", "RESTOCK", 1); 1000]).await.expect(200).json();
    assert_eq!(judged["results"][999]["change"]["on_hand"], json!(1005));
    stock.balances().await;
}

#[tokio::test]
async fn a_mode_that_is_none_is_named() {
    let stock = stock().await;
    for (mode, code) in
        [(json!("some"), "invalid"), (json!(1), "invalid_type"), (json!(null), "invalid_type"), (json!({"atomic": null}), "invalid_type")]
    {
        let refused = stock.http.post("/v1/stock-changes/batch", &json!({"mode": mode, "changes": [line("A", "SALE", 1)]})).await;
        let refused = refused.expect(422).json();
        assert_eq!((&refused["errors"][0]["field"], &refused["errors"][0]["code"]), (&json!("mode"), &json!(code)), "{mode}");
    }
}

#[tokio::test]
async fn two_product_orders_in_opposite_order_do_not_deadlock() {
    let stock = stock().await;
    let other = stock.another().await;
    stock.with("A", 1000).await;
    stock.with("B", 1000).await;
    let orders = (0..60).map(|order| {
        let http = if order % 2 == 0 { stock.http.clone() } else { other.http.clone() };
        let mut lines = vec![line("A", "SALE", 1), line("B", "SALE", 1)];
        if order % 2 == 1 {
            lines.reverse();
        }
        tokio::spawn(async move { http.post("/v1/stock-changes/batch", &json!({"changes": lines})).await.status })
    });
    for order in orders.collect::<Vec<_>>() {
        assert_eq!(order.await.unwrap(), 200);
    }
    assert_eq!((&stock.level("A").await["on_hand"], &stock.level("B").await["on_hand"]), (&json!(940), &json!(940)));
    stock.balances().await;
}
