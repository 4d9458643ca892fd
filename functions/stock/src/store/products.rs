//! The copies of products: newest wins, and every stream of a product hears of a threshold that changed.
//!
//! Lock order, here as everywhere: the product's row, then its levels by id.

use std::collections::{BTreeMap, HashMap};

use contract::{Product, ProductId, ProductRef, ProductStatus, Sku};
use postgres::{Database, DatabaseError, Transaction};
use uuid::Uuid;

use crate::catalog::Known;

/// By id and by SKU, each by its own index.
const FIND: &str = "SELECT product_id, sku FROM product WHERE product_id = ANY ($1) \
     UNION SELECT product_id, sku FROM product WHERE sku = ANY ($2)";

/// Takes the newest copies, in the order of ids. A row that is as new already stays, and is not in the answer.
const TAKE: &str = "INSERT INTO product AS p (product_id, sku, version, archived, min_stock) \
     SELECT * FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::boolean[], $5::bigint[]) n (product_id, sku, version, archived, min_stock) \
     ORDER BY product_id \
     ON CONFLICT (product_id) DO UPDATE SET version = EXCLUDED.version, archived = EXCLUDED.archived, min_stock = EXCLUDED.min_stock \
     WHERE p.version < EXCLUDED.version RETURNING product_id";

const KEEP_VERSION: &str = "INSERT INTO product_version (product_id, version, name, category, price, currency, min_stock, archived) \
     SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::text[], $4::text[], $5::numeric[], $6::text[], $7::bigint[], $8::boolean[]) \
     ON CONFLICT DO NOTHING";

/// The levels of the products, locked by id like every path does.
const LOCK_LEVELS: &str = "SELECT id FROM level WHERE product_id = ANY ($1) ORDER BY id FOR NO KEY UPDATE";

/// Puts the copies in force in the locked levels. Where the threshold in force changes and something has moved before, the stream gets a
/// row of it, which takes a version.
const PUT_IN_FORCE: &str = "WITH copy AS (SELECT product_id, version, archived, CASE WHEN archived THEN 0 ELSE min_stock END AS min_stock \
         FROM product WHERE product_id = ANY ($1)), \
     changed AS (SELECT l.id, c.version AS product_version, c.archived, c.min_stock, l.min_stock IS DISTINCT FROM c.min_stock AND l.version > 0 AS told, \
             greatest(clock_timestamp(), l.recorded_at) AS recorded_at \
         FROM level l JOIN copy c USING (product_id) WHERE l.product_version < c.version), \
     levels AS (UPDATE level l SET product_version = c.product_version, archived = c.archived, min_stock = c.min_stock, \
             version = l.version + c.told::int, recorded_at = CASE WHEN c.told THEN c.recorded_at ELSE l.recorded_at END \
         FROM changed c WHERE l.id = c.id RETURNING l.id, l.version, l.on_hand, l.reserved, l.occurred_at) \
     INSERT INTO ledger (level_id, version, kind, delta, delta_reserved, on_hand, reserved, product_version, occurred_at, occurred_max, recorded_at) \
     SELECT l.id, l.version, 'THRESHOLD', 0, 0, l.on_hand, l.reserved, c.product_version, c.recorded_at, nullif(l.occurred_at, c.recorded_at), \
       c.recorded_at \
     FROM levels l JOIN changed c USING (id) WHERE c.told ORDER BY l.id";

/// Finds products by their names.
pub async fn find(database: &Database, names: &[&ProductRef]) -> Result<HashMap<ProductRef, Known>, DatabaseError> {
    let ids: Vec<Uuid> = names.iter().filter_map(|name| if let ProductRef::Id(id) = name { Some(id.0) } else { None }).collect();
    let skus: Vec<&str> = names.iter().filter_map(|name| if let ProductRef::Sku(sku) = name { Some(sku.as_str()) } else { None }).collect();
    let client = database.get().await?;
    let rows = postgres::query(&client, FIND, &[&ids, &skus]).await?;
    let mut found = HashMap::new();
    for row in rows {
        let known = Known { product_id: ProductId(row.get(0)), sku: Sku::trusted(row.get(1)) };
        for name in [ProductRef::Id(known.product_id), ProductRef::Sku(known.sku.clone())] {
            if names.contains(&&name) {
                found.insert(name, known.clone());
            }
        }
    }
    Ok(found)
}

/// Takes the newest copy of each product and puts it in force in its levels, as part of `transaction`.
pub async fn take(transaction: &Transaction<'_>, products: &[&Product]) -> Result<(), DatabaseError> {
    let mut newest: BTreeMap<ProductId, &Product> = BTreeMap::new();
    for product in products {
        let held = newest.entry(product.id).or_insert(product);
        if held.version < product.version {
            *held = product;
        }
    }
    let products: Vec<&Product> = newest.into_values().collect();
    let ids: Vec<Uuid> = products.iter().map(|product| product.id.0).collect();
    let skus: Vec<&str> = products.iter().map(|product| product.sku.as_str()).collect();
    let versions: Vec<i64> = products.iter().map(|product| product.version).collect();
    let archived: Vec<bool> = products.iter().map(|product| product.status == ProductStatus::Archived).collect();
    let min_stocks: Vec<i64> = products.iter().map(|product| product.min_stock.get()).collect();
    let names: Vec<&str> = products.iter().map(|product| product.name.as_str()).collect();
    let categories: Vec<&str> = products.iter().map(|product| product.category.as_str()).collect();
    let prices: Vec<_> = products.iter().map(|product| product.price.map(contract::Money::amount)).collect();
    let currencies: Vec<String> = products.iter().map(|product| product.currency.to_string()).collect();
    let taken = postgres::query(transaction, TAKE, &[&ids, &skus, &versions, &archived, &min_stocks]).await?;
    if taken.is_empty() {
        return Ok(());
    }
    postgres::execute(transaction, KEEP_VERSION, &[&ids, &versions, &names, &categories, &prices, &currencies, &min_stocks, &archived])
        .await?;
    let taken: Vec<Uuid> = taken.iter().map(|row| row.get(0)).collect();
    if !postgres::query(transaction, LOCK_LEVELS, &[&taken]).await?.is_empty() {
        postgres::execute(transaction, PUT_IN_FORCE, &[&taken]).await?;
    }
    Ok(())
}

/// Takes a copy that was fetched from Product, and says so to the fence: its own event, when it comes, is a repetition.
pub async fn take_copy(database: &Database, product: &Product) -> Result<(), DatabaseError> {
    let mut client = database.get().await?;
    let transaction = client.transaction().await?;
    journal::set_applied(&transaction, &product.id.to_string(), product.version).await?;
    take(&transaction, &[product]).await?;
    transaction.commit().await?;
    Ok(())
}
