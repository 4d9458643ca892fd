//! A PostgreSQL of one's own, to be stopped hard and started again on the same data.

use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use postgres::private::{PrivateError, PrivateServer};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio_postgres::NoTls;
use tokio_postgres::config::{Config, Host};

/// How long a server may take to be gone that was told to go at once.
const GONE: Duration = Duration::from_secs(30);
/// Between two looks at whether it is.
const LOOK: Duration = Duration::from_millis(2);

/// Recovery begins with everything on disk, and this has the kernel do it at once rather than file by file: no less safe, and on a busy disk it
/// is tenths of a second and not seconds.
const SYNC_AT_ONCE: &str = "ALTER SYSTEM SET recovery_init_sync_method = 'syncfs'";

/// A private server with data of its own, durable like every other. Dropping it stops it and removes the data.
#[derive(Debug)]
pub struct Server {
    // Before its directory, so that it is gone when that is removed.
    running: Option<PrivateServer>,
    databases: &'static [&'static str],
    home: TempDir,
}

impl Server {
    /// Makes a cluster with `databases` and starts it.
    pub async fn start(databases: &'static [&'static str]) -> Self {
        let mut server = Self { running: None, databases, home: tempfile::tempdir().expect("a temporary directory") };
        server.restart().await;
        let (client, connection) = tokio_postgres::connect(&server.url("postgres"), NoTls).await.expect("a connection");
        tokio::spawn(connection);
        // Before version 14 there is no such setting.
        let _ = client.batch_execute(SYNC_AT_ONCE).await;
        server
    }

    /// Starts it again, after its end.
    pub async fn restart(&mut self) {
        assert!(self.running.is_none(), "it still runs");
        let (home, databases) = (self.home.path().to_owned(), self.databases);
        let started = tokio::task::spawn_blocking(move || start(&home, databases)).await;
        self.running = Some(started.expect("the start ends").expect("a PostgreSQL"));
    }

    fn running(&self) -> &PrivateServer {
        self.running.as_ref().expect("it runs")
    }

    /// The URL of a database.
    pub fn url(&self, database: &str) -> String {
        self.running().url(database)
    }

    /// The URL of a database for those who come through a port of loopback, such as a proxy's.
    pub fn url_by(&self, port: u16, database: &str) -> String {
        let config = self.config();
        let user = config.get_user().expect("a user");
        format!("postgresql://{user}@127.0.0.1:{port}/{database}")
    }

    /// Its unix socket.
    pub fn socket(&self) -> PathBuf {
        match self.config().get_hosts() {
            [Host::Unix(directory)] => directory.join(".s.PGSQL.5432"),
            hosts => panic!("one socket in {hosts:?}"),
        }
    }

    fn config(&self) -> Config {
        self.url("postgres").parse().expect("a URL")
    }

    /// The id of its first process.
    pub fn pid(&self) -> Pid {
        let text = std::fs::read_to_string(self.home.path().join("postgres/postmaster.pid")).expect("the server's pid file");
        text.lines().next().and_then(|pid| Pid::from_raw(pid.parse().ok()?)).expect("a pid")
    }

    /// Stops it without a word to anybody (PostgreSQL's immediate shutdown): what was not flushed is lost, and the next start recovers.
    pub async fn stop_at_once(&mut self) {
        kill_process(self.pid(), Signal::QUIT).expect("a signal");
        self.ended().await;
    }

    /// Waits for the end of one that was stopped by somebody else.
    pub async fn ended(&mut self) {
        let begun = Instant::now();
        while self.running().is_running() {
            assert!(begun.elapsed() < GONE, "PostgreSQL still runs after {GONE:?}");
            tokio::time::sleep(LOOK).await;
        }
        self.running = None;
    }

    /// What it has logged, in all its lives.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.home.path().join("postgres.log")).unwrap_or_default()
    }
}

/// Starts a server. Any process that another test spawns at this moment has a copy of everything that is open here, the lock of these very data
/// too, until it runs its program: so a lock that is taken may be our own.
fn start(home: &Path, databases: &[&str]) -> Result<PrivateServer, PrivateError> {
    let begun = Instant::now();
    loop {
        match PrivateServer::start(home, databases) {
            Err(PrivateError::AlreadyRunning { .. }) if begun.elapsed() < GONE => thread::sleep(LOOK),
            started => return started,
        }
    }
}
