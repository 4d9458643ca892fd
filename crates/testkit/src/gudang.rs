//! The all-in-one as a child process, with a data directory and ports of its own, to be used, killed and started again.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::Http;

/// Until the ready line; a debug build that makes a new cluster on a busy machine needs a while.
const READY: Duration = Duration::from_secs(90);
/// What the contract allows an orderly stop.
const STOP: Duration = Duration::from_secs(15);

/// One of the four services.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// Product.
    Product,
    /// Stock Change.
    Stock,
    /// Notification.
    Notification,
    /// Analytics.
    Analytics,
}

impl Service {
    /// In the order of the ready line.
    pub const ALL: [Self; 4] = [Self::Product, Self::Stock, Self::Notification, Self::Analytics];

    /// As in flags: `product`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Product => "product",
            Self::Stock => "stock",
            Self::Notification => "notification",
            Self::Analytics => "analytics",
        }
    }
}

/// A running all-in-one. Dropping it kills it and removes its data.
#[derive(Debug)]
pub struct Gudang {
    binary: PathBuf,
    home: TempDir,
    environment: Vec<(String, String)>,
    child: Option<Child>,
    urls: Vec<String>,
}

impl Gudang {
    /// Starts `binary up` on an empty data directory and free ports, and waits for its ready line.
    pub fn start(binary: impl AsRef<Path>) -> Self {
        Self::start_with(binary, &[])
    }

    /// Starts it with variables of the environment besides.
    pub fn start_with(binary: impl AsRef<Path>, environment: &[(&str, &str)]) -> Self {
        let mut gudang = Self {
            binary: binary.as_ref().to_owned(),
            home: tempfile::Builder::new().prefix("gudang test ").tempdir().expect("a temporary directory"),
            environment: environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            child: None,
            urls: Vec::new(),
        };
        gudang.run();
        gudang
    }

    /// A service's base URL.
    pub fn url(&self, service: Service) -> &str {
        &self.urls[service as usize]
    }

    /// Speaks to a service.
    pub fn http(&self, service: Service) -> Http {
        Http::new(self.url(service))
    }

    /// Its data directory.
    pub fn data_dir(&self) -> PathBuf {
        self.home.path().join("data")
    }

    /// The process's id.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("it runs").id()
    }

    /// A command of the command line that finds these services.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command.args(arguments);
        for (service, url) in Service::ALL.iter().zip(&self.urls) {
            command.env(format!("{}_URL", service.name().to_uppercase()), url);
        }
        command
    }

    /// Kills it as a power cut would: no handler runs. Its PostgreSQL is not touched, only told by the kernel.
    pub fn kill(&mut self) {
        let mut child = self.child.take().expect("it runs");
        child.kill().expect("a SIGKILL");
        child.wait().expect("its end");
    }

    /// Stops it by SIGTERM; panics unless it exits with 0 within 15 s.
    pub fn stop(&mut self) {
        let status = self.stop_by(Signal::TERM);
        assert!(status.success(), "gudang ended with {status}; it said:\n{}", self.log());
    }

    /// Sends a signal and waits for the end.
    pub fn stop_by(&mut self, signal: Signal) -> ExitStatus {
        let mut child = self.child.take().expect("it runs");
        let pid = Pid::from_raw(child.id().cast_signed()).expect("a process id");
        kill_process(pid, signal).expect("a signal");
        let begun = Instant::now();
        loop {
            if let Some(status) = child.try_wait().expect("its state") {
                return status;
            }
            if begun.elapsed() > STOP {
                child.kill().expect("a SIGKILL");
                panic!("gudang had not stopped after {STOP:?}; it said:\n{}", self.log());
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits for it to end by itself.
    pub fn ended(&mut self, patience: Duration) -> ExitStatus {
        let begun = Instant::now();
        loop {
            let child = self.child.as_mut().expect("it ran");
            if let Some(status) = child.try_wait().expect("its state") {
                self.child = None;
                return status;
            }
            assert!(begun.elapsed() < patience, "gudang still runs after {patience:?}");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Starts it again on the same data and the same ports, after [`Gudang::kill`] or [`Gudang::stop`].
    pub fn restart(&mut self) {
        assert!(self.child.is_none(), "it still runs");
        self.run();
    }

    /// What it has written to standard error.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    fn log_path(&self) -> PathBuf {
        self.home.path().join("stderr")
    }

    fn run(&mut self) {
        let log = File::options().create(true).append(true).open(self.log_path()).expect("a log");
        let mut command = Command::new(&self.binary);
        command.arg("up").arg("--data-dir").arg(self.data_dir());
        for (n, service) in Service::ALL.iter().enumerate() {
            let port = self.urls.get(n).and_then(|url| url.rsplit(':').next()).unwrap_or("0");
            command.arg(format!("--{}-port={port}", service.name()));
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).spawn().expect("the binary runs");
        let lines = lines_of(child.stdout.take().expect("its standard output"));
        let line = lines.recv_timeout(READY);
        self.child = Some(child);
        let line = line.unwrap_or_else(|_| panic!("no ready line; gudang said:\n{}", self.log()));
        self.urls = line.split([' ', ',']).filter(|word| word.starts_with("http://")).map(str::to_owned).collect();
        assert_eq!(self.urls.len(), 4, "four addresses in: {line}");
    }
}

impl Drop for Gudang {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Reads lines as they come, so that the child never waits for a reader.
fn lines_of(output: impl std::io::Read + Send + 'static) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            // Nobody may be listening any more; reading goes on all the same.
            let _ = sender.send(line);
        }
    });
    receiver
}
