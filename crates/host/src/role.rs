//! What a process does of its service's work.

use axum::Router;
use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use clap::ValueEnum;
use fault::{Kind, Problem};

/// Shares of the work, for processes that are scaled apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Role {
    /// Serves HTTP, relays the journal and does the periodic work
    Api,
    /// Consumes events, and no more; serves /healthz, /readyz and /metrics, and takes events that are pushed
    Worker,
    /// Both
    All,
}

/// What whoever looks after processes asks of each of them.
const VITAL: [&str; 3] = ["/healthz", "/readyz", "/metrics"];

impl Role {
    pub(crate) fn consumes(self) -> bool {
        self != Self::Api
    }

    pub(crate) fn leads(self) -> bool {
        self != Self::Worker
    }

    /// Those of a function's routes that are served.
    pub(crate) fn routes(self, routes: Router) -> Router {
        if self == Self::Worker { routes.layer(from_fn(only_vital)) } else { routes }
    }
}

async fn only_vital(request: Request, next: Next) -> Response {
    if VITAL.contains(&request.uri().path()) {
        return next.run(request).await;
    }
    let detail = "this process only consumes events; ask one whose role is api or all";
    let body = serde_json::to_vec(&Problem::new(Kind::NotFound, "not_found", detail)).unwrap_or_default();
    (StatusCode::NOT_FOUND, [(header::CONTENT_TYPE, "application/problem+json")], body).into_response()
}
