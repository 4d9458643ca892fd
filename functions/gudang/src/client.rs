//! The services as a client sees them: where they are, whether they answer, and what a refusal says.
//!
//! It knows the conventions of the API (problem+json, idempotency keys, Retry-After) and no path of any service but `/readyz`.

use std::time::{Duration, Instant};

use anyhow::Context;
use bytes::Bytes;
use contract::Books;
use fault::Problem;
use peer::{Peer, PeerError};
use reqwest::header::{ACCEPT, CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Client, RequestBuilder, StatusCode};
use serde::de::DeserializeOwned;

use crate::config::{BaseUrl, Urls};

/// For a connection.
const CONNECT: Duration = Duration::from_secs(2);
/// For one answer: a chunk of an import on a slow machine, or a report over everything.
const ANSWER: Duration = Duration::from_mins(1);
/// How long a service may be away in the middle of a command, as it is while it restarts.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
/// Before something is sent again, unless the service says how long.
const PAUSE: Duration = Duration::from_millis(300);
/// The longest pause that a service can ask for.
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// A service as a client sees it.
#[derive(Debug, Clone)]
pub(crate) struct Service {
    /// For people.
    pub(crate) name: &'static str,
    variable: &'static str,
    url: String,
    client: Client,
    peer: Peer,
}

/// All four.
#[derive(Debug, Clone)]
pub(crate) struct Services {
    pub(crate) product: Service,
    pub(crate) stock: Service,
    pub(crate) notification: Service,
    pub(crate) analytics: Service,
}

