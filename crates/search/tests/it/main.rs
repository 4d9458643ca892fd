//! The index as services use it: over a real Elasticsearch, and over one that refuses what it likes.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod fake;
mod order;
mod refused;
mod shop;
