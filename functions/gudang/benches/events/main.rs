//! `make bench-events`: what carries events costs, as ratios to what Kafka and PostgreSQL do without it; how soon a change is heard of; and how
//! much memory the four programs need.
//!
//! Everything is measured in rounds over real servers, on one machine and with fsync. It knows the services by their programs and their API, and
//! their tables only to fill them beforehand and to read PostgreSQL's own times of commits.

mod changes;
#[path = "../common/comparison.rs"]
mod comparison;
#[path = "../common/database.rs"]
mod database;
mod ingest;
mod kafka;
mod latency;
mod memory;
#[path = "../common/outcome.rs"]
mod outcome;
#[path = "../common/peak.rs"]
mod peak;
mod place;
#[path = "../common/programs.rs"]
mod programs;
#[path = "../common/quantile.rs"]
mod quantile;
#[path = "../common/quiet.rs"]
mod quiet;
mod relay;
#[path = "../common/run.rs"]
mod run;
#[path = "../common/steady.rs"]
mod steady;
#[path = "../common/wire.rs"]
mod wire;

use std::process::ExitCode;

use comparison::Comparison;
use place::Place;

/// What is measured, in this order within a round.
const COMPARISONS: [Comparison<Place>; 5] = [relay::RELAY, latency::ONE, latency::TWO, ingest::INGEST, memory::MEMORY];

fn main() -> ExitCode {
    run::run(&COMPARISONS, Place::make)
}