/// Why there is no answer to work with.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoAnswer {
    /// Nobody is there.
    #[error("{name} does not answer at {url}: start the services with `gudang up`, or say where it is with {variable} ({cause})")]
    Away { name: &'static str, url: String, variable: &'static str, cause: String },
    /// It is there and says no.
    #[error("{name} at {url} says no: {problem}")]
    Refused { name: &'static str, url: String, problem: Box<Problem> },
    /// It is there and says something else than the contract.
    #[error("{name} at {url} answers with something that is not in the contract ({cause}): is that address another program's?")]
    Strange { name: &'static str, url: String, cause: String },
}

impl NoAnswer {
    /// Whether asking again later may help, although the service was there before.
    fn passes(&self) -> bool {
        match self {
            Self::Away { .. } => true,
            Self::Refused { problem, .. } => problem.status == 429 || problem.status >= 500,
            Self::Strange { .. } => false,
        }
    }
}

impl Services {
    /// Makes the four clients. Nothing is connected yet.
    pub(crate) fn new(urls: &Urls) -> anyhow::Result<Self> {
        let client = client()?;
        Ok(Self {
            product: Service::new("Product", "PRODUCT_URL", &urls.product_url, &client)?,
            stock: Service::new("Stock Change", "STOCK_URL", &urls.stock_url, &client)?,
            notification: Service::new("Notification", "NOTIFICATION_URL", &urls.notification_url, &client)?,
            analytics: Service::new("Analytics", "ANALYTICS_URL", &urls.analytics_url, &client)?,
        })
    }

    /// In the order in which they are always named.
    pub(crate) fn all(&self) -> [&Service; 4] {
        [&self.product, &self.stock, &self.notification, &self.analytics]
    }

    /// Makes sure that all four answer, before anything is begun.
    pub(crate) async fn answer(&self) -> Result<(), NoAnswer> {
        futures::future::try_join_all(self.all().map(|service| service.get("/readyz", "*/*"))).await.map(|_| ())
    }
}

fn client() -> anyhow::Result<Client> {
    let builder = Client::builder().connect_timeout(CONNECT).timeout(ANSWER).no_proxy();
    builder.redirect(reqwest::redirect::Policy::none()).build().context("no HTTP client can be made")
}

impl Service {
    fn new(name: &'static str, variable: &'static str, url: &BaseUrl, client: &Client) -> anyhow::Result<Self> {
        Ok(Self { name, variable, url: url.to_string(), client: client.clone(), peer: Peer::new(url.as_str())? })
    }

    /// Asks for JSON.
    pub(crate) async fn json<T: DeserializeOwned>(&self, path: &str) -> Result<T, NoAnswer> {
        let body = self.get(path, "application/json").await?;
        serde_json::from_slice(&body).map_err(|error| self.strange(&error))
    }

    /// Asks for bytes of a media type.
    pub(crate) async fn get(&self, path: &str, accept: &str) -> Result<Bytes, NoAnswer> {
        self.send(self.client.get(self.address(path)).header(ACCEPT, accept)).await.map_err(|(error, _)| error)
    }

    /// Takes a step: a POST without a body.
    pub(crate) async fn step<T: DeserializeOwned>(&self, path: &str) -> Result<T, NoAnswer> {
        let body = self.send(self.client.post(self.address(path))).await.map_err(|(error, _)| error)?;
        serde_json::from_slice(&body).map_err(|error| self.strange(&error))
    }

    /// Removes what is at a path.
    pub(crate) async fn remove(&self, path: &str) -> Result<(), NoAnswer> {
        self.send(self.client.delete(self.address(path))).await.map(|_| ()).map_err(|(error, _)| error)
    }

    /// Posts a body until it is answered, for up to [`PATIENCE`]. The key makes it safe to send it again.
    pub(crate) async fn post<T: DeserializeOwned>(&self, path: &str, media: &str, key: Option<&str>, body: Vec<u8>) -> Result<T, NoAnswer> {
        let begun = Instant::now();
        let body = Bytes::from(body);
        loop {
            let mut request = self.client.post(self.address(path)).header(CONTENT_TYPE, media).body(body.clone());
            if let Some(key) = key {
                request = request.header("idempotency-key", key);
            }
            match self.send(request).await {
                Ok(answer) => return serde_json::from_slice(&answer).map_err(|error| self.strange(&error)),
                Err((error, pause)) if error.passes() && begun.elapsed() < PATIENCE => tokio::time::sleep(pause).await,
                Err((error, _)) => return Err(error),
            }
        }
    }

    /// Its books.
    pub(crate) async fn books(&self, account: Option<&str>, bucket: Option<u8>) -> Result<Books, NoAnswer> {
        self.peer.books(account, bucket).await.map_err(|error| match error {
            PeerError::Unreachable { cause, .. } => self.away(&cause),
            PeerError::Refused { status, body, .. } => self.refused(status, body.as_bytes()),
            PeerError::Strange { cause, .. } => self.strange(&cause),
        })
    }

    /// The error of a service whose books lack an account.
    pub(crate) fn without(&self, account: &str) -> NoAnswer {
        NoAnswer::Strange { name: self.name, url: self.url.clone(), cause: format!("its books have no account `{account}`") }
    }

    /// Sends, and tells an answer that helps from one that does not; with how long to wait before sending again.
    async fn send(&self, request: RequestBuilder) -> Result<Bytes, (NoAnswer, Duration)> {
        let answer = request.send().await.map_err(|error| (self.away(&error), PAUSE))?;
        let status = answer.status();
        let asked = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok()).map(Duration::from_secs);
        let body = answer.bytes().await.map_err(|error| (self.away(&error), PAUSE))?;
        if status.is_success() {
            return Ok(body);
        }
        Err((self.refused(status, &body), asked.unwrap_or(PAUSE).min(PAUSE_MAX)))
    }

    fn address(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    fn away(&self, error: &reqwest::Error) -> NoAnswer {
        NoAnswer::Away { name: self.name, url: self.url.clone(), variable: self.variable, cause: root(error) }
    }

    fn refused(&self, status: StatusCode, body: &[u8]) -> NoAnswer {
        let (name, url) = (self.name, self.url.clone());
        match serde_json::from_slice::<Problem>(body) {
            Ok(problem) => NoAnswer::Refused { name, url, problem: Box::new(problem) },
            Err(_) => NoAnswer::Strange { name, url, cause: format!("status {status}") },
        }
    }

    fn strange(&self, error: &serde_json::Error) -> NoAnswer {
        NoAnswer::Strange { name: self.name, url: self.url.clone(), cause: error.to_string() }
    }
}

/// What was wrong in the end: `connection refused`, without the layers around it.
fn root(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "it took too long".to_owned();
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

/// A query string of the parameters that are there.
pub(crate) fn query(parameters: &[(&str, Option<&str>)]) -> String {
    let pairs = parameters.iter().filter_map(|(name, value)| value.map(|value| format!("{name}={}", Peer::segment(value))));
    let pairs: Vec<String> = pairs.collect();
    if pairs.is_empty() { String::new() } else { format!("?{}", pairs.join("&")) }
}

#[cfg(test)]
mod tests {
    use super::query;

    #[test]
    fn a_query_has_what_was_said_and_escapes_it() {
        assert_eq!(query(&[("from", None), ("product", Some("red & blue")), ("limit", Some("3"))]), "?product=red%20%26%20blue&limit=3");
        assert_eq!(query(&[("from", None)]), "");
    }
}
