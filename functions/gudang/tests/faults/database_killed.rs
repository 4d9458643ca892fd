//! The database of a consumer is killed again and again, under load.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use testkit::dice::{Dice, seed};
use testkit::{Server, Service, eventually};
use tokio::time::sleep;
use tokio_postgres::NoTls;

use crate::load::Load;
use crate::naive::{Careless, Member};
use crate::shop::{PATIENCE, Shop};

const PACE: Duration = Duration::from_millis(50);
const KILLS: u64 = 5;
/// Between two kills, at most.
const LIFE_MS: u64 = 4000;
const AWAY: Duration = Duration::from_secs(1);

async fn sql(url: &str, statement: &str) -> i64 {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.expect("a connection");
    tokio::spawn(connection);
    let rows = client.query(statement, &[]).await.expect("rows");
    rows.first().map_or(0, |row| row.get(0))
}

#[tokio::test(flavor = "multi_thread")]
async fn after_its_database_was_killed_under_load_reports_equal_the_ledger() {
    let seed = seed();
    println!("seed {seed}");
    let mut dice = Dice::new(seed, 99);
    let mut server = Server::start(&["analytics"]).await;
    let url = server.url("analytics");
    sql(&url, "CREATE TABLE careless (events bigint)").await;
    let shop = Shop::open(|setup| setup.set(Service::Analytics, "DATABASE_URL", &url)).await;
    let load = Load::start(&shop.http(Service::Stock), seed, PACE);
    let careless = Arc::new(Careless::of(&url));
    let staying = Member::join(&shop.settings, &careless);
    eventually("it notes", PATIENCE, async || (careless.noted.load(Ordering::SeqCst) > 0).then_some(())).await;
    for _ in 0..KILLS {
        sleep(Duration::from_millis(1000 + dice.below(LIFE_MS))).await;
        let lost = careless.lost.load(Ordering::SeqCst);
        server.stop_at_once().await;
        sleep(AWAY).await;
        eventually("events come while it is away", PATIENCE, async || (careless.lost.load(Ordering::SeqCst) > lost).then_some(())).await;
        server.restart().await;
    }
    sleep(AWAY).await;
    let sold = load.stop().await;
    shop.is_sound(seed, &sold).await;
    let (there, noted) = (shop.ear.heard().len(), sql(&url, "SELECT sum(events)::bigint FROM careless").await);
    let lost = careless.lost.load(Ordering::SeqCst);
    println!("who takes everything as settled has noted {noted} events of {there}, and lost {lost}");
    staying.vanish();
    shop.apart.stop();
}
