//! The lock of a data directory: one owner at a time. The kernel gives it back when the owner dies, however it dies.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::path::Path;

use super::PrivateError;
use super::error::at;

/// The lock, held for as long as this lives.
#[derive(Debug)]
pub(super) struct DirectoryLock {
    _file: File,
}

impl DirectoryLock {
    /// Takes the lock and writes down who has it.
    pub(super) fn take(data_dir: &Path) -> Result<Self, PrivateError> {
        let path = data_dir.join("lock");
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(at("open the lock of the data directory,", &path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut pid = String::new();
                let written = file.read_to_string(&mut pid).is_ok() && !pid.trim().is_empty();
                let pid = if written { pid.trim().to_owned() } else { "unknown".to_owned() };
                return Err(PrivateError::AlreadyRunning { pid, data_dir: data_dir.to_owned() });
            }
            Err(TryLockError::Error(error)) => return Err(at("lock the data directory by", &path)(error)),
        }
        file.set_len(0).map_err(at("write", &path))?;
        writeln!(file, "{}", std::process::id()).map_err(at("write", &path))?;
        Ok(Self { _file: file })
    }
}
