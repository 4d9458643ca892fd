//! Real servers for tests: a database of one's own, services and the whole of Gudang as child processes, a proxy that breaks links.
//!
//! It stops at the first surprise, as a test does. It knows the contract's addresses and answers, and nothing of any service's inside.
#![expect(clippy::expect_used, reason = "a test stops at the first surprise")]

mod apart;
mod certificates;
mod database;
pub mod dice;
mod elasticsearch;
pub mod findings;
mod gudang;
mod http;
mod kafka;
mod native;
mod process;
mod program;
mod proxy;
mod redis;
mod server;
mod smtp;

use std::time::{Duration, Instant};

pub use apart::{Apart, Setup};
pub use certificates::{Authority, Certificate};
pub use database::TestDatabase;
pub use elasticsearch::Elasticsearch;
pub use gudang::{Gudang, Service};
pub use http::{Answer, Http};
pub use kafka::Kafka;
pub use program::Program;
pub use proxy::{Blow, Marks, Point, Proxy};
pub use redis::Redis;
pub use server::Server;
pub use smtp::{Smtp, Tls};

/// Asks again every 50 ms until `question` has an answer; panics, naming `what`, when there is none within `patience`.
pub async fn eventually<T>(what: &str, patience: Duration, mut question: impl AsyncFnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(answer) = question().await {
            return answer;
        }
        assert!(begun.elapsed() < patience, "{what}: not within {patience:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
