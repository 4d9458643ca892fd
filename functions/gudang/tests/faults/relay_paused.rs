//! The leading process of Stock stands still for half a minute in the middle of a delivery, another takes over, and then the first one goes on.

use std::time::{Duration, Instant};

use testkit::dice::seed;
use testkit::{Service, eventually};
use tokio::time::{sleep, sleep_until};
use tokio_postgres::Client;

use crate::load::Load;
use crate::shop::{PATIENCE, Shop};

const PACE: Duration = Duration::from_millis(20);
const PAUSE: Duration = Duration::from_secs(30);
/// How long the first one is watched when it goes on: it needs less to finish what it had begun, or to give it up.
const WATCHED: Duration = Duration::from_secs(10);
/// What the first one says when its cursor is not its own any more.
const TAKEN_OVER: &str = "another relay has taken over";

/// Whether events have been ticked since `$1` that were not delivered, and the next renewal of the lease is not under way: it is due every 3 s.
const WAITS: &str =
    "SELECT max(tick) > $1::bigint + 5 AND (SELECT until > clock_timestamp() + interval '9 seconds' FROM lease) FROM journal_tick";
/// While this is held nobody renews, takes or loses the lease, and nobody ticks.
const HOLD: &str = "BEGIN; SELECT FROM lease FOR UPDATE";

/// Epoch and place of the cursor.
async fn cursor(console: &Client) -> (i64, (i64, i64, i64)) {
    let row = console.query_one("SELECT epoch, tick, upto, id FROM journal_cursor WHERE name = 'kafka'", &[]).await.expect("a cursor");
    (row.get(0), (row.get(1), row.get(2), row.get(3)))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_stood_still_moves_nothing_of_its_successor_s() {
    let seed = seed();
    println!("seed {seed}");
    let mut shop = Shop::open(|setup| setup).await;
    let mut second = shop.apart.another(Service::Stock, &[]);
    let console = shop.console(Service::Stock).await;
    let load = Load::start(&second.http(), seed, PACE);
    eventually("events flow", PATIENCE, async || (shop.ear.heard().len() > 200).then_some(())).await;

    // Events are on their way to a broker that does not answer for a moment, and that moment is when the relay stands still.
    let (old, _) = cursor(&console).await;
    shop.kafka.pause();
    let (_, (unmoved, ..)) = cursor(&console).await;
    eventually("a delivery without an answer", PATIENCE, async || {
        console.query_one(WAITS, &[&unmoved]).await.expect("ticks").get::<_, bool>(0).then_some(())
    })
    .await;
    shop.apart.program(Service::Stock).pause();
    let paused = Instant::now();
    shop.kafka.go_on();

    let new = eventually("another leads", PATIENCE, async || Some(cursor(&console).await.0).filter(|epoch| *epoch > old)).await;
    println!("epoch {old} stood still, epoch {new} leads after {:.1?}", paused.elapsed());
    sleep_until((paused + PAUSE).into()).await;
    // The first one's renewal is overdue and would end its relay, if it came first: here it waits until the relay has met its successor.
    let lease = shop.console(Service::Stock).await;
    lease.batch_execute(HOLD).await.expect("a lock");
    let (mut epoch, mut place) = cursor(&console).await;
    shop.apart.program(Service::Stock).go_on();
    let (resumed, mut met) = (Instant::now(), None);
    while met.is_none() || resumed.elapsed() < WATCHED {
        let (now, there) = cursor(&console).await;
        assert!((now, there) >= (epoch, place), "the cursor was at {place:?} in epoch {epoch}, then at {there:?} in epoch {now}");
        (epoch, place) = (now, there);
        if met.is_none() {
            let log = shop.apart.program(Service::Stock).log();
            assert!(resumed.elapsed() < PATIENCE, "it has not met its successor: {log}");
            if log.contains(TAKEN_OVER) {
                lease.batch_execute("COMMIT").await.expect("the lock's end");
                met = Some(resumed.elapsed());
            }
        }
        sleep(Duration::from_millis(5)).await;
    }
    println!("the first one gave up {:.1?} after it went on", met.unwrap_or_default());
    let sold = load.stop().await;
    shop.is_sound(seed, &sold).await;
    second.stop();
    shop.apart.stop();
}
