//! Migrations: numbered SQL, run once each, by one process at a time.
//!
//! It knows no schema: each service brings its own list.

use deadpool_postgres::Object;
use refinery::Runner;
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use crate::{Connection, DatabaseError};

/// One step of a schema. Once released it is never edited: the database keeps its checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Migration {
    /// Its number, from 1.
    pub version: u32,
    /// What it does: letters, digits and underscores.
    pub name: &'static str,
    /// The statements, run in one transaction.
    pub sql: &'static str,
}

/// What was run here. One small table, read whole.
const APPLIED: &str = "SELECT version, name, checksum FROM refinery_schema_history ORDER BY version";

/// Waits for whoever else migrates this database; given up after a minute, which is far beyond any migration of ours.
const LOCK: &str = "SET lock_timeout = '60s'; SELECT pg_advisory_lock(7239015563441017); SET lock_timeout = 0";

/// Brings the schema up to date.
///
/// The connection never returns to the pool: with it ends the lock, whatever happened and even if this future is dropped.
pub(crate) async fn migrate(connection: Connection, migrations: &[Migration]) -> Result<(), DatabaseError> {
    let wanted = migrations.iter().map(to_refinery).collect::<Result<Vec<_>, _>>()?;
    if is_up_to_date(&connection, &wanted).await? {
        return Ok(());
    }
    let mut client = Object::take(connection);
    client.batch_execute(LOCK).await?;
    let report = Runner::new(&wanted).run_async(&mut *client).await?;
    for migration in report.applied_migrations() {
        tracing::info!(migration.version = migration.version(), migration.name = migration.name(), "migrated the schema");
    }
    Ok(())
}

fn to_refinery(migration: &Migration) -> Result<refinery::Migration, refinery::Error> {
    refinery::Migration::unapplied(&format!("V{}__{}", migration.version, migration.name), migration.sql)
}

async fn is_up_to_date(client: &Client, wanted: &[refinery::Migration]) -> Result<bool, DatabaseError> {
    let rows = match client.query(APPLIED, &[]).await {
        Err(error) if error.code() == Some(&SqlState::UNDEFINED_TABLE) => return Ok(false),
        rows => rows?,
    };
    let mut wanted = wanted.iter().collect::<Vec<_>>();
    wanted.sort();
    if rows.len() != wanted.len() {
        return Ok(false);
    }
    for (row, migration) in rows.iter().zip(wanted) {
        let (version, name, checksum): (i32, String, String) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        if version != migration.version() || name != migration.name() || checksum != migration.checksum().to_string() {
            return Ok(false);
        }
    }
    Ok(true)
}
