//! A receiver of webhooks that takes all of them.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use serde_json::Value;

type Received = Arc<Mutex<Vec<(String, Value)>>>;

/// It serves as long as the test's runtime runs.
pub(super) struct Receiver {
    url: String,
    received: Received,
}

impl Receiver {
    pub(super) async fn serve() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/alerts", listener.local_addr().expect("an address"));
        let received = Received::default();
        let routes = Router::new().route("/alerts", post(receive)).with_state(Arc::clone(&received));
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Self { url, received }
    }

    pub(super) fn url(&self) -> String {
        self.url.clone()
    }

    /// What came: the id and the body of each, in the order in which they came.
    pub(super) fn received(&self) -> Vec<(String, Value)> {
        self.received.lock().expect("a lock").clone()
    }
}

async fn receive(State(received): State<Received>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let id = headers["webhook-id"].to_str().expect("text").to_owned();
    received.lock().expect("a lock").push((id, serde_json::from_slice(&body).expect("JSON")));
    StatusCode::NO_CONTENT
}
