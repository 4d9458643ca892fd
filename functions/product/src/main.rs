//! `product`: the service as a program of its own, over a PostgreSQL that it is given. It only wires: configuration, service, host.

mod config;

use std::process::ExitCode;

use clap::Parser;
use host::pod::Program;

use config::Options;

fn main() -> ExitCode {
    let options = Options::parse();
    let config = options.config();
    let (database, function) = (config.database.clone(), product::function(config));
    let program = Program { name: "product", log: "warn", function, migrate: product::migrate(&database) };
    program.run(&options.service, config::environment())
}
