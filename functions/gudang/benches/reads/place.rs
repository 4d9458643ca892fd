//! Where it is measured: a Product with memory alone, one with Redis too, on the same database, and a server that returns a constant.

use std::cell::{RefCell, RefMut};
use std::fmt::Write;
use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, ensure};
use axum::Router;
use axum::routing::get;
use bytes::Bytes;
use postgres::private::PrivateServer;
use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::{Program, Redis};
use tokio::runtime::Runtime;

use crate::load;
use crate::outage::{InTurn, PRODUCTS};
use crate::programs::program;
use crate::quiet::Watch;
use crate::steady::{self, Pace};

const DATABASE: &str = "product";
const CONNECTIONS: u32 = 64;
const SKU: &str = "22423";

/// The place.
pub(crate) struct Place {
    seconds: u32,
    runtime: Runtime,
    constant: SocketAddr,
    memory: Program,
    with_redis: Program,
    product: Value,
    watch: Rc<Watch>,
    // The last ones to go: the programs use them.
    _constant: Runtime,
    redis: RefCell<Redis>,
    _server: PrivateServer,
    _directory: TempDir,
}

impl Place {
    /// Makes it; a part takes so many seconds.
    pub(crate) fn make(seconds: u32, watch: Rc<Watch>) -> anyhow::Result<Self> {
        let directory = tempfile::Builder::new().prefix("gudang bench ").tempdir()?;
        let server = PrivateServer::start(directory.path(), &[DATABASE])?;
        let (redis, database) = (Redis::start(), server.url(DATABASE));
        let memory = product(&database, None)?;
        let with_redis = product(&database, Some(&redis.url()))?;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let made = json!({"sku": SKU, "name": "REGENCY CAKESTAND 3 TIER", "category": "Giftware", "price": "12.75", "min_stock": 10});
        let answer = runtime.block_on(memory.http().post("/v1/products", &made));
        ensure!(answer.status == 201, "a product cannot be made: {}", answer.text());
        runtime.block_on(many(&memory))?;
        let (others, constant) = constant(answer.body.clone())?;
        Ok(Self {
            seconds,
            runtime,
            constant,
            memory,
            with_redis,
            product: answer.json(),
            watch,
            _constant: others,
            redis: RefCell::new(redis),
            _server: server,
            _directory: directory,
        })
    }

    /// The handler that returns a constant.
    pub(crate) fn constant(&self) -> anyhow::Result<f64> {
        self.read(self.constant, "/")
    }

    /// The product by its id.
    pub(crate) fn by_id(&self) -> anyhow::Result<f64> {
        let id = self.product["id"].as_str().context("an id")?;
        self.read(address(&self.memory)?, &format!("/v1/products/{id}"))
    }

    /// The product by its SKU.
    pub(crate) fn by_sku(&self) -> anyhow::Result<f64> {
        self.read(address(&self.memory)?, &format!("/v1/products/{SKU}"))
    }

    /// The same where Redis is behind the memory.
    pub(crate) fn by_sku_with_redis(&self) -> anyhow::Result<f64> {
        self.read(address(&self.with_redis)?, &format!("/v1/products/{SKU}"))
    }

    /// The Redis that one of them has.
    pub(crate) fn redis(&self) -> RefMut<'_, Redis> {
        self.redis.borrow_mut()
    }

    /// How long a part takes.
    pub(crate) fn seconds(&self) -> u32 {
        self.seconds
    }

    /// Reads many products in turn where Redis is behind the memory; how long each read took.
    pub(crate) fn steadily(&self, pace: Pace) -> anyhow::Result<Vec<(Duration, ())>> {
        self.watch.calm()?;
        self.runtime.block_on(steady::ask(&[address(&self.with_redis)?], pace, InTurn))
    }

    fn read(&self, address: SocketAddr, path: &str) -> anyhow::Result<f64> {
        self.watch.calm()?;
        self.runtime.block_on(load::read(address, path, CONNECTIONS, Duration::from_secs(self.seconds.into())))
    }
}

/// The SKU of one of many products.
pub(crate) fn sku(number: u32) -> String {
    format!("many-{number:05}")
}

/// Makes many products.
async fn many(product: &Program) -> anyhow::Result<()> {
    let mut rows = String::new();
    for number in 0..PRODUCTS {
        writeln!(rows, r#"{{"sku":"{}","name":"Many {number}","category":"Giftware","price":"2.55"}}"#, sku(number))?;
    }
    let answer = product.http().send("POST", "/v1/products/import", &[("content-type", "application/x-ndjson")], rows).await;
    ensure!(answer.status == 200 && answer.json()["failed"] == 0, "the products cannot be made: {}", answer.text());
    Ok(())
}

fn address(program: &Program) -> anyhow::Result<SocketAddr> {
    Ok(program.url().trim_start_matches("http://").parse()?)
}

fn product(database: &str, redis: Option<&str>) -> anyhow::Result<Program> {
    let mut environment = vec![("DATABASE_URL", database), ("STOCK_URL", "http://127.0.0.1:1"), ("RUST_LOG", "error")];
    environment.extend(redis.map(|url| ("REDIS_URL", url)));
    Ok(Program::start(program("product")?, &environment))
}

/// A server in threads of its own, as many as a service has, that answers everything with these bytes.
fn constant(body: Bytes) -> anyhow::Result<(Runtime, SocketAddr)> {
    let threads = std::thread::available_parallelism()?.get().div_ceil(2);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build()?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let handler = move || async move { ([("content-type", "application/json"), ("etag", "\"1-0\"")], body) };
    let routes = Router::new().route("/", get(handler));
    runtime.spawn(async move {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        axum::serve(listener, routes).await
    });
    Ok((runtime, address))
}
