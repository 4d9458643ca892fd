//! The host with functions made up for it, over a real PostgreSQL and a real Kafka: what breaks down is seen, nothing is published before there
//! is somewhere to, and an orderly stop leaves nothing behind.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test stops at the first surprise")]

mod broken;
mod fixture;
mod over_kafka;
