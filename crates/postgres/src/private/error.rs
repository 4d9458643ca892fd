//! What can keep the private server from running, each in a sentence that says what to do.

use std::io;
use std::path::{Path, PathBuf};

/// Below this nothing useful can be started: PostgreSQL writes its log ahead in files of 16 MiB.
const ROOM_BYTES_MIN: u64 = 16 * 1024 * 1024;

/// Why there is no private PostgreSQL.
#[derive(Debug, thiserror::Error)]
pub enum PrivateError {
    /// Another process owns the data directory.
    #[error("already running, pid {pid}, data directory {}: stop that one first, or use another data directory", data_dir.display())]
    AlreadyRunning {
        /// The other process, as it wrote itself down.
        pid: String,
        /// What both want.
        data_dir: PathBuf,
    },
    /// No server is installed.
    #[error("no PostgreSQL server is installed: `apt-get install postgresql`, then start again")]
    NoBinaries,
    /// `setpriv` is missing.
    #[error("the program `setpriv` is missing: `apt-get install util-linux`, then start again")]
    NoSetpriv,
    /// Root cannot run it, and there is nobody else.
    #[error("PostgreSQL does not run as root, and this system has neither a user `postgres` nor `nobody`: `useradd --system postgres`")]
    NoUser,
    /// The cluster needs a server that is not installed.
    #[error(
        "the data directory {} was made by PostgreSQL {cluster}, and only {installed} is installed: \
         `apt-get install postgresql-{cluster}`, or use another data directory",
        directory.display()
    )]
    OtherVersion {
        /// The cluster.
        directory: PathBuf,
        /// Its major version.
        cluster: u32,
        /// The major versions found.
        installed: String,
    },
    /// What should be a cluster is none.
    #[error("{} is not a PostgreSQL data directory (it has no readable PG_VERSION): move it away, or use another data directory", directory.display())]
    NotACluster {
        /// Where one was looked for.
        directory: PathBuf,
    },
    /// No room is left.
    #[error("disk full: no space left for {}: make room, then start again", directory.display())]
    DiskFull {
        /// Where the room is missing.
        directory: PathBuf,
    },
    /// `initdb` failed.
    #[error("could not make a PostgreSQL cluster in {}: {reason}", directory.display())]
    Initdb {
        /// Where it should be.
        directory: PathBuf,
        /// What it said.
        reason: String,
    },
    /// The server ended by itself.
    #[error("PostgreSQL has stopped: {reason} (more in {})", log.display())]
    Exited {
        /// Its last words.
        reason: String,
        /// Its log.
        log: PathBuf,
    },
    /// The server runs, but takes no connections.
    #[error("PostgreSQL took no connections within {seconds} s: see {}", log.display())]
    NotReady {
        /// How long was waited.
        seconds: u64,
        /// Its log.
        log: PathBuf,
    },
    /// The server had to be ended the hard way.
    #[error("PostgreSQL did not shut down within {seconds} s and was ended at once; nothing is lost, the next start recovers")]
    StopTimedOut {
        /// How long was waited.
        seconds: u64,
    },
    /// An earlier server does not go away.
    #[error("an earlier PostgreSQL (pid {pid}) still uses {} and does not stop: end it with `kill -QUIT {pid}`, then start again", directory.display())]
    OrphanStays {
        /// The earlier server.
        pid: i32,
        /// Its cluster.
        directory: PathBuf,
    },
    /// No usable place for the socket.
    #[error("{} cannot hold the socket of PostgreSQL: {reason}", directory.display())]
    Socket {
        /// Where it should be.
        directory: PathBuf,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A database could not be made.
    #[error("could not make the databases {databases}: {reason}")]
    Databases {
        /// Those that were asked for.
        databases: String,
        /// What the server said.
        reason: String,
    },
    /// The file system, or the making of a process, said no.
    #[error("could not {action} {}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl PrivateError {
    /// Tells whether the remains of an earlier server were in the way, which go away by themselves.
    pub(super) fn is_remains(&self) -> bool {
        let Self::Exited { reason, .. } = self else { return false };
        reason.contains("pre-existing shared memory block") || reason.contains("lock file \"postmaster.pid\" already exists")
    }
}

/// Turns an I/O error into a sentence, for `map_err`.
pub(super) fn at(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> PrivateError {
    move |source| match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => PrivateError::DiskFull { directory: path.to_owned() },
        _ => PrivateError::Io { action, path: path.to_owned(), source },
    }
}

/// Tells whether a message of PostgreSQL or `initdb` means that the disk is full. A write that ended early is told in its own words.
pub(super) fn means_disk_full(message: &str) -> bool {
    ["No space left on device", "Disk quota exceeded", "wrote only "].iter().any(|words| message.contains(words))
}

/// Tells whether a directory has too little room. On a full disk PostgreSQL cannot even write down why it stopped.
pub(super) fn has_no_room(directory: &Path) -> bool {
    rustix::fs::statvfs(directory).is_ok_and(|room| room.f_bavail.saturating_mul(room.f_frsize) < ROOM_BYTES_MIN)
}

/// The line of a log that says why the server gave up: the last fatal one, else the last of all.
pub(super) fn reason_in(log: &str) -> String {
    let lines = || log.lines().rev().map(str::trim).filter(|line| !line.is_empty());
    let fatal = lines().find_map(|line| {
        let at = line.find("FATAL:").or_else(|| line.find("PANIC:"))?;
        let text = line[at..].split_once(':')?.1.trim();
        // Said to clients that come too early or too late, and no reason to stop.
        (!text.starts_with("the database system is") && !text.starts_with("terminating connection")).then_some(text)
    });
    fatal.or_else(|| lines().next()).unwrap_or("it left no message").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fatal_line_is_the_reason() {
        let log = "2026-01-01 10:00:00.000 UTC [7] LOG:  starting PostgreSQL\n\
                   2026-01-01 10:00:00.000 UTC [7] FATAL:  could not create lock file \"postmaster.pid\": No space left on device\n\
                   2026-01-01 10:00:00.000 UTC [8] FATAL:  the database system is starting up\n\
                   2026-01-01 10:00:00.000 UTC [7] LOG:  database system is shut down\n";
        assert_eq!(reason_in(log), "could not create lock file \"postmaster.pid\": No space left on device");
        assert!(means_disk_full(&reason_in(log)));
        assert!(means_disk_full("could not extend file \"base/1/2691\": wrote only 4096 of 8192 bytes at block 20"));
        assert_eq!(
            reason_in("setpriv: setresuid failed: Operation not permitted\n\n"),
            "setpriv: setresuid failed: Operation not permitted"
        );
        assert_eq!(reason_in(""), "it left no message");
    }
}
