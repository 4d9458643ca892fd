//! What is searched: a row a product with everything that a search looks at, and the marks for an index outside of this database.
//!
//! It is written in the transaction that changes a product or its stock, always in the order of the ids and as that transaction's last rows
//! but for those of its idempotency keys; so nobody who waits here is waited for. How it is asked stands in `find.rs`.

pub(crate) mod find;
pub(crate) mod marks;

use std::collections::BTreeSet;

use contract::{Product, ProductStatus};
use postgres::{Database, DatabaseError, Transaction};
use search::text;
use uuid::Uuid;

use super::{product_columns, product_in};

/// Writes the product's part of documents that are older, and marks them. Sorted by id. Plan: one look-up in each primary key for each row.
const WRITE: &str = "WITH written AS (\
       INSERT INTO search_document AS d (product_id, sku, sku_key, name_key, words, category, min_stock, archived, version) \
       SELECT product_id, sku, sku_key, name_key, array_to_tsvector(string_to_array(words, ' ')), category, min_stock, archived, version \
       FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[], $8::boolean[], $9::bigint[]) \
         n (product_id, sku, sku_key, name_key, words, category, min_stock, archived, version) \
       ON CONFLICT (product_id) DO UPDATE SET name_key = EXCLUDED.name_key, words = EXCLUDED.words, category = EXCLUDED.category, \
         min_stock = EXCLUDED.min_stock, archived = EXCLUDED.archived, version = EXCLUDED.version WHERE d.version < EXCLUDED.version \
       RETURNING d.product_id, d.version + d.stock_version AS version) \
     INSERT INTO search_stale SELECT product_id, version FROM written ORDER BY product_id \
     ON CONFLICT (product_id) DO UPDATE SET version = EXCLUDED.version";

/// Adds words, sorted. Plan: one look-up in the primary key for each word.
const ADD_WORDS: &str = "INSERT INTO search_word SELECT unnest($1::text[]) ON CONFLICT DO NOTHING";

/// In the order of the ids. Plan: look-ups in the primary key.
const LOCK: &str = "SELECT FROM search_document WHERE product_id = ANY ($1) ORDER BY product_id FOR NO KEY UPDATE";

/// Writes the stock's part of documents that are locked: a statement of its own, as only what was read after the lock is sure to be the newest of
/// every location. Plan: look-ups in the primary keys, the few rows of each product in that of `product_stock`.
const WRITE_STOCK: &str = "WITH written AS (\
       UPDATE search_document d SET available = s.available, stock_version = s.version \
       FROM (SELECT product_id, sum(on_hand - reserved)::bigint AS available, sum(version)::bigint AS version FROM product_stock \
             WHERE product_id = ANY ($1) GROUP BY product_id) s \
       WHERE d.product_id = s.product_id AND (d.available, d.stock_version) IS DISTINCT FROM (s.available, s.version) \
       RETURNING d.product_id, d.version + d.stock_version AS version) \
     INSERT INTO search_stale SELECT product_id, version FROM written ORDER BY product_id \
     ON CONFLICT (product_id) DO UPDATE SET version = EXCLUDED.version";

/// The last product of a page. Plan: a range of the primary key.
const PAGE_END: &str = "SELECT id FROM product WHERE id > $1 ORDER BY id OFFSET $2 LIMIT 1";

/// Products of a page whose document is missing or behind: those from before there were any, and those that an older release has written since.
/// Plan: a range of each primary key.
const BEHIND: &str = concat!(
    "SELECT ",
    product_columns!(),
    " FROM product p LEFT JOIN search_document d ON d.product_id = p.id AND d.product_id > $1 AND d.product_id <= $2 \
     LEFT JOIN (SELECT product_id, sum(version)::bigint AS version FROM product_stock WHERE product_id > $1 AND product_id <= $2 \
       GROUP BY product_id) s ON s.product_id = p.id \
     WHERE p.id > $1 AND p.id <= $2 AND (d.version IS NULL OR d.version < p.version OR d.stock_version <> coalesce(s.version, 0)) ORDER BY p.id"
);

/// Products of a page, which is brought up in one transaction.
const PAGE_ROWS: i64 = 2000;

/// Writes what a search finds of products that this transaction has written.
pub(crate) async fn write(transaction: &Transaction<'_>, products: &[&Product]) -> Result<(), DatabaseError> {
    if products.is_empty() {
        return Ok(());
    }
    let mut products = products.to_vec();
    products.sort_unstable_by_key(|product| (product.id, std::cmp::Reverse(product.version)));
    // Several changes of one product: the newest.
    products.dedup_by_key(|product| product.id);
    let each = || products.iter().copied();
    let ids: Vec<Uuid> = each().map(|product| product.id.0).collect();
    let skus: Vec<&str> = each().map(|product| product.sku.as_str()).collect();
    let sku_keys: Vec<String> = each().map(|product| text::sku_key(product.sku.as_str())).collect();
    let name_keys: Vec<String> = each().map(|product| text::words(product.name.as_str()).join(" ")).collect();
    let words: Vec<BTreeSet<String>> = each().map(|product| text::name_words(product.name.as_str())).collect();
    let joined: Vec<String> = words.iter().map(|words| words.iter().map(String::as_str).collect::<Vec<_>>().join(" ")).collect();
    let categories: Vec<&str> = each().map(|product| product.category.as_str()).collect();
    let min_stocks: Vec<i64> = each().map(|product| product.min_stock.get()).collect();
    let archived: Vec<bool> = each().map(|product| product.status == ProductStatus::Archived).collect();
    let versions: Vec<i64> = each().map(|product| product.version).collect();
    postgres::execute(transaction, WRITE, &[&ids, &skus, &sku_keys, &name_keys, &joined, &categories, &min_stocks, &archived, &versions])
        .await?;
    let words: Vec<&String> = words.iter().flatten().collect::<BTreeSet<_>>().into_iter().collect();
    postgres::execute(transaction, ADD_WORDS, &[&words]).await.map(|_| ())
}

/// Brings the stock of documents up to what this transaction has written; `products` sorted.
pub(crate) async fn write_stock(transaction: &Transaction<'_>, products: &[Uuid]) -> Result<(), DatabaseError> {
    postgres::query(transaction, LOCK, &[&products]).await?;
    postgres::execute(transaction, WRITE_STOCK, &[&products]).await.map(|_| ())
}

/// Writes documents that are missing or behind: one pass over all products.
pub(crate) async fn catch_up(database: &Database) -> Result<(), DatabaseError> {
    let mut after = Uuid::nil();
    while let Some(last) = catch_up_page(database, after).await? {
        after = last;
    }
    Ok(())
}

/// The same of the page behind `after`; gives its last product, unless no page follows.
async fn catch_up_page(database: &Database, after: Uuid) -> Result<Option<Uuid>, DatabaseError> {
    let mut client = database.get().await?;
    let transaction = client.transaction().await?;
    let end = postgres::query_opt(&transaction, PAGE_END, &[&after, &(PAGE_ROWS - 1)]).await?;
    let end: Option<Uuid> = end.map(|row| row.try_get(0)).transpose()?;
    let rows = postgres::query(&transaction, BEHIND, &[&after, &end.unwrap_or(Uuid::max())]).await?;
    let products = rows.iter().map(product_in).collect::<Result<Vec<_>, _>>()?;
    if !products.is_empty() {
        write(&transaction, &products.iter().collect::<Vec<_>>()).await?;
        write_stock(&transaction, &products.iter().map(|product| product.id.0).collect::<Vec<_>>()).await?;
    }
    transaction.commit().await?;
    Ok(end)
}
