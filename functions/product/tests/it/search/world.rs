//! A Product that searches with one engine or the other, and is led as in production.

use std::sync::{Arc, OnceLock, mpsc};
use std::thread;
use std::time::Duration;

use contract::Currency;
use product::{Config, IndexSettings};
use serde_json::{Value, json};
use testkit::{Elasticsearch, TestDatabase, eventually};
use tokio::task::AbortHandle;

use crate::fixture::{Reply, Shop, rows};
use crate::stock::{deliver, level};

/// How long what was written may take to be found, on a machine with other work.
pub(crate) const FOUND: Duration = Duration::from_secs(30);

/// The URL of one server for all tests of this process.
static SERVER: OnceLock<String> = OnceLock::new();

/// Starts it from a thread that never ends: with that the server would.
fn start() -> String {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let server = Elasticsearch::start();
        sender.send(server.url()).unwrap();
        loop {
            thread::park();
        }
    });
    receiver.recv().unwrap()
}

/// Who answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Engine {
    Database,
    Index,
}

/// A Product and what keeps its index up to date.
pub(crate) struct World {
    pub(crate) shop: Shop,
    pub(crate) config: Config,
    indexing: Option<AbortHandle>,
}

impl Drop for World {
    fn drop(&mut self) {
        self.indexing.iter().for_each(AbortHandle::abort);
    }
}

impl World {
    pub(crate) async fn open(engine: Engine) -> Self {
        match engine {
            Engine::Database => Self::with(None).await,
            Engine::Index => Self::over(&Self::server().await).await,
        }
    }

    /// The URL of the server that the tests share.
    pub(crate) async fn server() -> String {
        tokio::task::spawn_blocking(|| SERVER.get_or_init(start).clone()).await.unwrap()
    }

    /// One whose index is at `url`, under a name of its own.
    pub(crate) async fn over(url: &str) -> Self {
        let name = format!("test-{}", uuid::Uuid::now_v7().simple());
        Self::with(Some(IndexSettings { url: url.parse().unwrap(), name })).await
    }

    async fn with(elasticsearch: Option<IndexSettings>) -> Self {
        let config = Config {
            database: TestDatabase::create().await.settings(),
            currency: Currency::parse("EUR").unwrap(),
            stock_url: "http://127.0.0.1:1".to_owned(),
            redis: None,
            elasticsearch,
        };
        let shop = Shop { function: product::function(config.clone()).await.unwrap() };
        let mut world = Self { shop, config, indexing: None };
        if world.config.elasticsearch.is_some() {
            world.lead();
        }
        world
    }

    /// Does the periodic work no longer.
    pub(crate) fn lead_no_more(&mut self) {
        self.indexing.take().iter().for_each(AbortHandle::abort);
    }

    /// Does the periodic work, as the leader of a database does.
    pub(crate) fn lead(&mut self) {
        let periodic = Arc::clone(&self.shop.function.periodic);
        let work = async move {
            loop {
                // Its failures are part of the stories; it is tried again.
                let _ = periodic.tick().await;
                periodic.woken().await;
            }
        };
        self.indexing = Some(tokio::spawn(work).abort_handle());
    }

    /// Adds products, a CSV row each.
    pub(crate) async fn add(&self, csv: &str) {
        let reply = self.shop.import("text/csv", None, format!("sku,name,category,min_stock\n{csv}")).await;
        assert_eq!((reply.status.as_u16(), &reply.json()["failed"]), (200, &json!(0)), "{}", reply.json());
    }

    /// Adds products with a name that is made of their number.
    pub(crate) async fn add_many(&self, count: usize, row: impl Fn(usize) -> String) {
        self.add(&rows(count, row)).await;
    }

    /// Has so many units of a product lie at a location.
    pub(crate) async fn put(&self, sku: &str, location: &str, version: i64, on_hand: i64) {
        let product = self.shop.get(&format!("/v1/products/{sku}")).await.json();
        deliver(&self.shop, &[level(&product, location, version, on_hand, 0)]).await;
    }

    /// Asks; whoever answers must be the one who is meant to.
    pub(crate) async fn search(&self, query: &str) -> Value {
        let reply = self.ask(query).await;
        assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
        reply.json()
    }

    pub(crate) async fn ask(&self, query: &str) -> Reply {
        self.shop.get(&format!("/v1/products/search?{query}")).await
    }

    /// Waits until everything that was written is found.
    pub(crate) async fn settled(&self) {
        eventually("the index has everything", FOUND, async || self.is_settled().await.then_some(())).await;
    }

    pub(crate) async fn is_settled(&self) -> bool {
        self.config.elasticsearch.is_none()
            || self.stale().await == 0 && self.search("").await["degraded"] == false && self.refreshed().await
    }

    /// Products that the index lacks in their last version.
    pub(crate) async fn stale(&self) -> i64 {
        let client = self.shop.function.database.get().await.unwrap();
        client.query_one("SELECT count(*) FROM search_stale", &[]).await.unwrap().get(0)
    }

    async fn refreshed(&self) -> bool {
        self.shop.get("/v1/search/drifts").await.json()["drifts"] == json!([])
    }

    /// All pages of a search, as SKUs.
    pub(crate) async fn every(&self, query: &str) -> Vec<String> {
        let (mut found, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = self.search(&format!("{query}{cursor}")).await;
            found.extend(skus(&page));
            let Some(next) = page["next_cursor"].as_str() else { return found };
            cursor = format!("&cursor={next}");
        }
    }
}

/// The SKUs of a page.
pub(crate) fn skus(page: &Value) -> Vec<String> {
    let sku = |item: &Value| item["product"]["sku"].as_str().unwrap().to_owned();
    page["items"].as_array().unwrap().iter().map(sku).collect()
}
