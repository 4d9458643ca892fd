//! What the reports promise.

use contract::ChangeType;
use serde_json::{Value, json};

use crate::fixture::World;
use crate::shop::{Movement, Shop, product_event, product_id, sku, time};

/// SKU, units sold, units returned, revenue, sales of each item.
fn ranked(report: &Value) -> Vec<(String, i64, i64, String, i64)> {
    let items = report["items"].as_array().unwrap();
    assert!(items.iter().enumerate().all(|(at, item)| item["rank"] == json!(at + 1)));
    items
        .iter()
        .map(|item| {
            let number = |name: &str| item[name].as_i64().unwrap();
            let text = |name: &str| item[name].as_str().unwrap().to_owned();
            (text("sku"), number("units_sold"), number("units_returned"), text("revenue"), number("sales"))
        })
        .collect()
}

fn line(product: u32, sold: i64, returned: i64, revenue: &str, sales: i64) -> (String, i64, i64, String, i64) {
    (sku(product), sold, returned, revenue.to_owned(), sales)
}

/// Start and units sold of each interval.
fn units(report: &Value) -> Vec<(String, i64)> {
    let items = report["items"].as_array().unwrap();
    items.iter().map(|item| (item["start"].as_str().unwrap().to_owned(), item["units_sold"].as_i64().unwrap())).collect()
}

fn expected(slots: &[(&str, i64)]) -> Vec<(String, i64)> {
    slots.iter().map(|(start, units)| ((*start).to_owned(), *units)).collect()
}

/// Sales of a few products on three days, and what must not count.
async fn sold() -> World {
    let (world, mut shop) = (World::new().await, Shop::default());
    let sale = Movement::default();
    world
        .deliver(&[
            shop.moved(&Movement { kind: ChangeType::Restock, quantity: 1000, ..sale.clone() }),
            shop.moved(&Movement { quantity: 5, unit_price: Some("1.25"), at: time("2010-12-01T08:30:00Z"), ..sale.clone() }),
            shop.moved(&Movement { quantity: 3, at: time("2010-12-02T00:00:00Z"), ..sale.clone() }),
            shop.moved(&Movement {
                kind: ChangeType::Return,
                quantity: 2,
                unit_price: Some("1.25"),
                at: time("2010-12-03T10:00:00Z"),
                ..sale.clone()
            }),
            shop.moved(&Movement { kind: ChangeType::WriteOff, quantity: 7, ..sale.clone() }),
            shop.threshold(1),
            shop.moved(&Movement { product: 2, quantity: 8, price: None, at: time("2010-12-01T08:00:00Z"), ..sale.clone() }),
            shop.moved(&Movement { product: 3, quantity: 1, price: Some("99.5"), at: time("2010-12-03T09:00:00Z"), ..sale.clone() }),
            shop.moved(&Movement {
                product: 3,
                location: "annex",
                quantity: 2,
                price: Some("100"),
                at: time("2011-01-15T09:00:00Z"),
                ..sale.clone()
            }),
            shop.moved(&Movement { product: 4, kind: ChangeType::Return, quantity: 1, ..sale }),
        ])
        .await;
    world
}

#[tokio::test]
async fn best_sellers_are_ranked_by_units_with_ties_by_sku_and_hold_only_what_was_sold() {
    let world = sold().await;
    let report = world.best_sellers("").await;
    assert_eq!(ranked(&report), [line(1, 8, 2, "9.75", 2), line(2, 8, 0, "0.00", 1), line(3, 3, 0, "299.50", 2)]);
    assert_eq!((&report["from"], &report["to"], &report["by"]), (&Value::Null, &Value::Null, &json!("units")));
    let first = &report["items"][0];
    assert_eq!(first["product_id"], json!(product_id(1)));
    assert_eq!((&first["name"], &first["category"], &first["currency"]), (&json!("as Stock knew it"), &json!("Giftware"), &json!("GBP")));
}

#[tokio::test]
async fn best_sellers_are_ranked_by_revenue_when_asked() {
    let report = sold().await.best_sellers("by=revenue&limit=2").await;
    assert_eq!(ranked(&report), [line(3, 3, 0, "299.50", 2), line(1, 8, 2, "9.75", 2)]);
    assert_eq!(report["by"], "revenue");
}

