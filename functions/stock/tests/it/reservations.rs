//! Reservations: units that are promised, and how promises end.

use std::time::Duration;

use serde_json::{Value, json};
use testkit::Answer;

use crate::fixture::{Stock, stock};

impl Stock {
    pub(crate) async fn reserve(&self, lines: &Value, ttl_seconds: i64) -> Answer {
        self.http.post("/v1/reservations", &json!({"lines": lines, "ttl_seconds": ttl_seconds, "reference": "basket 7"})).await
    }

    pub(crate) async fn step(&self, reservation: &Value, step: &str) -> Answer {
        let id = reservation["id"].as_str().unwrap();
        self.http.send("POST", &format!("/v1/reservations/{id}/{step}"), &[], "").await
    }

    /// Lets the time of every hold pass, as if nobody had looked for an hour.
    async fn an_hour_later(&self) {
        let earlier = "UPDATE reservation SET created_at = created_at - interval '1 hour', expires_at = expires_at - interval '1 hour' WHERE state = 'ACTIVE'; \
             UPDATE hold SET expires_at = expires_at - interval '1 hour' WHERE counted; UPDATE level SET next_expiry = next_expiry - interval '1 hour'";
        self.function.database.get().await.unwrap().batch_execute(earlier).await.unwrap();
    }

    /// Has the periodic work done, of which sweeping is the first.
    async fn sweep(&self) {
        // The rest fails: the stand-in for Product keeps no books to compare with.
        let _ = self.function.periodic.tick().await;
    }

    async fn kinds(&self, sku: &str) -> Vec<String> {
        let product_id = self.level(sku).await["product_id"].as_str().unwrap().to_owned();
        let journal = self.http.get(&format!("/v1/journal?stream={product_id}@default")).await.expect(200).json();
        let kind = |event: &Value| event["type"].as_str().unwrap().split('.').nth(2).unwrap().to_owned();
        journal["items"].as_array().unwrap().iter().map(kind).collect()
    }
}

fn one(sku: &str, quantity: i64) -> Value {
    json!([{"sku": sku, "quantity": quantity}])
}

#[tokio::test]
async fn what_is_held_is_not_available_and_sells_when_it_is_confirmed() {
    let stock = stock().await;
    stock.with("A", 10).await;
    let made = stock.reserve(&one("A", 4), 60).await.expect(201);
    let held = made.json();
    assert_eq!(made.header("location"), format!("/v1/reservations/{}", held["id"].as_str().unwrap()));
    assert_eq!((&held["status"], &held["reference"], &held["resolved_at"]), (&json!("active"), &json!("basket 7"), &json!(null)));
    assert_eq!(held["lines"][0]["quantity"], json!(4));
    let level = stock.level("A").await;
    assert_eq!((&level["on_hand"], &level["reserved"], &level["available"]), (&json!(10), &json!(4), &json!(6)));
    let refused = stock.change("A", "SALE", 7).await.expect(409).json();
    assert_eq!((&refused["code"], &refused["available"]), (&json!("insufficient_stock"), &json!(6)));
    let sold = stock.step(&held, "confirm").await.expect(200).json();
    assert_eq!((&sold["status"], &sold["changes"][0]["type"]), (&json!("confirmed"), &json!("SALE")));
    let change = &sold["changes"][0];
    assert_eq!((&change["delta"], &change["on_hand"], &change["reserved"]), (&json!(-4), &json!(6), &json!(0)));
    assert_eq!(change["reference"], "basket 7");
    let read = stock.http.get(&format!("/v1/reservations/{}", held["id"].as_str().unwrap())).await.expect(200).json();
    assert_eq!(read, sold, "it is read as it was answered");
    for step in ["confirm", "release"] {
        assert_eq!(stock.step(&held, step).await.expect(409).json()["code"], "reservation_resolved");
    }
    assert_eq!(stock.kinds("A").await, ["changed", "reserved", "changed"]);
    stock.balances().await;
}

