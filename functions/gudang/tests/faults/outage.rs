//! Kafka is gone for a minute under load: nobody who writes notices, and afterwards all of it arrives.

use std::time::{Duration, Instant};

use testkit::dice::seed;
use testkit::{Service, eventually};
use tokio::task::block_in_place;
use tokio::time::{sleep, sleep_until};

use crate::load::{Load, median};
use crate::naive::Teller;
use crate::shop::{PATIENCE, Shop};

/// Each till writes once in so long: what a machine can do that is busy with other tests, too.
const PACE: Duration = Duration::from_millis(200);
/// Rates are counted in windows of this length.
const WINDOW: Duration = Duration::from_secs(5);
const BEFORE: Duration = Duration::from_secs(25);
const OUTAGE: Duration = Duration::from_mins(1);
/// What a rate may fall to.
const KEPT: f64 = 0.9;

#[tokio::test(flavor = "multi_thread")]
async fn while_kafka_is_gone_for_a_minute_writes_keep_their_rate_and_then_all_arrives_in_order() {
    let seed = seed();
    println!("seed {seed}");
    let mut shop = Shop::open(|setup| setup).await;
    let load = Load::start(&shop.http(Service::Stock), seed, PACE);
    let teller = Teller::start(shop.http(Service::Stock), &shop.settings);
    eventually("events flow", PATIENCE, async || (shop.ear.heard().len() > 100).then_some(())).await;

    let begun = Instant::now();
    sleep_until((begun + BEFORE).into()).await;
    shop.kafka.kill();
    let (killed, back) = (Instant::now(), Instant::now() + OUTAGE);
    sleep_until(back.into()).await;
    let (before, during) = (load.windows(begun, killed, WINDOW), load.windows(killed, back, WINDOW));
    let behind = shop.ear.heard().len();
    block_in_place(|| shop.kafka.restart());
    sleep(WINDOW).await;
    let ((told, lost), sold) = (teller.stop((killed, back), WINDOW).await, load.stop().await);

    println!("writes in {WINDOW:?}: {before:?}, without Kafka {during:?}; {behind} events were out until then");
    println!("who tells Kafka himself: {told:?} without Kafka, {lost} events lost");
    let kept = median(during) / median(before);
    assert!(kept >= KEPT, "writes kept {kept:.2} of their rate");
    assert!(median(told) == 0.0 && lost > 0, "the outage was one");
    shop.is_sound(seed, &sold).await;
    shop.apart.stop();
}
