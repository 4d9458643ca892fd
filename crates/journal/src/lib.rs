//! The journal: what a service publishes, read exactly once; and the fence: what a service consumes, applied exactly once.
//!
//! A producer appends journal rows in the transaction that changes its state. The [`Journal`] reads them by differences of snapshots, a
//! [`relay`] hands them to an outlet, and on the other side the [`Intake`] applies each stream's versions in order, repairs gaps from the
//! producer's journal, and parks what cannot be applied. This room knows no domain: what a row means and what an event does stay with
//! the services.

pub mod append;
pub mod books;
mod fence;
mod intake;
pub mod keyed;
pub mod lease;
pub mod letters;
mod position;
pub mod post;
mod read;
pub mod reconcile;
pub mod relay;
pub mod routes;
pub mod schema;
mod upstream;

pub use fence::{Mode, set_applied};
pub use intake::{Applied, Effect, Feed, Intake, Retried};
pub use lease::Lease;
pub use position::Position;
pub use read::{Journal, Table};
pub use upstream::{Upstream, UpstreamError};
