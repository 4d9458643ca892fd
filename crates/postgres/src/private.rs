//! The laptop's private PostgreSQL: a child process over the system's binaries, reached by a unix socket, that lives and dies with its owner.
//!
//! Blocking, for `main` before and after it runs anything. It knows no schema; the databases it makes are empty.
//!
//! What it promises, whatever happened before: at most one server on a data directory; acknowledged writes survive a kill of either process; a
//! cluster is there whole or not at all.

mod binaries;
mod cluster;
mod error;
mod lock;
mod orphan;
mod process;
mod ready;
mod socket;
mod user;

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use binaries::Binaries;
use error::at;
use lock::DirectoryLock;
use process::Child;
use socket::SocketDirectory;
use user::RunAs;

pub use error::PrivateError;

/// The superuser of the private cluster, and the only user.
const SUPERUSER: &str = "gudang";
/// A log above this size starts anew.
const LOG_BYTES_MAX: u64 = 10 * 1024 * 1024;
/// How long an orderly shutdown may take, its last checkpoint included.
const STOP: Duration = Duration::from_secs(10);
/// How long a server that gives up at once may take about it.
const QUIT: Duration = Duration::from_secs(5);
/// How long the remains of an earlier server may be in the way.
const REMAINS: Duration = Duration::from_secs(10);
/// Between two looks at something that will be over in a moment.
const POLL: Duration = Duration::from_millis(20);

/// Settings of the server. Durable always: the laptop's books are kept like everybody else's.
const SERVER_SETTINGS: [&str; 16] = [
    "listen_addresses=",
    "port=5432",
    "unix_socket_permissions=0700",
    "fsync=on",
    "full_page_writes=on",
    "synchronous_commit=on",
    "max_connections=100",
    "shared_buffers=128MB",
    "max_wal_size=2GB",
    "checkpoint_timeout=15min",
    "jit=off",
    "log_destination=stderr",
    "logging_collector=off",
    "log_min_messages=warning",
    "log_timezone=UTC",
    "timezone=UTC",
];

/// After each checkpoint the first change of a page logs the whole page. Packing it is worth it, and lz4, which not every build has, packs
/// several times faster than what `on` stands for.
const PACKED_LOG: [&str; 2] = ["wal_compression=lz4", "wal_compression=on"];

/// A running private server. Dropping it stops it.
#[derive(Debug)]
pub struct PrivateServer {
    child: Child,
    binaries: Binaries,
    socket: SocketDirectory,
    log: Log,
    /// Given back last, when the server is gone.
    _lock: DirectoryLock,
}

impl PrivateServer {
    /// Starts the server on `data_dir`, making whatever is missing: directory, cluster, databases.
    ///
    /// Waits for an earlier server that is still shutting down. Call it outside of async code: it blocks for up to seconds.
    pub fn start(data_dir: &Path, databases: &[&str]) -> Result<Self, PrivateError> {
        fs::create_dir_all(data_dir).map_err(at("make the data directory", data_dir))?;
        let data_dir = fs::canonicalize(data_dir).map_err(at("find the data directory", data_dir))?;
        let lock = DirectoryLock::take(&data_dir)?;
        let cluster = data_dir.join("postgres");
        let binaries = Binaries::find(cluster::major_version(&cluster)?, &cluster)?;
        let user = RunAs::choose(&cluster)?;
        orphan::end(&cluster)?;
        cluster::make_if_missing(&data_dir, &cluster, &binaries, &user)?;
        let socket = SocketDirectory::make(&data_dir)?;
        let log = Log::open(&data_dir)?;
        let child = run(&cluster, &binaries, &user, &socket, &log)?;
        // From here on a failure stops the server again, by dropping it.
        let server = Self { child, binaries, socket, log, _lock: lock };
        ready::make_databases(&server.url("postgres"), databases, &data_dir)?;
        Ok(server)
    }

    /// The URL of a database on this server, for tokio-postgres and for `psql` alike.
    pub fn url(&self, database: &str) -> String {
        self.socket.url(database)
    }

    /// A program that comes with the server and fits it, such as `pgbench`; it may not be installed.
    pub fn program(&self, name: &str) -> PathBuf {
        self.binaries.program(name)
    }

