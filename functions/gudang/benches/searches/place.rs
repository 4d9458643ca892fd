//! Where it is measured: a Product that searches its database, another on a copy of it that searches Elasticsearch, and fifty thousand products.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::time::Duration;

use anyhow::ensure;
use postgres::private::PrivateServer;
use serde_json::json;
use tempfile::TempDir;
use testkit::{Elasticsearch, Http, Program, eventually};
use tokio::runtime::Runtime;
use tokio_postgres::NoTls;

use crate::programs::program;
use crate::questions::{Question, questions};
use crate::quiet::Watch;
use crate::shop::{Good, PRODUCTS, goods};

const BY_DATABASE: &str = "by_database";
const BY_INDEX: &str = "by_index";
/// Products of one request.
const CHUNK: usize = 5_000;
/// Until the index has everything.
const PATIENCE: Duration = Duration::from_mins(5);
/// Each change has a product of its own for a while.
const FIRST_CHANGED: usize = 10_000;

/// The place.
pub(crate) struct Place {
    /// How long a part takes, where that is not said by what is asked.
    pub(crate) seconds: u32,
    runtime: Runtime,
    watch: Rc<Watch>,
    goods: Vec<Good>,
    questions: Vec<Question>,
    by_database: Program,
    by_index: Program,
    // The last ones to go: the programs use them.
    _elasticsearch: Elasticsearch,
    _server: PrivateServer,
    _directory: TempDir,
}

impl Place {
    /// Makes it; that takes a minute.
    pub(crate) fn make(seconds: u32, watch: Rc<Watch>) -> anyhow::Result<Self> {
        let directory = tempfile::Builder::new().prefix("gudang bench ").tempdir()?;
        let server = PrivateServer::start(directory.path(), &[BY_DATABASE])?;
        let elasticsearch = Elasticsearch::start();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let goods = goods()?;
        let mut by_database = product(&server.url(BY_DATABASE), None)?;
        eprintln!("bench: making {PRODUCTS} products");
        runtime.block_on(import(&by_database.http(), &goods))?;
        by_database.stop();
        let copy = format!("VACUUM ANALYZE; CREATE DATABASE {BY_INDEX} TEMPLATE {BY_DATABASE}");
        for statement in copy.split("; ") {
            runtime.block_on(statement_alone(&server, statement))?;
        }
        by_database.restart();
        let by_index = product(&server.url(BY_INDEX), Some(&elasticsearch.url()))?;
        reindex(&server.url(BY_INDEX), &elasticsearch.url())?;
        let questions = questions(&goods);
        let place = Self {
            seconds,
            runtime,
            watch,
            goods,
            questions,
            by_database,
            by_index,
            _elasticsearch: elasticsearch,
            _server: server,
            _directory: directory,
        };
        place.wait_for_index();
        Ok(place)
    }

    fn wait_for_index(&self) {
        let product = self.by_index.http();
        self.block_on(eventually("everything in the index", PATIENCE, async || {
            let found = product.get("/v1/products/search?limit=1").await;
            (found.status == 200 && found.json()["total"] == PRODUCTS && found.json()["degraded"] == false).then_some(())
        }));
    }

    /// Lets no part pay for the one before it.
    pub(crate) fn calm(&self) -> anyhow::Result<()> {
        self.watch.calm()
    }

    /// Waits for something.
    pub(crate) fn block_on<T>(&self, something: impl Future<Output = T>) -> T {
        self.runtime.block_on(something)
    }

    /// What is asked.
    pub(crate) fn questions(&self) -> &[Question] {
        &self.questions
    }

    /// Products whose names may be changed: no question was made from them alone.
    pub(crate) fn skus(&self) -> impl Iterator<Item = &str> {
        self.goods
            .iter()
            .skip(FIRST_CHANGED)
            .filter(|good| !self.questions.iter().any(|asked| asked.sku == good.sku))
            .map(|good| good.sku.as_str())
    }

    /// The Product that searches its database.
    pub(crate) fn by_database(&self) -> anyhow::Result<SocketAddr> {
        address(&self.by_database)
    }

    /// The Product that searches Elasticsearch.
    pub(crate) fn by_index(&self) -> anyhow::Result<SocketAddr> {
        address(&self.by_index)
    }

    /// The same, to be spoken to in comfort.
    pub(crate) fn index_http(&self) -> Http {
        self.by_index.http()
    }
}

fn address(program: &Program) -> anyhow::Result<SocketAddr> {
    Ok(program.url().trim_start_matches("http://").parse()?)
}

fn product(database: &str, elasticsearch: Option<&str>) -> anyhow::Result<Program> {
    let mut environment = vec![("DATABASE_URL", database), ("STOCK_URL", "http://127.0.0.1:1"), ("RUST_LOG", "error")];
    environment.extend(elasticsearch.map(|url| ("ELASTICSEARCH_URL", url)));
    Ok(Program::start(program("product")?, &environment))
}

async fn import(product: &Http, goods: &[Good]) -> anyhow::Result<()> {
    for chunk in goods.chunks(CHUNK) {
        let row = |Good { sku, name, category }: &Good| {
            json!({"sku": sku, "name": name, "category": category, "price": "2.55", "currency": "GBP", "min_stock": 10}).to_string() + "\n"
        };
        let rows: String = chunk.iter().map(row).collect();
        let answer = product.send("POST", "/v1/products/import", &[("content-type", "application/x-ndjson")], rows).await;
        ensure!(answer.status == 200 && answer.json()["failed"] == 0, "the products cannot be made: {}", answer.text());
    }
    Ok(())
}

async fn statement_alone(server: &PrivateServer, statement: &str) -> anyhow::Result<()> {
    // A database that somebody is connected to can be nobody's template.
    let database = if statement.starts_with("VACUUM") { BY_DATABASE } else { "postgres" };
    let (client, connection) = tokio_postgres::connect(&server.url(database), NoTls).await?;
    let connection = tokio::spawn(connection);
    client.batch_execute(statement).await?;
    drop(client);
    Ok(connection.await??)
}

/// Builds the index by the command line: sooner done than by itself.
fn reindex(database: &str, elasticsearch: &str) -> anyhow::Result<()> {
    let gudang = PathBuf::from(env!("CARGO_BIN_EXE_gudang"));
    let mut command = Command::new(gudang);
    command.arg("reindex").env("PRODUCT_DATABASE_URL", database).env("ELASTICSEARCH_URL", elasticsearch).stdout(Stdio::null());
    let done = command.status()?;
    ensure!(done.success(), "gudang reindex ended with {done}");
    Ok(())
}
