//! The pool: connections that are bounded in number, in waiting, and never handed out inside somebody else's transaction.
//!
//! It knows no statement but its own checks.

use std::fmt;
use std::time::Duration;

use deadpool_postgres::{Hook, HookError, Manager, ManagerConfig, Pool, RecyclingMethod, Runtime};
use tokio_postgres::NoTls;
use tokio_postgres::config::SslMode;

use crate::error::in_full;
use crate::{DatabaseError, Migration, migration};

/// A connection from the pool; it goes back when dropped.
pub type Connection = deadpool_postgres::Object;

/// How long a caller waits for a free connection, and for a new one to be made.
const WAIT: Duration = Duration::from_secs(5);
/// How long a used connection may take to prove that it is fit for use; a busy one is replaced.
const RECYCLE: Duration = Duration::from_secs(1);
/// How long the database may take to count as ready.
const READY: Duration = Duration::from_secs(1);
/// How long what was sent may stay unacknowledged by a peer that vanished; keepalives do not run meanwhile.
const UNACKNOWLEDGED: Duration = Duration::from_secs(20);
/// A peer that vanished without a word is noticed after idle + retries * interval.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(15);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);
const KEEPALIVE_RETRIES: u32 = 3;

/// Fails inside a transaction: there `now()` stands still, and in a failed one nothing may be selected. The pool then makes a new connection.
const NOT_IN_A_TRANSACTION: &str = "SELECT 1 / (now() = statement_timestamp())::int";

/// A cached plan outlives what it was made for: made while a table was tiny it reads all of it, 300,000 rows later too, until the next
/// ANALYZE (seen: 1 s instead of 4 ms). Statements here work on batches, so planning each anew costs little.
///
/// And who is frozen within a transaction keeps its locks no longer than that, so that others can take over his work.
const SESSION: &str = "SET plan_cache_mode = force_custom_plan; SET idle_in_transaction_session_timeout = '30s'";

const DURABILITY: &str = "SELECT current_setting('synchronous_commit'), current_setting('fsync')";

/// Where a database is and how to use it.
#[derive(Clone)]
pub struct Settings {
    /// A PostgreSQL URL or `key=value` text. It may hold a password.
    pub url: String,
    /// Connections at most.
    pub pool_size: usize,
    /// The name shown in `pg_stat_activity`.
    pub application_name: String,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("url", &without_password(&self.url))
            .field("pool_size", &self.pool_size)
            .field("application_name", &self.application_name)
            .finish()
    }
}

/// A database and its connections. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Database {
    pool: Pool,
}

impl Database {
    /// Makes a pool. Nothing is connected yet; a URL that cannot be right is named in the error, without its password.
    pub fn new(settings: &Settings) -> Result<Self, DatabaseError> {
        Self::with_session(settings, SESSION)
    }