#[tokio::test]
async fn a_step_refuses_what_it_does_not_know() {
    let stock = stock().await;
    stock.with("A", 5).await;
    let held = stock.reserve(&one("A", 2), 60).await.expect(201).json();
    for (step, body, field) in
        [("release", r#"{"lines": []}"#, "lines"), ("release", r#"{"reason": "none"}"#, "reason"), ("confirm", r#"{"line": []}"#, "line")]
    {
        let path = format!("/v1/reservations/{}/{step}", held["id"].as_str().unwrap());
        let refused = stock.http.send("POST", &path, &[], body).await.expect(422).json();
        assert_eq!(refused["errors"][0]["field"], json!(field), "{step} {body}");
    }
    let path = format!("/v1/reservations/{}/release", held["id"].as_str().unwrap());
    assert_eq!(stock.http.send("POST", &path, &[], "{}").await.expect(200).json()["status"], "released");
}

#[tokio::test]
async fn a_hold_that_lapses_while_somebody_waits_for_the_lock_is_sellable_to_them() {
    let stock = stock().await;
    stock.with("A", 5).await;
    stock.reserve(&one("A", 5), 1).await.expect(201);
    let connection = stock.function.database.get().await.unwrap();
    connection.batch_execute("BEGIN; SELECT FROM level FOR UPDATE").await.unwrap();
    let http = stock.http.clone();
    let buyer = tokio::spawn(async move { http.post("/v1/stock-changes", &json!({"sku": "A", "type": "SALE", "quantity": 5})).await });
    tokio::time::sleep(Duration::from_millis(1500)).await;
    connection.batch_execute("COMMIT").await.unwrap();
    assert_eq!(buyer.await.unwrap().expect(201).json()["on_hand"], json!(0));
    stock.balances().await;
}

#[tokio::test]
async fn all_lines_are_held_or_none_and_each_that_is_not_is_named() {
    let stock = stock().await;
    stock.with("A", 5).await;
    stock.with("B", 1).await;
    let lines = json!([{"sku": "A", "quantity": 3}, {"sku": "B", "quantity": 2}, {"sku": "A", "quantity": 3}]);
    let refused = stock.reserve(&lines, 60).await.expect(409).json();
    assert_eq!((&refused["code"], &refused["requested"], &refused["available"]), (&json!("insufficient_stock"), &json!(2), &json!(1)));
    let fields: Vec<&str> = refused["errors"].as_array().unwrap().iter().map(|error| error["field"].as_str().unwrap()).collect();
    assert_eq!(fields, ["lines[1].quantity", "lines[2].quantity"], "the third line sees what the first left");
    assert_eq!((&stock.level("A").await["reserved"], &stock.level("A").await["version"]), (&json!(0), &json!(1)));
    let held = stock.reserve(&json!([{"sku": "A", "quantity": 3}, {"sku": "A", "quantity": 2}, {"sku": "B", "quantity": 1}]), 60).await;
    held.expect(201);
    assert_eq!(stock.level("A").await["available"], json!(0));
    stock.balances().await;
}

#[tokio::test]
async fn a_part_is_sold_and_the_rest_let_go() {
    let stock = stock().await;
    stock.with("A", 10).await;
    stock.with("B", 10).await;
    let held = stock.reserve(&json!([{"sku": "A", "quantity": 4}, {"sku": "B", "quantity": 2}]), 60).await.expect(201).json();
    let confirm = format!("/v1/reservations/{}/confirm", held["id"].as_str().unwrap());
    for (lines, field) in [
        (json!([{"sku": "A", "quantity": 5}]), "lines[0].quantity"),
        (json!([{"sku": "A", "quantity": 1}, {"sku": "C", "quantity": 1}]), "lines[1]"),
        (json!([{"sku": "A", "quantity": 1, "location": "elsewhere"}]), "lines[0]"),
        (json!([]), "lines"),
        (json!([{"sku": "A", "quantity": 3}, {"sku": "A", "quantity": 2}]), "lines[1].quantity"),
    ] {
        let refused = stock.http.post(&confirm, &json!({"lines": lines})).await.expect(422).json();
        assert_eq!(refused["errors"][0]["field"], field, "{lines}");
    }
    let sold = stock.http.post(&confirm, &json!({"lines": [{"sku": "A", "quantity": 3}]})).await.expect(200).json();
    assert_eq!((sold["changes"].as_array().unwrap().len(), &sold["changes"][0]["quantity"]), (1, &json!(3)));
    let (a, b) = (stock.level("A").await, stock.level("B").await);
    assert_eq!((&a["on_hand"], &a["reserved"], &b["on_hand"], &b["reserved"]), (&json!(7), &json!(0), &json!(10), &json!(0)));
    assert_eq!(stock.kinds("A").await, ["changed", "reserved", "changed", "released"]);
    assert_eq!(stock.kinds("B").await, ["changed", "reserved", "released"]);
    stock.balances().await;
}

#[tokio::test]
async fn an_expired_hold_is_sellable_at_the_very_next_request_though_nobody_swept() {
    let stock = stock().await;
    stock.with("A", 5).await;
    let held = stock.reserve(&one("A", 5), 60).await.expect(201).json();
    stock.change("A", "SALE", 1).await.expect(409);
    stock.an_hour_later().await;
    let level = stock.level("A").await;
    assert_eq!((&level["reserved"], &level["available"], &level["version"]), (&json!(0), &json!(5), &json!(2)));
    assert_eq!(stock.http.get("/v1/stock").await.expect(200).json()["items"][0]["available"], json!(5));
    let sold = stock.change("A", "SALE", 5).await.expect(201).json();
    assert_eq!((&sold["on_hand"], &sold["reserved"], &sold["version"]), (&json!(0), &json!(0), &json!(4)));
    assert_eq!(stock.kinds("A").await, ["changed", "reserved", "expired", "changed"], "it expired before its units were used");
    for step in ["confirm", "release"] {
        assert_eq!(stock.step(&held, step).await.expect(409).json()["code"], "reservation_expired");
    }
    let read = stock.http.get(&format!("/v1/reservations/{}", held["id"].as_str().unwrap())).await.expect(200).json();
    assert_eq!((&read["status"], &read["resolved_at"]), (&json!("expired"), &read["expires_at"]));
    stock.balances().await;
}

#[tokio::test]
async fn a_hold_of_one_second_ends_by_itself_and_the_sweeper_tells() {
    let stock = stock().await;
    stock.with("A", 5).await;
    stock.reserve(&one("A", 2), 1).await.expect(201);
    stock.reserve(&one("A", 1), 600).await.expect(201);
    let gone = async || (stock.level("A").await["available"] == json!(4)).then_some(());
    testkit::eventually("the hold lapses", Duration::from_secs(5), gone).await;
    assert_eq!(stock.kinds("A").await, ["changed", "reserved", "reserved"]);
    stock.sweep().await;
    assert_eq!(stock.kinds("A").await, ["changed", "reserved", "reserved", "expired"]);
    stock.sweep().await;
    assert_eq!(stock.level("A").await["version"], json!(4), "it expires once");
    stock.balances().await;
}

#[tokio::test]
async fn a_hold_is_extended_from_now_and_then_stands() {
    let stock = stock().await;
    stock.with("A", 5).await;
    let held = stock.reserve(&one("A", 5), 60).await.expect(201).json();
    let extend = format!("/v1/reservations/{}/extend", held["id"].as_str().unwrap());
    for ttl in [json!(0), json!(604_801), json!("60"), json!(null)] {
        let refused = stock.http.post(&extend, &json!({"ttl_seconds": ttl})).await.expect(422).json();
        assert_eq!(refused["errors"][0]["field"], "ttl_seconds", "{ttl}");
    }
    let longer = stock.http.post(&extend, &json!({"ttl_seconds": 7200})).await.expect(200).json();
    assert!(longer["expires_at"].as_str() > held["expires_at"].as_str());
    stock.an_hour_later().await;
    stock.change("A", "SALE", 1).await.expect(409);
    stock.step(&held, "release").await.expect(200);
    stock.change("A", "SALE", 5).await.expect(201);
    stock.balances().await;
}

#[tokio::test]
async fn what_was_promised_of_a_product_that_was_taken_off_is_kept_and_nothing_new_is_promised() {
    let stock = stock().await;
    let mut product = stock.with("A", 5).await;
    let held = stock.reserve(&one("A", 2), 60).await.expect(201).json();
    product.version = 2;
    product.status = contract::ProductStatus::Archived;
    stock.hear(&product, "archived").await;
    assert_eq!(stock.reserve(&one("A", 1), 60).await.expect(409).json()["code"], "product_archived");
    stock.step(&held, "confirm").await.expect(200);
    assert_eq!(stock.level("A").await["on_hand"], json!(3));
    stock.balances().await;
}

#[tokio::test]
async fn units_lost_under_a_promise_refuse_the_confirmation_and_keep_the_hold() {
    let stock = stock().await;
    stock.with("A", 5).await;
    stock.with("B", 5).await;
    let held = stock.reserve(&json!([{"sku": "B", "quantity": 1}, {"sku": "A", "quantity": 4}]), 60).await.expect(201).json();
    stock.change("A", "COUNT", 3).await.expect(201);
    assert_eq!(stock.level("A").await["available"], json!(-1));
    let refused = stock.step(&held, "confirm").await.expect(409).json();
    assert_eq!((&refused["code"], &refused["requested"], &refused["available"]), (&json!("insufficient_stock"), &json!(4), &json!(3)));
    assert_eq!(stock.level("B").await["version"], json!(2), "all lines or none");
    stock.change("A", "RETURN", 1).await.expect(201);
    stock.step(&held, "confirm").await.expect(200);
    assert_eq!((&stock.level("A").await["on_hand"], &stock.level("B").await["on_hand"]), (&json!(0), &json!(4)));
    stock.balances().await;
}

#[tokio::test]
async fn a_step_under_a_key_is_answered_again_in_the_same_words() {
    let stock = stock().await;
    stock.with("A", 5).await;
    let body = json!({"lines": [{"sku": "A", "quantity": 2}]});
    let first = stock.http.post_keyed("/v1/reservations", "r", &body).await.expect(201);
    let again = stock.http.post_keyed("/v1/reservations", "r", &body).await.expect(201);
    assert_eq!((first.body.clone(), first.header("location")), (again.body.clone(), again.header("location")));
    assert_eq!(again.header("idempotent-replayed"), "true");
    let confirm = format!("/v1/reservations/{}/confirm", first.json()["id"].as_str().unwrap());
    let keyed = [("idempotency-key", "c")];
    let first = stock.http.send("POST", &confirm, &keyed, "").await.expect(200);
    let again = stock.http.send("POST", &confirm, &keyed, "").await.expect(200);
    assert_eq!((first.body, again.header("idempotent-replayed")), (again.body.clone(), "true"));
    assert_eq!(stock.level("A").await["on_hand"], json!(3));
    stock.balances().await;
}

#[tokio::test]
async fn what_cannot_be_a_reservation_is_refused_by_name() {
    let stock = stock().await;
    stock.with("A", 5).await;
    for (body, field) in [
        (json!({"lines": []}), "lines"),
        (json!({"lines": [{"sku": "A", "quantity": 0}]}), "lines[0].quantity"),
        (json!({"lines": [{"quantity": 1}]}), "lines[0].product_id"),
        (json!({"lines": [{"sku": "A", "quantity": 1}], "ttl_seconds": 0}), "ttl_seconds"),
        (json!({"lines": [{"sku": "A", "quantity": 1}], "ttl": 5}), "ttl"),
    ] {
        let refused = stock.http.post("/v1/reservations", &body).await.expect(422).json();
        assert_eq!(refused["errors"][0]["field"], field, "{body}");
    }
    let unknown = stock.http.post("/v1/reservations", &json!({"lines": [{"sku": "nobody", "quantity": 1}]})).await;
    assert_eq!(unknown.expect(404).json()["code"], "product_not_found");
    for id in ["0198c9f2-7a4e-7c33-9a51-3d2f6f6b9f10", "nonsense"] {
        let read = stock.http.get(&format!("/v1/reservations/{id}")).await.expect(404);
        assert_eq!(read.json()["code"], "reservation_not_found");
        assert_eq!(stock.step(&json!({"id": id}), "confirm").await.expect(404).json()["code"], "reservation_not_found");
    }
}

#[tokio::test]
async fn thousands_of_holds_that_lapsed_unseen_end_before_the_next_sale() {
    let stock = stock().await;
    stock.with("A", 20_000).await;
    let line = json!({"sku": "A", "quantity": 1});
    for _ in 0..6 {
        stock.reserve(&json!(vec![line.clone(); 1000]), 600).await.expect(201);
    }
    stock.an_hour_later().await;
    let sold = stock.change("A", "SALE", 20_000).await.expect(201).json();
    assert_eq!((&sold["on_hand"], &sold["reserved"], &sold["version"]), (&json!(0), &json!(0), &json!(12_002)));
    stock.balances().await;
}

#[tokio::test]
async fn what_was_found_expired_stays_so_when_the_clock_is_set_back() {
    let stock = stock().await;
    stock.with("A", 5).await;
    let held = stock.reserve(&one("A", 4), 60).await.expect(201).json();
    stock.an_hour_later().await;
    stock.change("A", "SALE", 1).await.expect(201);
    let earlier =
        "UPDATE reservation SET expires_at = expires_at + interval '2 hours'; UPDATE hold SET expires_at = expires_at + interval '2 hours'";
    stock.function.database.get().await.unwrap().batch_execute(earlier).await.unwrap();
    for step in ["confirm", "release"] {
        assert_eq!(stock.step(&held, step).await.expect(409).json()["code"], "reservation_expired");
    }
    let read = stock.http.get(&format!("/v1/reservations/{}", held["id"].as_str().unwrap())).await.expect(200).json();
    assert_eq!(read["status"], "expired");
    assert_eq!(stock.level("A").await["available"], json!(4));
    stock.balances().await;
}
