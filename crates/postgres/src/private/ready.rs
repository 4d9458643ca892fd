//! Waits until a server takes connections, and makes the databases that are missing.

use std::fs;
use std::io;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, NoTls};

use super::process::Child;
use super::{Log, POLL, PrivateError};
use crate::error::in_full;

/// How long a start may take.
const START: Duration = Duration::from_secs(30);
/// How long it may take when the server is at work recovering: giving up would only make the next start do the same again.
const RECOVERY: Duration = Duration::from_mins(5);

const NAMES: &str = "SELECT datname FROM pg_database";

/// Waits for the first connection that succeeds. A server that ends instead is an error in its own words.
pub(super) fn wait(child: &Child, cluster: &Path, url: &str, log: &Log) -> Result<(), PrivateError> {
    let begin = Instant::now();
    loop {
        // Asking before the server says so itself would fill its log with refusals.
        let status = status(cluster, child.pid());
        if status == Status::Ready && in_runtime(async || connect(url).await.is_ok()).unwrap_or(false) {
            return Ok(());
        }
        if child.wait(POLL).is_some() {
            return Err(log.exited());
        }
        let patience = if status == Status::Starting { RECOVERY } else { START };
        if begin.elapsed() > patience {
            return Err(PrivateError::NotReady { seconds: patience.as_secs(), log: log.path.clone() });
        }
    }
}

/// Makes those of `databases` that are missing.
pub(super) fn make_databases(url: &str, databases: &[&str], data_dir: &Path) -> Result<(), PrivateError> {
    let failed = |reason: String| PrivateError::Databases { databases: databases.join(", "), reason };
    let made = in_runtime(async || {
        let client = connect(url).await?;
        let rows = client.query(NAMES, &[]).await?;
        let there = rows.iter().map(|row| row.try_get(0)).collect::<Result<Vec<String>, _>>()?;
        for database in databases.iter().filter(|&&database| !there.iter().any(|name| name == database)) {
            let quoted = database.replace('"', "\"\"");
            client.batch_execute(&format!("CREATE DATABASE \"{quoted}\" ENCODING 'UTF8'")).await?;
        }
        Ok::<_, tokio_postgres::Error>(())
    });
    made.map_err(|error| failed(error.to_string()))?.map_err(|error| match error.code() {
        Some(&SqlState::DISK_FULL) => PrivateError::DiskFull { directory: data_dir.to_owned() },
        _ => failed(in_full(&error)),
    })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Status {
    Silent,
    Starting,
    Ready,
}

/// What the server says of itself: the eighth line of its pid file, which `pg_ctl` reads too.
fn status(cluster: &Path, pid: i32) -> Status {
    let text = fs::read_to_string(cluster.join("postmaster.pid")).unwrap_or_default();
    let mut lines = text.lines().map(str::trim);
    if lines.next() != Some(pid.to_string().as_str()) {
        return Status::Silent;
    }
    match lines.nth(6) {
        Some("ready") => Status::Ready,
        Some("starting") => Status::Starting,
        _ => Status::Silent,
    }
}

async fn connect(url: &str) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

/// Runs a future on a small runtime of its own, on a thread of its own: the caller may be part of another runtime, which could not wait here.
fn in_runtime<T: Send>(work: impl AsyncFnOnce() -> T + Send) -> io::Result<T> {
    let run = || tokio::runtime::Builder::new_current_thread().enable_all().build().map(|runtime| runtime.block_on(work()));
    thread::scope(|scope| scope.spawn(run).join()).unwrap_or_else(|_| Err(io::Error::other("the thread that asked PostgreSQL ended")))
}
