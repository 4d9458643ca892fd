//! The cluster: the directory that PostgreSQL keeps everything in. It appears whole, by a rename, or not at all.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::process::Stdio;

use super::binaries::Binaries;
use super::error::{at, has_no_room, means_disk_full};
use super::user::RunAs;
use super::{PrivateError, SUPERUSER};

/// What a cluster is called while it is being made; the process id follows, as a killed predecessor's `initdb` may still be writing.
const UNFINISHED: &str = "postgres.unfinished-";

/// The major version of the server that made the cluster; none where there is no cluster yet.
pub(super) fn major_version(cluster: &Path) -> Result<Option<u32>, PrivateError> {
    match fs::read_to_string(cluster.join("PG_VERSION")) {
        Ok(text) => match text.trim().parse() {
            Ok(version) => Ok(Some(version)),
            Err(_) => Err(PrivateError::NotACluster { directory: cluster.to_owned() }),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound && !cluster.exists() => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(PrivateError::NotACluster { directory: cluster.to_owned() }),
        Err(error) => Err(at("read the version of the cluster", cluster)(error)),
    }
}

/// Makes the cluster where there is none. What an interrupted start left is swept away first.
pub(super) fn make_if_missing(data_dir: &Path, cluster: &Path, binaries: &Binaries, user: &RunAs) -> Result<(), PrivateError> {
    sweep(data_dir)?;
    if cluster.exists() {
        return Ok(());
    }
    tracing::info!(postgres.version = binaries.major(), directory = %cluster.display(), "making a PostgreSQL cluster");
    let unfinished = data_dir.join(format!("{UNFINISHED}{}", std::process::id()));
    if let Err(error) = initdb(data_dir, &unfinished, binaries, user) {
        let _ = fs::remove_dir_all(&unfinished);
        return Err(error);
    }
    fs::rename(&unfinished, cluster).map_err(at("move the new cluster to", cluster))?;
    File::open(data_dir).and_then(|directory| directory.sync_all()).map_err(at("write", data_dir))
}

fn sweep(data_dir: &Path) -> Result<(), PrivateError> {
    for entry in fs::read_dir(data_dir).map_err(at("read", data_dir))? {
        let entry = entry.map_err(at("read", data_dir))?;
        if entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
            fs::remove_dir_all(entry.path()).map_err(at("remove the unfinished", &entry.path()))?;
        }
    }
    Ok(())
}

fn initdb(data_dir: &Path, unfinished: &Path, binaries: &Binaries, user: &RunAs) -> Result<(), PrivateError> {
    let mut command = user.command(&binaries.initdb(), "KILL", data_dir);
    command.arg("-D").arg(unfinished);
    command.args(["--locale=C.UTF-8", "--encoding=UTF8", "--auth=trust", "--no-instructions", "--username", SUPERUSER]);
    let output = command.stdin(Stdio::null()).output().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => PrivateError::NoSetpriv,
        _ => at("run", &binaries.initdb())(error),
    })?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    if means_disk_full(&said) || has_no_room(data_dir) {
        return Err(PrivateError::DiskFull { directory: data_dir.to_owned() });
    }
    let telling = |line: &&str| line.contains("error:") || line.contains("FATAL:") || line.contains("PANIC:") || line.contains("setpriv:");
    let reason = said.lines().find(telling).or_else(|| said.lines().last()).unwrap_or("it left no message").trim().to_owned();
    Err(PrivateError::Initdb { directory: data_dir.to_owned(), reason })
}