#[tokio::test]
async fn a_window_counts_from_inclusive_to_exclusive_and_is_answered_as_given() {
    let world = sold().await;
    let report = world.best_sellers("from=2010-12-01T08:00:01Z&to=2010-12-02").await;
    assert_eq!(ranked(&report), [line(1, 5, 0, "6.25", 1)]);
    assert_eq!((&report["from"], &report["to"]), (&json!("2010-12-01T08:00:01Z"), &json!("2010-12-02")));
    let report = world.best_sellers("from=2010-12-01T08:00:00Z&to=2010-12-02T00:00:00.000001Z").await;
    assert_eq!(ranked(&report), [line(1, 8, 0, "12.25", 2), line(2, 8, 0, "0.00", 1)]);
    let report = world.best_sellers("from=2010-12-02T00:00:00%2B00:00&to=2011-01-01").await;
    assert_eq!(ranked(&report), [line(1, 3, 2, "3.50", 1), line(3, 1, 0, "99.50", 1)]);
    assert_eq!(report["from"], "2010-12-02T00:00:00+00:00");
}

#[tokio::test]
async fn best_sellers_are_filtered_by_location_and_category() {
    let world = sold().await;
    assert_eq!(ranked(&world.best_sellers("location=annex").await), [line(3, 2, 0, "200.00", 1)]);
    assert_eq!(ranked(&world.best_sellers("location=nowhere").await), []);
    world.deliver(&[product_event(2, 1, "a lamp", "Lighting")]).await;
    assert_eq!(ranked(&world.best_sellers("category=Lighting").await), [line(2, 8, 0, "0.00", 1)]);
    assert_eq!(
        ranked(&world.best_sellers("category=Giftware&location=default").await),
        [line(1, 8, 2, "9.75", 2), line(3, 1, 0, "99.50", 1)]
    );
}

#[tokio::test]
async fn several_currencies_are_summed_and_said_to_differ_unless_one_is_asked_for() {
    let (world, mut shop) = (World::new().await, Shop::default());
    world
        .deliver(&[
            shop.moved(&Movement { quantity: 1, ..Movement::default() }),
            shop.moved(&Movement {
                quantity: 2,
                currency: "EUR",
                price: Some("3"),
                at: time("2010-12-02T12:00:00Z"),
                ..Movement::default()
            }),
            shop.moved(&Movement { product: 2, quantity: 1, ..Movement::default() }),
        ])
        .await;
    let report = world.best_sellers("").await;
    assert_eq!(ranked(&report), [line(1, 3, 0, "8.00", 2), line(2, 1, 0, "2.00", 1)]);
    assert_eq!((&report["items"][0]["currency"], &report["items"][1]["currency"]), (&Value::Null, &json!("GBP")));
    assert_eq!(world.best_sellers("to=2010-12-02").await["items"][0]["currency"], "GBP");
    let report = world.best_sellers("currency=EUR").await;
    assert_eq!((ranked(&report), &report["items"][0]["currency"]), (vec![line(1, 2, 0, "6.00", 1)], &json!("EUR")));
    assert_eq!(world.sales("").await["currency"], Value::Null);
    let report = world.sales("currency=GBP").await;
    assert_eq!((units(&report), &report["currency"]), (expected(&[("2010-12-01T00:00:00Z", 2)]), &json!("GBP")));
    assert_eq!(world.sales("product=SKU-002").await["currency"], "GBP");
}

#[tokio::test]
async fn sales_by_day_hold_empty_days_and_go_from_the_first_sale_or_return_to_the_last() {
    let world = sold().await;
    let report = world.sales("interval=day&to=2011-01-01&product=SKU-001").await;
    let slots = [("2010-12-01T00:00:00Z", 5), ("2010-12-02T00:00:00Z", 3), ("2010-12-03T00:00:00Z", 0)];
    assert_eq!(units(&report)[..3], expected(&slots));
    assert_eq!(units(&report).len(), 31, "`to` was given: the range ends there");
    assert_eq!(units(&world.sales("interval=day&product=SKU-001").await), expected(&slots));
    assert_eq!((&report["interval"], &report["currency"]), (&json!("day"), &json!("GBP")));
    assert_eq!(
        report["items"][2],
        json!({"start": "2010-12-03T00:00:00Z", "units_sold": 0, "units_returned": 2, "revenue": "-2.50", "sales": 0})
    );
}

