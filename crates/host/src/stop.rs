//! Signals to a program: the first one asks for an orderly stop, the second one ends the process at once, and so does the first where nothing is served.
//!
//! Ending at once is safe: whatever was acknowledged is in PostgreSQL, which the kernel tells to shut down when this process is gone.

use std::io;
use std::process;
use std::thread;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// When, after the wish to stop, requests and batches are over at the latest, and after them deliveries. Clients are let go in what is left.
pub(crate) const REQUESTS: Duration = Duration::from_secs(8);
pub(crate) const DELIVERIES: Duration = Duration::from_secs(12);
/// The contract allows 15 s for an orderly stop; one of them is kept back.
const PATIENCE: Duration = Duration::from_secs(14);

/// The wish to stop.
#[derive(Debug, Clone)]
pub struct Stop {
    /// Cancelled by the first signal.
    pub token: CancellationToken,
}

impl Stop {
    /// Listens from now on for SIGINT and SIGTERM; `program` is who says so.
    pub fn listen(program: &'static str, runtime: &Runtime) -> io::Result<Self> {
        let token = CancellationToken::new();
        let _inside = runtime.enter();
        let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        let stop = token.clone();
        runtime.spawn(async move {
            either(&mut interrupt, &mut terminate).await;
            eprintln!("{program}: stopping; a second signal stops at once");
            stop.cancel();
            thread::spawn(move || give_up(program));
            let number = either(&mut interrupt, &mut terminate).await;
            process::exit(128 + number);
        });
        Ok(Self { token })
    }
}

/// Ends the process at the first signal, for what may end anywhere. The kernel does so by itself, but not with the first process of a container,
/// where a signal that nobody listens for does nothing.
pub fn at_once(runtime: &Runtime) -> io::Result<()> {
    let _inside = runtime.enter();
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    runtime.spawn(async move { process::exit(128 + either(&mut interrupt, &mut terminate).await) });
    Ok(())
}

/// Waits for either; says which, by its number.
async fn either(interrupt: &mut Signal, terminate: &mut Signal) -> i32 {
    tokio::select! {
        _ = interrupt.recv() => SignalKind::interrupt().as_raw_value(),
        _ = terminate.recv() => SignalKind::terminate().as_raw_value(),
    }
}

/// Ends the process when the orderly stop takes too long.
fn give_up(program: &str) {
    thread::sleep(PATIENCE);
    eprintln!("{program}: not everything ended within {} s, leaving it; nothing that was acknowledged is lost", PATIENCE.as_secs());
    process::exit(0);
}
