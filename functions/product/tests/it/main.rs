//! What Product promises, seen through its routes and its events, on a real PostgreSQL. It knows only the public surface.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod cached;
mod change;
mod create;
mod fixture;
mod idempotency;
mod import;
mod journal;
mod list;
mod malformed;
mod processes;
mod read;
mod search;
mod stock;
mod untold;
