//! One service's program as a child process, to be used, killed and started again.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::Http;
use crate::process::Process;

/// A running service. Dropping it kills it.
#[derive(Debug)]
pub struct Program {
    binary: PathBuf,
    environment: Vec<(String, String)>,
    url: String,
    process: Process,
    _home: TempDir,
}

impl Program {
    /// Starts `binary` on a free port of loopback, with these variables of the environment, and waits for its ready line.
    pub fn start(binary: impl AsRef<Path>, environment: &[(&str, &str)]) -> Self {
        Self::start_at(binary, 0, environment)
    }

    /// Starts it on a port that others were told of before.
    pub fn start_at(binary: impl AsRef<Path>, port: u16, environment: &[(&str, &str)]) -> Self {
        let home = tempfile::tempdir().expect("a temporary directory");
        let mut program = Self {
            binary: binary.as_ref().to_owned(),
            environment: environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            url: String::new(),
            process: Process::new(home.path().join("stderr")),
            _home: home,
        };
        program.run(&port.to_string());
        program
    }

    /// Its base URL, the same in all its lives.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Speaks to it.
    pub fn http(&self) -> Http {
        Http::new(&self.url)
    }

    /// Its process's id in this life.
    pub fn pid(&self) -> Pid {
        self.process.pid()
    }

    /// What it has written to standard error, in all its lives.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// Kills it as a power cut would.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Has it stand still: its links stay open and nobody answers.
    pub fn pause(&self) {
        kill_process(self.pid(), Signal::STOP).expect("a signal");
    }

    /// Has it go on.
    pub fn go_on(&self) {
        kill_process(self.pid(), Signal::CONT).expect("a signal");
    }

    /// Waits for the end of one that was killed by somebody else.
    pub fn ended(&mut self, patience: Duration) {
        self.process.ended(patience);
    }

    /// Stops it by SIGTERM; panics unless it exits with 0 within 15 s.
    pub fn stop(&mut self) {
        self.process.stop();
    }

    /// Starts it again at the same address, after its end.
    pub fn restart(&mut self) {
        let port = self.url.rsplit(':').next().expect("a port").to_owned();
        self.run(&port);
    }

    fn run(&mut self, port: &str) {
        let mut command = Command::new(&self.binary);
        command.envs(self.environment.iter().map(|(name, value)| (name, value))).env("LISTEN", "127.0.0.1").env("PORT", port);
        let line = self.process.start(&mut command);
        let url = line.split(' ').find(|word| word.starts_with("http://"));
        url.unwrap_or_else(|| panic!("an address in: {line}")).clone_into(&mut self.url);
    }
}
