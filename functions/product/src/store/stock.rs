//! The copy of the stock that products show: absolute levels, the newest of each location.

use contract::StockEvent;
use postgres::{DatabaseError, Transaction};

/// Takes levels that are newer than what is there. One row a location: a statement cannot write the same row twice. In the order of the primary
/// key, as the fence has locked their streams. Plan: one look-up in the primary key for each row.
const TAKE: &str = "INSERT INTO product_stock (product_id, location, on_hand, reserved, version, recorded_at) \
     SELECT * FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::timestamptz[]) \
     ON CONFLICT (product_id, location) DO UPDATE SET on_hand = EXCLUDED.on_hand, reserved = EXCLUDED.reserved, \
     version = EXCLUDED.version, recorded_at = EXCLUDED.recorded_at WHERE product_stock.version < EXCLUDED.version";

/// Takes the newest levels; `levels` has one row for each location of a product, sorted.
pub(crate) async fn take(transaction: &Transaction<'_>, levels: &[&StockEvent]) -> Result<(), DatabaseError> {
    let products: Vec<_> = levels.iter().map(|level| level.product_id.0).collect();
    let locations: Vec<&str> = levels.iter().map(|level| level.location.as_str()).collect();
    let on_hand: Vec<i64> = levels.iter().map(|level| level.on_hand).collect();
    let reserved: Vec<i64> = levels.iter().map(|level| level.reserved).collect();
    let versions: Vec<i64> = levels.iter().map(|level| level.version).collect();
    let recorded: Vec<_> = levels.iter().map(|level| level.recorded_at.timestamp()).collect();
    postgres::execute(transaction, TAKE, &[&products, &locations, &on_hand, &reserved, &versions, &recorded]).await?;
    let mut sorted = products;
    sorted.dedup();
    super::search::write_stock(transaction, &sorted).await
}
