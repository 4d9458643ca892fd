//! `gudang`: the laptop's all-in-one, and the command line over the services' HTTP APIs.
//!
//! Only `up` composes the four services; every other command is a client like any other and knows nothing of their inside.

mod audit;
mod catch_up;
mod client;
mod config;
mod demo;
mod file;
mod import;
mod letters;
mod load;
mod progress;
mod reindex;
mod report;
mod scale;
mod smoke;
mod table;
mod topics;
mod up;

use std::process::ExitCode;

use clap::Parser;
use tokio::runtime::{Builder, Runtime};

use config::{Cli, Command};

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Up(options) => up::run(&options),
        Command::Demo(options) => alone(demo::run(options)),
        Command::Import(what) => alone(import::run(what)),
        Command::Report(what) => alone(report::run(what)),
        Command::Audit(options) => alone(audit::run(options)),
        Command::DeadLetters(what) => alone(letters::run(what)),
        Command::Topics(options) => alone(topics::run(options)),
        Command::Reindex(options) => alone(reindex::run(options)),
        Command::Scale(options) => alone(scale::run(options)),
        Command::Smoke(options) => alone(smoke::run(options)),
        Command::Load(options) => on_one_thread(load::run(options)),
    };
    done.unwrap_or_else(|error| {
        eprintln!("gudang: {}", fault::chain(error.as_ref()));
        ExitCode::FAILURE
    })
}

/// Runs a command that is a client of the services.
fn alone(command: impl Future<Output = anyhow::Result<ExitCode>>) -> anyhow::Result<ExitCode> {
    until_done(&Builder::new_multi_thread().enable_all().build()?, command)
}

/// Runs a command that must not take more of the machine than it needs.
fn on_one_thread(command: impl Future<Output = anyhow::Result<ExitCode>>) -> anyhow::Result<ExitCode> {
    until_done(&Builder::new_current_thread().enable_all().build()?, command)
}

/// Runs a command to its end, or until a signal: all of them may be cut off anywhere and run again.
fn until_done(runtime: &Runtime, command: impl Future<Output = anyhow::Result<ExitCode>>) -> anyhow::Result<ExitCode> {
    host::stop::at_once(runtime)?;
    runtime.block_on(command)
}
