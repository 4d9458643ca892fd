//! The books: what each service says of its streams, so that anyone can compare them.
//!
//! A book is kept per account (`stock`, `sales`, ...): for each stream its version and a few sums. It is shown as 256 buckets with one
//! digest each; who compares descends only where digests differ. Two services agree on an account when their digests are equal.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One stream in an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BookEntry {
    /// The stream's name.
    pub stream: String,
    /// How far this service has come in it.
    pub version: i64,
    /// The account's sums, in the account's order, as exact decimal numbers.
    pub sums: Vec<String>,
}

/// One account of a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BookAccount {
    /// What the sums are called, in order.
    pub sums: Vec<String>,
    /// Streams in the account, or in the bucket asked for.
    pub streams: i64,
    /// The versions added up.
    pub version: i64,
    /// Each sum added up over all streams.
    pub totals: Vec<String>,
    /// One SHA-256 a bucket, in hexadecimal; empty for a bucket without streams. Absent when a bucket is asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub buckets: Vec<String>,
    /// The streams of the bucket asked for, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub entries: Vec<BookEntry>,
}

/// What a service says of its streams.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Books {
    /// `product`, `stock`, `notification` or `analytics`.
    pub service: String,
    /// The bucket asked for, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bucket: Option<u8>,
    /// Account by name.
    pub accounts: BTreeMap<String, BookAccount>,
    /// What the service found wrong in its own tables, each as a sentence; empty when it can prove itself.
    pub drifts: Vec<String>,
}
