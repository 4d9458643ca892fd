//! What the database crate promises, seen on a real server. It knows only the public surface.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test stops at the first surprise")]

mod fixture;
mod keys;
mod migrations;
mod pool;
mod server;
