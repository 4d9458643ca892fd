//! `gudang load`: sells, through the API, as fast as Stock lets it or at a rate of its own, and believes no answer that it has not checked.
//!
//! It shares its machine with what it measures, so it is lean: one thread, plain sockets, requests made ready beforehand. What it sells are
//! products of its own.

mod account;
mod request;
mod schedule;
mod shelf;
mod shown;
mod wire;

use std::io::IsTerminal;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::{Args, ValueEnum};
use tokio::task::JoinSet;
use tokio::time::{sleep, sleep_until, timeout_at};
use uuid::Uuid;

use crate::client::Services;
use crate::config::Urls;
use crate::table;
use account::{Account, Checked};
use request::Request;
use schedule::Schedule;
use shelf::Shelf;
use shown::Shown;
use wire::{Host, Wire};

/// Before a connection that broke is made again, and before a client that was turned away asks again in its own time.
const PAUSE: Duration = Duration::from_millis(100);
/// How long answers are waited for when the time is over.
const PATIENCE: Duration = Duration::from_secs(30);

/// `gudang load`.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Sell one product, or all of many alike
    #[arg(long, value_enum, default_value_t = Spread::Hot)]
    product: Spread,
    /// Connections, each with one request at a time
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    connections: u32,
    /// How long
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=3600))]
    seconds: u32,
    /// Sales in each request; more than one are sent as batches
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    batch: u32,
    /// Requests a second, whatever becomes of them: one that finds no free connection waits, and its waiting counts [default: each connection
    /// asks again as soon as it is answered]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    rate: Option<u32>,
    /// How many products are many
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    products: u32,
    /// Print the outcome as one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    urls: Urls,
}

/// What is sold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Spread {
    /// One product
    Hot,
    /// Many, each as often as the others
    Uniform,
}

impl Spread {
    fn name(self) -> &'static str {
        match self {
            Self::Hot => "hot",
            Self::Uniform => "uniform",
        }
    }
}

/// What the clients of a run share. They all live on one thread, so the lock is always free.
struct Run {
    host: Host,
    schedule: Schedule,
    skus: Vec<String>,
    account: Mutex<Account>,
}

/// Puts load on Stock.
pub(crate) async fn run(options: Options) -> anyhow::Result<ExitCode> {
    let services = Services::new(&options.urls)?;
    services.stock.get("/readyz", "*/*").await?;
    let host = Host::of(&options.urls.stock_url).await?;
    let shelf = Shelf::ready(&services, &host, shelf::skus(options.product, options.products), options.seconds).await?;

    let wires = open(&host, options.connections).await?;
    let schedule = Schedule::new(Instant::now(), Duration::from_secs(options.seconds.into()), options.rate);
    let account = Mutex::new(Account::new(shelf.levels())?);
    let run = Arc::new(Run { host, schedule, skus: shelf.into_skus(), account });
    let name = Uuid::now_v7().simple().to_string();
    let mut clients = JoinSet::new();
    for wire in wires {
        let request = Request::new(&run.host, &name, &run.skus[0], options.batch as usize);
        clients.spawn(client(Arc::clone(&run), wire, request));
    }
    let seconds = timed(&run, clients).await;

    let levels = shelf::levels(&run.host, &run.skus).await?;
    let mut account = run.account();
    account.compare(&run.skus, &levels);
    let shown = Shown { options: &options, account: &account, seconds, unsent: run.schedule.unsent() };
    if options.json {
        table::line(&serde_json::to_string(&shown.object())?)?;
    } else {
        table::line(&shown.table())?;
    }
    Ok(if account.errors == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn open(host: &Host, connections: u32) -> anyhow::Result<Vec<Wire>> {
    let mut wires = Vec::new();
    for number in 1..=connections {
        wires.push(Wire::open(host).await.with_context(|| format!("connection {number} of {connections} to Stock Change cannot be made"))?);
    }
    Ok(wires)
}

/// Waits for the clients and keeps the account of each second; says how long it all took.
async fn timed(run: &Run, mut clients: JoinSet<()>) -> f64 {
    let watched = std::io::stderr().is_terminal();
    let begun = run.schedule.begun();
    let mut second = begun + Duration::from_secs(1);
    let late = run.schedule.end() + PATIENCE;
    loop {
        match timeout_at(second.min(late).into(), clients.join_next()).await {
            Ok(Some(_)) => {}
            Ok(None) => return begun.elapsed().as_secs_f64(),
            Err(_) if Instant::now() >= late => {
                run.account().unanswered(clients.len(), PATIENCE);
                clients.shutdown().await;
                return begun.elapsed().as_secs_f64();
            }
            Err(_) => {
                let said = run.account().next_second();
                if watched {
                    eprintln!("{said}");
                }
                second += Duration::from_secs(1);
            }
        }
    }
}

/// One client: asks whenever its turn comes, until the time is over.
async fn client(run: Arc<Run>, wire: Wire, mut request: Request) {
    let mut wire = Some(wire);
    let mut sold = Vec::new();
    while let Some(turn) = run.schedule.next() {
        if turn.at > Instant::now() {
            sleep_until(turn.at.into()).await;
        }
        request.choose(&mut sold, run.skus.len());
        let bytes = request.fill(turn.number, &sold, &run.skus);
        let checked = match connected(&run.host, &mut wire).await {
            Ok(connection) => match connection.ask(bytes).await {
                Ok(answer) => run.account().answered(&sold, &run.skus, &answer, turn.at.elapsed()),
                Err(error) => run.account().broken(&error),
            },
            Err(error) => run.account().broken(&error),
        };
        match checked {
            Checked::Answered => {}
            Checked::TurnedAway if run.schedule.is_open() => {}
            Checked::TurnedAway => sleep(PAUSE).await,
            Checked::Broken => {
                wire = None;
                sleep(PAUSE).await;
            }
        }
    }
}

async fn connected<'a>(host: &Host, wire: &'a mut Option<Wire>) -> Result<&'a mut Wire, wire::WireError> {
    if wire.as_ref().is_none_or(Wire::is_closed) {
        *wire = None;
    }
    match wire {
        Some(wire) => Ok(wire),
        empty => Ok(empty.insert(Wire::open(host).await?)),
    }
}

impl Run {
    fn account(&self) -> MutexGuard<'_, Account> {
        self.account.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
