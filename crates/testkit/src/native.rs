//! A server of another make, run by its script in `scripts/stack` as a child process. It knows no protocol: a server is there when its port
//! is open.

use std::ffi::OsStr;
use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// How often a port is looked for at first.
const TRIES: u32 = 3;
/// Until its port is open, on a busy machine.
const READY: Duration = Duration::from_mins(1);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(20);
/// Where the scripts are.
const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/stack");

/// A server that runs, or may be started again on the same port and data. Dropping it kills it, and so does the end of the test's thread.
#[derive(Debug)]
pub(crate) struct Native {
    script: &'static str,
    more: Vec<String>,
    port: u16,
    child: Option<Child>,
    home: TempDir,
}

impl Native {
    /// Starts the server of `script` on a free port, with `more` arguments for it.
    pub(crate) fn start(script: &'static str, more: &[&str]) -> Self {
        let home = tempfile::tempdir().expect("a temporary directory");
        let more = more.iter().map(|argument| (*argument).to_owned()).collect();
        let mut native = Self { script, more, port: free_port(), child: None, home };
        // Between looking for a free port and taking it, somebody else may have done so.
        for _ in 1..TRIES {
            if native.try_start().is_ok() {
                return native;
            }
            native.kill();
            native.port = free_port();
        }
        native.restart();
        native
    }

    /// Starts it again, after its end.
    pub(crate) fn restart(&mut self) {
        if let Err(log) = self.try_start() {
            panic!("{} does not come up: {log}", self.script);
        }
    }

    fn try_start(&mut self) -> Result<(), String> {
        assert!(self.child.is_none(), "it still runs");
        let log = File::options().create(true).append(true).open(self.log_file()).expect("a log");
        let mut command = Command::new("setpriv");
        let script = Path::new(SCRIPTS).join(self.script);
        let words: [&OsStr; 4] = ["--pdeathsig".as_ref(), "KILL".as_ref(), "--".as_ref(), script.as_ref()];
        command.args(words).arg("run").arg(self.home.path()).arg(self.port.to_string()).args(&self.more);
        let child = command.stdin(Stdio::null()).stdout(log.try_clone().expect("a log")).stderr(log).spawn().expect("setpriv runs");
        self.child = Some(child);
        self.wait()
    }

    /// Waits until it listens; an error is its log.
    fn wait(&mut self) -> Result<(), String> {
        let begun = Instant::now();
        while TcpStream::connect(self.address()).is_err() {
            let ended = self.child.as_mut().expect("it runs").try_wait().expect("its state");
            if ended.is_some() || begun.elapsed() >= READY {
                return Err(self.log());
            }
            thread::sleep(LOOK);
        }
        Ok(())
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// Its directory.
    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        let child = self.child.as_ref().expect("it runs");
        kill_process(Pid::from_child(child), signal).expect("a signal");
    }

    /// Kills it as a power cut would.
    pub(crate) fn kill(&mut self) {
        let mut child = self.child.take().expect("it runs");
        child.kill().expect("a SIGKILL");
        child.wait().expect("its end");
    }

    fn log_file(&self) -> PathBuf {
        self.home.path().join("log")
    }

    /// What it has said, in all its lives.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.log_file()).unwrap_or_default()
    }
}

impl Drop for Native {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    listener.local_addr().expect("its address").port()
}
