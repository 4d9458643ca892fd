//! Requests to Elasticsearch, each with a time limit, and what can be wrong with them.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use elasticsearch::auth::Credentials;
use elasticsearch::http::headers::HeaderMap;
use elasticsearch::http::request::Body;
use elasticsearch::http::response::Response;
use elasticsearch::http::transport::{SingleNodeConnectionPool, Transport, TransportBuilder};
use elasticsearch::http::{Method, Url};
use serde_json::Value;

/// `ELASTICSEARCH_URL`: `http://host:9200` or `https://user:password@host:9200`. It may hold a password, so it is never shown whole.
#[derive(Clone, PartialEq, Eq)]
pub struct ElasticsearchUrl(Url);

/// What cannot be the URL of an Elasticsearch.
#[derive(Debug, thiserror::Error)]
pub enum NotElasticsearch {
    /// No URL, or none of HTTP.
    #[error("must be a URL such as http://127.0.0.1:9200 or https://user:password@search:9200")]
    Url,
    /// The client cannot be made of it.
    #[error("no client can be made")]
    Client(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl FromStr for ElasticsearchUrl {
    type Err = NotElasticsearch;

    fn from_str(text: &str) -> Result<Self, NotElasticsearch> {
        let url = Url::parse(text).map_err(|_| NotElasticsearch::Url)?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err(NotElasticsearch::Url);
        }
        Ok(Self(url))
    }
}

impl fmt::Debug for ElasticsearchUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}:***", self.0.scheme(), self.0.host_str().unwrap_or_default())
    }
}

/// Why the index did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// It cannot be reached, or did not answer in time.
    #[error("Elasticsearch is away")]
    Away(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// What it was asked about is not there.
    #[error("Elasticsearch has no index {0}")]
    NoIndex(String),
    /// It answered something else than it was asked for.
    #[error("Elasticsearch answered {status}: {cause}")]
    Answered {
        /// The HTTP status.
        status: u16,
        /// In its words.
        cause: String,
    },
}

/// A client. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Client {
    transport: Transport,
}

/// Of an answer's words in an error.
const CAUSE_CHARACTERS: usize = 300;

impl Client {
    pub(super) fn new(ElasticsearchUrl(url): &ElasticsearchUrl) -> Result<Self, NotElasticsearch> {
        let mut plain = url.clone();
        // Neither fails for a URL that has a host.
        let _ = plain.set_username("");
        let _ = plain.set_password(None);
        let mut builder = TransportBuilder::new(SingleNodeConnectionPool::new(plain)).disable_proxy().enable_meta_header(false);
        if !url.username().is_empty() {
            builder = builder.auth(Credentials::Basic(decoded(url.username()), decoded(url.password().unwrap_or_default())));
        }
        Ok(Self { transport: builder.build().map_err(|error| NotElasticsearch::Client(Box::new(error)))? })
    }

    /// Sends a request and reads the JSON of its answer, all within `limit`. A status other than 2xx is an error.
    pub(super) async fn send(&self, method: Method, path: &str, body: Option<impl Body>, limit: Duration) -> Result<Value, IndexError> {
        let sent = self.transport.send(method, path, HeaderMap::new(), None::<&()>, body, Some(limit));
        let answer = async {
            let response = sent.await.map_err(|error| IndexError::Away(Box::new(error)))?;
            read(response, path).await
        };
        let late = |_| IndexError::Away(format!("no answer within {} ms", limit.as_millis()).into());
        tokio::time::timeout(limit, answer).await.map_err(late)?
    }
}

async fn read(response: Response, path: &str) -> Result<Value, IndexError> {
    let status = response.status_code().as_u16();
    let text = response.text().await.map_err(|error| IndexError::Away(Box::new(error)))?;
    match status {
        200..=299 if text.is_empty() => Ok(Value::Null),
        200..=299 => serde_json::from_str(&text).map_err(|error| IndexError::Answered { status, cause: error.to_string() }),
        404 => Err(IndexError::NoIndex(path.trim_start_matches('/').split(['/', '?']).next().unwrap_or_default().to_owned())),
        _ => Err(IndexError::Answered { status, cause: text.chars().take(CAUSE_CHARACTERS).collect() }),
    }
}

/// What stands percent-encoded in a URL.
fn decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_checked_and_its_password_is_not_shown() {
        let url: ElasticsearchUrl = "https://elastic:s%40cret@search:9200".parse().expect("a URL");
        assert!(!format!("{url:?}").contains("cret"));
        assert!(Client::new(&url).is_ok());
        for bad in ["", "search:9200", "redis://search", "http://"] {
            assert!(bad.parse::<ElasticsearchUrl>().is_err(), "{bad}");
        }
    }
}
