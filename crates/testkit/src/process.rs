//! A child process that says on its standard output when it is ready, and keeps its log in a file. It knows no program.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// Until the ready line; a debug build that makes a new cluster on a busy machine needs a while.
const READY: Duration = Duration::from_secs(90);
/// What the contract allows an orderly stop.
const STOP: Duration = Duration::from_secs(15);
/// Between two looks at whether it has ended.
const LOOK: Duration = Duration::from_millis(5);

/// A program that runs, or has ended and may be started again. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Process {
    log: PathBuf,
    child: Option<Child>,
}

impl Process {
    /// One that has not been started, and will log to `log`.
    pub(crate) fn new(log: PathBuf) -> Self {
        Self { log, child: None }
    }

    /// Starts it and waits for its first line, which it returns.
    pub(crate) fn start(&mut self, command: &mut Command) -> String {
        assert!(self.child.is_none(), "it still runs");
        let log = File::options().create(true).append(true).open(&self.log).expect("a log");
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).spawn().expect("the binary runs");
        let lines = lines_of(child.stdout.take().expect("its standard output"));
        let line = lines.recv_timeout(READY);
        self.child = Some(child);
        line.unwrap_or_else(|_| panic!("no ready line; it said:\n{}", self.log()))
    }

    /// Its id.
    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(self.child.as_ref().expect("it runs"))
    }

    /// What it has written to standard error, in all its lives.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Kills it as a power cut would: no handler runs.
    pub(crate) fn kill(&mut self) {
        let mut child = self.child.take().expect("it runs");
        child.kill().expect("a SIGKILL");
        child.wait().expect("its end");
    }

    /// Stops it by SIGTERM; panics unless it exits with 0 within 15 s.
    pub(crate) fn stop(&mut self) {
        let status = self.stop_by(Signal::TERM);
        assert!(status.success(), "it ended with {status}; it said:\n{}", self.log());
    }

    /// Sends a signal and waits for the end.
    pub(crate) fn stop_by(&mut self, signal: Signal) -> ExitStatus {
        kill_process(self.pid(), signal).expect("a signal");
        self.ended(STOP)
    }

    /// Waits for it to end by itself; when it has not within `patience`, it is killed and the test stops.
    pub(crate) fn ended(&mut self, patience: Duration) -> ExitStatus {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.as_mut().expect("it ran").try_wait().expect("its state") {
                self.child = None;
                return status;
            }
            assert!(begun.elapsed() < patience, "it still runs after {patience:?}; it said:\n{}", self.log());
            thread::sleep(LOOK);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Reads lines as they come, so that the child never waits for a reader.
fn lines_of(output: impl Read + Send + 'static) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            // Nobody may be listening any more; reading goes on all the same.
            let _ = sender.send(line);
        }
    });
    receiver
}
