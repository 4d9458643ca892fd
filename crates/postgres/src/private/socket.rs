//! The directory of the server's socket: inside the data directory, or in the temporary directory where that path is too long for a socket.

use std::env;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use sha2::{Digest, Sha256};

use super::error::at;
use super::{PrivateError, SUPERUSER};

/// The socket's own name, which the port gives it.
const SOCKET: &str = ".s.PGSQL.5432";
/// What the path of a socket stays below (unix(7): `sun_path` has 108 bytes with its end mark).
const PATH_BYTES_MAX: usize = 107;
/// Everything but what RFC 3986 calls unreserved.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A directory that only its owner may enter.
#[derive(Debug)]
pub(super) struct SocketDirectory {
    path: PathBuf,
}

impl SocketDirectory {
    /// Makes the directory, or takes the one of an earlier start.
    pub(super) fn make(data_dir: &Path) -> Result<Self, PrivateError> {
        let path = choose(data_dir, &env::temp_dir());
        let refuse = |reason| PrivateError::Socket { directory: path.clone(), reason };
        if !fits(&path) {
            return Err(refuse("its path is too long, and so is that of the temporary directory; set TMPDIR to a shorter one"));
        }
        match DirBuilder::new().mode(0o700).create(&path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(at("make", &path)(error)),
            _ => {}
        }
        // In the temporary directory anybody may have been here first; below the data directory its owner has been, whom root may stand in for.
        let found = fs::symlink_metadata(&path).map_err(at("read", &path))?;
        let is_ours = path.starts_with(data_dir) || found.uid() == rustix::process::geteuid().as_raw();
        if !found.is_dir() || !is_ours {
            return Err(refuse("it belongs to somebody else; remove it"));
        }
        if found.permissions().mode() & 0o777 != 0o700 {
            fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).map_err(at("close to others", &path))?;
        }
        Ok(Self { path })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The URL of a database behind this socket.
    pub(super) fn url(&self, database: &str) -> String {
        let host = percent_encode(self.path.as_os_str().as_bytes(), RESERVED);
        format!("postgresql://{SUPERUSER}@{host}/{}", percent_encode(database.as_bytes(), RESERVED))
    }

    /// Removes what a killed server left here. Nobody listens: the caller holds the lock of the data directory and has seen earlier servers end.
    pub(super) fn clear(&self) {
        for name in [SOCKET.to_owned(), format!("{SOCKET}.lock")] {
            let _ = fs::remove_file(self.path.join(name));
        }
    }

    /// Removes the directory of a server that has ended.
    pub(super) fn remove(&self) {
        self.clear();
        let _ = fs::remove_dir(&self.path);
    }
}

fn choose(data_dir: &Path, temporary: &Path) -> PathBuf {
    let inside = data_dir.join("socket");
    if fits(&inside) {
        return inside;
    }
    let digest = Sha256::digest(data_dir.as_os_str().as_bytes());
    temporary.join(format!("gudang-{}", hex::encode(&digest[..8])))
}

/// PostgreSQL takes a list of directories, parted by commas and perhaps quoted: such names go elsewhere.
fn fits(directory: &Path) -> bool {
    let bytes = directory.as_os_str().as_bytes();
    bytes.len() + 1 + SOCKET.len() < PATH_BYTES_MAX && !bytes.contains(&b',') && !bytes.contains(&b'"')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_socket_stays_beside_the_data_as_long_as_its_path_fits() {
        let temporary = Path::new("/tmp");
        // /<name>/socket/.s.PGSQL.5432 has name + 22 bytes.
        let longest = PathBuf::from(format!("/{}", "d".repeat(84)));
        assert_eq!(choose(&longest, temporary), longest.join("socket"));
        for elsewhere in [PathBuf::from(format!("/{}", "d".repeat(85))), PathBuf::from("/a,b"), PathBuf::from("/a\"b")] {
            assert!(choose(&elsewhere, temporary).starts_with(temporary), "{}", elsewhere.display());
            assert!(fits(&choose(&elsewhere, temporary)));
        }
    }

    #[test]
    fn a_url_survives_any_path() {
        let socket = SocketDirectory { path: PathBuf::from("/home/a b/%41@:ü/socket") };
        let config: tokio_postgres::Config = socket.url("stock").parse().expect("a URL");
        assert_eq!(config.get_hosts(), [tokio_postgres::config::Host::Unix(socket.path.clone())]);
        assert_eq!((config.get_user(), config.get_dbname()), (Some("gudang"), Some("stock")));
    }
}
