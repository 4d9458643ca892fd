//! What a process does of its service's work.

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use clap::ValueEnum;
use fault::{Kind, Problem};

/// Shares of the work, for processes that are scaled apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Role {
    /// Serves HTTP, relays the journal and does the periodic work
    Api,
    /// Consumes events, and no more; serves /healthz, /readyz and /metrics
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
        if self != Self::Worker {
            return routes;
        }
        let vital = VITAL.iter().fold(Router::new(), |vital, path| vital.route_service(path, routes.clone()));
        vital.fallback(async || {
            let detail = "this process only consumes events; ask one whose role is api or all";
            let problem = Problem::new(Kind::NotFound, "not_found", detail);
            let body = serde_json::to_vec(&problem).unwrap_or_default();
            (StatusCode::NOT_FOUND, [(header::CONTENT_TYPE, "application/problem+json")], body).into_response()
        })
    }
}