    /// Makes a pool whose connections each begin with `session`: SQL that sets what their user needs otherwise than everybody else.
    pub fn with_session(settings: &Settings, session: &'static str) -> Result<Self, DatabaseError> {
        let shown = without_password(&settings.url);
        let mut config: tokio_postgres::Config = settings
            .url
            .parse()
            .map_err(|error| DatabaseError::Misconfigured(format!("the database URL `{shown}` cannot be read: {}", in_full(&error))))?;
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err(DatabaseError::Misconfigured(format!("the database URL `{shown}` names no host")));
        }
        if config.get_ssl_mode() == SslMode::Require {
            return Err(DatabaseError::Misconfigured(format!(
                "the database URL `{shown}` asks for TLS, which Gudang does not speak to PostgreSQL: take `sslmode` out of it"
            )));
        }
        config
            .application_name(&settings.application_name)
            .connect_timeout(WAIT)
            .tcp_user_timeout(UNACKNOWLEDGED)
            .keepalives(true)
            .keepalives_idle(KEEPALIVE_IDLE)
            .keepalives_interval(KEEPALIVE_INTERVAL)
            .keepalives_retries(KEEPALIVE_RETRIES);
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Custom(NOT_IN_A_TRANSACTION.to_owned()) };
        let pool = Pool::builder(Manager::from_config(config, NoTls, recycling))
            .max_size(settings.pool_size.max(1))
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(WAIT))
            .create_timeout(Some(WAIT))
            .recycle_timeout(Some(RECYCLE))
            .post_create(Hook::async_fn(move |client, _| {
                Box::pin(async move { client.batch_execute(session).await.map_err(HookError::Backend) })
            }))
            .build()
            .map_err(|error| DatabaseError::Misconfigured(error.to_string()))?;
        Ok(Self { pool })
    }

    /// Takes a connection that is open and outside any transaction, waiting for a free one for 5 s at most.
    pub async fn get(&self) -> Result<Connection, DatabaseError> {
        Ok(self.pool.get().await?)
    }

    /// Brings the schema up to date, one process at a time. One query when it already is.
    pub async fn migrate(&self, migrations: &[Migration]) -> Result<(), DatabaseError> {
        migration::migrate(self.get().await?, migrations).await
    }

    /// Succeeds when the database answers within 1 s.
    pub async fn ready(&self) -> Result<(), DatabaseError> {
        let question = async {
            self.get().await?.simple_query("SELECT 1").await?;
            Ok(())
        };
        let too_late = |_| DatabaseError::NoAnswer { after_ms: READY.as_millis() as u64 };
        tokio::time::timeout(READY, question).await.map_err(too_late)?
    }

    /// Refuses a database that acknowledges what a power cut would lose.
    pub async fn check_durability(&self) -> Result<(), DatabaseError> {
        let row = self.get().await?.query_one(DURABILITY, &[]).await?;
        let (synchronous_commit, fsync): (String, String) = (row.try_get(0)?, row.try_get(1)?);
        for (setting, value) in [("synchronous_commit", synchronous_commit), ("fsync", fsync)] {
            if value == "off" {
                return Err(DatabaseError::Misconfigured(format!(
                    "the database has `{setting} = off` and would lose acknowledged writes in a crash: set `{setting} = on` \
                     (ALTER SYSTEM, ALTER DATABASE or ALTER ROLE, wherever it was switched off)"
                )));
            }
        }
        Ok(())
    }

    /// Closes the pool: whoever waits for a connection fails, and connections end as they come back.
    pub fn close(&self) {
        self.pool.close();
    }
}

/// The URL as it may be shown. It may be one that no parser understands, so rather too much is hidden than too little.
fn without_password(url: &str) -> String {
    let mut shown = url.to_owned();
    if let Some((scheme, rest)) = url.split_once("://")
        && let Some((user_info, host)) = rest.rsplit_once('@')
        && let Some((user, _)) = user_info.split_once(':')
    {
        shown = format!("{scheme}://{user}:***@{host}");
    }
    match shown.to_ascii_lowercase().find("password") {
        Some(at) => format!("{}password=***", &shown[..at]),
        None => shown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(url: &str) -> Settings {
        Settings { url: url.to_owned(), pool_size: 1, application_name: "test".to_owned() }
    }

    #[test]
    fn a_bad_url_is_named_without_its_password() {
        for url in [
            "postgresql://gudang:se:cr@et@db:port/stock",
            "postgresql://gudang:secret@/stock?nonsense=1",
            "host=db port=x password='secret it is'",
            "postgresql://gudang@db/stock?sslmode=require&password=secret",
        ] {
            let error = Database::new(&settings(url)).expect_err(url).to_string();
            assert!(!error.contains("secr") && !error.contains("cr@et"), "{error}");
            assert!(error.contains("gudang") || error.contains("host=db"), "{error}");
        }
        assert!(!format!("{:?}", settings("postgresql://gudang:secret@db/stock")).contains("secret"));
    }

    #[test]
    fn nothing_is_connected_before_the_first_use() {
        assert!(Database::new(&settings("postgresql://gudang@127.0.0.1:1/stock")).is_ok());
    }
}
