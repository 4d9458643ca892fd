//! The shell of a service: its routes, those that every service has, and the outer layers around them all.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use fault::{Kind, Problem};
use futures::future::BoxFuture;
use http::header::CONTENT_TYPE;
use http::{Method, StatusCode, Uri};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use utoipa_swagger_ui::{Config, SwaggerUi};

use crate::metrics::Rejections;
use crate::outer::{OuterLayer, Shared};
use crate::params::not_found;
use crate::{Answer, Json, document, json, metrics};

/// Whether the service's own database answers.
pub type Ready = Arc<dyn Fn() -> BoxFuture<'static, bool> + Send + Sync>;

/// How long the database may take to answer before the service counts as not ready.
const READY_LIMIT: Duration = Duration::from_secs(2);

/// What differs from service to service.
pub struct Shell {
    /// `product`, `stock`, ...: in metrics and logs.
    pub name: &'static str,
    /// For people: the title of the OpenAPI document.
    pub title: &'static str,
    /// The service's routes, with their documentation.
    pub routes: OpenApiRouter<()>,
    /// Whether the service's own database answers.
    pub ready: Ready,
}

/// Makes the whole router of a service.
pub fn shell(service: Shell) -> Router {
    metrics::install();
    let health = OpenApiRouter::new().routes(routes!(healthz)).routes(routes!(readyz)).routes(routes!(metrics_text));
    let (router, mut document) = health.with_state(service.ready).merge(service.routes).split_for_parts();
    document::complete(&mut document, service.title);
    let shared = Shared {
        service: service.name,
        unhurried: document::unhurried_paths(&mut document),
        unbounded: vec!["/healthz", "/readyz", "/metrics"],
        at_once: AtomicUsize::new(0),
        rejections: Rejections::default(),
    };
    // A document is strings and numbers: it always can be written.
    let text = Bytes::from(serde_json::to_vec(&document).unwrap_or_default());
    let docs: Router = SwaggerUi::new("/docs").config(Config::from("../openapi.json").validator_url("none")).into();
    router
        .route("/openapi.json", axum::routing::get(move || std::future::ready(json::written(StatusCode::OK, text.clone()))))
        .merge(docs)
        .fallback(async |uri: Uri| crate::Failure(not_found(uri.path())))
        .method_not_allowed_fallback(async |method: Method, uri: Uri| {
            let detail = format!("`{}` does not take {method}", crate::typing::clip(uri.path()));
            crate::Failure(Problem::new(Kind::MethodNotAllowed, "method_not_allowed", detail))
        })
        .layer(OuterLayer(Arc::new(shared)))
        // Without this, axum would build each endpoint anew for every request.
        .with_state(())
}

/// Puts the outer layers of the service `name` around routes that are none of its own, such as a host's.
pub fn around(name: &'static str, routes: Router) -> Router {
    let (unhurried, unbounded) = (Vec::new(), Vec::new());
    let shared = Shared { service: name, unhurried, unbounded, at_once: AtomicUsize::new(0), rejections: Rejections::default() };
    routes.layer(OuterLayer(Arc::new(shared)))
}

#[derive(Serialize, ToSchema)]
struct Health {
    /// Always `ok`.
    status: &'static str,
}

/// Says that the process lives.
#[utoipa::path(get, path = "/healthz", tag = "operations", responses((status = 200, body = Health)))]
async fn healthz() -> Json<Health> {
    Json(Health { status: "ok" })
}

/// Says whether the service can work: its own database answers.
#[utoipa::path(get, path = "/readyz", tag = "operations", responses((status = 200, body = Health)))]
async fn readyz(State(ready): State<Ready>) -> Answer<Json<Health>> {
    if tokio::time::timeout(READY_LIMIT, ready()).await.unwrap_or(false) {
        return Ok(Json(Health { status: "ok" }));
    }
    Err(Problem::new(Kind::Unavailable, "not_ready", "the database does not answer").into())
}

/// Tells the metrics of the process, for Prometheus.
#[utoipa::path(get, path = "/metrics", tag = "operations", responses((status = 200, body = String, content_type = "text/plain")))]
async fn metrics_text() -> Response {
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], metrics::render()).into_response()
}
