//! `notification`: the service as a program of its own, over a PostgreSQL that it is given. It only wires: configuration, service, host.

mod config;

use std::process::ExitCode;

use clap::Parser;
use host::pod::{self, Program};

use config::Options;

fn main() -> ExitCode {
    let options = Options::parse();
    let config = match options.config() {
        Ok(config) => config,
        Err(error) => return pod::refuse("notification", &error),
    };
    let (database, function) = (config.database.clone(), notification::function(config));
    let program =
        Program { name: "notification", log: "warn,notification::channels::log=info", function, migrate: notification::migrate(&database) };
    program.run(&options.service, config::environment())
}
