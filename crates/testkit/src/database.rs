//! A database for one test, on a private PostgreSQL that all tests of a process share.
//!
//! Clusters are kept beside the build's output and used again: making one costs more than most tests.

use std::path::PathBuf;
use std::sync::OnceLock;

use postgres::private::{PrivateError, PrivateServer};
use postgres::{Database, Settings};
use uuid::Uuid;

/// Test processes at the same time, each with its own server.
const SLOTS: usize = 16;
/// Connections that a test's pool may have.
const POOL: usize = 8;
/// What earlier test processes left behind.
const LEFTOVERS: &str = "SELECT datname FROM pg_database WHERE datname LIKE 'test\\_%'";

static SERVER: OnceLock<PrivateServer> = OnceLock::new();

/// An empty database that nobody else uses. It goes away when a later test process takes over the server.
#[derive(Debug, Clone)]
pub struct TestDatabase {
    url: String,
}

impl TestDatabase {
    /// Makes an empty database, starting the server first if this is the process's first one.
    pub async fn create() -> Self {
        let server = tokio::task::spawn_blocking(|| SERVER.get_or_init(start)).await.expect("the server is started");
        let name = format!("test_{}", Uuid::now_v7().simple());
        command(&server.url("postgres"), &format!("CREATE DATABASE {name}")).await;
        Self { url: server.url(&name) }
    }

    /// Its URL, as a `*_DATABASE_URL` takes it.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Settings for a pool on it.
    pub fn settings(&self) -> Settings {
        Settings { url: self.url.clone(), pool_size: POOL, application_name: "test".to_owned() }
    }

    /// A pool on it.
    pub fn database(&self) -> Database {
        Database::new(&self.settings()).expect("a usable URL")
    }
}

async fn command(url: &str, sql: &str) {
    let settings = Settings { url: url.to_owned(), pool_size: 1, application_name: "testkit".to_owned() };
    let database = Database::new(&settings).expect("a usable URL");
    database.get().await.expect("a connection").batch_execute(sql).await.expect(sql);
    database.close();
}

/// Starts a server in the first free slot. It ends with this process.
fn start() -> PrivateServer {
    for slot in 0..SLOTS {
        match PrivateServer::start(&home().join(slot.to_string()), &[]) {
            Ok(server) => {
                clean(&server.url("postgres"));
                return server;
            }
            Err(PrivateError::AlreadyRunning { .. }) => {}
            Err(error) => panic!("no PostgreSQL for the tests: {error}"),
        }
    }
    panic!("{SLOTS} test processes have a PostgreSQL of their own already");
}

/// `target/testkit`, or a place in the temporary directory for a binary that lies elsewhere.
fn home() -> PathBuf {
    let binary = std::env::current_exe().expect("a path of this binary");
    let target = binary.ancestors().find(|directory| directory.join("CACHEDIR.TAG").exists());
    target.map_or_else(|| std::env::temp_dir().join("gudang-testkit"), |target| target.join("testkit"))
}

/// Drops what earlier test processes left behind.
fn clean(url: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let settings = Settings { url: url.to_owned(), pool_size: 1, application_name: "testkit".to_owned() };
        let database = Database::new(&settings).expect("a usable URL");
        let client = database.get().await.expect("a connection");
        for row in client.query(LEFTOVERS, &[]).await.expect("the databases") {
            let name: String = row.get(0);
            client.batch_execute(&format!("DROP DATABASE {name} WITH (FORCE)")).await.expect("an old test database goes");
        }
    });
}
