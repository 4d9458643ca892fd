//! The HTTP conventions of Gudang over axum: what every service reads, answers and refuses alike.
//!
//! It must know no database, no event and no service: a route of a service reads with these extractors, calls one function of its
//! own, and answers with these types. [`shell`] puts the outer layers around the routes.

pub mod body;
pub mod conditional;
pub mod csv_answer;
mod document;
mod failure;
pub mod import;
pub mod json;
pub mod list;
pub mod metrics;
mod outer;
pub mod params;
mod shell;
pub mod strict;
pub mod typing;

pub use body::body_bytes;
pub use document::unhurried;
pub use failure::{Answer, Failure};
pub use json::{Json, JsonBytes, MergePatch, MergePatchBytes};
pub use list::{Cursor, Limit, Page};
pub use params::{IdempotencyKey, NoQuery, Path, ProductPath, Query};
pub use shell::{Ready, Shell, around, shell};

/// The most bytes of a JSON body: 1 MiB.
pub const JSON_BYTES: usize = 1 << 20;
/// The most bytes of a batch: 2 MiB.
pub const BATCH_BYTES: usize = 2 << 20;
/// The most bytes of one record of an import: 64 KiB.
pub const RECORD_BYTES: usize = 64 << 10;
