//! `make bench`: what Stock does with changes over HTTP, as ratios to what pgbench does to the same PostgreSQL with one transaction per sale.
//!
//! Rates depend on the machine and on who else uses it; ratios of parts that take turns within a round do so less. So everything is measured
//! in rounds, medians of ratios are shown, and each with what is aimed at. It knows the service by its program, its API and its process, and
//! its tables only to put products there.

#[path = "../common/comparison.rs"]
mod comparison;
#[path = "../common/database.rs"]
mod database;
mod direct;
mod growth;
mod lanes;
mod memory;
#[path = "../common/outcome.rs"]
mod outcome;
mod over_http;
mod overload;
#[path = "../common/peak.rs"]
mod peak;
mod pgbench;
mod place;
#[path = "../common/programs.rs"]
mod programs;
#[path = "../common/quiet.rs"]
mod quiet;
#[path = "../common/run.rs"]
mod run;

use std::process::ExitCode;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use comparison::Comparison;
use place::Place;

/// What is measured, in this order within a round.
const COMPARISONS: [Comparison<Place>; 9] = [
    direct::HOT,
    direct::UNIFORM,
    direct::ONE,
    direct::BATCHES,
    lanes::LANES,
    overload::OVERLOAD,
    overload::OVERLOAD_BATCHES,
    memory::MEMORY,
    growth::GROWTH,
];

fn main() -> ExitCode {
    allow_many_connections();
    run::run(&COMPARISONS, Place::make)
}

/// Overload takes thousands of connections; who is started from here inherits the limit.
fn allow_many_connections() {
    let limit = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }) {
        eprintln!("bench: the limit of open files cannot be raised ({error}), overload may not find enough connections");
    }
}
