//! Stories of the `gudang` command, told to the built program over real servers.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test stops at the first surprise")]

mod apart;
mod audit;
mod commands;
mod demo;
mod import;
mod kills;
mod load;
mod said;
mod shop;
mod up;
mod whole_demo;

use testkit::dice;
