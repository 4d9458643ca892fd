//! Somebody opens a transaction on Stock's database, writes, and goes for lunch. The relay must not care.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testkit::dice::seed;
use testkit::{Http, Service, eventually};
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, sleep};
use tokio_postgres::Client;
use tokio_util::sync::CancellationToken;

use crate::ear::Heard;
use crate::load::{SHELVES, Sold, TILLS, count, sku};
use crate::shop::{PATIENCE, Shop};

/// Events of a batch; one batch in so long: what four programs keep up with on a machine that is busy with other tests, too.
const BATCH: usize = 40;
const PACE: Duration = Duration::from_millis(200);
const WITHOUT: Duration = Duration::from_secs(25);
/// Together a minute.
const WITH: [Duration; 2] = [Duration::from_secs(35), WITHOUT];
/// How much of what is written the relay must deliver in the same time, compared with when nobody was there.
const KEPT: f64 = 0.95;
/// Rates are compared in windows of this length, and the one in the middle counts: what stands still for a moment catches up in the next.
const WINDOW: Duration = Duration::from_secs(5);
/// How much later an event may be heard than without the bystander: the noise of a busy machine. Who waits for him is later by half a minute.
const LATER: Duration = Duration::from_secs(2);

/// It has a transaction id from then on, which is what stands in the way of a reader that waits for older ones.
const SIT_DOWN: &str = "BEGIN; SELECT pg_current_xact_id()";
/// How far a reader comes that lets nothing through which an open transaction might still precede.
const GATE: &str = "SELECT count(*) FROM ledger WHERE xid < pg_snapshot_xmin(pg_current_snapshot())";

/// Batches that were recorded, and when.
type Recorded = Vec<(Instant, usize)>;

/// Restocks at a steady pace: every level by one or two at a time.
async fn restock(stock: Http, stop: CancellationToken) -> Recorded {
    let (mut recorded, mut beat, mut all) = (Vec::new(), interval(PACE), 0);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let skus: Vec<String> = (0..TILLS).flat_map(|till| (0..SHELVES).map(move |shelf| sku(till, shelf))).collect();
    let lines: Vec<Value> = skus.iter().cycle().take(BATCH).map(|sku| json!({"sku": sku, "type": "RESTOCK", "quantity": 1})).collect();
    while !stop.is_cancelled() {
        beat.tick().await;
        let answer = stock.post("/v1/stock-changes/batch", &json!({"changes": lines})).await.expect(200).json();
        assert_eq!(answer["accepted"], json!(BATCH));
        all += BATCH;
        recorded.push((Instant::now(), all));
    }
    recorded
}

/// When the naive reader looked, when it had its answer, and how many rows it saw.
type Look = (Instant, Instant, i64);

/// Follows the naive reader, until `stop`.
async fn behind_the_gate(console: Client, stop: CancellationToken) -> Vec<Look> {
    let mut seen = Vec::new();
    while !stop.is_cancelled() {
        let asked = Instant::now();
        let row = console.query_one(GATE, &[]).await.expect("rows");
        seen.push((asked, Instant::now(), row.get(0)));
        sleep(Duration::from_millis(500)).await;
    }
    seen
}

/// What the naive reader gained between two moments.
fn gained(seen: &[Look], from: Instant, upto: Instant) -> i64 {
    let within = || seen.iter().filter(|(asked, answered, _)| *asked >= from && *answered < upto).map(|(.., rows)| *rows);
    within().max().unwrap_or_default() - within().min().unwrap_or_default()
}

/// How long after a batch was acknowledged all of it was heard, for batches of a time: the one in the middle.
fn delay(recorded: &Recorded, heard: &[Heard], from: Instant, upto: Instant) -> Duration {
    let mut moments: Vec<Instant> = heard.iter().map(|heard| heard.at).collect();
    moments.sort_unstable();
    let within = recorded.iter().filter(|(at, _)| (from..upto).contains(at));
    let mut delays: Vec<Duration> = within.map(|(at, all)| moments[all - 1].saturating_duration_since(*at)).collect();
    delays.sort_unstable();
    delays[delays.len() / 2]
}

/// The share of what was written in a window that was heard in it: the one in the middle.
fn share(recorded: &Recorded, heard: &[Heard], from: Instant, upto: Instant) -> f64 {
    let written = count(&recorded.iter().map(|(at, _)| *at).collect::<Vec<_>>(), from, upto, WINDOW);
    let heard = count(&heard.iter().map(|heard| heard.at).collect::<Vec<_>>(), from, upto, WINDOW);
    let mut shares: Vec<f64> = heard.iter().zip(written).map(|(heard, written)| *heard as f64 / (written.max(1) * BATCH) as f64).collect();
    shares.sort_unstable_by(f64::total_cmp);
    shares[shares.len() / 2]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_is_left_open_for_a_minute_does_not_slow_the_relay_down() {
    let seed = seed();
    let shop = Shop::open(|setup| setup).await;
    let stop = CancellationToken::new();
    let restocking: JoinHandle<Recorded> = tokio::spawn(restock(shop.http(Service::Stock), stop.clone()));
    eventually("events flow", PATIENCE, async || (shop.ear.heard().len() > 10 * BATCH).then_some(())).await;
    let reading = tokio::spawn(behind_the_gate(shop.console(Service::Stock).await, stop.clone()));
    let begun = Instant::now();
    sleep(WITHOUT).await;
    let bystander = shop.console(Service::Stock).await;
    let alone_until = Instant::now();
    bystander.batch_execute(SIT_DOWN).await.expect("a transaction");
    let sat_down = Instant::now();
    sleep(WITH[0]).await;
    let in_the_end = Instant::now();
    sleep(WITH[1]).await;
    let got_up = Instant::now();
    bystander.batch_execute("COMMIT").await.expect("its end");
    stop.cancel();
    let (recorded, seen) = (restocking.await.expect("every batch is recorded"), reading.await.expect("the reader"));
    shop.is_published().await;

    let heard = shop.ear.heard();
    let (alone, beside) = (share(&recorded, &heard, begun, alone_until), share(&recorded, &heard, sat_down, got_up));
    println!("of what was written {alone:.3} was heard in the same time alone, {beside:.3} beside the bystander; {} events", heard.len());
    // What was still on its way when the time began counts for nobody.
    let kept = beside / alone.min(1.0);
    assert!(kept >= KEPT, "the relay kept {kept:.2} of its rate");
    let (alone, beside) = (delay(&recorded, &heard, begun, alone_until), delay(&recorded, &heard, in_the_end, got_up));
    println!("from answer to ear {alone:.1?} alone, {beside:.1?} beside a bystander of half a minute and more");
    assert!(beside < alone + LATER, "events come later and later: {beside:?}, where {alone:?} was usual");

    // Whoever was writing when he sat down has finished a while later.
    let (gained_alone, gained_beside) = (gained(&seen, begun, alone_until), gained(&seen, sat_down + WINDOW, got_up));
    println!("a reader that waits for open transactions: {gained_alone} rows alone, then {gained_beside}");
    assert!(gained_beside == 0 && gained_alone > 0, "the bystander stood in nobody's way");
    shop.is_sound(seed, &Sold::new()).await;
    shop.apart.stop();
}
