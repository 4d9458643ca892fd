//! The journal and the fence against a real PostgreSQL: what is published, in which order, and what is applied of it, how often.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod fence;
mod fixture;
mod lease;
mod order;
mod over_kafka;
mod parked;
mod positions;
mod relay;
