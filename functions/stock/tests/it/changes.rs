//! Single changes: promises are checked, facts are recorded.

use serde_json::json;

use crate::fixture::stock;

#[tokio::test]
async fn a_product_made_a_moment_ago_can_be_restocked_at_once_and_its_last_unit_sells() {
    let stock = stock().await;
    let product = stock.only_at_product("A 1");
    let restocked =
        stock.post(&json!({"product_id": product.id, "type": "RESTOCK", "quantity": 2, "reference": "PO 7"})).await.expect(201).json();
    assert_eq!((&restocked["sku"], &restocked["location"], &restocked["version"]), (&json!("A 1"), &json!("default"), &json!(1)));
    let sale =
        json!({"sku": "A 1", "type": "SALE", "quantity": 2, "unit_price": "9.5", "occurred_at": "2026-01-01T12:00:00.1234567+02:00"});
    let sold = stock.post(&sale).await.expect(201).json();
    assert_eq!((&sold["delta"], &sold["on_hand"], &sold["available"]), (&json!(-2), &json!(0), &json!(0)));
    assert_eq!((&sold["unit_price"], &sold["occurred_at"]), (&json!("9.50"), &json!("2026-01-01T10:00:00.123457Z")));
    let refused = stock.post(&sale).await.expect(409);
    assert_eq!(refused.header("content-type"), "application/problem+json");
    let refused = refused.json();
    assert_eq!((&refused["code"], &refused["requested"], &refused["available"]), (&json!("insufficient_stock"), &json!(2), &json!(0)));
    stock.balances().await;
}

#[tokio::test]
async fn every_kind_of_movement_does_what_its_name_says() {
    let stock = stock().await;
    stock.with("A", 10).await;
    for (kind, quantity, delta, on_hand) in
        [("SALE", 3, -3, 7), ("RETURN", 1, 1, 8), ("WRITE_OFF", 8, -8, 0), ("COUNT", 5, 5, 5), ("COUNT", 5, 0, 5), ("COUNT", 0, -5, 0)]
    {
        let change = stock.change("A", kind, quantity).await.expect(201).json();
        assert_eq!(
            (&change["delta"], &change["on_hand"], &change["quantity"]),
            (&json!(delta), &json!(on_hand), &json!(quantity)),
            "{kind}"
        );
    }
    let refused = stock.change("A", "WRITE_OFF", 1).await.expect(409).json();
    assert_eq!(refused["available"], json!(0));
    stock.balances().await;
}

#[tokio::test]
async fn a_hundred_buyers_over_two_instances_get_what_there_is_and_no_more() {
    let stock = stock().await;
    let other = stock.another().await;
    stock.with("A", 40).await;
    let buys = (0..100).map(|buyer| {
        let http = if buyer % 2 == 0 { stock.http.clone() } else { other.http.clone() };
        tokio::spawn(async move { http.post("/v1/stock-changes", &json!({"sku": "A", "type": "SALE", "quantity": 1})).await.status })
    });
    let mut sold = 0;
    for buy in buys.collect::<Vec<_>>() {
        match buy.await.unwrap() {
            201 => sold += 1,
            status => assert_eq!(status, 409),
        }
    }
    let level = stock.level("A").await;
    assert_eq!((sold, &level["on_hand"], &level["version"]), (40, &json!(0), &json!(41)));
    stock.balances().await;
}

#[tokio::test]
async fn an_unknown_product_is_404_and_one_that_never_moved_has_zeros() {
    let stock = stock().await;
    assert_eq!(stock.change("nobody", "SALE", 1).await.expect(404).json()["code"], "product_not_found");
    assert_eq!(stock.http.get("/v1/stock/nobody").await.expect(404).json()["code"], "product_not_found");
    stock.only_at_product("A");
    let level = stock.level("A").await;
    assert_eq!((&level["on_hand"], &level["version"], &level["locations"]), (&json!(0), &json!(0), &json!([])));
    assert_eq!((&level["status"], &level["min_stock"]), (&json!("out"), &json!(10)));
}
