//! Notification on a database of its own, driven as a host drives it.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use bus::Incoming;
use contract::Event;
use host::{Function, Periodic};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt;
use notification::{ChannelsConfig, Config};
use serde_json::Value;
use testkit::{TestDatabase, eventually};
use tokio::task::JoinHandle;
use tower::ServiceExt;

/// Nobody listens there.
pub(crate) const NOBODY: &str = "http://127.0.0.1:1";
/// How long a promise may take to come true on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// The service.
pub(crate) struct Desk {
    pub(crate) database: TestDatabase,
    function: Function,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) json: Value,
}

/// A host that ticks; it stops when dropped, as if killed.
pub(crate) struct Ticking(JoinHandle<()>);

impl Drop for Ticking {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Desk {
    /// With the log alone.
    pub(crate) async fn open() -> Self {
        Self::with(ChannelsConfig::default(), NOBODY).await
    }

    pub(crate) async fn with(channels: ChannelsConfig, stock_url: &str) -> Self {
        let database = TestDatabase::create().await;
        let function = Self::function(&database, channels, stock_url).await;
        Self { database, function }
    }

    async fn function(database: &TestDatabase, channels: ChannelsConfig, stock_url: &str) -> Function {
        let config = Config { database: database.settings(), product_url: NOBODY.to_owned(), stock_url: stock_url.to_owned(), channels };
        notification::function(config).await.expect("it starts")
    }

    /// Delivers events as a transport does.
    pub(crate) async fn feed(&self, events: &[Event]) {
        let batch: Vec<Incoming> = events.iter().cloned().map(Incoming::Event).collect();
        self.function.consumes.as_ref().expect("it consumes").handle(&batch).await.expect("its database is there");
    }

    /// Ticks like a leader until it is dropped.
    pub(crate) fn tick(&self) -> Ticking {
        let periodic: Arc<dyn Periodic> = Arc::clone(&self.function.periodic);
        Ticking(tokio::spawn(async move {
            loop {
                // Stock is not there to be compared with: that chore fails, and nothing else may.
                let _ = periodic.tick().await;
                let _ = tokio::time::timeout(Duration::from_secs(1), periodic.woken()).await;
            }
        }))
    }

    pub(crate) async fn send(&self, method: Method, path: &str, key: Option<&str>) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        let request = request.body(Body::empty()).expect("a request");
        let response = self.function.routes.clone().oneshot(request).await.expect("routes always answer");
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.expect("a whole body").to_bytes();
        Answer { status: parts.status, headers: parts.headers, json: serde_json::from_slice(&bytes).unwrap_or(Value::Null) }
    }

    /// A GET that must be 200.
    pub(crate) async fn get(&self, path: &str) -> Value {
        let answer = self.send(Method::GET, path, None).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.json);
        answer.json
    }

    /// A POST that must be 200.
    pub(crate) async fn post(&self, path: &str) -> Value {
        let answer = self.send(Method::POST, path, None).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.json);
        answer.json
    }

    /// All notifications, oldest first.
    pub(crate) async fn notifications(&self) -> Vec<Value> {
        let mut items = self.get("/v1/notifications?limit=500").await["items"].as_array().expect("items").clone();
        items.reverse();
        items
    }

    /// What was raised, oldest first: kind and episode.
    pub(crate) async fn raised(&self) -> Vec<(String, i64)> {
        let shown = |item: &Value| (item["kind"].as_str().expect("a kind").to_owned(), item["episode"].as_i64().expect("a number"));
        self.notifications().await.iter().map(shown).collect()
    }

    /// Waits until the first notification's delivery on a channel has a status; gives the delivery.
    pub(crate) async fn delivery(&self, channel: &str, status: &str) -> Value {
        let what = format!("the {channel} delivery is {status}");
        eventually(&what, PATIENCE, async || {
            let id = self.notifications().await.first()?["id"].as_str()?.to_owned();
            let shown = self.get(&format!("/v1/notifications/{id}")).await;
            let deliveries = shown["deliveries"].as_array()?;
            deliveries.iter().find(|delivery| delivery["channel"] == channel && delivery["status"] == status).cloned()
        })
        .await
    }

    /// The journal of a stream: type and version of each event.
    pub(crate) async fn journal(&self, stream: &str) -> Vec<Value> {
        let path = format!("/v1/journal?stream={}&after=0&limit=500", peer::Peer::segment(stream));
        self.get(&path).await["items"].as_array().expect("items").clone()
    }

    /// What it finds wrong with itself.
    pub(crate) async fn drifts(&self) -> Vec<String> {
        let drifts = self.get("/v1/books").await["drifts"].clone();
        serde_json::from_value(drifts).expect("sentences")
    }

    /// Does in the database what no route does.
    pub(crate) async fn meddle(&self, sql: &str) {
        let database = self.database.database();
        database.get().await.expect("a connection").batch_execute(sql).await.expect(sql);
    }
}
