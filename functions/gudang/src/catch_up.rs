//! Waits until the consumers have heard of everything that the producers recorded, by comparing books.
//!
//! It compares how far each service has come, not what it made of it: that is the audit's.

use std::time::{Duration, Instant};

use contract::{BookAccount, Books};
use tokio::time::sleep;

use crate::client::{NoAnswer, PATIENCE, Service, Services};
use crate::progress::Progress;

/// Between two questions.
const ASK_AGAIN: Duration = Duration::from_millis(250);
/// The account of how far each stock stream has come.
const VERSIONS: &str = "versions";
/// The account of products.
const PRODUCTS: &str = "products";

/// How a wait ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum CatchUp {
    /// Everybody has come as far as the producer.
    Done,
    /// Somebody has not; as a clause: `Analytics has applied 5 of 7 changes`.
    Behind(String),
}

/// Waits until Stock knows the products that Product knows, but no longer than `patience`.
pub(crate) async fn products(services: &Services, patience: Duration) -> Result<CatchUp, NoAnswer> {
    let begun = Instant::now();
    loop {
        let (product, stock) = futures::try_join!(account(&services.product, PRODUCTS), account(&services.stock, PRODUCTS))?;
        if product.buckets == stock.buckets {
            return Ok(CatchUp::Done);
        }
        if begun.elapsed() > patience {
            return Ok(CatchUp::Behind("Stock Change has not heard of all products".to_owned()));
        }
        sleep(ASK_AGAIN).await;
    }
}

/// Waits until Product, Notification and Analytics have come as far as Stock, as long as they make progress within `standstill`.
pub(crate) async fn changes(services: &Services, standstill: Duration) -> Result<CatchUp, NoAnswer> {
    let consumers = [&services.product, &services.notification, &services.analytics];
    let target = account(&services.stock, VERSIONS).await?;
    let progress = Progress::new("reports and alerts", target.version.cast_unsigned());
    let (mut furthest, mut moved, mut away) = (-1, Instant::now(), None);
    loop {
        let asked = futures::future::try_join_all(consumers.map(|consumer| account(consumer, VERSIONS))).await;
        let reached = match (asked, away) {
            (Ok(reached), _) => {
                away = None;
                reached
            }
            // It may be starting again.
            (Err(error), Some(since)) if Instant::now().duration_since(since) > PATIENCE => return Err(error),
            (Err(_), since) => {
                away = since.or_else(|| Some(Instant::now()));
                sleep(ASK_AGAIN).await;
                continue;
            }
        };
        if reached.iter().all(|account| account.buckets == target.buckets || account.version >= target.version) {
            progress.done();
            return Ok(CatchUp::Done);
        }
        let all: i64 = reached.iter().map(|account| account.version).sum();
        if all > furthest {
            (furthest, moved) = (all, Instant::now());
        }
        if moved.elapsed() > standstill {
            return Ok(CatchUp::Behind(behind(&consumers, &reached, &target)));
        }
        progress.reach(reached.iter().map(|account| account.version).min().unwrap_or(0).cast_unsigned());
        sleep(ASK_AGAIN).await;
    }
}

/// Waits until every consumer has come as far as its producer was at the beginning, but no longer than `patience`; false when
/// there was nothing to wait for.
pub(crate) async fn everybody(services: &Services, patience: Duration) -> Result<bool, NoAnswer> {
    let Services { product, stock, notification, analytics } = services;
    let (begun, mut waited) = (Instant::now(), false);
    let (products, changes) = futures::try_join!(account(product, PRODUCTS), account(stock, VERSIONS))?;
    loop {
        let known = futures::future::try_join_all([stock, notification, analytics].map(|consumer| account(consumer, PRODUCTS)));
        let applied = futures::future::try_join_all([product, notification, analytics].map(|consumer| account(consumer, VERSIONS)));
        let (known, applied) = futures::try_join!(known, applied)?;
        let late = known.iter().any(|account| account.version < products.version)
            || applied.iter().any(|account| account.version < changes.version);
        if !late || begun.elapsed() > patience {
            return Ok(waited);
        }
        waited = true;
        sleep(ASK_AGAIN).await;
    }
}

fn behind(consumers: &[&Service], reached: &[BookAccount], target: &BookAccount) -> String {
    let late = consumers.iter().zip(reached).filter(|(_, account)| account.version < target.version);
    let told = late.map(|(consumer, account)| format!("{} has applied {} of {} changes", consumer.name, account.version, target.version));
    told.collect::<Vec<_>>().join(" and ")
}

async fn account(service: &Service, name: &str) -> Result<BookAccount, NoAnswer> {
    let Books { mut accounts, .. } = service.books(Some(name), None).await?;
    accounts.remove(name).ok_or_else(|| service.without(name))
}
