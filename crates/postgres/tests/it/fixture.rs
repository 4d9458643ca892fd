//! One private server for all tests that run at a time, and a database of its own for each.

use std::ops::Deref;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, Weak};

use postgres::private::PrivateServer;
use postgres::{Database, Settings};
use tempfile::TempDir;

/// The server, and below it the directory, which goes when the last test lets go of it.
struct Shared {
    server: PrivateServer,
    _directory: TempDir,
}

static SHARED: Mutex<Weak<Shared>> = Mutex::new(Weak::new());
static NEXT: AtomicU32 = AtomicU32::new(1);

fn shared() -> Arc<Shared> {
    let mut shared = SHARED.lock().unwrap();
    shared.upgrade().unwrap_or_else(|| {
        let directory = tempfile::tempdir().unwrap();
        let server = PrivateServer::start(directory.path(), &[]).unwrap();
        let new = Arc::new(Shared { server, _directory: directory });
        *shared = Arc::downgrade(&new);
        new
    })
}

/// An empty database.
pub(crate) struct Fixture {
    database: Database,
    pub(crate) url: String,
    _shared: Arc<Shared>,
}

impl Deref for Fixture {
    type Target = Database;

    fn deref(&self) -> &Database {
        &self.database
    }
}

pub(crate) fn database_at(url: &str, pool_size: usize) -> Database {
    Database::new(&Settings { url: url.to_owned(), pool_size, application_name: "it".to_owned() }).unwrap()
}

pub(crate) async fn database(pool_size: usize) -> Fixture {
    let shared = shared();
    let name = format!("it_{}", NEXT.fetch_add(1, Ordering::Relaxed));
    let admin = database_at(&shared.server.url("postgres"), 1);
    admin.get().await.unwrap().batch_execute(&format!("CREATE DATABASE {name}")).await.unwrap();
    let url = shared.server.url(&name);
    Fixture { database: database_at(&url, pool_size), url, _shared: shared }
}

/// The first column of the only row.
pub(crate) async fn value<T: for<'a> tokio_postgres::types::FromSql<'a>>(db: &Database, sql: &str) -> T {
    db.get().await.unwrap().query_one(sql, &[]).await.unwrap().get(0)
}
