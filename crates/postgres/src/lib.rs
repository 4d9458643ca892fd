//! PostgreSQL as the services need it: pool, transactions, migrations, idempotency keys, and a private server for the laptop.
//!
//! It knows no HTTP, no event and no service: what a row means is decided where the SQL of that row stands.

pub mod database;
pub mod error;
pub mod keys;
pub mod migration;
pub mod private;

use deadpool_postgres::GenericClient;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

pub use database::{Connection, Database, Settings};
pub use deadpool_postgres::Transaction;
pub use error::DatabaseError;
pub use migration::Migration;

/// Runs a query, prepared once per connection, and returns its rows.
pub async fn query(client: &impl GenericClient, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, DatabaseError> {
    let statement = client.prepare_cached(sql).await?;
    Ok(client.query(&statement, parameters).await?)
}

/// Runs a query, prepared once per connection, that returns one row; another number of rows is an error.
pub async fn query_one(client: &impl GenericClient, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<Row, DatabaseError> {
    let statement = client.prepare_cached(sql).await?;
    Ok(client.query_one(&statement, parameters).await?)
}

/// Runs a query, prepared once per connection, that returns one row or none; more are an error.
pub async fn query_opt(client: &impl GenericClient, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<Option<Row>, DatabaseError> {
    let statement = client.prepare_cached(sql).await?;
    Ok(client.query_opt(&statement, parameters).await?)
}

/// Runs a statement, prepared once per connection, and returns how many rows it touched.
pub async fn execute(client: &impl GenericClient, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<u64, DatabaseError> {
    let statement = client.prepare_cached(sql).await?;
    Ok(client.execute(&statement, parameters).await?)
}
