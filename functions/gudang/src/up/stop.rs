//! Signals: the first one asks for an orderly stop, the second one ends the process at once.
//!
//! Ending at once is safe: whatever was acknowledged is in PostgreSQL, which the kernel tells to shut down when this process is gone.

use std::process;
use std::thread;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// What the contract allows an orderly stop is 15 s.
const PATIENCE: Duration = Duration::from_secs(14);

/// The wish to stop.
#[derive(Debug, Clone)]
pub(super) struct Stop {
    /// Cancelled by the first signal.
    pub(super) token: CancellationToken,
}

impl Stop {
    /// Listens from now on for SIGINT and SIGTERM.
    pub(super) fn listen(runtime: &Runtime) -> anyhow::Result<Self> {
        let token = CancellationToken::new();
        let _inside = runtime.enter();
        let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        let stop = token.clone();
        runtime.spawn(async move {
            either(&mut interrupt, &mut terminate).await;
            eprintln!("gudang: stopping; a second signal stops at once");
            stop.cancel();
            thread::spawn(give_up);
            let number = either(&mut interrupt, &mut terminate).await;
            process::exit(128 + number);
        });
        Ok(Self { token })
    }
}

/// Waits for either; says which, by its number.
async fn either(interrupt: &mut Signal, terminate: &mut Signal) -> i32 {
    tokio::select! {
        _ = interrupt.recv() => SignalKind::interrupt().as_raw_value(),
        _ = terminate.recv() => SignalKind::terminate().as_raw_value(),
    }
}

/// Ends the process when the orderly stop takes too long.
fn give_up() {
    thread::sleep(PATIENCE);
    eprintln!("gudang: not everything ended within {} s, leaving it; nothing that was acknowledged is lost", PATIENCE.as_secs());
    process::exit(0);
}
