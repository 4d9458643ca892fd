//! `kill -9` under mixed load: whatever was acknowledged is there once, and everything that follows from it agrees.
//!
//! Gudang is killed at moments that the dice choose, and in every fifth round its PostgreSQL instead, after which it must end by itself. Clients
//! send again, with the same key, what had no answer. docs/faults.md says how each promise was seen to fail.

mod load;
mod proof;
mod recomputed;

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use testkit::{Gudang, Service};

use crate::dice::{self, Dice};
use crate::said::GUDANG;
use load::{CLIENTS, Floor, Settled};

/// Kills.
const ROUNDS: u64 = 20;
/// A life lasts up to this long from its ready line.
const LIFE_MS: u64 = 2_400;
/// Every other one, by chance, ends young: when connections, statements and cursors are used for the first time.
const YOUNG_MS: u64 = 160;
/// In every round of this number PostgreSQL is killed, not Gudang.
const POSTGRESQL_TOO: u64 = 5;
/// How soon Gudang must notice that its PostgreSQL is gone.
const NOTICE: Duration = Duration::from_secs(10);

/// Lines of the log that a failure shows.
const COMPLAINTS: usize = 40;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn after_twenty_kills_every_acknowledged_change_is_there_once_and_the_books_balance() {
    let (seed, begun) = (dice::seed(), Instant::now());
    println!("seed {seed} (build with GUDANG_SEED={seed} to have the same kills and the same requests)");
    let mut gudang = Gudang::start(GUDANG);
    let floor = Floor::open(&gudang).await;
    let clients =
        CLIENTS.iter().zip(1..).map(|(role, number)| tokio::spawn(load::client(*role, number, Dice::new(seed, number), floor.clone())));
    let clients: Vec<_> = clients.collect();

    let mut counted = Counted::default();
    let mut dice = Dice::new(seed, 0);
    for round in 1..=ROUNDS {
        let longest = if dice.once_in(2) { YOUNG_MS } else { LIFE_MS };
        let (life, after_looking) = (dice.below(longest), dice.below(60));
        tokio::time::sleep(Duration::from_millis(life)).await;
        counted.add(&gudang).await;
        tokio::time::sleep(Duration::from_millis(after_looking)).await;
        let answered = floor.answered.load(Ordering::Relaxed);
        if round % POSTGRESQL_TOO == 0 {
            println!("round {round}: PostgreSQL is killed {life} ms after the ready line, {answered} requests were answered");
            kill_postgresql(&mut gudang);
        } else {
            println!("round {round}: gudang is killed {life} ms after the ready line, {answered} requests were answered");
            gudang.kill();
        }
        gudang.restart();
    }
    floor.closing.store(true, Ordering::Relaxed);
    let mut settled: Vec<Settled> = Vec::new();
    for client in clients {
        settled.extend(client.await.expect("the client comes to its end"));
    }
    let again = settled.iter().filter(|settled| settled.tries > 1).count();
    println!("{ROUNDS} kills in {:.0?}: {} requests, {again} of them sent more than once", begun.elapsed(), settled.len());

    let proved = Instant::now();
    let mut findings = proof::of(&gudang, &floor, &settled, &mut Dice::new(seed, 99)).await;
    counted.add(&gudang).await;
    println!("proved in {:.0?}; what the services counted, as far as it was seen before each kill: {counted:?}", proved.elapsed());
    if counted.stops > 0 {
        findings.push(format!("in process no stream ever has to be stopped and repaired: {} were", counted.stops));
    }
    assert!(findings.is_empty(), "broken promises (seed {seed}):\n- {}\n{}", findings.join("\n- "), complaints(&gudang));
    gudang.stop();
}

/// The last that Gudang complained of.
fn complaints(gudang: &Gudang) -> String {
    let log = gudang.log();
    let complaints: Vec<&str> = log.lines().filter(|line| line.contains("WARN") || line.contains("ERROR")).collect();
    complaints[complaints.len().saturating_sub(COMPLAINTS)..].join("\n")
}

/// Kills the postmaster as the kernel would for want of memory; Gudang then ends with an error that says so.
fn kill_postgresql(gudang: &mut Gudang) {
    let postmaster = std::fs::read_to_string(gudang.data_dir().join("postgres/postmaster.pid")).expect("the server's pid file");
    let pid = postmaster.lines().next().and_then(|pid| Pid::from_raw(pid.parse().ok()?)).expect("a pid");
    kill_process(pid, Signal::KILL).expect("a signal");
    let status = gudang.ended(NOTICE);
    assert_eq!(status.code(), Some(1), "{}", gudang.log());
    assert!(gudang.log().contains("PostgreSQL has stopped"), "{}", gudang.log());
}

/// What the services counted in all their lives.
#[derive(Debug, Default)]
struct Counted {
    /// Events that the fence dropped because they had come before.
    duplicates: u64,
    /// Events that were applied.
    applied: u64,
    /// Streams that the fence stopped, for a gap or worse.
    stops: u64,
}

impl Counted {
    /// Adds what this life has counted until now.
    async fn add(&mut self, gudang: &Gudang) {
        let Ok(answer) = gudang.http(Service::Stock).try_send("GET", "/metrics", &[], "").await else { return };
        let mut sums: BTreeMap<&str, u64> = BTreeMap::new();
        let text = answer.text();
        for (name, value) in text.lines().filter_map(|line| line.rsplit_once(' ')) {
            let what = match name {
                name if name.starts_with("gudang_stream_stops_total{") => "stops",
                name if name.starts_with("gudang_events_total{") && name.contains("outcome=\"duplicate\"") => "duplicates",
                name if name.starts_with("gudang_events_total{") && name.contains("outcome=\"applied\"") => "applied",
                _ => continue,
            };
            *sums.entry(what).or_default() += value.parse::<f64>().expect("a number") as u64;
        }
        let sum = |what| sums.get(what).copied().unwrap_or_default();
        self.duplicates += sum("duplicates");
        self.applied += sum("applied");
        self.stops += sum("stops");
    }
}
