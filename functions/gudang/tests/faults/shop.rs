//! A shop: the four programs, their Kafka and its products, and the proof that ends every test.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use bus::kafka::{self, Settings};
use serde_json::Value;
use testkit::findings::{SHOWN, compare};
use testkit::{Apart, Http, Kafka, Service, Setup, eventually};
use tokio::task::block_in_place;
use tokio::time::sleep;
use tokio_postgres::{Client, NoTls};

use crate::ear::Ear;
use crate::load::{SHELVES, Sold, TILLS, sku};

/// The command line, beside which the programs lie.
pub(crate) const GUDANG: &str = env!("CARGO_BIN_EXE_gudang");
/// How long anything may take that has no bound of its own: debug builds on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_mins(2);
/// Below so many units a product is low.
const MIN_STOCK: i64 = 20;

/// A shop that is open.
pub(crate) struct Shop {
    pub(crate) apart: Apart,
    pub(crate) ear: Ear,
    pub(crate) settings: Settings,
    pub(crate) kafka: Kafka,
}

impl Shop {
    /// Opens it: programs run, topics are there, products are known. `more` is what the programs are told besides.
    pub(crate) async fn open(more: impl FnOnce(Setup) -> Setup) -> Self {
        let kafka = block_in_place(Kafka::start);
        let apart = more(Setup::of(GUDANG).kafka(&kafka)).start().await;
        let settings = Settings::new(kafka.servers(), 6, Vec::new()).expect("settings");
        eventually("the topics", PATIENCE, async || kafka::prepare(&settings, Vec::new()).await.ok()).await;
        let ear = Ear::open(&settings);
        let product = |(till, shelf)| {
            let sku = sku(till, shelf);
            format!(r#"{{"sku":"{sku}","name":"A {sku}","category":"Things","price":"2.50","min_stock":{MIN_STOCK}}}"#) + "\n"
        };
        let products: String = (0..TILLS).flat_map(|till| (0..SHELVES).map(move |shelf| (till, shelf))).map(product).collect();
        let headers = [("content-type", "application/x-ndjson")];
        apart.http(Service::Product).send("POST", "/v1/products/import", &headers, products).await.expect(200);
        Self { apart, ear, settings, kafka }
    }

    pub(crate) fn http(&self, service: Service) -> Http {
        self.apart.http(service)
    }

    /// A connection to a service's database, as a person with a console has it.
    pub(crate) async fn console(&self, service: Service) -> Client {
        let (client, connection) = tokio_postgres::connect(&self.apart.database_url(service), NoTls).await.expect("a connection");
        tokio::spawn(connection);
        client
    }

    /// Where Stock stands, by stream.
    pub(crate) async fn versions(&self) -> HashMap<String, i64> {
        let levels = self.http(Service::Stock).get("/v1/stock?limit=500").await.expect(200).json();
        let items = levels["items"].as_array().expect("items").iter();
        let locations =
            items.flat_map(|item| item["locations"].as_array().expect("locations").iter().map(move |location| (item, location)));
        let stream = |(item, location): (&Value, &Value)| {
            let (product, location_name) = (text(&item["product_id"]), text(&location["location"]));
            (format!("{product}@{location_name}"), location["version"].as_i64().expect("a version"))
        };
        locations.map(stream).collect()
    }

    /// Waits until everything that Stock has recorded lies in the topic.
    pub(crate) async fn is_published(&self) {
        let (versions, begun) = (self.versions().await, Instant::now());
        while self.ear.versions() != versions {
            if begun.elapsed() > PATIENCE {
                let stock = self.http(Service::Stock);
                let sent = counted(&stock, "gudang_relay_events_total", "").await;
                let failed = counted(&stock, "gudang_relay_failures_total", "").await;
                let (heard, all) = (self.ear.heard().len(), versions.values().sum::<i64>());
                panic!(
                    "every change is in the topic: not within {PATIENCE:?}; of {all} {heard} were heard, {sent} sent, {failed} times not"
                );
            }
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// The proof: all is published, in order; report, alerts and Product's stock are what the ledger says and what the tills were told.
    pub(crate) async fn is_sound(&self, seed: u64, sold: &Sold) {
        self.is_published().await;
        let disorder = self.ear.disorder();
        assert!(disorder.is_empty(), "the order of the topic (seed {seed}): {:?}", &disorder[..disorder.len().min(SHOWN)]);
        self.balances(seed, sold).await;
    }

    /// The proof without the topic: everybody knows everything in the end.
    pub(crate) async fn balances(&self, seed: u64, sold: &Sold) {
        let mut found = Vec::new();
        self.audit(&mut found);
        let report = self.http(Service::Analytics).get("/v1/reports/best-sellers?limit=500").await.expect(200).json();
        let there = report["items"].as_array().expect("items").iter().map(|item| format!("{} {}", text(&item["sku"]), item["units_sold"]));
        let expected = sold.iter().map(|(sku, units)| format!("{sku} {units}"));
        compare("what was sold is in the report", expected.collect(), there.collect(), &mut found);
        for service in Service::ALL {
            let letters = self.letters(service).await;
            compare("there are no dead letters", Vec::new(), letters.iter().map(Value::to_string).collect(), &mut found);
        }
        assert!(found.is_empty(), "broken promises (seed {seed}):\n- {}", found.join("\n- "));
    }

    /// Units that are sold in all, as the report has it.
    pub(crate) async fn reported(&self) -> i64 {
        let report = self.http(Service::Analytics).get("/v1/reports/best-sellers?limit=500").await.expect(200).json();
        report["items"].as_array().expect("items").iter().filter_map(|item| item["units_sold"].as_i64()).sum()
    }

    /// What the product itself says.
    fn audit(&self, found: &mut Vec<String>) {
        let said = block_in_place(|| self.apart.command(&["audit"]).output()).expect("the command runs");
        let text = String::from_utf8_lossy(&said.stdout);
        println!("{}", text.lines().next().unwrap_or_default());
        if !said.status.success() {
            let drifts: Vec<&str> = text.lines().filter(|line| line.starts_with("drift")).take(SHOWN).collect();
            found.push(format!("the audit ended with {}: {drifts:?} {}", said.status, String::from_utf8_lossy(&said.stderr)));
        }
    }

    /// Dead letters that wait in a service.
    pub(crate) async fn letters(&self, service: Service) -> Vec<Value> {
        let letters = self.http(service).get("/v1/dead-letters?limit=500").await.expect(200).json();
        let items = letters["items"].as_array().expect("items").iter();
        items.filter(|letter| letter["resolved_at"].is_null()).cloned().collect()
    }
}

/// A text of an answer.
pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// What a program has counted under a name, with labels that contain `label`.
pub(crate) async fn counted(http: &Http, name: &str, label: &str) -> u64 {
    let metrics = http.get("/metrics").await.expect(200).text();
    let lines = metrics.lines().filter(|line| line.starts_with(name) && line.contains(label));
    lines.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).sum::<f64>() as u64
}
