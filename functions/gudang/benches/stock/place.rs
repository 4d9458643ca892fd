//! Where it is measured: one PostgreSQL with the laptop's settings, a database for pgbench and one for Stock, and a Stock that runs.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};
use postgres::private::PrivateServer;
use tempfile::TempDir;
use testkit::Program;
use tokio::runtime::Runtime;
use tokio_postgres::NoTls;

use crate::over_http::{self, HOT, Load, Sold, UNIFORM};
use crate::pgbench::{self, Ran, Script};
use crate::quiet;

const PGBENCH: &str = include_str!("alone.sql");
const PRODUCTS: &str = include_str!("products.sql");
const ALONE: &str = "alone";
const STOCK: &str = "stock";
/// Before anything is measured, each side does some of what it will do.
const WARM_UP_SECONDS: u32 = 2;

/// The place.
pub(crate) struct Place {
    seconds: u32,
    stock: Program,
    runtime: Runtime,
    server: PrivateServer,
    others_busy: Cell<f64>,
    // The last one to go: it holds the server's data.
    _directory: TempDir,
}

impl Place {
    /// Makes it; a part takes so many seconds.
    pub(crate) fn make(seconds: u32) -> anyhow::Result<Self> {
        let directory = tempfile::Builder::new().prefix("gudang bench ").tempdir()?;
        let server = PrivateServer::start(directory.path(), &[ALONE, STOCK])?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        sql(&runtime, &server.url(ALONE), PGBENCH).context("the tables of pgbench cannot be made")?;
        let migrated = Command::new(program()?).arg("migrate").env("DATABASE_URL", server.url(STOCK)).status()?;
        ensure!(migrated.success(), "stock migrate ended with {migrated}");
        sql(&runtime, &server.url(STOCK), PRODUCTS).context("the products cannot be made")?;
        let stock = start(&server.url(STOCK))?;
        let place = Self { seconds, stock, runtime, server, others_busy: Cell::new(0.0), _directory: directory };
        eprintln!("bench: warming up");
        for product in [HOT, UNIFORM] {
            place.load(Load::closed(product, 64, 1).lasting(WARM_UP_SECONDS))?;
        }
        pgbench::run(&place.server.program("pgbench"), &place.server.url(ALONE), Script::Uniform, 8, WARM_UP_SECONDS)?;
        Ok(place)
    }

    /// Puts load on the Stock that runs.
    pub(crate) fn load(&self, load: Load) -> anyhow::Result<Sold> {
        self.settle()?;
        over_http::put(load, self.stock.url(), self.seconds)
    }

    /// Puts load on a Stock, without a pause before it.
    pub(crate) fn load_at_once(&self, load: Load, url: &str) -> anyhow::Result<Sold> {
        over_http::put(load, url, self.seconds)
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

    /// Another Stock on the same database.
    pub(crate) fn another_stock(&self) -> anyhow::Result<Program> {
        start(&self.server.url(STOCK))
    }

    /// What Stock counts of itself.
    pub(crate) fn metrics(&self) -> anyhow::Result<String> {
        let answer = self.runtime.block_on(self.stock.http().get("/metrics"));
        ensure!(answer.status == 200, "/metrics was answered with {}", answer.status);
        Ok(answer.text())
    }

    /// Lets no part pay for the one before it: everything is written, and every page is logged whole again when it is touched first.
    pub(crate) fn settle(&self) -> anyhow::Result<()> {
        sql(&self.runtime, &self.server.url(ALONE), "CHECKPOINT")?;
        let busy = quiet::calm()?;
        self.others_busy.set(self.others_busy.get().max(busy));
        Ok(())
    }

    /// The most that others used of the processors between the parts, 0 to 1.
    pub(crate) fn others_busy(&self) -> f64 {
        self.others_busy.get()
    }
}

/// The release program `stock`, which `make bench` has built beside this one's.
fn program() -> anyhow::Result<PathBuf> {
    let program = Path::new(env!("CARGO_BIN_EXE_gudang")).with_file_name("stock");
    ensure!(program.is_file(), "the program stock is not built: run `make bench`");
    Ok(program)
}

fn start(database: &str) -> anyhow::Result<Program> {
    Ok(Program::start(program()?, &[("DATABASE_URL", database), ("PRODUCT_URL", "http://127.0.0.1:1"), ("RUST_LOG", "error")]))
}

fn sql(runtime: &Runtime, url: &str, statements: &str) -> anyhow::Result<()> {
    runtime.block_on(async {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
        let connection = tokio::spawn(connection);
        client.batch_execute(statements).await?;
        drop(client);
        connection.await??;
        Ok(())
    })
}
