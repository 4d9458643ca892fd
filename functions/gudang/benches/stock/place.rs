//! Where it is measured: one PostgreSQL with the laptop's settings, a database for pgbench and one for Stock, and a Stock that runs.

use std::cell::OnceCell;
use std::rc::Rc;

use anyhow::{Context, ensure};
use postgres::private::PrivateServer;
use tempfile::TempDir;
use testkit::Program;
use tokio::runtime::Runtime;
use tokio_postgres::NoTls;

use crate::database::{migrate, sql};
use crate::growth::Past;
use crate::over_http::{self, HOT, Load, Sold, UNIFORM};
use crate::pgbench::{self, Ran, Script};
use crate::programs::program;
use crate::quiet::Watch;

const PGBENCH: &str = include_str!("alone.sql");
const PRODUCTS: &str = include_str!("products.sql");
const HISTORY: &str = include_str!("history.sql");
const ALONE: &str = "alone";
const STOCK: &str = "stock";
const HOW_MANY: u32 = 10_000;
/// Before anything is measured, each side does some of what it will do.
const WARM_UP_SECONDS: u32 = 2;

/// The place.
pub(crate) struct Place {
    seconds: u32,
    stock: Program,
    past: OnceCell<Past>,
    runtime: Runtime,
    server: PrivateServer,
    watch: Rc<Watch>,
    // The last one to go: it holds the server's data.
    _directory: TempDir,
}

impl Place {
    /// Makes it; a part takes so many seconds.
    pub(crate) fn make(seconds: u32, watch: Rc<Watch>) -> anyhow::Result<Self> {
        let directory = tempfile::Builder::new().prefix("gudang bench ").tempdir()?;
        let server = PrivateServer::start(directory.path(), &[ALONE, STOCK])?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        sql(&runtime, &server.url(ALONE), PGBENCH).context("the tables of pgbench cannot be made")?;
        let stock = stock(&runtime, &server.url(STOCK), HOW_MANY)?;
        let place = Self { seconds, stock, past: OnceCell::new(), runtime, server, watch, _directory: directory };
        eprintln!("bench: warming up");
        for product in [HOT, UNIFORM] {
            place.load(Load::closed(product, 64, 1).lasting(WARM_UP_SECONDS))?;
        }
        pgbench::run(&place.server.program("pgbench"), &place.server.url(ALONE), Script::Uniform, 8, WARM_UP_SECONDS)?;
        Ok(place)
    }

    /// Puts load on the Stock that runs.
    pub(crate) fn load(&self, load: Load) -> anyhow::Result<Sold> {
        self.load_on(&self.stock, load)
    }

    /// Puts load on another one.
    pub(crate) fn load_on(&self, stock: &Program, load: Load) -> anyhow::Result<Sold> {
        self.settle()?;
        self.load_at_once(stock, load)
    }

    /// The same without a pause before it.
    pub(crate) fn load_at_once(&self, stock: &Program, load: Load) -> anyhow::Result<Sold> {
        over_http::put(load, stock.url(), self.seconds)
    }

    /// Lets pgbench sell.
    pub(crate) fn pgbench(&self, script: Script, clients: u32) -> anyhow::Result<Ran> {
        self.settle()?;
        pgbench::run(&self.server.program("pgbench"), &self.server.url(ALONE), script, clients, self.seconds)
    }

    /// The Stock that runs.
    pub(crate) fn stock(&self) -> &Program {
        &self.stock
    }

    /// Another Stock on the same database, with so many lanes, or as many as it has by itself.
    pub(crate) fn another_stock(&self, lanes: Option<&str>) -> anyhow::Result<Program> {
        start(&self.server.url(STOCK), lanes)
    }

    /// A Stock on a new database, where each product has `versions` rows in the ledger and one has `hot` times as many.
    pub(crate) fn stock_with_past(&self, database: &str, products: u32, versions: u32, hot: u32) -> anyhow::Result<Program> {
        self.sql(STOCK, &format!("CREATE DATABASE {database}"))?;
        let stock = stock(&self.runtime, &self.server.url(database), products)?;
        let history = HISTORY.replace(":versions", &versions.to_string()).replace(":hot", &hot.to_string());
        // One statement at a time: the last one commits on its way.
        for statement in history.split_inclusive(";\n\n") {
            self.sql(database, statement).context("the past cannot be made")?;
        }
        self.sql(database, "VACUUM (FREEZE, ANALYZE)")?;
        Ok(stock)
    }

    /// Stocks with a past, made when they are needed first.
    pub(crate) fn past(&self) -> anyhow::Result<&Past> {
        if self.past.get().is_none() {
            // Nobody else can have put one there meanwhile: there is one thread.
            let _ = self.past.set(Past::make(self)?);
        }
        self.past.get().context("the past is not there")
    }

    /// Waits for something.
    pub(crate) fn block_on<T>(&self, something: impl Future<Output = T>) -> T {
        self.runtime.block_on(something)
    }

    /// Asks a database for two numbers.
    pub(crate) fn two_numbers(&self, database: &str, question: &str) -> anyhow::Result<(i64, i64)> {
        self.runtime.block_on(async {
            let (client, connection) = tokio_postgres::connect(&self.server.url(database), NoTls).await?;
            tokio::spawn(connection);
            let row = client.query_one(question, &[]).await?;
            Ok((row.try_get(0)?, row.try_get(1)?))
        })
    }

    fn sql(&self, database: &str, statements: &str) -> anyhow::Result<()> {
        sql(&self.runtime, &self.server.url(database), statements)
    }

    /// What Stock counts of itself.
    pub(crate) fn metrics(&self) -> anyhow::Result<String> {
        let answer = self.runtime.block_on(self.stock.http().get("/metrics"));
        ensure!(answer.status == 200, "/metrics was answered with {}", answer.status);
        Ok(answer.text())
    }

    /// Lets no part pay for the one before it: everything is written, and every page is logged whole again when it is touched first.
    pub(crate) fn settle(&self) -> anyhow::Result<()> {
        self.sql(ALONE, "CHECKPOINT")?;
        self.watch.calm()
    }
}

/// Stock on an empty database, with products.
fn stock(runtime: &Runtime, database: &str, products: u32) -> anyhow::Result<Program> {
    migrate("stock", database)?;
    sql(runtime, database, &PRODUCTS.replace(":products", &products.to_string())).context("the products cannot be made")?;
    start(database, None)
}

fn start(database: &str, lanes: Option<&str>) -> anyhow::Result<Program> {
    let mut environment = vec![("DATABASE_URL", database), ("PRODUCT_URL", "http://127.0.0.1:1"), ("RUST_LOG", "error")];
    environment.extend(lanes.map(|lanes| ("STOCK_LANES", lanes)));
    Ok(Program::start(program("stock")?, &environment))
}
