//! Stock against a real PostgreSQL, over real HTTP: what the contract promises of changes, levels, batches, imports and thresholds.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod bad_input;
mod batch;
mod changes;
mod crash;
mod fixture;
mod import;
mod keys;
mod model;
mod products;
mod program;
mod reads;
mod reservations;
mod rush;
mod transfers;
