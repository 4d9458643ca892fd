//! Everything at once, by a seed: three processes read and change a few things while Redis is emptied, hung, stopped and restarted.
//!
//! Whatever happens, no read shows less than what was acknowledged a second before it began, or in its own process at all.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use cache::Cache;
use testkit::Redis;
use testkit::dice::{Dice, seed};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::origin::{BOUND, Shelf, process, shown};

const THINGS: usize = 5;
const LASTS: Duration = Duration::from_secs(12);

struct Thing {
    id: Uuid,
    /// The last version that was committed.
    committed: AtomicI64,
    /// Versions that were acknowledged: when, and by which process.
    acknowledged: Mutex<Vec<(Instant, usize, i64)>>,
    /// One change at a time, as a row's lock has it.
    row: tokio::sync::Mutex<()>,
}

struct Storm {
    shelf: Arc<Shelf>,
    things: Vec<Thing>,
    over: AtomicBool,
}

impl Thing {
    /// The least that process `own` may show to who begins to read now.
    fn least(&self, own: usize, now: Instant) -> i64 {
        let acknowledged = self.acknowledged.lock().expect("a lock");
        let binding = acknowledged.iter().filter(|(at, by, _)| *by == own && *at <= now || *at + BOUND <= now);
        binding.map(|(_, _, version)| *version).max().unwrap_or(1)
    }
}

async fn read(storm: Arc<Storm>, cache: Cache<Shelf>, own: usize, mut dice: Dice) -> u64 {
    let mut reads = 0;
    while !storm.over.load(Ordering::SeqCst) {
        let thing = &storm.things[dice.below(THINGS as u64) as usize];
        let begun = Instant::now();
        let least = thing.least(own, begun);
        let version = shown(&cache, thing.id).await;
        assert!(version >= least, "process {own} shows version {version}, {least} was acknowledged");
        reads += 1;
        tokio::time::sleep(Duration::from_micros(dice.below(5000))).await;
    }
    reads
}

async fn change(storm: Arc<Storm>, cache: Cache<Shelf>, own: usize, mut dice: Dice) -> u64 {
    let mut changes = 0;
    while !storm.over.load(Ordering::SeqCst) {
        let thing = &storm.things[dice.below(THINGS as u64) as usize];
        {
            let _row = thing.row.lock().await;
            let version = thing.committed.load(Ordering::SeqCst) + 1;
            storm.shelf.put(thing.id, version);
            thing.committed.store(version, Ordering::SeqCst);
        }
        let version = thing.committed.load(Ordering::SeqCst);
        cache.changed(&[thing.id]).await.expect("the origin answers");
        thing.acknowledged.lock().expect("a lock").push((Instant::now(), own, version));
        changes += 1;
        tokio::time::sleep(Duration::from_millis(dice.below(300))).await;
    }
    changes
}

/// Harms Redis until the storm is over.
async fn harm(storm: &Storm, redis: &mut Redis, mut dice: Dice) -> Vec<&'static str> {
    let mut done = Vec::new();
    let begun = Instant::now();
    while begun.elapsed() < LASTS {
        tokio::time::sleep(Duration::from_millis(200 + dice.below(800))).await;
        let what = ["flushed", "hung", "restarted empty", "put back"][dice.below(4) as usize];
        match what {
            "flushed" => drop(redis.command(&["FLUSHALL"])),
            "hung" => {
                redis.hang();
                tokio::time::sleep(Duration::from_millis(dice.below(1500))).await;
                redis.go_on();
            }
            _ => {
                redis.command(&[if what == "put back" { "SAVE" } else { "FLUSHALL" }]);
                if what == "restarted empty" {
                    redis.command(&["SAVE"]);
                }
                tokio::time::sleep(Duration::from_millis(dice.below(600))).await;
                redis.stop();
                tokio::time::sleep(Duration::from_millis(dice.below(600))).await;
                redis.restart();
            }
        }
        done.push(what);
        // Now and then somebody has read, and comes back late.
        let slow = storm.shelf.hold_next();
        tokio::time::sleep(Duration::from_millis(dice.below(400))).await;
        let _ = slow.send(());
    }
    done
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_becomes_of_redis_nothing_old_is_shown() {
    let seed = seed();
    println!("seed {seed}");
    let (shelf, mut redis) = (Shelf::new(), Redis::start());
    let thing = |_| Thing { id: Uuid::now_v7(), committed: 1.into(), acknowledged: Mutex::default(), row: tokio::sync::Mutex::default() };
    let storm = Arc::new(Storm { shelf: Arc::clone(&shelf), things: (0..THINGS).map(thing).collect(), over: AtomicBool::new(false) });
    for thing in &storm.things {
        shelf.put(thing.id, 1);
    }
    let mut readers = JoinSet::new();
    let mut writers = JoinSet::new();
    for own in 0..3 {
        let cache = process(&shelf, &redis).await;
        for n in 0..4 {
            readers.spawn(read(Arc::clone(&storm), cache.clone(), own, Dice::new(seed, (own * 10 + n) as u64)));
        }
        writers.spawn(change(Arc::clone(&storm), cache, own, Dice::new(seed, 100 + own as u64)));
    }
    let harms = harm(&storm, &mut redis, Dice::new(seed, 1000)).await;
    storm.over.store(true, Ordering::SeqCst);
    let (reads, changes): (u64, u64) = (readers.join_all().await.iter().sum(), writers.join_all().await.iter().sum());
    println!("{reads} reads, {} of the origin, {changes} changes, redis {harms:?}", shelf.loads());
    assert!(reads > 1000 && changes > 20 && shelf.loads() < reads, "too little happened");
}
