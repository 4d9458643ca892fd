//! A Redis of one's own, to be emptied, stopped, hung and started again.

use std::process::Command;

use rustix::process::Signal;

use crate::native::Native;

/// A running Redis that keeps nothing, unless it is told to save. Dropping it kills it.
#[derive(Debug)]
pub struct Redis(Native);

impl Redis {
    /// Starts one.
    pub fn start() -> Self {
        Self(Native::start("redis.sh", &[]))
    }

    /// Its URL, as `REDIS_URL` takes it.
    pub fn url(&self) -> String {
        format!("redis://{}/0", self.0.address())
    }

    /// Runs a command, and gives the answer as text.
    pub fn command(&self, words: &[&str]) -> String {
        let mut client = Command::new("redis-cli");
        let answer = client.arg("-p").arg(self.0.address().port().to_string()).args(words).output().expect("redis-cli");
        assert!(answer.status.success(), "{words:?}: {}", String::from_utf8_lossy(&answer.stderr));
        String::from_utf8_lossy(&answer.stdout).trim_end().to_owned()
    }

    /// Stops it hard.
    pub fn stop(&mut self) {
        self.0.kill();
    }

    /// Starts it again at the same address, with what it last saved.
    pub fn restart(&mut self) {
        self.0.restart();
    }

    /// Has it stand still: connections stay open and nothing is answered.
    pub fn hang(&self) {
        self.0.signal(Signal::STOP);
    }

    /// Has it go on.
    pub fn go_on(&self) {
        self.0.signal(Signal::CONT);
    }
}
