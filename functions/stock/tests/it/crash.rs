//! Crashes at named points of Stock's transaction: before its locks, after its write, during COMMIT, after COMMIT before the answer.
//!
//! A proxy between Stock and its PostgreSQL finds the point. There the service is killed, or the link is cut, or PostgreSQL is stopped at once;
//! then everything goes on over the same data, and clients send again, with the same key, what had no answer. docs/faults.md says how each
//! promise was seen to fail.

mod listener;
mod load;
mod proof;

use std::panic::AssertUnwindSafe;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use futures::FutureExt;
use postgres::{Database, Settings};
use rustix::process::Signal;
use testkit::dice::{self, Dice};
use testkit::findings;
use testkit::{Blow, Marks, Point, Program, Proxy, Server, TestDatabase, eventually};

use crate::fixture::product_server;
use listener::Listener;
use load::{CLIENTS, Floor, Settled};

/// Crashes at each point, unless `GUDANG_ROUNDS` says otherwise.
const ROUNDS: u64 = 50;
/// Stock's transactions, as they show on the wire.
const MARKS: Marks = Marks { begin: "BEGIN ISOLATION LEVEL READ COMMITTED", write: "INSERT INTO ledger" };
/// How soon a transaction comes to the point, at the latest.
const SOON: Duration = Duration::from_secs(30);
/// How long a killed process may take to be gone.
const GONE: Duration = Duration::from_secs(10);
/// How long what a crash left locked may stay so.
const LOCKED: Duration = Duration::from_secs(1);

/// Transactions of Stock that began before a time. Plan: a look at every connection, of which there are few.
const OLD_TRANSACTIONS: &str = "SELECT count(*) FROM pg_stat_activity \
     WHERE datname = current_database() AND backend_type = 'client backend' AND xact_start < $1::text::timestamptz";

/// Who is struck.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Victim {
    /// `kill -9`.
    Service,
    /// The service lives, and so does PostgreSQL.
    Link,
    /// Its immediate shutdown: no checkpoint, no word to anybody.
    PostgreSql,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn crash_points_of_the_service() {
    crash(Victim::Service).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn crash_points_of_the_link() {
    crash(Victim::Link).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn crash_points_of_postgresql() {
    crash(Victim::PostgreSql).await;
}

/// Everything that takes part, apart from the clients.
struct Stage {
    server: Server,
    proxy: Proxy,
    stock: Program,
}

impl Stage {
    async fn set() -> Self {
        let server = Server::start(&["stock"]).await;
        let proxy = Proxy::open(&server.socket(), MARKS).await;
        let product = product_server((0..load::PRODUCTS).map(load::sku)).await;
        let database = server.url_by(proxy.port(), "stock");
        let environment = [("DATABASE_URL", database), ("PRODUCT_URL", product), ("STOCK_LANES", "2".to_owned())];
        let start =
            move || Program::start(env!("CARGO_BIN_EXE_stock"), &environment.each_ref().map(|(name, value)| (*name, value.as_str())));
        let stock = tokio::task::spawn_blocking(start).await.unwrap();
        Self { server, proxy, stock }
    }

    /// One crash, and everything is back.
    async fn strike(&mut self, victim: Victim, point: Point, nth: u64) {
        let blow = match victim {
            Victim::Link => Blow::Cut,
            Victim::Service => Blow::Signal(self.stock.pid(), Signal::KILL),
            Victim::PostgreSql => Blow::Signal(self.server.pid(), Signal::QUIT),
        };
        let struck = self.proxy.set(point, nth, blow);
        let struck = tokio::time::timeout(SOON, struck).await;
        struck.unwrap_or_else(|_| panic!("no transaction came to {point:?} within {SOON:?}; Stock said:\n{}", self.stock.log())).unwrap();
        match victim {
            Victim::Link => {}
            Victim::Service => tokio::task::block_in_place(|| {
                self.stock.ended(GONE);
                self.stock.restart();
            }),
            Victim::PostgreSql => {
                self.server.ended().await;
                self.server.restart().await;
            }
        }
    }
}

/// What the crash left behind lets go of its locks.
async fn nothing_stays_locked(database: &Database) {
    let connection = database.get().await.unwrap();
    let now: String = connection.query_one("SELECT clock_timestamp()::text", &[]).await.unwrap().get(0);
    eventually("what the crash had locked is free", LOCKED, async || {
        let old: i64 = connection.query_one(OLD_TRANSACTIONS, &[&now]).await.unwrap().get(0);
        (old == 0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_transaction_that_a_crash_left_open_would_be_seen() {
    let server = TestDatabase::create().await;
    let database = |pool_size| {
        let settings = Settings { url: server.url().to_owned(), pool_size, application_name: "crash".to_owned() };
        Database::new(&settings).unwrap()
    };
    let (looking, left) = (database(1), database(1));
    nothing_stays_locked(&looking).await;
    let left = left.get().await.unwrap();
    left.batch_execute("BEGIN; SELECT pg_current_xact_id()").await.unwrap();
    AssertUnwindSafe(nothing_stays_locked(&looking)).catch_unwind().await.expect_err("it is still there");
}

async fn crash(victim: Victim) {
    let (seed, begun) = (dice::seed(), Instant::now());
    let rounds = std::env::var("GUDANG_ROUNDS").map_or(ROUNDS, |rounds| rounds.parse().unwrap());
    println!("{victim:?}: seed {seed} (GUDANG_SEED={seed} has the same requests and the same crashes)");
    let mut stage = Stage::set().await;
    let settings = Settings { url: stage.server.url("stock"), pool_size: 1, application_name: "crash".to_owned() };
    let database = Database::new(&settings).unwrap();
    let listener = Listener::to(stage.stock.http());
    let floor = Floor::open(stage.stock.http()).await;
    let clients = CLIENTS.iter().zip(1..);
    let clients = clients.map(|(role, number)| tokio::spawn(load::client(*role, number, Dice::new(seed, number), floor.clone())));
    let clients: Vec<_> = clients.collect();

    let (set, first) = (begun.elapsed(), Instant::now());
    let mut dice = Dice::new(seed, 0);
    for _ in 0..rounds {
        for point in Point::ALL {
            stage.strike(victim, point, 1 + dice.below(5)).await;
            nothing_stays_locked(&database).await;
        }
    }
    let struck = first.elapsed();
    floor.closing.store(true, Ordering::Relaxed);
    let mut settled: Vec<Settled> = Vec::new();
    for client in clients {
        settled.extend(client.await.unwrap());
    }
    println!(
        "{victim:?}: set in {set:.1?}, {rounds} times {} crashes in {struck:.1?}, {}",
        Point::ALL.len(),
        load::summary(&floor, &settled)
    );
    let mut findings = proof::of(victim == Victim::Link, &floor, &settled, &database).await;
    findings::compare("what was published stands in the ledger", Vec::new(), listener.compare(&database).await, &mut findings);
    println!("{victim:?}: over after {:.1?}", begun.elapsed());
    assert!(findings.is_empty(), "broken promises ({victim:?}, seed {seed}):\n- {}\n{}", findings.join("\n- "), stage.stock.log());
    stage.stock.stop();
}
