//! The producer of what we consume, as far as repair needs it. Implemented over HTTP by `peer`.

use std::collections::HashMap;
use std::time::Duration;

use contract::{Books, Event, Topic};
use futures::future::BoxFuture;
use tokio::time::{Instant, timeout, timeout_at};

use crate::Feed;

/// How long a producer may take for one answer, and for all those of a round.
const ANSWER: Duration = Duration::from_secs(5);
const ROUND: Duration = Duration::from_mins(1);

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

/// One round of repairs, such as a batch needs. However many streams want something of a producer that is away, it is waited for once.
pub(crate) struct Round {
    until: Instant,
    silent: HashMap<Topic, String>,
}

impl Round {
    pub(crate) fn begin() -> Self {
        Self { until: Instant::now() + ROUND, silent: HashMap::new() }
    }

    /// Whether the producer of a topic may still answer in this round.
    pub(crate) fn may_ask(&self, topic: Topic) -> bool {
        !self.silent.contains_key(&topic) && Instant::now() < self.until
    }

    /// What a producer has behind `version` of a stream, or why it cannot be asked.
    pub(crate) async fn stream_after(&mut self, feed: &Feed, stream: &str, version: i64, limit: usize) -> Result<Vec<Event>, String> {
        if let Some(error) = self.silent.get(&feed.topic) {
            return Err(error.clone());
        }
        let asked = timeout(ANSWER, feed.upstream.stream_after(stream, version, limit));
        let error = match timeout_at(self.until, asked).await {
            Ok(Ok(Ok(events))) => return Ok(events),
            Ok(Ok(Err(error))) => fault::chain(&error),
            Ok(Err(_)) => format!("the producer's journal gave no answer within {} s", ANSWER.as_secs()),
            Err(_) => "the producer's journal was asked for too many streams at once".to_owned(),
        };
        self.silent.insert(feed.topic, error.clone());
        Err(error)
    }
}
