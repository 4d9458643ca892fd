//! What stands around every route: request id, span, time limit, bound on requests at once, panics caught, metrics.
//!
//! One layer rather than six: each layer of an axum router costs a clone and a box per request.

use std::any::Any;
use std::convert::Infallible;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, OnceLock};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::{MatchedPath, Request};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use fault::{Kind, Problem};
use futures::FutureExt;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use tower::{Layer, Service};
use tracing::Instrument;
use tracing::field::Empty;
use uuid::Uuid;

use crate::Failure;
use crate::metrics::{Endpoint, Rejections};

/// Requests that one service handles at once; beyond it callers are turned away at once.
const REQUESTS_AT_ONCE: usize = 4096;
/// How long a route may take to answer.
const TIME_LIMIT: Duration = Duration::from_secs(30);
/// The header that names a request.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What all endpoints of a service share.
pub(crate) struct Shared {
    pub(crate) service: &'static str,
    /// Paths without a time limit.
    pub(crate) unhurried: Vec<String>,
    /// Paths that are answered however busy the service is.
    pub(crate) unbounded: Vec<&'static str>,
    /// Requests being handled.
    pub(crate) at_once: AtomicUsize,
    /// Counts callers that were turned away.
    pub(crate) rejections: Rejections,
}

/// Puts [`Outer`] around each endpoint.
#[derive(Clone)]
pub(crate) struct OuterLayer(pub(crate) Arc<Shared>);

impl<S> Layer<S> for OuterLayer {
    type Service = Outer<S>;
    fn layer(&self, inner: S) -> Outer<S> {
        Outer { inner, shared: Arc::clone(&self.0), seen: Arc::default() }
    }
}

/// What is known of an endpoint once its first request has come: only then axum tells its path.
#[derive(Default)]
struct Seen {
    route: OnceLock<Route>,
    metrics: Endpoint,
}

struct Route {
    path: String,
    hurried: bool,
    bounded: bool,
}

/// One endpoint with everything around it.
#[derive(Clone)]
pub(crate) struct Outer<S> {
    inner: S,
    shared: Arc<Shared>,
    seen: Arc<Seen>,
}

impl<S> Service<Request> for Outer<S>
where
    S: Service<Request, Response = Response, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let started = Instant::now();
        let route = self.seen.route.get_or_init(|| Route::of(&request, &self.shared));
        let Some(slot) = Slot::take(&self.shared, route.bounded) else {
            // Who is turned away must cost next to nothing, or an overload would eat up what is left for the others.
            return Box::pin(std::future::ready(Ok(self.turn_away(&request, &route.path, started))));
        };
        let fresh = self.inner.clone();
        let inner = std::mem::replace(&mut self.inner, fresh);
        let (shared, seen) = (Arc::clone(&self.shared), Arc::clone(&self.seen));
        Box::pin(async move {
            let _slot = slot;
            Ok(handle(inner, request, &shared, &seen, started).await)
        })
    }
}

impl<S> Outer<S> {
    /// The answer to one who comes when too many are there. Its body is made once.
    fn turn_away(&self, request: &Request, path: &str, started: Instant) -> Response {
        static BODY: LazyLock<Bytes> = LazyLock::new(|| {
            let problem = Problem::new(Kind::Overloaded, "overloaded", "too many requests are being handled, try again");
            // A problem is strings: it always can be written.
            serde_json::to_vec(&problem).unwrap_or_default().into()
        });
        let mut response = Response::new(Body::from(BODY.clone()));
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        response.extensions_mut().insert(Kind::Overloaded);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        headers.insert(REQUEST_ID, own_id(request.headers()).cloned().unwrap_or_else(new_id));
        let took = started.elapsed();
        self.shared.rejections.count(self.shared.service, took);
        self.seen.metrics.count(self.shared.service, path, request.method(), response.status(), took);
        response
    }
}

