//! The producer of what we consume, as far as repair needs it. Implemented over HTTP by `peer`.

use contract::{Books, Event};
use futures::future::BoxFuture;

/// A producer's journal and books.
pub trait Upstream: Send + Sync + 'static {
    /// Events of `stream` behind `version`, oldest first, at most `limit`.
    fn stream_after<'a>(&'a self, stream: &'a str, version: i64, limit: usize) -> BoxFuture<'a, Result<Vec<Event>, UpstreamError>>;

    /// One account of the producer's books, or one bucket of it.
    fn books<'a>(&'a self, account: &'a str, bucket: Option<u8>) -> BoxFuture<'a, Result<Books, UpstreamError>>;
}

/// The producer could not be asked.
#[derive(Debug, thiserror::Error)]
#[error("the producer's journal could not be read")]
pub struct UpstreamError(#[source] pub Box<dyn std::error::Error + Send + Sync>);
