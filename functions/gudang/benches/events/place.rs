//! Where it is measured: one PostgreSQL with the laptop's settings, which keeps the times of commits besides, and whatever a part starts.

use std::cell::{Cell, OnceCell};
use std::rc::Rc;

use anyhow::Context;
use postgres::private::PrivateServer;
use tempfile::TempDir;
use testkit::{Kafka, Program};
use tokio::runtime::Runtime;
use tokio_postgres::{NoTls, Row};

use crate::changes;
use crate::database::{migrate, sql};
use crate::programs::program;
use crate::quiet::Watch;

const PRODUCTS: &str = include_str!("../stock/products.sql");
/// A database that nobody uses.
const IDLE: &str = "idle";
/// Stock's, with a past.
const PAST: &str = "past";
/// Products of every Stock here.
pub(crate) const HOW_MANY: u32 = 10_000;
/// Rows that each of them has in its past: a restock and sales.
const VERSIONS: u32 = 30;
/// Events of that past, and how many of them Analytics makes facts of.
pub(crate) const EVENTS: i64 = HOW_MANY as i64 * VERSIONS as i64;
pub(crate) const FACTS: i64 = HOW_MANY as i64 * (VERSIONS as i64 - 1);
/// Nobody is there.
const NOWHERE: &str = "http://127.0.0.1:1";
const NO_KAFKA: &str = "127.0.0.1:1";

/// The place.
pub(crate) struct Place {
    /// How long a part takes.
    pub(crate) seconds: u32,
    runtime: Runtime,
    watch: Rc<Watch>,
    past: OnceCell<()>,
    databases: Cell<u32>,
    server: PrivateServer,
    // The last one to go: it holds the server's data.
    _directory: TempDir,
}

impl Place {
    /// Makes it.
    pub(crate) fn make(seconds: u32, watch: Rc<Watch>) -> anyhow::Result<Self> {
        let directory = tempfile::Builder::new().prefix("gudang bench ").tempdir()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let server = PrivateServer::start(directory.path(), &[IDLE])?;
        sql(&runtime, &server.url(IDLE), "ALTER SYSTEM SET track_commit_timestamp = on")?;
        server.stop()?;
        let server = PrivateServer::start(directory.path(), &[])?;
        Ok(Self { seconds, runtime, watch, past: OnceCell::new(), databases: Cell::new(0), server, _directory: directory })
    }

    /// Lets no part pay for the one before it.
    pub(crate) fn settle(&self) -> anyhow::Result<()> {
        self.sql(IDLE, "CHECKPOINT")?;
        self.watch.calm()
    }

    /// Waits for something.
    pub(crate) fn block_on<T>(&self, something: impl Future<Output = T>) -> T {
        self.runtime.block_on(something)
    }

    /// Runs statements.
    pub(crate) fn sql(&self, database: &str, statements: &str) -> anyhow::Result<()> {
        sql(&self.runtime, &self.url(database), statements)
    }

    /// Asks a database.
    pub(crate) fn rows(&self, database: &str, question: &str) -> anyhow::Result<Vec<Row>> {
        self.block_on(async {
            let (client, connection) = tokio_postgres::connect(&self.url(database), NoTls).await?;
            tokio::spawn(connection);
            Ok(client.query(question, &[]).await?)
        })
    }

    /// Where a database is.
    pub(crate) fn url(&self, database: &str) -> String {
        self.server.url(database)
    }

    /// A new, empty database.
    pub(crate) fn database(&self) -> anyhow::Result<String> {
        self.databases.set(self.databases.get() + 1);
        let name = format!("bench_{}", self.databases.get());
        self.sql(IDLE, &format!("CREATE DATABASE {name}"))?;
        Ok(name)
    }

    /// Throws one away.
    pub(crate) fn drop(&self, database: &str) -> anyhow::Result<()> {
        self.sql(IDLE, &format!("DROP DATABASE {database} WITH (FORCE)"))
    }

    /// Stock's database, brought up to date, with products and nothing on any shelf.
    pub(crate) fn shelves(&self) -> anyhow::Result<String> {
        let database = self.database()?;
        self.fill(&database)?;
        Ok(database)
    }

    fn fill(&self, database: &str) -> anyhow::Result<()> {
        migrate("stock", &self.url(database))?;
        self.sql(database, &PRODUCTS.replace(":products", &HOW_MANY.to_string())).context("the products cannot be made")
    }

    /// Stock's database with a past that Stock itself recorded while there was no Kafka: nothing of it was told yet.
    pub(crate) fn past(&self) -> anyhow::Result<&'static str> {
        if self.past.get().is_none() {
            eprintln!("bench: making a past of {EVENTS} changes");
            self.sql(IDLE, &format!("CREATE DATABASE {PAST}"))?;
            self.fill(PAST)?;
            let mut stock = self.start("stock", PAST, NO_KAFKA, &[("PRODUCT_URL", NOWHERE)])?;
            self.block_on(changes::past(&stock, VERSIONS))?;
            stock.stop();
            self.sql(PAST, "VACUUM (ANALYZE)")?;
            // Nobody else can have put one there meanwhile: there is one thread.
            let _ = self.past.set(());
        }
        self.sql(PAST, "UPDATE journal_cursor SET tick = 0, upto = 0, id = 0")?;
        Ok(PAST)
    }

    /// Stock.
    pub(crate) fn stock(&self, database: &str, kafka: &Kafka) -> anyhow::Result<Program> {
        self.start("stock", database, kafka.servers(), &[("PRODUCT_URL", NOWHERE)])
    }

    /// Analytics, which only consumes.
    pub(crate) fn analytics(&self, database: &str, kafka: &Kafka) -> anyhow::Result<Program> {
        self.start("analytics", database, kafka.servers(), &[("PRODUCT_URL", NOWHERE), ("STOCK_URL", NOWHERE), ("ROLE", "worker")])
    }

    fn start(&self, service: &str, database: &str, servers: &str, more: &[(&str, &str)]) -> anyhow::Result<Program> {
        let url = self.url(database);
        let all = [("DATABASE_URL", url.as_str()), ("KAFKA_BOOTSTRAP_SERVERS", servers), ("RUST_LOG", "error")];
        Ok(Program::start(program(service)?, &[&all, more].concat()))
    }
}
