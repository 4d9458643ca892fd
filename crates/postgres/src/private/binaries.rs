//! Finds the PostgreSQL server that the system has. It reads no configuration: what is installed is what there is.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::PrivateError;

/// Where Debian keeps its servers, off PATH: one directory a major version, each with a `bin`.
const DEBIAN: &str = "/usr/lib/postgresql";

/// The directory that holds `postgres` and `initdb` of one version.
#[derive(Debug)]
pub(super) struct Binaries {
    directory: PathBuf,
    major: u32,
}

impl Binaries {
    /// Finds the server of major version `wanted`, the version of an existing cluster, else the newest one.
    pub(super) fn find(wanted: Option<u32>, cluster: &Path) -> Result<Self, PrivateError> {
        let mut found = BTreeMap::new();
        for directory in debian_directories().into_iter().chain(asked_for()).chain(on_path()) {
            if let Some(major) = major_version(&directory) {
                found.entry(major).or_insert(directory);
            }
        }
        let installed = found.keys().map(u32::to_string).collect::<Vec<_>>().join(", ");
        let chosen = match wanted {
            Some(wanted) => found.remove_entry(&wanted),
            None => found.pop_last(),
        };
        match (chosen, wanted) {
            (Some((major, directory)), _) => Ok(Self { directory, major }),
            (None, Some(wanted)) if !installed.is_empty() => {
                Err(PrivateError::OtherVersion { directory: cluster.to_owned(), cluster: wanted, installed })
            }
            (None, _) => Err(PrivateError::NoBinaries),
        }
    }

    pub(super) fn postgres(&self) -> PathBuf {
        self.program("postgres")
    }

    pub(super) fn initdb(&self) -> PathBuf {
        self.program("initdb")
    }

    /// What lies beside the server.
    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Whether the server knows a setting, `name=value`, by its own word; `cluster` is there already.
    pub(super) fn takes(&self, setting: &str, cluster: &Path) -> bool {
        let name = setting.split('=').next().unwrap_or(setting);
        let mut command = Command::new(self.postgres());
        command.args(["-C", name, "-c", setting, "-D"]).arg(cluster).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    }

    pub(super) fn major(&self) -> u32 {
        self.major
    }
}

fn debian_directories() -> Vec<PathBuf> {
    let entries = fs::read_dir(DEBIAN).into_iter().flatten().flatten();
    entries.map(|entry| entry.path().join("bin")).collect()
}

fn asked_for() -> Option<PathBuf> {
    let output = Command::new("pg_config").arg("--bindir").output().ok()?;
    let directory = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| PathBuf::from(directory.trim_end_matches('\n')))
}

fn on_path() -> Vec<PathBuf> {
    env::var_os("PATH").map(|path| env::split_paths(&path).collect()).unwrap_or_default()
}

/// The major version of the server in a directory; none where it is not whole (Debian's client packages leave such directories too).
fn major_version(directory: &Path) -> Option<u32> {
    let postgres = directory.join("postgres");
    if !directory.is_absolute() || !postgres.is_file() || !directory.join("initdb").is_file() {
        return None;
    }
    let output = Command::new(postgres).arg("--version").output().ok()?;
    major_version_in(&String::from_utf8(output.stdout).ok()?)
}

/// Reads `postgres (PostgreSQL) 15.18 (Debian ...)`, `17beta1` too.
fn major_version_in(text: &str) -> Option<u32> {
    let version = text.strip_prefix("postgres (PostgreSQL) ")?;
    let digits = version.find(|c: char| !c.is_ascii_digit()).unwrap_or(version.len());
    version[..digits].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_servers_print_them() {
        assert_eq!(major_version_in("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n"), Some(15));
        assert_eq!(major_version_in("postgres (PostgreSQL) 19beta1\n"), Some(19));
        assert_eq!(major_version_in("bash 5\n"), None);
    }
}
