//! A receiver of webhooks that behaves as told and remembers what came.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use futures::StreamExt;
use http::{HeaderMap, StatusCode, header};
use notification::{WebhookConfig, WebhookSecret};
use serde_json::Value;
use tokio::sync::Notify;

/// Its secret, made up.
pub(crate) const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// How it answers.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Behaviour {
    Status(u16),
    /// Takes the request and never answers.
    Hang,
    /// Takes the request and answers 500 once it is let go.
    Held,
    /// Sends elsewhere, to a path of its own.
    Redirect,
    /// 200, and a body that never ends.
    Endless,
}

/// A request that came.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Received {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }

    pub(crate) fn id(&self) -> String {
        self.headers["webhook-id"].to_str().expect("text").to_owned()
    }

    /// Checks the signature as a receiver does.
    pub(crate) fn is_genuine(&self) -> bool {
        standardwebhooks::Webhook::new(SECRET).expect("a secret").verify(&self.body, &self.headers).is_ok()
    }
}

/// The receiver.
#[derive(Clone, Default)]
pub(crate) struct Receiver {
    plan: Arc<Mutex<VecDeque<Behaviour>>>,
    received: Arc<Mutex<Vec<Received>>>,
    elsewhere: Arc<AtomicUsize>,
    endless_bytes: Arc<AtomicUsize>,
    held: Arc<Notify>,
    address: String,
}

impl Receiver {
    /// Serves; answers as planned, then 204.
    pub(crate) async fn serve(plan: &[Behaviour]) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let receiver = Self { plan: Arc::new(Mutex::new(plan.iter().copied().collect())), address, ..Self::default() };
        let routes =
            Router::new().route("/alerts", post(receive)).route("/elsewhere", post(elsewhere).get(elsewhere)).with_state(receiver.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        receiver
    }

    pub(crate) fn webhook(&self, allow_private: bool) -> WebhookConfig {
        let secret = WebhookSecret::parse(SECRET).expect("a secret");
        WebhookConfig { url: format!("http://{}/alerts", self.address), secret, allow_private }
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.received.lock().expect("a lock").clone()
    }

    /// Lets the request go that is held.
    pub(crate) fn let_go(&self) {
        self.held.notify_one();
    }

    pub(crate) fn went_elsewhere(&self) -> usize {
        self.elsewhere.load(Ordering::SeqCst)
    }

    pub(crate) fn endless_bytes(&self) -> usize {
        self.endless_bytes.load(Ordering::SeqCst)
    }
}

async fn receive(State(receiver): State<Receiver>, headers: HeaderMap, body: Bytes) -> Response {
    receiver.received.lock().expect("a lock").push(Received { headers, body });
    let behaviour = receiver.plan.lock().expect("a lock").pop_front().unwrap_or(Behaviour::Status(204));
    match behaviour {
        Behaviour::Status(status) => StatusCode::from_u16(status).expect("a status").into_response(),
        Behaviour::Hang => std::future::pending().await,
        Behaviour::Held => {
            receiver.held.notified().await;
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
        Behaviour::Redirect => (StatusCode::FOUND, [(header::LOCATION, "/elsewhere")]).into_response(),
        Behaviour::Endless => {
            let sent = Arc::clone(&receiver.endless_bytes);
            let chunk = Bytes::from(vec![b'x'; 16 << 10]);
            let chunks = futures::stream::repeat(chunk).map(move |chunk| {
                sent.fetch_add(chunk.len(), Ordering::SeqCst);
                Ok::<_, std::convert::Infallible>(chunk)
            });
            Body::from_stream(chunks).into_response()
        }
    }
}

async fn elsewhere(State(receiver): State<Receiver>) -> StatusCode {
    receiver.elsewhere.fetch_add(1, Ordering::SeqCst);
    StatusCode::OK
}
