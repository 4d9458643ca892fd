//! Ends the server that an earlier owner left behind when it was killed. It touches no process that is not a PostgreSQL on this very cluster.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use super::error::at;
use super::{POLL, PrivateError, QUIT, STOP};

/// Waits for an earlier server on `cluster` to be gone, helping it along. We hold the lock of the data directory, so nobody owns that server any more.
pub(super) fn end(cluster: &Path) -> Result<(), PrivateError> {
    let file = cluster.join("postmaster.pid");
    let Some(pid) = recorded(&file) else { return Ok(()) };
    if !is_ours(pid, cluster) {
        // The file is stale. Where its number belongs to somebody else by now, PostgreSQL would take that one for a server. (That no process of a
        // dead server is still at work is checked by PostgreSQL once more, by its shared memory.)
        if test_kill_process(pid).is_ok() {
            fs::remove_file(&file).map_err(at("remove the stale", &file))?;
        }
        return Ok(());
    }
    tracing::info!(pid = pid.as_raw_nonzero().get(), "waiting for an earlier PostgreSQL to shut down");
    for (signal, patience) in [(Signal::INT, STOP), (Signal::QUIT, QUIT)] {
        let _ = kill_process(pid, signal);
        if is_gone(pid, cluster, patience) {
            return Ok(());
        }
    }
    Err(PrivateError::OrphanStays { pid: pid.as_raw_nonzero().get(), directory: cluster.to_owned() })
}

fn recorded(file: &Path) -> Option<Pid> {
    let text = fs::read_to_string(file).ok()?;
    // A stand-alone server writes its number negative.
    let number = text.lines().next()?.trim().parse::<i32>().ok()?.checked_abs()?;
    Pid::from_raw(number)
}

fn is_gone(pid: Pid, cluster: &Path, patience: Duration) -> bool {
    let until = Instant::now() + patience;
    while is_ours(pid, cluster) {
        if Instant::now() > until {
            return false;
        }
        thread::sleep(POLL);
    }
    true
}

/// Tells whether a process is a PostgreSQL server on this cluster: by its name, and by its working directory or its `-D`.
fn is_ours(pid: Pid, cluster: &Path) -> bool {
    let process = Path::new("/proc").join(pid.as_raw_nonzero().to_string());
    if !fs::read_to_string(process.join("comm")).is_ok_and(|name| name.trim_end() == "postgres") {
        return false;
    }
    let works_there = fs::read_link(process.join("cwd")).is_ok_and(|directory| directory == cluster);
    works_there || fs::read(process.join("cmdline")).is_ok_and(|line| names(&line, cluster))
}

fn names(command_line: &[u8], cluster: &Path) -> bool {
    let words = command_line.split(|&byte| byte == 0).map(OsStr::from_bytes).collect::<Vec<_>>();
    words.windows(2).any(|pair| pair[0] == "-D" && Path::new(pair[1]) == cluster)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_on_another_cluster_is_none_of_ours() {
        let line = b"postgres\0-D\0/data/x y/postgres\0-c\0port=5432\0";
        assert!(names(line, Path::new("/data/x y/postgres")));
        assert!(!names(line, Path::new("/data/x")));
        assert!(!names(b"vi\0/data/x y/postgres\0", Path::new("/data/x y/postgres")));
    }
}
