//! One service as a long-lived process of its own: a server, a member of its consumer group, and the lead of its database whenever no other
//! instance has it; or the share of that which its role is.
//!
//! Without a broker its events have nowhere to go: the journal keeps them.

use std::error::Error;
use std::ffi::OsString;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::flags::{BadKafka, Command, Service};
use crate::process::{self, Fallen, Post};
use crate::stop::{self, Stop};
use crate::{BindError, Function, Role, Share, bind, url};

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
    /// There is nothing to consume from.
    #[error(
        "a worker consumes events: set KAFKA_BOOTSTRAP_SERVERS to where they come from, CLOUDEVENTS_PUSH where they are pushed, or ROLE to \
         something else than `worker`"
    )]
    NothingToConsume,
    /// What it was told of Kafka.
    #[error(transparent)]
    Kafka(#[from] BadKafka),
    /// It broke down.
    #[error(transparent)]
    Fallen(#[from] Fallen),
    /// Its service could not be made, or did not do what it was started for.
    #[error(transparent)]
    Service(Box<dyn Error + Send + Sync>),
}

/// Where a program runs, and what it does there.
pub struct Place {
    /// Where it listens.
    pub address: SocketAddr,
    /// Threads that it works with, at least one.
    pub threads: usize,
    /// Its share of the work, and how events reach it.
    pub share: Share,
}

/// Runs `function` on `listener` until `stop`; then lets requests and batches finish first and deliveries after them.
pub async fn run(function: Function, listener: TcpListener, share: Share, stop: CancellationToken) -> Result<(), Fallen> {
    // Instances share their database: each needs a name of its own in the lease.
    let holder = format!("{}-{}", function.name, Uuid::now_v7());
    let outlets = share.broker.as_ref().map(|broker| broker.outlets(&function)).unwrap_or_default();
    process::run(vec![Post { function, listener, outlets }], &holder, share, stop).await
}

/// What a program is: how its service is made, and how its database is brought up to date.
pub struct Program<F, M> {
    /// `product`, `stock`, ...
    pub name: &'static str,
    /// What is logged unless something else is asked for.
    pub log: &'static str,
    /// Makes the service.
    pub function: F,
    /// Brings its database up to date.
    pub migrate: M,
}

impl<F, M, E> Program<F, M>
where
    F: Future<Output = Result<Function, E>>,
    M: Future<Output = Result<(), E>>,
    E: Error + Send + Sync + 'static,
{
    /// Does what the command line says, to the end. What goes wrong is said on standard error. `environment` is the whole of it.
    pub fn run<const PORT: u16>(self, flags: &Service<PORT>, environment: impl IntoIterator<Item = (OsString, OsString)>) -> ExitCode {
        let Self { name, log, function, migrate } = self;
        flags.log.start(log);
        let done = match flags.command {
            None => flags.place(environment).map_err(ProgramError::from).and_then(|place| serve(name, place, function)),
            Some(Command::Migrate) => step(migrate),
        };
        match done {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => refuse(name, &error),
        }
    }
}

/// Says on standard error why a program ends.
pub fn refuse(name: &str, error: &(dyn Error + 'static)) -> ExitCode {
    eprintln!("{name}: {}", fault::chain(error));
    ExitCode::FAILURE
}

/// The whole life of a program that serves: opens its port (set by `PORT`), makes the service, says where it listens, runs until a signal.
fn serve<E>(name: &'static str, place: Place, service: impl Future<Output = Result<Function, E>>) -> Result<(), ProgramError>
where
    E: Error + Send + Sync + 'static,
{
    let Place { address, threads, share } = place;
    if share.role == Role::Worker && share.broker.is_none() && !share.push {
        return Err(ProgramError::NothingToConsume);
    }
    let runtime = runtime(threads)?;
    let stop = Stop::listen(name, &runtime)?;
    let ended = runtime.block_on(async {
        let listener = bind(name, address, "PORT").await?;
        let function = tokio::select! {
            made = service => made.map_err(|error| ProgramError::Service(Box::new(error)))?,
            () = stop.token.cancelled() => return Ok(()),
        };
        // Nobody may be reading; the service runs all the same.
        let _ = writeln!(io::stdout(), "{name} listens on {}", url(&listener)?);
        Ok(run(function, listener, share, stop.token.clone()).await?)
    });
    runtime.shutdown_timeout(REST);
    ended
}

/// Runs a step that ends by itself.
fn step<E: Error + Send + Sync + 'static>(work: impl Future<Output = Result<(), E>>) -> Result<(), ProgramError> {
    let runtime = runtime(1)?;
    stop::at_once(&runtime)?;
    runtime.block_on(work).map_err(|error| ProgramError::Service(Box::new(error)))
}

/// As many threads as serve best: half of the processors. A service mostly waits for its database, and the other half is for those who answer it,
/// the kernel and often the database itself. On two processors one thread records a fifth more changes a second than two, which wake one
/// another for every answer.
pub(crate) fn threads() -> usize {
    thread::available_parallelism().map_or(1, |processors| processors.get().div_ceil(2))
}

fn runtime(threads: usize) -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build()
}
