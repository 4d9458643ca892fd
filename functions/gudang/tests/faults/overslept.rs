//! A consumer stands still in the middle of a batch for longer than its group waits, another gets its partitions, and then it goes on.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bus::kafka::{Property, Settings};
use serde_json::{Value, json};
use testkit::{Http, Program, Service, eventually};
use tokio::task::block_in_place;
use tokio_postgres::Client;

use crate::load::{SHELVES, Sold, TILLS, sku};
use crate::naive::{Member, Sleepy};
use crate::shop::{PATIENCE, Shop, counted};

/// After so long without asking for messages a member has lost its place.
const MAX_POLL: Duration = Duration::from_secs(10);
/// Where nothing has happened before: what is recorded there are the first events of their streams.
const ANNEX: &str = "annex";

/// Nobody gets past the fence while this is held; everybody may read.
const HOLD: &str = "LOCK TABLE applied IN SHARE MODE";
/// Who waits for it.
const WAITING: &str = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'applied'::regclass AND mode = 'RowExclusiveLock'";

fn skus() -> impl Iterator<Item = String> {
    (0..TILLS).flat_map(|till| (0..SHELVES).map(move |shelf| sku(till, shelf)))
}

/// Records the same changes of every product: type, units, and where.
async fn record(stock: &Http, changes: &[(&str, i64, &str)]) {
    let change = |sku: String| {
        let line =
            move |(kind, units, location): &(&str, i64, &str)| json!({"sku": sku, "type": kind, "quantity": units, "location": location});
        changes.iter().map(line).collect::<Vec<Value>>()
    };
    for sku in skus() {
        stock.post("/v1/stock-changes/batch", &json!({"changes": change(sku)})).await.expect(200);
    }
}

async fn is_reported(shop: &Shop, units_each: i64) {
    let all = units_each * skus().count() as i64;
    eventually("what was sold is in the report", PATIENCE, async || (shop.reported().await == all).then_some(())).await;
}

/// Starts the sleeper again and has it stand still as soon as it waits to get past the fence with what it has heard.
async fn falls_asleep(console: &mut Client, sleeper: &mut Program) {
    let hold = console.transaction().await.expect("a transaction");
    hold.batch_execute(HOLD).await.expect("a lock");
    block_in_place(|| sleeper.restart());
    eventually("a batch at the fence", PATIENCE, async || {
        (hold.query_one(WAITING, &[]).await.expect("a count").get::<_, i64>(0) > 0).then_some(())
    })
    .await;
    sleeper.pause();
    hold.commit().await.expect("a commit");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_slept_for_longer_than_the_group_waits_adds_nothing_to_what_others_did_meanwhile() {
    let shop = Shop::open(|setup| setup.set(Service::Analytics, "ROLE", "api")).await;
    let (stock, max_poll) = (shop.http(Service::Stock), MAX_POLL.as_millis().to_string());
    let worker = [("ROLE", "worker"), ("KAFKA_MAX_POLL_INTERVAL_MS", max_poll.as_str())];
    let mut sleeper = shop.apart.another(Service::Analytics, &worker);
    record(&stock, &[("RESTOCK", 20, "default"), ("SALE", 1, "default")]).await;
    is_reported(&shop, 1).await;
    block_in_place(|| sleeper.stop());

    // The naive ones meet a long sleep of their own, beside.
    let max_poll = Property { name: "max.poll.interval.ms".into(), value: max_poll.clone(), given_as: "max.poll.interval.ms".into() };
    let settings = Settings::new(shop.kafka.servers(), 6, vec![max_poll]).expect("settings");
    let sleepy = Arc::new(Sleepy::for_longer_than(MAX_POLL));
    let naive = [Member::join(&settings, &sleepy), Member::join(&settings, &sleepy)];

    // Of each partition the first message is the first of a stream.
    record(&stock, &[("RESTOCK", 20, ANNEX), ("SALE", 3, ANNEX), ("SALE", 2, "default")]).await;
    shop.is_published().await;
    let mut console = shop.console(Service::Analytics).await;
    falls_asleep(&mut console, &mut sleeper).await;
    let asleep = Instant::now();
    let mut relief = shop.apart.another(Service::Analytics, &worker);
    is_reported(&shop, 6).await;
    println!("all of it was in the report {:.1?} after one of them fell asleep", asleep.elapsed());
    tokio::time::sleep_until((asleep + MAX_POLL * 2).into()).await;

    sleeper.go_on();
    let awake = Instant::now();
    let dropped = eventually("it has tried", PATIENCE, async || {
        Some(counted(&sleeper.http(), "gudang_events_total", "duplicate").await).filter(|dropped| *dropped > 0)
    })
    .await;
    println!("{:.1?} after it awoke {dropped} events of its batch were dropped", awake.elapsed());
    record(&stock, &[("SALE", 1, "default"), ("SALE", 1, ANNEX)]).await;
    shop.is_published().await;
    is_reported(&shop, 8).await;
    shop.is_sound(0, &skus().map(|sku| (sku, 8)).collect::<Sold>()).await;

    let (there, counted) = (shop.ear.heard().len() as u64, || sleepy.counted.load(Ordering::SeqCst));
    eventually("without a fence some is counted twice: it slept for too long", PATIENCE, async || (counted() > there).then_some(())).await;
    println!("without a fence {} events were counted, where there are {there}", counted());
    naive.into_iter().for_each(Member::vanish);
    block_in_place(|| [&mut sleeper, &mut relief].map(Program::stop));
    shop.apart.stop();
}
