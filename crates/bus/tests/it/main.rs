//! The bus over a real Kafka: what is sent arrives as it was, in order, all of it, and nothing is taken as settled that is not.
#![expect(clippy::expect_used, reason = "a test stops at the first surprise")]

mod delivery;
mod fixture;
mod groups;
mod lossy;
mod raw;
mod returns;
mod sending;
mod topics;
