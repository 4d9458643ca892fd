//! The four programs as processes of their own, over a real Kafka: one sale reaches the report, the alert and Product's stock, also when the
//! broker was away in between.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use testkit::{Gudang, Http, Kafka, Program, Service, TestDatabase, eventually};

use crate::said::GUDANG;

/// A debug build and a broker on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// The program of a service, which lies beside this one once it is built.
fn binary(service: Service) -> PathBuf {
    Path::new(GUDANG).with_file_name(service.name())
}

/// Builds the programs as this one was built; silent when they are.
fn build() {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet"]).args(Service::ALL.iter().flat_map(|service| ["-p", service.name()]));
    assert!(cargo.status().expect("cargo").success(), "the programs are built");
}

/// The four, with Analytics as two processes, one for each role.
struct Apart {
    programs: Vec<Program>,
    worker: Program,
}

impl Apart {
    async fn start(servers: &str) -> Self {
        tokio::task::block_in_place(build);
        let listeners = Service::ALL.map(|_| TcpListener::bind("127.0.0.1:0").expect("a port"));
        let ports = listeners.each_ref().map(|listener| listener.local_addr().expect("its address").port());
        drop(listeners);
        let url = |service: Service| format!("http://127.0.0.1:{}", ports[service as usize]);
        let (product, stock) = (url(Service::Product), url(Service::Stock));
        let mut programs = Vec::new();
        let mut databases = Vec::new();
        for service in Service::ALL {
            let database = TestDatabase::create().await;
            let role = if service == Service::Analytics { "api" } else { "all" };
            let variables = variables(&database, servers, &product, &stock, role);
            programs.push(Program::start_at(binary(service), ports[service as usize], &variables));
            databases.push(database);
        }
        let variables = variables(&databases[Service::Analytics as usize], servers, &product, &stock, "worker");
        let worker = Program::start(binary(Service::Analytics), &variables);
        Self { programs, worker }
    }

    fn http(&self, service: Service) -> Http {
        self.programs[service as usize].http()
    }

    fn stop(mut self) {
        self.worker.stop();
        for program in &mut self.programs {
            program.stop();
        }
    }
}

fn variables<'a>(database: &'a TestDatabase, servers: &'a str, product: &'a str, stock: &'a str, role: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("DATABASE_URL", database.url()),
        ("KAFKA_BOOTSTRAP_SERVERS", servers),
        ("KAFKA_TOPIC_PARTITIONS", "3"),
        ("PRODUCT_URL", product),
        ("STOCK_URL", stock),
        ("ROLE", role),
    ]
}

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
    let apart = Apart::start(kafka.servers()).await;
    sell_first(|service| apart.http(service)).await;
    heard(|service| apart.http(service), 7, 3).await;

    let worker = apart.worker.http();
    worker.get("/healthz").await.expect(200);
    worker.get("/readyz").await.expect(200);
    assert!(worker.get("/metrics").await.expect(200).text().contains("gudang_events_total"));
    let refused = worker.get("/v1/reports/best-sellers").await.expect(404);
    assert_eq!(refused.header("content-type"), "application/problem+json");

    kafka.kill();
    apart.http(Service::Stock).post("/v1/stock-changes", &change("SALE", 1)).await.expect(201);
    apart.http(Service::Stock).get("/readyz").await.expect(200);
    tokio::task::block_in_place(|| kafka.restart());
    heard(|service| apart.http(service), 8, 2).await;
    apart.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn programs_start_and_work_without_the_broker_that_they_were_told_of() {
    let mut kafka = Kafka::start();
    kafka.kill();
    let apart = Apart::start(kafka.servers()).await;
    apart.http(Service::Analytics).get("/readyz").await.expect(200);
    sell_first(|service| apart.http(service)).await;
    tokio::task::block_in_place(|| kafka.restart());
    heard(|service| apart.http(service), 7, 3).await;
    kafka.kill();
    apart.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_all_in_one_takes_kafka_in_place_of_its_own_delivery() {
    let kafka = Kafka::start();
    let mut gudang = Gudang::start_with(GUDANG, &[("KAFKA_BOOTSTRAP_SERVERS", kafka.servers())]);
    sell_first(|service| gudang.http(service)).await;
    heard(|service| gudang.http(service), 7, 3).await;
    let topics = gudang.command(&["topics", "--kafka-bootstrap-servers", kafka.servers()]).output().expect("it runs");
    assert_eq!(String::from_utf8_lossy(&topics.stdout), "every topic is there\n");
    let refused =
        gudang.command(&["topics"]).env("KAFKA_BOOTSTRAP_SERVERS", kafka.servers()).env("KAFKA_SECURITY_PROTOCOL", "pigeon").output();
    let said = String::from_utf8_lossy(&refused.expect("it runs").stderr).into_owned();
    assert!(said.contains("KAFKA_SECURITY_PROTOCOL cannot be used"), "{said}");
    gudang.stop();
}
