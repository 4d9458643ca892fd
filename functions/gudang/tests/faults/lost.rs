//! Messages are lost: committed changes that never reach the topic, because somebody has moved the relay's cursor over them.
//!
//! One is followed by a later event of its product, which shows the gap; one is the last of its product, so that only comparing books can tell.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testkit::{Http, Service, eventually};
use tokio::task::block_in_place;
use tokio::time::sleep;

use crate::load::{Sold, sku};
use crate::shop::{PATIENCE, Shop, counted, text};

/// What a later event may take to show and to mend the loss, longer than what was recorded with it takes to be known.
const SEEN: Duration = Duration::from_secs(5);
/// What comparing books may take.
const COMPARED: Duration = Duration::from_secs(90);

/// Nobody ticks while this is held; everybody may read.
const HOLD: &str = "LOCK TABLE journal_tick IN SHARE ROW EXCLUSIVE MODE";
/// As far as the cursor can tell, everything that is committed was delivered.
const SKIP: &str = "WITH next AS (INSERT INTO journal_tick (tick, snapshot) SELECT max(tick) + 1, pg_current_snapshot() FROM journal_tick \
     RETURNING tick) UPDATE journal_cursor SET tick = next.tick, upto = next.tick, id = 0 FROM next";
/// Spares the wait for the lease of a process that was killed.
const LET_GO: &str = "UPDATE lease SET until = 'epoch'";

fn change(sku: &str, kind: &str, quantity: i64) -> Value {
    json!({"sku": sku, "type": kind, "quantity": quantity})
}

async fn record(stock: &Http, change: Value) {
    stock.post("/v1/stock-changes", &change).await.expect(201);
}

/// Records changes that nobody hears of.
async fn lose(shop: &mut Shop, changes: impl IntoIterator<Item = Value>) {
    let mut console = shop.console(Service::Stock).await;
    let hold = console.transaction().await.expect("a transaction");
    hold.batch_execute(HOLD).await.expect("a lock");
    for change in changes {
        record(&shop.http(Service::Stock), change).await;
    }
    shop.apart.program(Service::Stock).kill();
    hold.batch_execute(SKIP).await.expect("a cursor that was moved");
    hold.commit().await.expect("a commit");
    console.batch_execute(LET_GO).await.expect("a lease that is free");
    block_in_place(|| shop.apart.program(Service::Stock).restart());
}

/// Whether every consumer has heard that so many of a product are left and so many are sold.
async fn is_known(shop: &Shop, sku: &str, left: i64, sold: i64) -> Option<()> {
    let path = format!("/v1/products/{}", sku.replace(' ', "%20"));
    let product = shop.http(Service::Product).get(&path).await.expect(200).json();
    let report = shop.http(Service::Analytics).get("/v1/reports/best-sellers?limit=500").await.expect(200).json();
    let item = report["items"].as_array().expect("items").iter().find(|item| text(&item["sku"]) == sku).cloned().unwrap_or_default();
    let alerts = shop.http(Service::Notification).get("/v1/notifications?limit=500").await.expect(200).json();
    let alerted = alerts["items"].as_array().expect("items").iter().any(|alert| text(&alert["sku"]) == sku);
    (product["stock"]["on_hand"] == json!(left) && item["units_sold"] == json!(sold) && alerted).then_some(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_lost_is_seen_by_the_next_one_in_seconds_and_without_one_by_the_books() {
    let mut shop = Shop::open(|setup| setup).await;
    let (followed, last, other) = (sku(0, 0), sku(0, 1), sku(0, 2));
    for sku in [&followed, &last, &other] {
        record(&shop.http(Service::Stock), change(sku, "RESTOCK", 25)).await;
    }
    shop.is_published().await;

    lose(&mut shop, [change(&followed, "SALE", 7), change(&last, "SALE", 9)]).await;
    let lost = Instant::now();
    record(&shop.http(Service::Stock), change(&other, "SALE", 8)).await;
    eventually("what came behind is known", PATIENCE, async || is_known(&shop, &other, 17, 8).await).await;
    let heard = || shop.ear.versions().values().sum::<i64>();
    eventually("what came behind is in the topic", PATIENCE, async || (heard() >= 4).then_some(())).await;
    assert_eq!((heard(), shop.versions().await.values().sum::<i64>()), (4, 6), "two of six are lost");

    for sku in [&followed, &other] {
        record(&shop.http(Service::Stock), change(sku, "SALE", 2)).await;
    }
    let recorded = Instant::now();
    eventually("what was recorded with it is known", PATIENCE, async || is_known(&shop, &other, 15, 10).await).await;
    let usual = recorded.elapsed();
    eventually("the gap is closed everywhere", SEEN, async || is_known(&shop, &followed, 16, 9).await).await;
    println!("the gap was closed {:.1?} after the next change, what lacked nothing was known after {usual:.1?}", recorded.elapsed());
    // Product takes the newest level, whatever came before it.
    for service in [Service::Notification, Service::Analytics] {
        let gaps = counted(&shop.http(service), "gudang_stream_stops_total", "\"gap\"").await;
        assert_eq!(gaps, 1, "{}", service.name());
    }

    let left = COMPARED.saturating_sub(lost.elapsed());
    eventually("the last one is known everywhere", left, async || {
        sleep(Duration::from_millis(200)).await;
        is_known(&shop, &last, 16, 9).await
    })
    .await;
    println!("the last one was known {:.1?} after it was lost", lost.elapsed());
    let sold = [(followed, 9), (last, 9), (other, 10)];
    shop.balances(0, &Sold::from(sold)).await;
    shop.apart.stop();
}
