//! For each test a database, the service over it, and a producer that it can ask.

use std::sync::{Arc, Mutex};

use analytics::{Config, function};
use axum::extract::{Query, State};
use axum::routing::get;
use axum::{Json, Router};
use bus::Incoming;
use contract::Event;
use host::Function;
use http::header::ACCEPT;
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use serde::Deserialize;
use serde_json::{Value, json};
use testkit::TestDatabase;
use tower::ServiceExt;

/// What the producers would tell when asked again.
type Journal = Arc<Mutex<Vec<Event>>>;

/// The service under test.
pub(crate) struct World {
    pub(crate) function: Function,
    journal: Journal,
}

/// An answer, read whole.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) content_type: String,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.status, StatusCode::OK, "{}", self.text);
        serde_json::from_str(&self.text).unwrap()
    }

    /// The fields at fault, each with its code, of a 422.
    pub(crate) fn refusal(&self) -> (String, String) {
        assert_eq!(self.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", self.text);
        assert_eq!(self.content_type, "application/problem+json");
        let problem: Value = serde_json::from_str(&self.text).unwrap();
        let error = &problem["errors"][0];
        (error["field"].as_str().unwrap().to_owned(), error["code"].as_str().unwrap().to_owned())
    }
}

impl World {
    pub(crate) async fn new() -> Self {
        let database = TestDatabase::create().await;
        let journal = Journal::default();
        let producer = producer(Arc::clone(&journal)).await;
        let config = Config { database: database.settings(), product_url: producer.clone(), stock_url: producer };
        Self { function: function(config).await.unwrap(), journal }
    }

    /// Delivers a batch, as any transport would.
    pub(crate) async fn deliver(&self, events: &[Event]) {
        let batch: Vec<Incoming> = events.iter().cloned().map(Incoming::Event).collect();
        self.function.consumes.as_ref().unwrap().handle(&batch).await.unwrap();
    }

    /// Lets the producer's journal have events, for repair.
    pub(crate) fn record(&self, events: &[Event]) {
        self.journal.lock().unwrap().extend_from_slice(events);
    }

    pub(crate) async fn send(&self, method: &str, path: &str, accept: &str) -> Answer {
        let request = Request::builder().method(method).uri(path).header(ACCEPT, accept).body(axum::body::Body::empty()).unwrap();
        let response = self.function.routes.clone().oneshot(request).await.unwrap();
        let content_type = response.headers().get("content-type").map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default();
        let status = response.status();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        Answer { status, content_type, text: String::from_utf8(bytes.to_vec()).unwrap() }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, "*/*").await
    }

    pub(crate) async fn best_sellers(&self, query: &str) -> Value {
        self.get(&format!("/v1/reports/best-sellers?{query}")).await.json()
    }

    pub(crate) async fn sales(&self, query: &str) -> Value {
        self.get(&format!("/v1/reports/sales?{query}")).await.json()
    }

    pub(crate) async fn sql(&self, sql: &str) {
        self.function.database.get().await.unwrap().batch_execute(sql).await.unwrap();
    }
}

#[derive(Deserialize)]
struct JournalQuery {
    stream: String,
    after: i64,
    limit: usize,
}

/// Product and Stock in one, as far as repair asks them.
async fn producer(journal: Journal) -> String {
    let read = async |State(journal): State<Journal>, Query(query): Query<JournalQuery>| {
        let journal = journal.lock().unwrap();
        let mut items: Vec<Event> =
            journal.iter().filter(|event| event.subject == query.stream && event.version > query.after).cloned().collect();
        items.sort_by_key(|event| event.version);
        items.truncate(query.limit);
        Json(json!({"items": items, "next_cursor": null}))
    };
    let routes = Router::new().route("/v1/journal", get(read)).with_state(journal);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, routes).await });
    format!("http://{address}")
}
