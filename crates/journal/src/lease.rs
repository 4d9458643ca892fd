//! The lease: which process leads a database. It runs by the database's clock and fences a frozen leader by its epoch.
//!
//! An advisory lock would stay with a process that is frozen but connected; a row with an end does not.

use postgres::{Database, DatabaseError};

/// Seconds for which a lease holds; renewed at a third of it.
pub const LEASE_SECONDS: u64 = 10;

/// Takes the lease when it is free, or was the holder's own before (a restart on the same private database need not wait).
/// `lease` is one row, found by its primary key.
const TAKE: &str = "UPDATE lease SET holder = $1, epoch = epoch + 1, until = clock_timestamp() + interval '10 seconds' \
     WHERE one AND (until < clock_timestamp() OR holder = $1) RETURNING epoch";

/// Lengthens the lease, unless somebody else has it by now.
const RENEW: &str = "UPDATE lease SET until = clock_timestamp() + interval '10 seconds' WHERE one AND epoch = $1";

/// Gives the lease back at once, so that a successor need not wait.
const RELEASE: &str = "UPDATE lease SET until = 'epoch', holder = '' WHERE one AND epoch = $1";

/// Leadership of one database, for as long as it is renewed.
#[derive(Debug, Clone)]
pub struct Lease {
    database: Database,
    /// Rises with every change of leader.
    pub epoch: i64,
}

impl Lease {
    /// Tries to become the leader; `None` while another is.
    pub async fn take(database: &Database, holder: &str) -> Result<Option<Self>, DatabaseError> {
        let client = database.get().await?;
        let row = postgres::query_opt(&client, TAKE, &[&holder]).await?;
        Ok(row.map(|row| Self { database: database.clone(), epoch: row.get(0) }))
    }

    /// Stays the leader; false when another has taken over.
    pub async fn renew(&self) -> Result<bool, DatabaseError> {
        let client = self.database.get().await?;
        Ok(postgres::execute(&client, RENEW, &[&self.epoch]).await? == 1)
    }

    /// Steps down.
    pub async fn release(self) -> Result<(), DatabaseError> {
        let client = self.database.get().await?;
        postgres::execute(&client, RELEASE, &[&self.epoch]).await.map(|_| ())
    }
}
