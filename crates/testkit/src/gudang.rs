//! The all-in-one as a child process, with a data directory and ports of its own, to be used, killed and started again.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;

use rustix::process::Signal;
use tempfile::TempDir;

use crate::Http;
use crate::process::Process;

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
    environment: Vec<(String, String)>,
    urls: Vec<String>,
    // Before its directory, so that it is gone when that is removed.
    process: Process,
    home: TempDir,
}

impl Gudang {
    /// Starts `binary up` on an empty data directory and free ports, and waits for its ready line.
    pub fn start(binary: impl AsRef<Path>) -> Self {
        Self::start_with(binary, &[])
    }

    /// Starts it with variables of the environment besides.
    pub fn start_with(binary: impl AsRef<Path>, environment: &[(&str, &str)]) -> Self {
        let home = tempfile::Builder::new().prefix("gudang test ").tempdir().expect("a temporary directory");
        let mut gudang = Self {
            binary: binary.as_ref().to_owned(),
            environment: environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            urls: Vec::new(),
            process: Process::new(home.path().join("stderr")),
            home,
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
        self.process.pid().as_raw_nonzero().get().cast_unsigned()
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
        self.process.kill();
    }

    /// Stops it by SIGTERM; panics unless it exits with 0 within 15 s.
    pub fn stop(&mut self) {
        self.process.stop();
    }

    /// Sends a signal and waits for the end.
    pub fn stop_by(&mut self, signal: Signal) -> ExitStatus {
        self.process.stop_by(signal)
    }

    /// Waits for it to end by itself.
    pub fn ended(&mut self, patience: Duration) -> ExitStatus {
        self.process.ended(patience)
    }

    /// Starts it again on the same data and the same ports, after [`Gudang::kill`] or [`Gudang::stop`].
    pub fn restart(&mut self) {
        self.run();
    }

    /// What it has written to standard error.
    pub fn log(&self) -> String {
        self.process.log()
    }

    fn run(&mut self) {
        let mut command = Command::new(&self.binary);
        command.arg("up").arg("--data-dir").arg(self.data_dir());
        for (n, service) in Service::ALL.iter().enumerate() {
            let port = self.urls.get(n).and_then(|url| url.rsplit(':').next()).unwrap_or("0");
            command.arg(format!("--{}-port={port}", service.name()));
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        let line = self.process.start(&mut command);
        self.urls = line.split([' ', ',']).filter(|word| word.starts_with("http://")).map(str::to_owned).collect();
        assert_eq!(self.urls.len(), 4, "four addresses in: {line}");
    }
}