#[tokio::test]
async fn sales_by_hour_week_and_month_are_aligned_in_utc() {
    let world = sold().await;
    let report = world.sales("interval=hour&from=2010-12-01T08:15:00Z&to=2010-12-01T09:00:00.000001Z").await;
    assert_eq!(units(&report), expected(&[("2010-12-01T08:00:00Z", 5), ("2010-12-01T09:00:00Z", 0)]));
    let report = world.sales("interval=week&from=2010-12-02&to=2010-12-07").await;
    assert_eq!(units(&report), expected(&[("2010-11-29T00:00:00Z", 4), ("2010-12-06T00:00:00Z", 0)]));
    let report = world.sales("interval=month").await;
    assert_eq!(units(&report), expected(&[("2010-12-01T00:00:00Z", 17), ("2011-01-01T00:00:00Z", 2)]));
    let report = world.sales("interval=month&from=2010-12-02T00:00:00.000001Z&category=Giftware").await;
    assert_eq!(units(&report), expected(&[("2010-12-01T00:00:00Z", 1), ("2011-01-01T00:00:00Z", 2)]));
}

#[tokio::test]
async fn a_product_is_named_by_id_or_sku_and_an_unknown_one_is_an_empty_list() {
    let world = sold().await;
    let by_id = world.sales(&format!("product={}&interval=month", product_id(2))).await;
    assert_eq!(units(&by_id), expected(&[("2010-12-01T00:00:00Z", 8)]));
    for unknown in ["SKU-999", "0198c9f2-7a4e-7c33-9a51-999999999999", "%20not%20a%20sku", ""] {
        let report = world.sales(&format!("product={unknown}&from=2010-12-01&to=2010-12-03")).await;
        assert_eq!(report["items"], json!([]), "{unknown}");
    }
    world.deliver(&[product_event(9, 1, "never sold", "Giftware")]).await;
    let report = world.sales("product=SKU-009&from=2010-12-01&to=2010-12-03").await;
    assert_eq!(units(&report), expected(&[("2010-12-01T00:00:00Z", 0), ("2010-12-02T00:00:00Z", 0)]));
    assert_eq!(world.sales("product=SKU-009").await, json!({"interval": "day", "currency": null, "items": []}));
}

#[tokio::test]
async fn csv_holds_the_same_for_who_asks_for_it() {
    let world = sold().await;
    world.deliver(&[product_event(1, 1, "a \"jug\", large", "Giftware")]).await;
    let answer = world.send("GET", "/v1/reports/best-sellers?limit=1", "text/csv").await;
    assert_eq!(answer.content_type, "text/csv; charset=utf-8");
    let header = "rank,product_id,sku,name,category,currency,units_sold,units_returned,revenue,sales\r\n";
    assert_eq!(answer.text, format!("{header}1,{},SKU-001,\"a \"\"jug\"\", large\",Giftware,GBP,8,2,9.75,2\r\n", product_id(1)));
    let answer = world.send("GET", "/v1/reports/sales?interval=month&product=SKU-001", "text/csv, application/json;q=0.5").await;
    assert_eq!(answer.text, "start,units_sold,units_returned,revenue,sales\r\n2010-12-01T00:00:00Z,8,2,9.75,2\r\n");
    assert_eq!(world.send("GET", "/v1/reports/sales", "application/json").await.content_type, "application/json");
}

#[tokio::test]
async fn before_the_first_event_every_report_is_empty() {
    let world = World::new().await;
    assert_eq!(world.best_sellers("").await, json!({"from": null, "to": null, "by": "units", "items": []}));
    assert_eq!(world.sales("").await, json!({"interval": "day", "currency": null, "items": []}));
    assert_eq!(world.sales("interval=hour").await["items"], json!([]));
    assert_eq!(world.sales("interval=month&from=2010-12-31&to=2011-01-02").await["items"].as_array().unwrap().len(), 2);
}
