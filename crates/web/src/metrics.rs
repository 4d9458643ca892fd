//! Metrics for Prometheus: one recorder for the process, and the counters of HTTP requests.
//!
//! Everybody else counts with the `metrics` macros and knows nothing of Prometheus.

use std::sync::OnceLock;
use std::time::Duration;

use ::metrics::{Counter, Histogram, counter, histogram};
use http::{Method, StatusCode};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

/// Seconds, for every histogram whose name ends in `_seconds`.
const BUCKETS_SECONDS: [f64; 14] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
/// How often samples are folded into buckets, so that they do not pile up where nobody scrapes.
const UPKEEP: Duration = Duration::from_secs(5);

static HANDLE: OnceLock<Option<PrometheusHandle>> = OnceLock::new();

/// Installs the process's recorder, once; later calls do nothing.
pub fn install() {
    HANDLE.get_or_init(|| match recorder() {
        Ok(handle) => Some(handle),
        Err(error) => {
            tracing::error!(%error, "metrics are off");
            None
        }
    });
}

fn recorder() -> Result<PrometheusHandle, BuildError> {
    let handle =
        PrometheusBuilder::new().set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &BUCKETS_SECONDS)?.install_recorder()?;
    let folded = handle.clone();
    let upkeep = std::thread::Builder::new().name("metrics".to_owned()).spawn(move || {
        loop {
            std::thread::sleep(UPKEEP);
            folded.run_upkeep();
        }
    });
    if let Err(error) = upkeep {
        tracing::error!(%error, "metrics are folded only when they are read");
    }
    ::metrics::describe_counter!(REQUESTS, "HTTP requests answered");
    ::metrics::describe_histogram!(REJECTIONS, "time from the request's head to the answer that turned it away");
    ::metrics::describe_histogram!(DURATION, "time from the request's head to its answer's head");
    Ok(handle)
}

/// Writes everything that was counted, in the text form of Prometheus.
pub fn render() -> String {
    HANDLE.get().and_then(Option::as_ref).map(PrometheusHandle::render).unwrap_or_default()
}

/// Counts callers that were turned away because too much was under way.
#[derive(Default)]
pub(crate) struct Rejections(OnceLock<Histogram>);

impl Rejections {
    /// Counts one.
    pub(crate) fn count(&self, service: &'static str, took: Duration) {
        self.0.get_or_init(|| histogram!(REJECTIONS, "service" => service)).record(took);
    }
}

const REJECTIONS: &str = "gudang_rejection_seconds";
const REQUESTS: &str = "gudang_http_requests_total";
const DURATION: &str = "gudang_http_request_duration_seconds";

const METHODS: [Method; 7] = [Method::GET, Method::POST, Method::PATCH, Method::PUT, Method::DELETE, Method::HEAD, Method::OPTIONS];
const STATUSES: [u16; 16] = [200, 201, 204, 303, 304, 400, 404, 405, 409, 412, 413, 415, 422, 429, 500, 503];

/// The counters of one endpoint, each looked up once.
#[derive(Default)]
pub(crate) struct Endpoint {
    counters: [[OnceLock<Counter>; STATUSES.len()]; METHODS.len()],
    durations: [OnceLock<Histogram>; METHODS.len()],
}

impl Endpoint {
    /// Counts one answer.
    pub(crate) fn count(&self, service: &'static str, route: &str, method: &Method, status: StatusCode, took: Duration) {
        let method_at = METHODS.iter().position(|known| known == method);
        // A client may make up methods; a label may not.
        let name = method_at.map_or("other", |at| METHODS[at].as_str());
        let new_counter = || {
            let status = status.as_str().to_owned();
            counter!(REQUESTS, "service" => service, "method" => name.to_owned(), "route" => route.to_owned(), "status" => status)
        };
        let new_histogram = || histogram!(DURATION, "service" => service, "method" => name.to_owned(), "route" => route.to_owned());
        match (method_at, STATUSES.iter().position(|known| *known == status.as_u16())) {
            (Some(method), Some(status)) => self.counters[method][status].get_or_init(new_counter).increment(1),
            _ => new_counter().increment(1),
        }
        match method_at {
            Some(at) => self.durations[at].get_or_init(new_histogram).record(took),
            None => new_histogram().record(took),
        }
    }
}
