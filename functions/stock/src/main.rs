//! `stock`: the service as a program of its own, over a PostgreSQL that it is given. It only wires: configuration, service, host.

mod config;

use std::process::ExitCode;

use clap::Parser;
use host::pod;

use config::{Command, Options};

/// What is logged unless something else is asked for.
const LOG: &str = "warn";

fn main() -> ExitCode {
    let options = Options::parse();
    options.log.start(LOG);
    let service = options.service();
    let done = match options.command {
        None => pod::program("stock", options.address(), stock::function(service)),
        Some(Command::Migrate) => pod::step(stock::migrate(&service.database)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("stock: {}", fault::chain(&error));
            ExitCode::FAILURE
        }
    }
}
