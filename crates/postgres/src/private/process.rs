//! A child process with a thread of its own, which spawns it, waits for it and lives exactly as long as it.
//!
//! The thread matters: the kernel sends the death signal when the *thread* that spawned ends, not the process.

use std::io;
use std::process::Command;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};

use super::PrivateError;
use super::error::at;

/// A spawned child.
#[derive(Debug)]
pub(super) struct Child {
    pid: Pid,
    ended: Arc<Ended>,
}

#[derive(Debug, Default)]
struct Ended {
    flag: Mutex<bool>,
    changed: Condvar,
}

impl Ended {
    /// A bool is whole even where a thread panicked while holding it.
    fn lock(&self) -> MutexGuard<'_, bool> {
        self.flag.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Child {
    /// Spawns `command` from a thread of its own.
    pub(super) fn spawn(mut command: Command) -> Result<Self, PrivateError> {
        let program = std::path::PathBuf::from(command.get_program());
        let ended = Arc::new(Ended::default());
        let (sender, receiver) = mpsc::channel();
        let seen = Arc::clone(&ended);
        let keeper = move || match command.spawn() {
            Ok(child) => {
                let _ = sender.send(Ok(child.id()));
                drop(command);
                reap(child, &seen);
            }
            Err(error) => {
                let _ = sender.send(Err(error));
            }
        };
        thread::Builder::new().name("postgres".to_owned()).spawn(keeper).map_err(at("start a thread for", &program))?;
        let id = receiver.recv().unwrap_or_else(|_| Err(io::Error::other("its thread ended")));
        match id.map(|id| Pid::from_raw(id.cast_signed())) {
            Ok(Some(pid)) => Ok(Self { pid, ended }),
            Ok(None) => Err(at("run", &program)(io::Error::other("it has no pid"))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(PrivateError::NoSetpriv),
            Err(error) => Err(at("run", &program)(error)),
        }
    }

    /// Its process id.
    pub(super) fn pid(&self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }

    /// Sends a signal, unless it has ended: its id may be another's by then.
    pub(super) fn signal(&self, signal: Signal) {
        let ended = self.ended.lock();
        if !*ended {
            let _ = kill_process(self.pid, signal);
        }
    }

    /// Waits for its end; none when it still runs after `patience`.
    pub(super) fn wait(&self, patience: Duration) -> Option<()> {
        let ended = self.ended.lock();
        let (ended, _) = self.ended.changed.wait_timeout_while(ended, patience, |ended| !*ended).unwrap_or_else(PoisonError::into_inner);
        ended.then_some(())
    }
}

/// Waits for the end without taking the id back, then takes it back while nobody can send a signal to it.
fn reap(mut child: std::process::Child, seen: &Ended) {
    if let Some(pid) = Pid::from_raw(child.id().cast_signed()) {
        while let Err(rustix::io::Errno::INTR) = waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT) {}
    }
    let mut ended = seen.lock();
    let _ = child.wait();
    *ended = true;
    seen.changed.notify_all();
}
