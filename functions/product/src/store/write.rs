//! What is written of products: rows, and their journal in the same transaction. One statement for one product or five hundred.
//!
//! Locks are taken by SKU, in its byte order, by everybody; new rows are inserted in that order too, and only after the locks.

use contract::{Product, ProductId, ProductRef, ProductStatus, Time};
use journal::append::{Entry, append};
use postgres::{DatabaseError, Transaction};
use tokio_postgres::types::Json;

use super::{product_columns, product_in};
use crate::rule::Changed;

/// Plan: one look-up in the primary key. Decide only on what this returns.
const LOCK_BY_ID: &str = concat!("SELECT ", product_columns!(), " FROM product p WHERE p.id = $1 FOR NO KEY UPDATE");
/// Plan: one look-up in the unique index on `sku`.
const LOCK_BY_SKU: &str = concat!("SELECT ", product_columns!(), " FROM product p WHERE p.sku = $1 FOR NO KEY UPDATE");
/// Plan: look-ups in the unique index on `sku`, sorted, then locked in that order.
const LOCK_MANY: &str = concat!("SELECT ", product_columns!(), " FROM product p WHERE p.sku = ANY ($1) ORDER BY p.sku FOR NO KEY UPDATE");

/// Asked for after the locks: what is recorded under a lock is recorded at this time.
const NOW: &str = "SELECT clock_timestamp()";

/// A SKU that somebody else has taken in the meantime is left out: fewer rows come back than were sent. In SKU order, see above.
const INSERT: &str = "INSERT INTO product \
     (id, sku, name, category, description, price, currency, min_stock, attributes, archived, version, created_at, updated_at) \
     SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::numeric[], $7::text[], $8::bigint[], $9::jsonb[], \
     $10::boolean[], $11::bigint[], $12::timestamptz[], $13::timestamptz[]) ON CONFLICT (sku) DO NOTHING";

/// Plan: one look-up in the primary key for each row; all of them are locked.
const UPDATE: &str = "UPDATE product p SET name = n.name, category = n.category, description = n.description, price = n.price, \
     currency = n.currency, min_stock = n.min_stock, attributes = n.attributes, archived = n.archived, version = n.version, \
     updated_at = n.updated_at \
     FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::numeric[], $6::text[], $7::bigint[], $8::jsonb[], $9::boolean[], \
     $10::bigint[], $11::timestamptz[]) \
     n (id, name, category, description, price, currency, min_stock, attributes, archived, version, updated_at) WHERE p.id = n.id";

/// Reads a product and keeps others from changing it until the transaction ends.
pub(crate) async fn lock(transaction: &Transaction<'_>, product: &ProductRef) -> Result<Option<Product>, DatabaseError> {
    let row = match product {
        ProductRef::Id(id) => postgres::query_opt(transaction, LOCK_BY_ID, &[&id.0]).await?,
        ProductRef::Sku(sku) => postgres::query_opt(transaction, LOCK_BY_SKU, &[&sku.as_str()]).await?,
    };
    row.as_ref().map(product_in).transpose()
}

/// Reads and locks those of `skus` that exist.
pub(crate) async fn lock_many(transaction: &Transaction<'_>, skus: &[&str]) -> Result<Vec<Product>, DatabaseError> {
    let rows = postgres::query(transaction, LOCK_MANY, &[&skus]).await?;
    rows.iter().map(product_in).collect()
}

/// The database's time.
pub(crate) async fn now(transaction: &Transaction<'_>) -> Result<Time, DatabaseError> {
    Ok(Time::new(postgres::query_one(transaction, NOW, &[]).await?.try_get(0)?))
}

/// Adds products; false when one of their SKUs was taken in the meantime.
pub(crate) async fn insert(transaction: &Transaction<'_>, products: &[&Product]) -> Result<bool, DatabaseError> {
    if products.is_empty() {
        return Ok(true);
    }
    let mut products = products.to_vec();
    products.sort_unstable_by(|a, b| a.sku.cmp(&b.sku));
    let columns = Columns::of(&products);
    let skus: Vec<&str> = products.iter().map(|product| product.sku.as_str()).collect();
    let created: Vec<_> = products.iter().map(|product| product.created_at.timestamp()).collect();
    let Columns { ids, names, categories, descriptions, prices, currencies, min_stocks, attributes, archived, versions, updated } =
        &columns;
    let inserted = postgres::execute(
        transaction,
        INSERT,
        &[ids, &skus, names, categories, descriptions, prices, currencies, min_stocks, attributes, archived, versions, &created, updated],
    )
    .await?;
    Ok(inserted == products.len() as u64)
}

/// Writes products that are locked.
pub(crate) async fn update(transaction: &Transaction<'_>, products: &[&Product]) -> Result<(), DatabaseError> {
    if products.is_empty() {
        return Ok(());
    }
    let columns = Columns::of(products);
    let Columns { ids, names, categories, descriptions, prices, currencies, min_stocks, attributes, archived, versions, updated } =
        &columns;
    postgres::execute(
        transaction,
        UPDATE,
        &[ids, names, categories, descriptions, prices, currencies, min_stocks, attributes, archived, versions, updated],
    )
    .await
    .map(|_| ())
}

/// Appends what changed to the journal, in order, and has it found by searches.
pub(crate) async fn record(transaction: &Transaction<'_>, changes: &[Changed]) -> Result<(), DatabaseError> {
    let streams: Vec<String> = changes.iter().map(|change| stream(change.product.id)).collect();
    let entries = changes.iter().zip(&streams).map(|(change, stream)| Entry {
        stream,
        version: change.product.version,
        kind: change.kind,
        partition_key: stream.clone(),
        occurred_at: change.product.updated_at,
        recorded_at: change.product.updated_at,
        data: &change.product,
    });
    append(transaction, &entries.collect::<Vec<_>>()).await?;
    super::search::write(transaction, &changes.iter().map(|change| &change.product).collect::<Vec<_>>()).await
}

/// A product's stream is its id.
fn stream(id: ProductId) -> String {
    id.to_string()
}

/// Products as columns, the way `unnest` takes them.
struct Columns<'a> {
    ids: Vec<uuid::Uuid>,
    names: Vec<&'a str>,
    categories: Vec<&'a str>,
    descriptions: Vec<Option<&'a str>>,
    prices: Vec<Option<rust_decimal::Decimal>>,
    currencies: Vec<&'a str>,
    min_stocks: Vec<i64>,
    attributes: Vec<Json<&'a std::collections::BTreeMap<String, String>>>,
    archived: Vec<bool>,
    versions: Vec<i64>,
    updated: Vec<jiff::Timestamp>,
}

impl<'a> Columns<'a> {
    fn of(products: &[&'a Product]) -> Self {
        let each = || products.iter().copied();
        Self {
            ids: each().map(|product| product.id.0).collect(),
            names: each().map(|product| product.name.as_str()).collect(),
            categories: each().map(|product| product.category.as_str()).collect(),
            descriptions: each().map(|product| product.description.as_ref().map(contract::Description::as_str)).collect(),
            prices: each().map(|product| product.price.map(contract::Money::amount)).collect(),
            currencies: each().map(|product| product.currency.as_str()).collect(),
            min_stocks: each().map(|product| product.min_stock.get()).collect(),
            attributes: each().map(|product| Json(&product.attributes)).collect(),
            archived: each().map(|product| product.status == ProductStatus::Archived).collect(),
            versions: each().map(|product| product.version).collect(),
            updated: each().map(|product| product.updated_at.timestamp()).collect(),
        }
    }
}
