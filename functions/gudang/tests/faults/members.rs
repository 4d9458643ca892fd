//! Members of a consumer group come and go all the time, every other one without a word.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use testkit::dice::seed;
use testkit::{Service, eventually};
use tokio::task::block_in_place;
use tokio::time::sleep_until;

use crate::load::Load;
use crate::naive::{Forgetful, Member};
use crate::shop::{PATIENCE, Shop};

const PACE: Duration = Duration::from_millis(50);
const STORM: Duration = Duration::from_mins(1);
/// One comes and goes in so long, and so many of them make a storm, though it takes longer where programs start slowly.
const VISIT: Duration = Duration::from_secs(2);
const VISITS: usize = 13;

#[tokio::test(flavor = "multi_thread")]
async fn while_members_come_and_go_for_a_minute_reports_equal_the_ledger() {
    let seed = seed();
    println!("seed {seed}");
    let shop = Shop::open(|setup| setup).await;
    let load = Load::start(&shop.http(Service::Stock), seed, PACE);
    let forgetful = Arc::new(Forgetful::default());
    let mut staying = Member::join(&shop.settings, &forgetful);

    let begun = Instant::now();
    let mut visits = 0;
    while begun.elapsed() < STORM || visits < VISITS {
        let leaves = Instant::now() + VISIT;
        let mut guest = shop.apart.another(Service::Analytics, &[("ROLE", "worker")]);
        let naive = Member::join(&shop.settings, &forgetful);
        sleep_until(leaves.into()).await;
        if visits % 2 == 0 {
            guest.kill();
            naive.vanish();
        } else {
            block_in_place(|| guest.stop());
            naive.leave().await;
        }
        visits += 1;
    }
    // On a busy machine naive guests may have left before they were given anything: so the one that stayed goes in the middle of a batch, too.
    forgetful.uncommitted.store(false, Ordering::SeqCst);
    eventually("a batch that is counted", PATIENCE, async || forgetful.uncommitted.load(Ordering::SeqCst).then_some(())).await;
    staying.vanish();
    staying = Member::join(&shop.settings, &forgetful);
    let sold = load.stop().await;
    shop.is_sound(seed, &sold).await;
    // Behind the proof everything has been there for a while; the naive ones may still be on their way.
    let (there, counted) = (shop.ear.heard().len() as u64, || forgetful.counted.load(Ordering::SeqCst));
    eventually("without a fence some is counted twice: it was a storm", PATIENCE, async || (counted() > there).then_some(())).await;
    println!("{visits} visits; without a fence {} events were counted, where there are {there}", counted());
    staying.vanish();
    shop.apart.stop();
}