async fn handle<S>(inner: S, mut request: Request, shared: &Shared, seen: &Seen, started: Instant) -> Response
where
    S: Service<Request, Response = Response, Error = Infallible> + Send,
    S::Future: Send,
{
    let id = identify(&mut request);
    let route = seen.route.get_or_init(|| Route::of(&request, shared));
    let method = request.method().clone();
    let span = tracing::info_span!(
        "request",
        service = shared.service,
        http.method = %method,
        http.route = route.path,
        request.id = id.to_str().unwrap_or_default(),
        http.status = Empty,
        duration_ms = Empty
    );
    let mut response = guarded(inner, request, route.hurried).instrument(span.clone()).await;
    let took = started.elapsed();
    if response.extensions().get() == Some(&Kind::Overloaded) {
        shared.rejections.count(shared.service, took);
    }
    response.headers_mut().insert(REQUEST_ID, id);
    let status = response.status();
    seen.metrics.count(shared.service, &route.path, &method, status, took);
    if !span.is_disabled() {
        span.record("http.status", status.as_u16());
        span.record("duration_ms", took.as_secs_f64() * 1000.0);
        span.in_scope(|| tracing::debug!("answered"));
    }
    response
}

/// Calls the route; a panic is a 500, and what takes too long is a 503.
async fn guarded<S>(mut inner: S, request: Request, hurried: bool) -> Response
where
    S: Service<Request, Response = Response, Error = Infallible> + Send,
    S::Future: Send,
{
    let answer = AssertUnwindSafe(async move {
        match inner.call(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    })
    .catch_unwind();
    let limit = if hurried { TIME_LIMIT } else { Duration::MAX };
    let Ok(answer) = tokio::time::timeout(limit, answer).await else {
        tracing::warn!("request took too long");
        let detail = "it took too long and what became of it is not known; ask again with the same key";
        return refuse(Problem::new(Kind::Unavailable, "timeout", detail));
    };
    answer.unwrap_or_else(|panic| {
        tracing::error!(panic = panic_text(&*panic), "route panicked");
        refuse(Problem::internal())
    })
}

fn refuse(problem: Problem) -> Response {
    Failure(problem).into_response()
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&'static str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no text")
}

/// Keeps the client's own name of the request, or gives it one; handlers find it in the request's headers.
fn identify(request: &mut Request) -> HeaderValue {
    if let Some(own) = own_id(request.headers()) {
        return own.clone();
    }
    let id = new_id();
    request.headers_mut().insert(REQUEST_ID, id.clone());
    id
}

/// The client's own name of the request, where it is one.
fn own_id(headers: &HeaderMap) -> Option<&HeaderValue> {
    let mut sent = headers.get_all(REQUEST_ID).iter();
    let (own, None) = (sent.next()?, sent.next()) else { return None };
    ((1..=128).contains(&own.len()) && own.as_bytes().iter().all(u8::is_ascii_graphic)).then_some(own)
}

fn new_id() -> HeaderValue {
    let mut text = Uuid::encode_buffer();
    HeaderValue::from_str(Uuid::now_v7().hyphenated().encode_lower(&mut text)).unwrap_or(HeaderValue::from_static("unknown"))
}

impl Route {
    fn of(request: &Request, shared: &Shared) -> Self {
        let path = request.extensions().get::<MatchedPath>().map_or("unmatched", MatchedPath::as_str);
        Self {
            path: path.to_owned(),
            hurried: !shared.unhurried.iter().any(|unhurried| unhurried == path),
            bounded: !shared.unbounded.contains(&path),
        }
    }
}

/// One of the requests handled at once.
struct Slot(Arc<Shared>);

impl Slot {
    fn take(shared: &Arc<Shared>, bounded: bool) -> Option<Self> {
        let slot = Self(Arc::clone(shared));
        let before = shared.at_once.fetch_add(1, Ordering::Relaxed);
        (!bounded || before < REQUESTS_AT_ONCE).then_some(slot)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.at_once.fetch_sub(1, Ordering::Relaxed);
    }
}
