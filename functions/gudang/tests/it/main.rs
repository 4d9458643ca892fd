//! Stories of the `gudang` command, told to the built program over real servers.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test stops at the first surprise")]

mod audit;
mod commands;
mod demo;
mod dice;
mod import;
mod kills;
mod said;
mod shop;
mod up;
mod whole_demo;
