//! Proof that Redis shows no product as it was: what it has of each is no older than what the database has. It knows no route and no SQL.

use std::collections::BTreeMap;
use std::time::Duration;

use ::cache::Version;
use postgres::Database;
use uuid::Uuid;

use crate::cache::{Products, Unread};
use crate::store::Shown;
use crate::store::search::{find, marks};

/// Products that are compared at a time.
const ROWS: i64 = 10_000;
/// How often what is older is looked at again, and the pause between: who changes a product takes it out of Redis, but a moment later.
const LOOKS: usize = 6;
const AGAIN: Duration = Duration::from_millis(500);
/// Differences that are told, and the most that are looked at again.
const TOLD: usize = 100;

/// What came of comparing.
#[derive(Debug, Default)]
pub(crate) struct Compared {
    /// Products that Redis has; none without Redis or while it is away.
    pub(crate) products: Option<u64>,
    /// A sentence for each that is older there.
    pub(crate) drifts: Vec<String>,
}

/// Compares everything that Redis has with the database.
pub(crate) async fn compare(database: &Database, products: &Products) -> Result<Compared, Unread> {
    let Some((count, mut old)) = first_look(database, products).await? else { return Ok(Compared::default()) };
    let mut drifts = Vec::new();
    for look in 0..LOOKS {
        if old.is_empty() {
            break;
        }
        if look > 0 {
            tokio::time::sleep(AGAIN).await;
        }
        drifts = look_again(database, products, &mut old).await?;
    }
    Ok(Compared { products: Some(count), drifts })
}

/// How many products Redis has, and which are older there than the database had them before; the state that Redis has of each.
async fn first_look(database: &Database, products: &Products) -> Result<Option<(u64, BTreeMap<Uuid, Version>)>, Unread> {
    let (mut count, mut old, mut after) = (0, BTreeMap::new(), Uuid::nil());
    loop {
        let versions: BTreeMap<Uuid, i64> =
            marks::versions(database, after, ROWS).await?.into_iter().map(|(id, version)| (id.0, version)).collect();
        let Some(last) = versions.keys().next_back() else { return Ok(Some((count, old))) };
        after = *last;
        let ids: Vec<Uuid> = versions.keys().copied().collect();
        let Some(kept) = products.kept(&ids).await? else { return Ok(None) };
        count += kept.len() as u64;
        let older = kept.into_iter().filter(|(id, version)| versions.get(id).is_some_and(|there| version.major + version.minor < *there));
        old.extend(older.take(TOLD.saturating_sub(old.len())));
    }
}

/// Leaves only what is still there as it was, and older than the database had it before; with a sentence for each.
async fn look_again(database: &Database, products: &Products, old: &mut BTreeMap<Uuid, Version>) -> Result<Vec<String>, Unread> {
    let ids: Vec<Uuid> = old.keys().copied().collect();
    let shown = find::products(database, &ids).await?;
    let kept: BTreeMap<Uuid, Version> = products.kept(&ids).await?.unwrap_or_default().into_iter().collect();
    old.retain(|id, before| kept.get(id) == Some(before));
    let mut drifts = Vec::new();
    for Shown { product, stock_version } in shown {
        let there = Version { major: product.version, minor: stock_version };
        let Some(kept) = old.get(&product.id.0) else { continue };
        if kept.major >= there.major && kept.minor >= there.minor {
            old.remove(&product.id.0);
            continue;
        }
        let told = |version: &Version| format!("{}-{}", version.major, version.minor);
        drifts.push(format!("redis has product {} at version {}, the database at {}", product.id, told(kept), told(&there)));
    }
    Ok(drifts)
}
