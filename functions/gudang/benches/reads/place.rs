//! Where it is measured: a Product with memory alone, one with Redis too, on the same database, and a server that returns a constant.

use std::cell::Cell;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
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

use crate::{load, quiet};

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
    others_busy: Cell<f64>,
    // The last ones to go: the programs use them.
    _constant: Runtime,
    _redis: Redis,
    _server: PrivateServer,
    _directory: TempDir,
}

impl Place {
    /// Makes it; a part takes so many seconds.
    pub(crate) fn make(seconds: u32) -> anyhow::Result<Self> {
        let directory = tempfile::Builder::new().prefix("gudang bench ").tempdir()?;
        let server = PrivateServer::start(directory.path(), &[DATABASE])?;
        let (redis, database) = (Redis::start(), server.url(DATABASE));
        let memory = product(&database, None)?;
        let with_redis = product(&database, Some(&redis.url()))?;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let made = json!({"sku": SKU, "name": "REGENCY CAKESTAND 3 TIER", "category": "Giftware", "price": "12.75", "min_stock": 10});
        let answer = runtime.block_on(memory.http().post("/v1/products", &made));
        ensure!(answer.status == 201, "a product cannot be made: {}", answer.text());
        let (others, constant) = constant(answer.body.clone())?;
        Ok(Self {
            seconds,
            runtime,
            constant,
            memory,
            with_redis,
            product: answer.json(),
            others_busy: Cell::new(0.0),
            _constant: others,
            _redis: redis,
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

    fn read(&self, address: SocketAddr, path: &str) -> anyhow::Result<f64> {
        let busy = quiet::calm()?;
        self.others_busy.set(self.others_busy.get().max(busy));
        self.runtime.block_on(load::read(address, path, CONNECTIONS, Duration::from_secs(self.seconds.into())))
    }

    /// The most that others used of the processors between the parts, 0 to 1.
    pub(crate) fn others_busy(&self) -> f64 {
        self.others_busy.get()
    }
}

fn address(program: &Program) -> anyhow::Result<SocketAddr> {
    Ok(program.url().trim_start_matches("http://").parse()?)
}

/// The release program `product`, which `make bench-reads` has built beside this one's.
fn program() -> anyhow::Result<PathBuf> {
    let program = Path::new(env!("CARGO_BIN_EXE_gudang")).with_file_name("product");
    ensure!(program.is_file(), "the program product is not built: run `make bench-reads`");
    Ok(program)
}

fn product(database: &str, redis: Option<&str>) -> anyhow::Result<Program> {
    let mut environment = vec![("DATABASE_URL", database), ("STOCK_URL", "http://127.0.0.1:1"), ("RUST_LOG", "error")];
    environment.extend(redis.map(|url| ("REDIS_URL", url)));
    Ok(Program::start(program()?, &environment))
}

/// A server in threads of its own that answers everything with these bytes.
fn constant(body: Bytes) -> anyhow::Result<(Runtime, SocketAddr)> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
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
