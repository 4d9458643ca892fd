//! The four programs as processes of their own, over a real Kafka: one sale reaches the report, the alert and Product's stock, also when the
//! broker was away in between.

use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use testkit::{Gudang, Http, Kafka, Service, Setup, eventually};

use crate::said::{GUDANG, Said};

/// A debug build and a broker on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);

fn change(kind: &str, quantity: i64) -> Value {
    json!({"sku": "85123A", "type": kind, "quantity": quantity})
}

/// Waits until every service has heard that so many are sold and so many left.
async fn heard(http: impl Fn(Service) -> Http, sold: i64, left: i64) {
    eventually("the sale in the report", PATIENCE, async || {
        let report = http(Service::Analytics).get("/v1/reports/best-sellers").await.expect(200).json();
        (report["items"][0]["units_sold"] == json!(sold)).then_some(())
    })
    .await;
    eventually("the alert", PATIENCE, async || {
        let alerts = http(Service::Notification).get("/v1/notifications").await.expect(200).json();
        (alerts["items"][0]["kind"] == json!("LOW_STOCK")).then_some(())
    })
    .await;
    eventually("the stock in the product", PATIENCE, async || {
        let product = http(Service::Product).get("/v1/products/85123A").await.expect(200).json();
        (product["stock"]["on_hand"] == json!(left)).then_some(())
    })
    .await;
}

async fn sell_first(http: impl Fn(Service) -> Http) {
    let product = json!({"sku": "85123A", "name": "Heart", "category": "Gifts", "price": "2.55", "currency": "GBP", "min_stock": 5});
    http(Service::Product).post("/v1/products", &product).await.expect(201);
    http(Service::Stock).post("/v1/stock-changes", &change("RESTOCK", 10)).await.expect(201);
    http(Service::Stock).post("/v1/stock-changes", &change("SALE", 7)).await.expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn four_programs_meet_in_kafka_and_go_on_after_it_was_away() {
    let mut kafka = Kafka::start();
    // Analytics as two programs, one for each role.
    let apart = Setup::of(GUDANG).kafka(&kafka).set(Service::Analytics, "ROLE", "api").start().await;
    let mut worker = apart.another(Service::Analytics, &[("ROLE", "worker")]);
    sell_first(|service| apart.http(service)).await;
    heard(|service| apart.http(service), 7, 3).await;

    let role = worker.http();
    role.get("/healthz").await.expect(200);
    role.get("/readyz").await.expect(200);
    assert!(role.get("/metrics").await.expect(200).text().contains("gudang_events_total"));
    let refused = role.get("/v1/reports/best-sellers").await.expect(404);
    assert_eq!(refused.header("content-type"), "application/problem+json");

    kafka.kill();
    apart.http(Service::Stock).post("/v1/stock-changes", &change("SALE", 1)).await.expect(201);
    apart.http(Service::Stock).get("/readyz").await.expect(200);
    tokio::task::block_in_place(|| kafka.restart());
    heard(|service| apart.http(service), 8, 2).await;
    tokio::task::block_in_place(|| {
        worker.stop();
        apart.stop();
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn programs_start_and_work_without_the_broker_that_they_were_told_of() {
    let mut kafka = Kafka::start();
    kafka.kill();
    let apart = Setup::of(GUDANG).kafka(&kafka).start().await;
    apart.http(Service::Analytics).get("/readyz").await.expect(200);
    sell_first(|service| apart.http(service)).await;
    // Whoever looks now is told who has not heard of the sale.
    let looked = tokio::task::block_in_place(|| Said::by(&mut apart.command(&["smoke", "--patience-seconds", "1"]))).expect(1);
    assert!(looked.err.contains("Analytics does not report the sale within 1 s, although Stock Change recorded it"), "{looked:?}");
    tokio::task::block_in_place(|| kafka.restart());
    heard(|service| apart.http(service), 7, 3).await;
    kafka.kill();
    tokio::task::block_in_place(|| apart.stop());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_all_in_one_takes_kafka_in_place_of_its_own_delivery() {
    let kafka = Kafka::start();
    let mut gudang = Gudang::start_with(GUDANG, &[("KAFKA_BOOTSTRAP_SERVERS", kafka.servers())]);
    sell_first(|service| gudang.http(service)).await;
    heard(|service| gudang.http(service), 7, 3).await;
    gudang.stop();
}

#[test]
fn topics_that_are_missing_are_made_and_those_that_are_there_are_left_alone() {
    let kafka = Kafka::start();
    let topics = |more: &[&str]| Said::by(Command::new(GUDANG).args(["topics", "--kafka-bootstrap-servers", kafka.servers()]).args(more));
    let said = topics(&["--kafka-topic-partitions", "2"]).expect(0);
    let mut made: Vec<&str> = said.out.trim_end().strip_prefix("made ").expect(&said.out).split(", ").collect();
    made.sort_unstable();
    assert_eq!(made, ["dead-letters", "notifications", "product-events", "stock-changes"]);
    for more in [&[][..], &["--kafka-topic-partitions", "5"]] {
        assert_eq!(topics(more).expect(0).out, "every topic is there\n");
    }
    let said = Said::by(
        Command::new(GUDANG).arg("topics").env("KAFKA_BOOTSTRAP_SERVERS", kafka.servers()).env("KAFKA_SECURITY_PROTOCOL", "pigeon"),
    );
    assert!(said.err.contains("KAFKA_SECURITY_PROTOCOL cannot be used") && said.code != Some(0), "{said:?}");
    let said = Said::by(Command::new(GUDANG).arg("topics")).expect(1);
    assert!(said.err.contains("KAFKA_BOOTSTRAP_SERVERS must say where Kafka is"), "{said:?}");
}
