//! `analytics`: the service as a program of its own, over a PostgreSQL that it is given. It only wires: configuration, service, host.

mod config;

use std::process::ExitCode;

use clap::Parser;
use host::pod::Program;

use config::Options;

fn main() -> ExitCode {
    let options = Options::parse();
    let config = options.config();
    let (database, function) = (config.database.clone(), analytics::function(config));
    let program = Program { name: "analytics", log: "warn", function, migrate: analytics::migrate(&database) };
    program.run(&options.service, config::environment())
}
