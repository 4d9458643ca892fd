//! What an index outside of this database still lacks, and which indexes are kept up to date.
//!
//! A mark is written in the transaction of its change, so none is lost; it goes when its version has arrived in every index that is kept. Which
//! those are is part of the question: a mark that went to fewer of them than there are now stays.

use contract::ProductId;
use postgres::{Database, DatabaseError};
use uuid::Uuid;

use super::super::{Shown, product_columns, products_with_stock, shown_in, stock_sums};

/// Plan: a range of the primary key.
const STALE: &str = "SELECT product_id FROM search_stale WHERE product_id > $1 AND product_id <= $2 ORDER BY product_id LIMIT $3";

/// Plan: the end of the primary key.
const LAST_STALE: &str = "SELECT product_id FROM search_stale ORDER BY product_id DESC LIMIT 1";

/// A mark that was raised in the meantime stays, and so does one that somebody is raising right now: who raises marks has locked others
/// before, in the order of the ids, and would wait for us while we wait for him. The rows of the targets are held, so that they are still these when
/// the marks go. Plan: look-ups in the primary key.
const ARRIVED: &str = "WITH arrived AS (\
       SELECT s.product_id FROM search_stale s JOIN unnest($1::uuid[], $2::bigint[]) n (product_id, version) ON s.product_id = n.product_id \
       WHERE s.version <= n.version \
         AND (SELECT coalesce(array_agg(name ORDER BY name), '{}') FROM (SELECT name FROM search_target FOR SHARE) kept) = $3 \
       ORDER BY s.product_id FOR UPDATE OF s SKIP LOCKED) \
     DELETE FROM search_stale s USING arrived a WHERE s.product_id = a.product_id";

/// In the order of the ids, as everybody. Plan: one pass over the documents.
const MARK_ALL: &str = "INSERT INTO search_stale SELECT product_id, version + stock_version FROM search_document ORDER BY product_id \
     ON CONFLICT DO NOTHING";

const TARGETS: &str = "SELECT name, live FROM search_target ORDER BY name";
const ADD_TARGET: &str = "INSERT INTO search_target (name, live) VALUES ($1, $2)";
const REMOVE_TARGET: &str = "DELETE FROM search_target WHERE name = $1";
const REMOVE_TARGETS: &str = "DELETE FROM search_target";
/// Nothing where it is not kept any more.
const MAKE_LIVE: &str = "UPDATE search_target SET live = (name = $1) WHERE EXISTS (SELECT FROM search_target WHERE name = $1)";

/// Plan: a range of the primary key; then look-ups.
const PAGE: &str = products_with_stock!("(SELECT * FROM product WHERE id > $1 AND id <= $2 ORDER BY id LIMIT $3)", " ORDER BY p.id");

/// Plan: the end of the primary key.
const LAST: &str = "SELECT id FROM product ORDER BY id DESC LIMIT 1";

/// Plan: one pass over each table, joined by hash.
const VERSIONS: &str = "SELECT p.id, p.version + coalesce(s.version, 0) FROM product p LEFT JOIN \
     (SELECT product_id, sum(version)::bigint AS version FROM product_stock GROUP BY product_id) s ON s.product_id = p.id \
     WHERE p.id > $1 ORDER BY p.id LIMIT $2";

/// Plan: one pass over an index.
const COUNT: &str = "SELECT count(*) FROM product";

/// An index that is kept up to date.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) name: String,
    /// Searches are answered from it, or will be as soon as it is full.
    pub(crate) live: bool,
}

/// The last of the products that are marked, by id.
pub(crate) async fn last_stale(database: &Database) -> Result<Option<Uuid>, DatabaseError> {
    let client = database.get().await?;
    postgres::query_opt(&client, LAST_STALE, &[]).await?.map(|row| Ok(row.try_get(0)?)).transpose()
}

