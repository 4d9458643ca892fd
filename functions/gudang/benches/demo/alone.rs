//! The parts without Gudang: what one client does to the same PostgreSQL by plain SQL, over a unix socket.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use bytes::Bytes;
use futures::SinkExt;
use postgres::private::PrivateServer;
use serde_json::json;
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio_postgres::{Client, NoTls, Statement};
use uuid::Uuid;

use crate::outcome::Part;
use crate::shop::{Movement, Shop};

const SCHEMA: &str = include_str!("alone.sql");
const DATABASE: &str = "alone";
/// Bytes handed to COPY at once.
const CHUNK: usize = 64 * 1024;
/// Units that every level begins with: more than the sample takes.
const PLENTY: i64 = 1_000_000_000;
/// Between two lines of progress.
const LINE: Duration = Duration::from_secs(5);

const COPY: &str =
    "COPY sold (invoice, sku, description, quantity, occurred_at, unit_price, customer, country) FROM STDIN WITH (FORMAT csv, HEADER)";
const LEVELS: &str = "INSERT INTO level (sku, on_hand, version) SELECT s, $2, 0 FROM unnest($1::text[]) s";
const LOCK: &str = "SELECT id, on_hand, version FROM level WHERE sku = $1 FOR NO KEY UPDATE";
const UPDATE: &str = "UPDATE level SET on_hand = $2, version = $3 WHERE id = $1";
const RECORD: &str = "INSERT INTO ledger (level_id, version, kind, change_id, quantity, delta, on_hand, unit_price, reference, occurred_at) \
                      VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
const KEY: &str = "INSERT INTO idempotency_key (key, request_hash, status, body) VALUES ($1, $2, 201, $3)";
const RECORDED: &str = "SELECT count(*), (SELECT sum(version)::bigint FROM level) FROM ledger";

/// (a): the whole file by COPY into one indexed table.
pub(crate) fn copy(shop: &Shop) -> anyhow::Result<Part> {
    let place = Place::make()?;
    let chunks: Vec<Bytes> = shop.csv.chunks(CHUNK).map(Bytes::copy_from_slice).collect();
    place.runtime.block_on(async {
        let begun = Instant::now();
        let mut sink = Box::pin(place.client.copy_in(COPY).await?);
        for chunk in chunks {
            sink.send(chunk).await?;
        }
        let rows = sink.as_mut().finish().await?;
        Ok(Part { rows, seconds: begun.elapsed().as_secs_f64() })
    })
}

/// (b): one transaction a row, each awaited before the next.
pub(crate) fn one_by_one(shop: &Shop) -> anyhow::Result<Part> {
    let mut place = Place::make()?;
    let client = &mut place.client;
    place.runtime.block_on(async {
        client.execute(LEVELS, &[&shop.skus(), &PLENTY]).await?;
        client.batch_execute("ANALYZE level").await?;
        let statements = Statements::prepare(client).await?;
        let begun = Instant::now();
        let mut said = begun;
        for (done, movement) in shop.sample.iter().enumerate() {
            record(client, &statements, movement).await?;
            if said.elapsed() >= LINE {
                said = Instant::now();
                eprintln!("bench: {done} of {} rows", shop.sample.len());
            }
        }
        let part = Part { rows: shop.sample.len() as u64, seconds: begun.elapsed().as_secs_f64() };
        let row = client.query_one(RECORDED, &[]).await?;
        let recorded: (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
        ensure!(recorded == (part.rows as i64, part.rows as i64), "{} rows were sent, recorded are {recorded:?}", part.rows);
        Ok(part)
    })
}

struct Statements {
    lock: Statement,
    update: Statement,
    record: Statement,
    key: Statement,
}

impl Statements {
    async fn prepare(client: &Client) -> anyhow::Result<Self> {
        Ok(Self {
            lock: client.prepare(LOCK).await?,
            update: client.prepare(UPDATE).await?,
            record: client.prepare(RECORD).await?,
            key: client.prepare(KEY).await?,
        })
    }
}

async fn record(client: &mut Client, statements: &Statements, movement: &Movement) -> anyhow::Result<()> {
    let Movement { sku, kind, quantity, delta, unit_price, reference, occurred_at } = movement;
    let change_id = Uuid::now_v7();
    let transaction = client.transaction().await?;
    let level = transaction.query_one(&statements.lock, &[sku]).await?;
    let (id, on_hand, version): (i64, i64, i64) = (level.try_get(0)?, level.try_get(1)?, level.try_get(2)?);
    let (on_hand, version) = (on_hand + delta, version + 1);
    transaction.execute(&statements.update, &[&id, &on_hand, &version]).await?;
    let (price, at) = (unit_price.amount(), occurred_at.timestamp());
    transaction.execute(&statements.record, &[&id, &version, kind, &change_id, quantity, delta, &on_hand, &price, reference, &at]).await?;
    let answer = json!({
        "id": change_id, "sku": sku, "location": "default", "type": kind, "quantity": quantity, "delta": delta, "on_hand": on_hand,
        "reserved": 0, "available": on_hand, "version": version, "unit_price": unit_price, "reference": reference, "occurred_at": occurred_at,
    });
    let body = answer.to_string().into_bytes();
    let hash = Sha256::digest(&body).to_vec();
    // As random as keys are: the first half of a digest.
    let key = Uuid::from_slice(&hash[..16])?;
    transaction.execute(&statements.key, &[&key, &hash, &body]).await?;
    transaction.commit().await?;
    Ok(())
}

/// A new server with the laptop's settings, the tables, and one client.
struct Place {
    client: Client,
    runtime: Runtime,
    _server: PrivateServer,
    _directory: TempDir,
}

impl Place {
    fn make() -> anyhow::Result<Self> {
        let directory = tempfile::Builder::new().prefix("gudang bench ").tempdir()?;
        let server = PrivateServer::start(directory.path(), &[DATABASE])?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let client = runtime.block_on(async {
            let (client, connection) = tokio_postgres::connect(&server.url(DATABASE), NoTls).await?;
            tokio::spawn(connection);
            client.batch_execute(SCHEMA).await?;
            anyhow::Ok(client)
        });
        Ok(Self { client: client.context("the tables cannot be made")?, runtime, _server: server, _directory: directory })
    }
}
