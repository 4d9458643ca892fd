//! Databases for services that are measured.

use std::process::Command;

use anyhow::ensure;
use tokio::runtime::Runtime;
use tokio_postgres::NoTls;

use crate::programs::program;

/// Brings a service's database up to date.
pub(crate) fn migrate(name: &str, database: &str) -> anyhow::Result<()> {
    let migrated = Command::new(program(name)?).arg("migrate").env("DATABASE_URL", database).status()?;
    ensure!(migrated.success(), "{name} migrate ended with {migrated}");
    Ok(())
}

/// Runs statements on a database.
pub(crate) fn sql(runtime: &Runtime, url: &str, statements: &str) -> anyhow::Result<()> {
    runtime.block_on(async {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
        let connection = tokio::spawn(connection);
        client.batch_execute(statements).await?;
        drop(client);
        connection.await??;
        Ok(())
    })
}