    /// Tells whether the server still runs.
    pub fn is_running(&self) -> bool {
        self.child.wait(Duration::ZERO).is_none()
    }

    /// Shuts the server down in order and waits up to 10 s for it; then it is ended at once, to recover at the next start.
    pub fn stop(self) -> Result<(), PrivateError> {
        if !self.is_running() {
            return Err(PrivateError::Exited { reason: self.log.reason(), log: self.log.path.clone() });
        }
        self.shut_down()
    }

    fn shut_down(&self) -> Result<(), PrivateError> {
        self.child.signal(Signal::INT);
        if self.child.wait(STOP).is_some() {
            return Ok(());
        }
        self.child.signal(Signal::QUIT);
        self.child.wait(QUIT);
        Err(PrivateError::StopTimedOut { seconds: STOP.as_secs() })
    }
}

impl Drop for PrivateServer {
    fn drop(&mut self) {
        if self.is_running()
            && let Err(error) = self.shut_down()
        {
            tracing::warn!(%error, "stopped the private PostgreSQL the hard way");
        }
        self.socket.remove();
    }
}

/// Runs the server until it takes connections. Where the remains of an earlier one are in the way, tries again until they are gone.
fn run(cluster: &Path, binaries: &Binaries, user: &RunAs, socket: &SocketDirectory, log: &Log) -> Result<Child, PrivateError> {
    let patience = Instant::now() + REMAINS;
    loop {
        socket.clear();
        let child = spawn(cluster, binaries, user, socket, log)?;
        match ready::wait(&child, cluster, &socket.url("postgres"), log) {
            Ok(()) => return Ok(child),
            Err(error) if error.is_remains() && Instant::now() < patience => thread::sleep(POLL * 5),
            Err(error) => {
                child.signal(Signal::QUIT);
                child.wait(QUIT);
                return Err(error);
            }
        }
    }
}

fn spawn(cluster: &Path, binaries: &Binaries, user: &RunAs, socket: &SocketDirectory, log: &Log) -> Result<Child, PrivateError> {
    let (out, err) = (log.writer()?, log.writer()?);
    // SIGINT asks PostgreSQL for an orderly shutdown, so that is what it gets when its owner dies.
    let mut command = user.command(&binaries.postgres(), "INT", cluster);
    command.arg("-D").arg(cluster);
    let packed_log = PACKED_LOG.into_iter().find(|setting| binaries.takes(setting, cluster));
    for setting in SERVER_SETTINGS.into_iter().chain(packed_log) {
        command.args(["-c", setting]);
    }
    let mut socket_setting = OsString::from("unix_socket_directories=");
    socket_setting.push(socket.path());
    command.arg("-c").arg(socket_setting);
    command.stdin(Stdio::null()).stdout(out).stderr(err);
    Child::spawn(command)
}

/// The server's log, and where this start's part of it begins.
#[derive(Debug)]
struct Log {
    path: PathBuf,
    data_dir: PathBuf,
    start: u64,
}

impl Log {
    fn open(data_dir: &Path) -> Result<Self, PrivateError> {
        let path = data_dir.join("postgres.log");
        let mut log = Self { path, data_dir: data_dir.to_owned(), start: 0 };
        let file = log.writer()?;
        let length = file.metadata().map_err(at("read", &log.path))?.len();
        if length > LOG_BYTES_MAX {
            file.set_len(0).map_err(at("shorten", &log.path))?;
        } else {
            log.start = length;
        }
        Ok(log)
    }

    fn writer(&self) -> Result<File, PrivateError> {
        OpenOptions::new().create(true).append(true).open(&self.path).map_err(at("write", &self.path))
    }

    /// Why the server gave up, in its own words as far as it found any.
    fn reason(&self) -> String {
        let bytes = fs::read(&self.path).unwrap_or_default();
        let start = bytes.len().min(self.start as usize);
        error::reason_in(&String::from_utf8_lossy(&bytes[start..]))
    }

    /// The error of a server that ended by itself.
    fn exited(&self) -> PrivateError {
        let reason = self.reason();
        if error::means_disk_full(&reason) || error::has_no_room(&self.data_dir) {
            return PrivateError::DiskFull { directory: self.data_dir.clone() };
        }
        PrivateError::Exited { reason, log: self.path.clone() }
    }
}