/// Products that are marked, by id, behind `after` and up to `until`.
pub(crate) async fn stale(database: &Database, after: Uuid, until: Uuid, rows: i64) -> Result<Vec<Uuid>, DatabaseError> {
    let client = database.get().await?;
    postgres::query(&client, STALE, &[&after, &until, &rows]).await?.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

/// Takes marks away whose products have arrived in these versions, in all of `targets`, sorted.
pub(crate) async fn arrived(database: &Database, copies: &[(Uuid, i64)], targets: &[&str]) -> Result<(), DatabaseError> {
    let (ids, versions): (Vec<Uuid>, Vec<i64>) = copies.iter().copied().unzip();
    let client = database.get().await?;
    postgres::execute(&client, ARRIVED, &[&ids, &versions, &targets]).await.map(|_| ())
}

/// The indexes that are kept up to date, by name.
pub(crate) async fn targets(database: &Database) -> Result<Vec<Target>, DatabaseError> {
    let client = database.get().await?;
    let rows = postgres::query(&client, TARGETS, &[]).await?;
    rows.iter().map(|row| Ok(Target { name: row.try_get(0)?, live: row.try_get(1)? })).collect()
}

/// Keeps one more index up to date, from now on.
pub(crate) async fn keep_too(database: &Database, name: &str) -> Result<(), DatabaseError> {
    let client = database.get().await?;
    postgres::execute(&client, ADD_TARGET, &[&name, &false]).await.map(|_| ())
}

/// Keeps an index up to date no longer.
pub(crate) async fn forget(database: &Database, name: &str) -> Result<(), DatabaseError> {
    let client = database.get().await?;
    postgres::execute(&client, REMOVE_TARGET, &[&name]).await.map(|_| ())
}

/// Has an index that is kept already count as the one that answers; false when it is not kept any more.
pub(crate) async fn make_live(database: &Database, name: &str) -> Result<bool, DatabaseError> {
    let client = database.get().await?;
    Ok(postgres::execute(&client, MAKE_LIVE, &[&name]).await? > 0)
}

/// Keeps this index alone from now on. One that is `empty` lacks everything.
pub(crate) async fn keep_only(database: &Database, name: &str, empty: bool) -> Result<(), DatabaseError> {
    let mut client = database.get().await?;
    let transaction = client.transaction().await?;
    postgres::execute(&transaction, REMOVE_TARGETS, &[]).await?;
    postgres::execute(&transaction, ADD_TARGET, &[&name, &true]).await?;
    if empty {
        postgres::execute(&transaction, MARK_ALL, &[]).await?;
    }
    Ok(transaction.commit().await?)
}

/// Products as they are, archived ones too, by id behind `after` and up to `until`.
pub(crate) async fn page(database: &Database, after: Uuid, until: Uuid, rows: i64) -> Result<Vec<Shown>, DatabaseError> {
    let client = database.get().await?;
    postgres::query(&client, PAGE, &[&after, &until, &rows]).await?.iter().map(shown_in).collect()
}

/// The last product, by id.
pub(crate) async fn last(database: &Database) -> Result<Option<Uuid>, DatabaseError> {
    let client = database.get().await?;
    postgres::query_opt(&client, LAST, &[]).await?.map(|row| Ok(row.try_get(0)?)).transpose()
}

/// The versions that documents must have, by id behind `after`.
pub(crate) async fn versions(database: &Database, after: Uuid, rows: i64) -> Result<Vec<(ProductId, i64)>, DatabaseError> {
    let client = database.get().await?;
    let rows = postgres::query(&client, VERSIONS, &[&after, &rows]).await?;
    rows.iter().map(|row| Ok((ProductId(row.try_get(0)?), row.try_get(1)?))).collect()
}

/// How many products there are, archived ones too.
pub(crate) async fn count(database: &Database) -> Result<u64, DatabaseError> {
    let client = database.get().await?;
    let count: i64 = postgres::query_one(&client, COUNT, &[]).await?.try_get(0)?;
    Ok(count as u64)
}
