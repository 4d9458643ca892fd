//! What the reports refuse: each a 422 that names the field.

use http::StatusCode;

use crate::fixture::World;
use crate::shop::{Movement, Shop, time};

#[tokio::test]
async fn every_wrong_parameter_is_named() {
    let world = World::new().await;
    for (path, field, code) in [
        ("best-sellers?from=yesterday", "from", "invalid_time"),
        ("best-sellers?from=", "from", "invalid_time"),
        ("best-sellers?to=2010-02-29", "to", "invalid_time"),
        ("best-sellers?to=2010-12-01T10:00:00", "to", "invalid_time"),
        ("best-sellers?from=2010-12-02&to=2010-12-01", "from", "out_of_order"),
        ("best-sellers?from=2010-12-01&to=2010-12-01T00:00:00Z", "from", "out_of_order"),
        ("best-sellers?by=profit", "by", "invalid"),
        ("best-sellers?limit=0", "limit", "out_of_range"),
        ("best-sellers?limit=501", "limit", "out_of_range"),
        ("best-sellers?limit=ten", "limit", "invalid_type"),
        ("best-sellers?currency=gbp", "currency", "invalid_currency"),
        ("best-sellers?category=", "category", "too_short"),
        ("best-sellers?location=", "location", "too_short"),
        ("best-sellers?produkt=1", "produkt", "unknown_field"),
        ("best-sellers?interval=day", "interval", "unknown_field"),
        ("best-sellers?by=units&by=units", "by", "repeated"),
        ("sales?interval=year", "interval", "invalid"),
        ("sales?from=2010-12-02&to=2010-12-01", "from", "out_of_order"),
        ("sales?from=2010-12-1", "from", "invalid_time"),
        ("sales?currency=ABC", "currency", "invalid_currency"),
        ("sales?category=", "category", "too_short"),
        ("sales?limit=10", "limit", "unknown_field"),
        ("sales?interval=hour&from=2010-01-01&to=2011-03-01", "interval", "too_many_intervals"),
        ("sales?interval=day&from=1980-01-01&to=2011-03-01", "interval", "too_many_intervals"),
    ] {
        let refusal = world.get(&format!("/v1/reports/{path}")).await.refusal();
        assert_eq!(refusal, (field.to_owned(), code.to_owned()), "{path}");
    }
}

#[tokio::test]
async fn the_conventions_hold_for_reports_too() {
    let world = World::new().await;
    assert_eq!(world.send("POST", "/v1/reports/sales", "*/*").await.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(world.get("/v1/reports/profit").await.status, StatusCode::NOT_FOUND);
    assert_eq!(world.get("/v1/reports/best-sellers?limit=500&to=9999-12-31").await.status, StatusCode::OK);
    assert_eq!(world.get("/readyz").await.status, StatusCode::OK);
    let document = world.get("/openapi.json").await.json();
    assert!(document["paths"]["/v1/reports/best-sellers"]["get"]["responses"]["200"]["content"]["text/csv"].is_object());
    for (schema, property, shape) in [("BestSellers", "by", "By"), ("Sales", "interval", "Interval")] {
        let property = &document["components"]["schemas"][schema]["properties"][property];
        assert_eq!(property["$ref"], format!("#/components/schemas/{shape}"), "{property}");
        assert_eq!(document["components"]["schemas"][shape]["type"], "string");
    }
}

#[tokio::test]
async fn an_open_range_with_too_many_intervals_is_refused() {
    let (world, mut shop) = (World::new().await, Shop::default());
    world
        .deliver(&[
            shop.moved(&Movement { at: time("1980-01-01T00:00:00Z"), ..Movement::default() }),
            shop.moved(&Movement { at: time("2011-01-01T00:00:00Z"), ..Movement::default() }),
        ])
        .await;
    for interval in ["hour", "day"] {
        let refusal = world.get(&format!("/v1/reports/sales?interval={interval}")).await.refusal();
        assert_eq!(refusal, ("interval".to_owned(), "too_many_intervals".to_owned()));
    }
    assert_eq!(world.sales("interval=week").await["items"].as_array().unwrap().len(), 1618);
    assert_eq!(world.sales("interval=hour&from=2010-12-31T20:00:00Z").await["items"].as_array().unwrap().len(), 5);
    assert_eq!(world.sales("interval=hour&to=1980-01-02").await["items"].as_array().unwrap().len(), 24);
}
