//! Faults between the services: the four programs over a real Kafka, with something broken on purpose, and then the same proof for all of them.
//!
//! Each test has servers of its own. Beside the programs stands something naive that meets the same fault and has to come to grief: so each run
//! shows that the fault was one. docs/faults.md says what else was broken to see these tests fail.
#![expect(clippy::expect_used, reason = "a test stops at the first surprise")]

mod aside;
mod bystander;
mod database_killed;
mod ear;
mod load;
mod lost;
mod members;
mod naive;
mod outage;
mod overslept;
mod poison;
mod relay_paused;
mod shop;
