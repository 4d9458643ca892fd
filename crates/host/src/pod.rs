//! One service as a long-lived process of its own: a server, and the lead of its database whenever no other instance has it.
//!
//! Without a broker its events have nowhere to go yet: the journal keeps them.

use std::error::Error;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::process::{self, Post};
use crate::stop::Stop;
use crate::{BindError, Function, bind, url};

/// How long what was left running may take to end.
const REST: Duration = Duration::from_secs(1);

/// Why a program ended by itself.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// The system gives no threads, no signals, or no address.
    #[error("the process cannot be set up")]
    Process(#[from] io::Error),
    /// Its port.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// Its service could not be made, or did not do what it was started for.
    #[error(transparent)]
    Service(Box<dyn Error + Send + Sync>),
}

/// Runs `function` on `listener` until `stop`; then lets requests finish first and deliveries after them.
pub async fn run(function: Function, listener: TcpListener, stop: CancellationToken) {
    // Instances share their database: each needs a name of its own in the lease.
    let holder = format!("{}-{}", function.name, Uuid::now_v7());
    process::run(vec![Post { function, listener, outlets: Vec::new() }], &holder, stop).await;
}

/// The whole life of the program `name`: opens its port (set by `PORT`), makes the service, says where it listens, runs until a signal.
pub fn program<E>(name: &'static str, address: SocketAddr, service: impl Future<Output = Result<Function, E>>) -> Result<(), ProgramError>
where
    E: Error + Send + Sync + 'static,
{
    let runtime = runtime()?;
    let stop = Stop::listen(name, &runtime)?;
    let ended = runtime.block_on(async {
        let listener = bind(name, address, "PORT").await?;
        let function = tokio::select! {
            made = service => made.map_err(|error| ProgramError::Service(Box::new(error)))?,
            () = stop.token.cancelled() => return Ok(()),
        };
        // Nobody may be reading; the service runs all the same.
        let _ = writeln!(io::stdout(), "{name} listens on {}", url(&listener)?);
        run(function, listener, stop.token.clone()).await;
        Ok(())
    });
    runtime.shutdown_timeout(REST);
    ended
}

/// Runs a step that ends by itself, such as a migration.
pub fn step<E: Error + Send + Sync + 'static>(work: impl Future<Output = Result<(), E>>) -> Result<(), ProgramError> {
    runtime()?.block_on(work).map_err(|error| ProgramError::Service(Box::new(error)))
}

fn runtime() -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()
}
