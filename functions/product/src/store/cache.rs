//! What the cache asks the database beside products: the id behind a SKU, the generation of what is kept in Redis, and whether a change is over.

use postgres::{Database, DatabaseError};
use uuid::Uuid;

/// Plan: one look-up in the unique index on `sku`.
const ID_OF: &str = "SELECT id FROM product WHERE sku = $1";
/// Plan: one row.
const GENERATION: &str = "SELECT generation FROM cache_generation";
/// Plan: one row.
const RENEW: &str = "UPDATE cache_generation SET generation = gen_random_uuid() RETURNING generation";
/// Waits for everybody who has locked one of them to write it. In the order in which everybody locks, and for no longer than the statement. Plan:
/// look-ups in the primary key.
const WAIT_FOR_WRITERS: &str = "SELECT FROM product WHERE id = ANY ($1) ORDER BY sku FOR SHARE";

/// The id of the product that has this SKU, for ever.
pub(crate) async fn id_of(database: &Database, sku: &str) -> Result<Option<Uuid>, DatabaseError> {
    let client = database.get().await?;
    let row = postgres::query_opt(&client, ID_OF, &[&sku]).await?;
    row.map(|row| Ok(row.try_get(0)?)).transpose()
}

/// The present generation.
pub(crate) async fn generation(database: &Database) -> Result<Uuid, DatabaseError> {
    Ok(postgres::query_one(&database.get().await?, GENERATION, &[]).await?.try_get(0)?)
}

/// Puts another generation in its place.
pub(crate) async fn renew_generation(database: &Database) -> Result<Uuid, DatabaseError> {
    Ok(postgres::query_one(&database.get().await?, RENEW, &[]).await?.try_get(0)?)
}

/// Returns when nobody changes these products any more who did when it was called.
pub(crate) async fn wait_for_writers(database: &Database, ids: &[Uuid]) -> Result<(), DatabaseError> {
    postgres::query(&database.get().await?, WAIT_FOR_WRITERS, &[&ids]).await.map(|_| ())
}
