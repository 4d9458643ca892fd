//! Lists and levels.

use serde_json::{Value, json};

use crate::fixture::stock;

fn skus(list: &Value) -> Vec<&str> {
    list["items"].as_array().unwrap().iter().map(|item| item["sku"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn levels_are_listed_by_the_bytes_of_their_sku_and_filtered_by_status_and_location() {
    let stock = stock().await;
    for (sku, units) in [("b", 50), ("B", 5), ("ä", 1), ("a 2", 50)] {
        stock.with(sku, units).await;
    }
    stock.with("empty", 1).await;
    stock.change("empty", "SALE", 1).await.expect(201);
    stock.post(&json!({"sku": "b", "type": "RESTOCK", "quantity": 3, "location": "shop 2"})).await.expect(201);
    let all = stock.http.get("/v1/stock").await.expect(200).json();
    assert_eq!(skus(&all), ["B", "a 2", "b", "empty", "ä"]);
    assert_eq!((&all["items"][2]["on_hand"], &all["items"][2]["version"]), (&json!(53), &json!(2)));
    assert_eq!(all["items"][2]["locations"][1]["location"], "shop 2");
    assert_eq!(skus(&stock.http.get("/v1/stock?status=low").await.expect(200).json()), ["B", "ä"]);
    assert_eq!(skus(&stock.http.get("/v1/stock?status=out").await.expect(200).json()), ["empty"]);
    let there = stock.http.get("/v1/stock?location=shop%202").await.expect(200).json();
    assert_eq!((skus(&there), &there["items"][0]["on_hand"]), (vec!["b"], &json!(3)));

    let mut walked = Vec::new();
    let mut path = "/v1/stock?limit=2".to_owned();
    loop {
        let page = stock.http.get(&path).await.expect(200).json();
        walked.extend(skus(&page).into_iter().map(str::to_owned));
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        path = format!("/v1/stock?limit=2&cursor={cursor}");
    }
    assert_eq!(walked, ["B", "a 2", "b", "empty", "ä"]);
}

#[tokio::test]
async fn movements_are_listed_newest_first_with_every_filter() {
    let stock = stock().await;
    stock.with("A", 10).await;
    stock.with("B", 10).await;
    for (sku, reference, at) in
        [("A", "o-1", "2026-01-01T00:00:00Z"), ("B", "o-1", "2026-01-02T00:00:00Z"), ("A", "o-2", "2026-01-03T00:00:00Z")]
    {
        stock
            .post(&json!({"sku": sku, "type": "SALE", "quantity": 1, "reference": reference, "occurred_at": at, "location": "default"}))
            .await
            .expect(201);
    }
    let count = async |query: &str| {
        stock.http.get(&format!("/v1/stock-changes?{query}")).await.expect(200).json()["items"].as_array().unwrap().len()
    };
    assert_eq!(count("").await, 5);
    assert_eq!(count("product=A").await, 3);
    assert_eq!(count("type=SALE&product=A").await, 2);
    assert_eq!(count("reference=o-1").await, 2);
    assert_eq!(count("type=SALE&from=2026-01-02T00:00:00Z").await, 2, "from is inclusive");
    assert_eq!(count("type=SALE&to=2026-01-02T00:00:00Z").await, 1, "to is exclusive");
    assert_eq!((count("location=elsewhere").await, count("product=nobody").await), (0, 0));
    let first = stock.http.get("/v1/stock-changes?product=A&limit=2").await.expect(200).json();
    assert_eq!((&first["items"][0]["reference"], &first["items"][1]["reference"]), (&json!("o-2"), &json!("o-1")));
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = stock.http.get(&format!("/v1/stock-changes?product=A&limit=2&cursor={cursor}")).await.expect(200).json();
    assert_eq!((second["items"].as_array().unwrap().len(), &second["next_cursor"]), (1, &Value::Null));
}

#[tokio::test]
async fn stock_as_it_was_follows_when_things_happened_not_when_they_were_recorded() {
    let stock = stock().await;
    let at = |day: u32| format!("2026-01-{day:02}T00:00:00Z");
    let movement = |kind: &str, quantity: i64, day: u32| json!({"sku": "A", "type": kind, "quantity": quantity, "occurred_at": at(day)});
    stock.with("A", 0).await;
    stock.post(&movement("RESTOCK", 10, 5)).await.expect(201);
    stock.post(&movement("SALE", 3, 2)).await.expect(201);
    let on_hand = async |day: u32| stock.http.get(&format!("/v1/stock/A?as_of={}", at(day))).await.expect(200).json();
    assert_eq!(
        (&on_hand(1).await["on_hand"], &on_hand(2).await["on_hand"], &on_hand(5).await["on_hand"]),
        (&json!(0), &json!(-3), &json!(7))
    );
    let then = on_hand(5).await;
    assert_eq!((&then["reserved"], &then["available"], &then["version"]), (&Value::Null, &Value::Null, &Value::Null));
}

#[tokio::test]
async fn the_books_name_what_was_tampered_with() {
    let stock = stock().await;
    stock.with("A", 10).await;
    let sold = stock.change("A", "SALE", 4).await.expect(201).json();
    let books = stock.http.get("/v1/books").await.expect(200).json();
    assert_eq!(books["accounts"]["stock"]["totals"], json!(["6", "0"]));
    assert_eq!(books["accounts"]["sales"]["totals"], json!(["4", "0", "1", "10"]));
    assert_eq!(books["accounts"]["alerts"]["totals"], json!(["6", "10", "1", "1", "1"]));
    assert_eq!(books["drifts"], json!([]));
    let client = stock.function.database.get().await.unwrap();
    client.batch_execute("UPDATE level SET on_hand = 7").await.unwrap();
    let drifts = stock.http.get("/v1/books").await.expect(200).json()["drifts"].clone();
    assert!(drifts[0].as_str().unwrap().contains(sold["product_id"].as_str().unwrap()), "{drifts}");
    client
        .batch_execute(
            "UPDATE level SET on_hand = 6; UPDATE ledger SET delta = -5, on_hand = 5 WHERE version = 2; UPDATE level SET on_hand = 5",
        )
        .await
        .unwrap();
    assert_eq!(stock.http.get("/v1/books").await.expect(200).json()["drifts"], json!([]), "a consistent lie is told by comparing services");
    client.batch_execute("DELETE FROM ledger WHERE version = 1").await.unwrap();
    let drifts = stock.http.get("/v1/books").await.expect(200).json()["drifts"].as_array().unwrap().len();
    assert_eq!(drifts, 2, "the sum and the chain");
}

#[tokio::test]
async fn the_stock_at_any_time_is_the_sum_of_what_had_occurred_however_it_was_dated() {
    let stock = stock().await;
    stock.with("A", 0).await;
    // (minute of occurrence, units): in order, back, ahead, twice the same, and back again.
    let moves = [(10, 5), (20, 7), (15, 3), (30, 1), (30, 2), (5, 11), (29, 4), (40, 6), (8, 9), (50, 1)];
    for (minute, units) in moves {
        let at = format!("2026-01-01T10:{minute:02}:00Z");
        stock.post(&json!({"sku": "A", "type": "RESTOCK", "quantity": units, "occurred_at": at})).await.expect(201);
        // Rows that move nothing stand between, dated now.
        stock.reserve(&json!([{"sku": "A", "quantity": 1}]), 600).await.expect(201);
    }
    for minute in 0..60 {
        let then = stock.http.get(&format!("/v1/stock/A?as_of=2026-01-01T10:{minute:02}:00Z")).await.expect(200).json();
        let sum: i64 = moves.iter().filter(|(at, _)| *at <= minute).map(|(_, units)| units).sum();
        assert_eq!((&then["on_hand"], &then["reserved"], &then["version"]), (&json!(sum), &json!(null), &json!(null)), "minute {minute}");
    }
    stock.balances().await;
}
