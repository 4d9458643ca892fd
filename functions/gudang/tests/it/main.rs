//! Stories of the `gudang` command, told to the built program over real servers.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test stops at the first surprise")]

mod apart;
mod audit;
mod commands;
mod demo;
mod kills;
mod said;
mod scale;
mod stories;
mod up;
mod whole_demo;
mod world;

use testkit::dice;
