//! The other services, over their HTTP APIs: a producer's journal for repair, its books for reconciling, a product on a miss.
//!
//! The one way in which a service asks another anything. It never writes, and nothing waits on it inside a transaction.

use std::time::Duration;

use contract::{Books, Event, Product, ProductRef};
use futures::future::BoxFuture;
use journal::{Upstream, UpstreamError};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::{Client, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// What stands unescaped in a path segment: the unreserved characters of RFC 3986.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// For a connection to another service.
const CONNECT: Duration = Duration::from_secs(2);
/// For a whole answer; books over a long ledger take the longest.
const ANSWER: Duration = Duration::from_secs(30);
/// Pages of the journal's route.
const JOURNAL_LIMIT: usize = 500;

/// Another service.
#[derive(Debug, Clone)]
pub struct Peer {
    base: String,
    client: Client,
}

/// Why a peer gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum PeerError {
    /// It could not be reached, or broke off.
    #[error("{url} could not be reached")]
    Unreachable {
        /// What was asked.
        url: String,
        /// Why.
        #[source]
        cause: reqwest::Error,
    },
    /// It answered with something else than promised.
    #[error("{url} answered {status}: {body}")]
    Refused {
        /// What was asked.
        url: String,
        /// The HTTP status.
        status: StatusCode,
        /// The beginning of the body.
        body: String,
    },
    /// Its answer does not fit the contract.
    #[error("the answer of {url} does not fit the contract")]
    Strange {
        /// What was asked.
        url: String,
        /// What did not fit.
        #[source]
        cause: serde_json::Error,
    },
}

#[derive(Deserialize)]
struct Items {
    items: Vec<Event>,
}

impl Peer {
    /// Makes a peer of its base URL, such as `http://127.0.0.1:8082`. Connects when first asked.
    pub fn new(base: &str) -> Result<Self, PeerError> {
        let client = Client::builder()
            .connect_timeout(CONNECT)
            .timeout(ANSWER)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|cause| PeerError::Unreachable { url: base.to_owned(), cause })?;
        Ok(Self { base: base.trim_end_matches('/').to_owned(), client })
    }

    /// The base URL.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Escapes one segment of a path.
    pub fn segment(text: &str) -> String {
        utf8_percent_encode(text, SEGMENT).to_string()
    }

    /// A product, archived ones too; `None` when Product knows none of that name.
    pub async fn product(&self, product: &ProductRef) -> Result<Option<Product>, PeerError> {
        match self.get(&format!("/v1/products/{}", Self::segment(&product.to_string()))).await {
            Err(PeerError::Refused { status: StatusCode::NOT_FOUND, .. }) => Ok(None),
            answer => answer.map(Some),
        }
    }

    /// Events of a stream behind a version.
    pub async fn journal(&self, stream: &str, version: i64, limit: usize) -> Result<Vec<Event>, PeerError> {
        let stream = Self::segment(stream);
        let limit = limit.min(JOURNAL_LIMIT);
        let page: Items = self.get(&format!("/v1/journal?stream={stream}&after={version}&limit={limit}")).await?;
        Ok(page.items)
    }

    /// Its books: one account or all, as digests or as the streams of a bucket.
    pub async fn books(&self, account: Option<&str>, bucket: Option<u8>) -> Result<Books, PeerError> {
        let account = account.map(|name| format!("account={}&", Self::segment(name))).unwrap_or_default();
        let bucket = bucket.map(|number| format!("bucket={number}")).unwrap_or_default();
        self.get(&format!("/v1/books?{account}{bucket}")).await
    }

    /// Asks for JSON.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, PeerError> {
        let url = format!("{}{path}", self.base);
        let unreachable = |cause| PeerError::Unreachable { url: url.clone(), cause };
        let answer = self.client.get(&url).send().await.map_err(unreachable)?;
        let status = answer.status();
        let bytes = answer.bytes().await.map_err(unreachable)?;
        if status != StatusCode::OK {
            let body = String::from_utf8_lossy(&bytes).chars().take(300).collect();
            return Err(PeerError::Refused { url, status, body });
        }
        serde_json::from_slice(&bytes).map_err(|cause| PeerError::Strange { url, cause })
    }
}

impl Upstream for Peer {
    fn stream_after<'a>(&'a self, stream: &'a str, version: i64, limit: usize) -> BoxFuture<'a, Result<Vec<Event>, UpstreamError>> {
        Box::pin(async move { self.journal(stream, version, limit).await.map_err(|error| UpstreamError(Box::new(error))) })
    }

    fn books<'a>(&'a self, account: &'a str, bucket: Option<u8>) -> BoxFuture<'a, Result<Books, UpstreamError>> {
        Box::pin(async move { Self::books(self, Some(account), bucket).await.map_err(|error| UpstreamError(Box::new(error))) })
    }
}
