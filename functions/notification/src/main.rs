//! `notification`: the service as a program of its own, over a PostgreSQL that it is given. It only wires: configuration, service, host.

mod config;

use std::process::ExitCode;

use clap::Parser;
use host::pod::{self, ProgramError};

use config::{Command, Options};

/// What is logged unless something else is asked for.
const LOG: &str = "warn,notification::channels::log=info";

fn main() -> ExitCode {
    let options = Options::parse();
    options.service.log.start(LOG);
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("notification: {}", fault::chain(&error));
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<(), ProgramError> {
    let config = options.config().map_err(|error| ProgramError::Service(Box::new(error)))?;
    match options.command {
        None => pod::program("notification", options.place()?, notification::function(config)),
        Some(Command::Migrate) => pod::step(notification::migrate(&config.database)),
    }
}
