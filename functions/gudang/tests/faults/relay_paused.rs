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
    let unmoved = cursor(&console).await;
    eventually("a delivery without an answer", PATIENCE, async || {
        let row = console.query_one("SELECT max(tick) FROM journal_tick", &[]).await.expect("ticks");
        (row.get::<_, i64>(0) > unmoved.1.0 + 5).then_some(())
    })
    .await;
    shop.apart.program(Service::Stock).pause();
    let paused = Instant::now();
    shop.kafka.go_on();

    let new = eventually("another leads", PATIENCE, async || Some(cursor(&console).await.0).filter(|epoch| *epoch > old)).await;
    println!("epoch {old} stood still, epoch {new} leads after {:.1?}", paused.elapsed());
    sleep_until((paused + PAUSE).into()).await;
    let (mut epoch, mut place) = cursor(&console).await;
    shop.apart.program(Service::Stock).go_on();
    let resumed = Instant::now();
    while resumed.elapsed() < WATCHED {
        let (now, there) = cursor(&console).await;
        assert!((now, there) >= (epoch, place), "the cursor was at {place:?} in epoch {epoch}, then at {there:?} in epoch {now}");
        (epoch, place) = (now, there);
        sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(epoch, new, "nobody else has come to lead");
    let log = shop.apart.program(Service::Stock).log();
    assert!(log.contains(TAKEN_OVER), "it was in the middle of a delivery: {log}");
    let sold = load.stop().await;
    shop.is_sound(seed, &sold).await;
    second.stop();
    shop.apart.stop();
}
