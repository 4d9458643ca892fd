//! `make bench-search`: how long searches take among fifty thousand products, over HTTP and with both engines, and how soon a change can be found.
//!
//! The products are those of the demo's shop, and more of their kind by a seed. It knows Product by its program and its API.

#[path = "../common/comparison.rs"]
mod comparison;
mod freshness;
#[path = "../common/outcome.rs"]
mod outcome;
mod place;
#[path = "../common/programs.rs"]
mod programs;
#[path = "../common/quantile.rs"]
mod quantile;
mod questions;
#[path = "../common/quiet.rs"]
mod quiet;
#[path = "../common/run.rs"]
mod run;
mod search;
mod shop;
#[path = "../common/wire.rs"]
mod wire;

use std::process::ExitCode;

use comparison::Comparison;
use place::Place;

/// What is measured, in this order within a round.
const COMPARISONS: [Comparison<Place>; 2] = [search::SEARCH, freshness::FRESHNESS];

fn main() -> ExitCode {
    run::run(&COMPARISONS, Place::make)
}
