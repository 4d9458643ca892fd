//! Writes the ledger: one transaction for a batch of orders, whatever its size, in two round trips.
//!
//! Lock the batch's levels in key order and read the keys' answers; decide in memory; write everything with one statement and commit.
//! It is the only file that writes stock. Shapes and plans were tried on PostgreSQL 15; the reasons stand above each statement.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use contract::{Location, ProductId, StockStream, Time};
use journal::Journal;
use postgres::keys::{self, Key};
use postgres::{Connection, Database, DatabaseError};
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;

use crate::decide::{Levels, Row, Standing, Stored, decide};
use crate::lane::{Commit, Weight};
use crate::order::{Order, Outcome};
use crate::rule::Level;

/// READ COMMITTED on purpose: each statement sees what was committed before it, so what is read after the locks is what counts.
const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED";

/// Makes the levels that are missing, before any lock: a waiter does not see a level born while it waited, and making one later can
/// deadlock. Only then the product's row is locked, products before levels everywhere, so that a new level cannot miss a change of its
/// product. Where nothing is missing it costs one look-up by (product_id, location) a level.
const MAKE_LEVELS: &str = "INSERT INTO level (product_id, location, product_version, archived, min_stock) \
     SELECT p.product_id, k.location, p.version, p.archived, CASE WHEN p.archived THEN 0 ELSE p.min_stock END \
     FROM (SELECT * FROM unnest($1::uuid[], $2::text[]) k (product_id, location) \
           WHERE NOT EXISTS (SELECT FROM level l WHERE l.product_id = k.product_id AND l.location = k.location)) k \
     JOIN product p USING (product_id) ORDER BY p.product_id, k.location COLLATE \"C\" FOR SHARE OF p ON CONFLICT DO NOTHING";

/// Locks in the order of ids, which all who lock levels follow. Nothing but `level` is read here: a row that changed while it was waited
/// for is read again, its partners in a join would not be.
const LOCK_LEVELS: &str = "SELECT l.id, l.product_id, l.location, l.on_hand, l.reserved, l.version, l.archived, l.product_version, l.recorded_at \
     FROM level l JOIN unnest($1::uuid[], $2::text[]) k (product_id, location) ON l.product_id = k.product_id AND l.location = k.location \
     ORDER BY l.id FOR NO KEY UPDATE OF l";

/// The time at which the locks were had, and the transaction's number, by which a COMMIT whose answer was lost is asked for.
const NOW: &str = "SELECT clock_timestamp(), pg_current_xact_id()::text";

/// Levels and ledger rows in one statement. Rows are inserted in the order given, so that ids rise along each stream.
const WRITE: &str = "WITH levels AS (UPDATE level l SET on_hand = b.on_hand, reserved = b.reserved, version = b.version, recorded_at = b.recorded_at \
       FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::timestamptz[]) b (id, on_hand, reserved, version, recorded_at) \
       WHERE l.id = b.id) \
     INSERT INTO ledger (level_id, version, kind, change_id, quantity, delta, delta_reserved, on_hand, reserved, product_version, \
       unit_price, reason, reference, occurred_at, recorded_at) \
     SELECT level_id, version, kind::row_kind, change_id, quantity, delta, 0, on_hand, reserved, product_version, \
       unit_price, reason, reference, occurred_at, recorded_at \
     FROM unnest($6::bigint[], $7::bigint[], $8::text[], $9::uuid[], $10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[], $14::bigint[], \
       $15::numeric[], $16::text[], $17::text[], $18::timestamptz[], $19::timestamptz[]) \
       r (level_id, version, kind, change_id, quantity, delta, on_hand, reserved, product_version, unit_price, reason, reference, occurred_at, recorded_at)";

const STATUS: &str = "SELECT pg_xact_status($1::text::xid8)";

/// How long the outcome of a COMMIT is asked for before the callers are told that it is unknown.
const ASK_FOR_OUTCOME: Duration = Duration::from_secs(10);

/// Orders that came in one request and are written in one transaction.
#[derive(Debug, Clone)]
pub struct Orders(pub Arc<[Order]>);

impl Weight for Orders {
    fn lines(&self) -> usize {
        self.0.iter().map(|order| order.lines.len().max(1)).sum()
    }

    fn bytes(&self) -> usize {
        // A line with its texts; the bound is on memory, so it is generous.
        self.lines() * 512
    }
}

/// Why orders were not decided. Nothing is recorded of them, unless the outcome is unknown.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LedgerError {
    /// The database is away or overloaded.
    #[error("the ledger's database is away")]
    Unavailable,
    /// The connection broke while the transaction was committed and could not be asked since.
    #[error("the outcome is unknown, ask again with the same idempotency key")]
    OutcomeUnknown,
    /// The request itself makes the database fail; others are not affected.
    #[error("the ledger could not take this request")]
    Poison,
}

/// What became of the orders of one request.
pub type Written = Result<Vec<Outcome>, LedgerError>;

/// The ledger of one database.
#[derive(Debug)]
pub struct Ledger {
    database: Database,
    journal: Arc<Journal>,
}

/// Why one attempt at a batch did not end in a commit that is known.
enum Failed {
    /// Rolled back; `error` says why.
    Before(DatabaseError),
    /// COMMIT was sent, its answer never came.
    During { xid: String, outcomes: Vec<Vec<Outcome>>, error: DatabaseError },
}

impl<E: Into<DatabaseError>> From<E> for Failed {
    fn from(error: E) -> Self {
        Self::Before(error.into())
    }
}

impl Ledger {
    /// Opens the ledger. `journal` is woken after each commit.
    pub fn new(database: Database, journal: Arc<Journal>) -> Self {
        Self { database, journal }
    }

    /// Writes a batch; when it cannot be written because of a request in it, the halves are tried alone, so that only that one fails.
    async fn write(&self, batch: &[Orders]) -> Vec<Written> {
        let error = match self.settle(batch).await {
            Ok(outcomes) => return outcomes.into_iter().map(Ok).collect(),
            Err(error) => error,
        };
        match (error, batch) {
            (LedgerError::Poison, [first, .., last]) if !std::ptr::eq(first, last) => {
                let (left, right) = batch.split_at(batch.len() / 2);
                let mut written = Box::pin(self.write(left)).await;
                written.extend(Box::pin(self.write(right)).await);
                written
            }
            (error, batch) => vec![Err(error); batch.len()],
        }
    }

    /// Brings one batch to an end that is known, as far as it can be known.
    async fn settle(&self, batch: &[Orders]) -> Result<Vec<Vec<Outcome>>, LedgerError> {
        let mut again = 0;
        loop {
            match self.attempt(batch).await {
                Ok(outcomes) => {
                    self.journal.wake();
                    return Ok(outcomes);
                }
                Err(Failed::During { xid, outcomes, error }) => {
                    tracing::warn!(ledger.xid = xid, error = %fault::chain(&error), "the answer to a commit was lost, asking for its outcome");
                    match self.outcome(&xid).await {
                        Some(true) => {
                            self.journal.wake();
                            return Ok(outcomes);
                        }
                        Some(false) if again < 3 => again += 1,
                        Some(false) => return Err(LedgerError::Unavailable),
                        None => return Err(LedgerError::OutcomeUnknown),
                    }
                }
                // The same key in two instances: the other one has committed, so the next read of the keys sees its answer.
                Err(Failed::Before(error)) if error.sql_state() == Some(&SqlState::UNIQUE_VIOLATION) && again < 3 => again += 1,
                Err(Failed::Before(error)) => {
                    tracing::warn!(error = %fault::chain(&error), ledger.requests = batch.len(), "a batch was not written");
                    return Err(if error.is_transient() { LedgerError::Unavailable } else { LedgerError::Poison });
                }
            }
        }
    }

    async fn attempt(&self, batch: &[Orders]) -> Result<Vec<Vec<Outcome>>, Failed> {
        let connection = self.database.get().await?;
        match transact(&connection, batch).await {
            Err(Failed::Before(error)) => {
                // The connection goes back to the pool: it must not take an open transaction with it.
                if connection.batch_execute("ROLLBACK").await.is_err() {
                    drop(Connection::take(connection));
                }
                Err(Failed::Before(error))
            }
            outcome => outcome,
        }
    }

    /// Asks whether a transaction was committed, until it is not in progress any more. A look-up of the keys would race with it.
    async fn outcome(&self, xid: &str) -> Option<bool> {
        let asked = async {
            loop {
                let status = async {
                    let client = self.database.get().await?;
                    postgres::query_one(&client, STATUS, &[&xid]).await
                };
                match status.await.map(|row| row.get::<_, Option<String>>(0)) {
                    Ok(Some(status)) if status == "committed" => return true,
                    Ok(Some(status)) if status == "aborted" => return false,
                    _ => tokio::time::sleep(Duration::from_millis(50)).await,
                }
            }
        };
        tokio::time::timeout(ASK_FOR_OUTCOME, asked).await.ok()
    }
}

impl Commit<Orders, Written> for Arc<Ledger> {
    async fn commit(&mut self, batch: Vec<Orders>) -> Vec<Written> {
        metrics::histogram!("gudang_ledger_batch_lines").record(batch.iter().map(Weight::lines).sum::<usize>() as f64);
        self.write(&batch).await
    }
}

/// One transaction. The futures of a round trip are polled together, in order, which pipelines them. So every statement must have been prepared
/// before: one that first asks for that would be overtaken by those behind it, the last of which is COMMIT.
async fn transact(client: &Connection, batch: &[Orders]) -> Result<Vec<Vec<Outcome>>, Failed> {
    let orders: Vec<Order> = batch.iter().flat_map(|orders| orders.0.iter().cloned()).collect();
    let (products, locations) = streams(&orders);
    let keys: BTreeSet<Key> = orders.iter().filter_map(|order| order.key.as_ref().map(|(key, _)| *key)).collect();
    let keys: Vec<Key> = keys.into_iter().collect();
    let make = client.prepare_cached(MAKE_LEVELS).await?;
    let lock = client.prepare_cached(LOCK_LEVELS).await?;
    let now = client.prepare_cached(NOW).await?;
    let write = client.prepare_cached(WRITE).await?;
    keys::prepare(client).await?;

    let streams: [&(dyn ToSql + Sync); 2] = [&products, &locations];
    let (begun, made, locked, stored, now) = futures::join!(
        client.batch_execute(BEGIN),
        client.execute(&make, &streams),
        client.query(&lock, &streams),
        keys::read(client, &keys),
        client.query_one(&now, &[]),
    );
    begun?;
    made?;
    let mut levels: Levels = locked?.iter().map(standing).collect();
    let mut stored: Stored = stored?;
    let now = now?;
    let xid: String = now.get(1);
    let decisions = decide(&orders, &mut levels, &mut stored, Time::new(now.get(0)));
    let outcomes = by_request(batch, decisions.outcomes);

    let write_rows = Columns::of(&levels, &decisions.rows);
    let (written, answered, committed) =
        futures::join!(write_rows.write(client, &write), keys::write(client, &decisions.answers), client.batch_execute("COMMIT"),);
    // COMMIT of a failed transaction "succeeds" as a rollback: what stood before it decides.
    let written = written.and(answered);
    match (written, committed) {
        (Ok(()), Ok(())) => Ok(outcomes),
        (Ok(()), Err(error)) => Err(Failed::During { xid, outcomes, error: error.into() }),
        (Err(error), Err(_)) if error.is_transient() => Err(Failed::During { xid, outcomes, error }),
        (Err(error), _) => Err(Failed::Before(error)),
    }
}

/// The batch's streams, sorted and each once.
fn streams(orders: &[Order]) -> (Vec<uuid::Uuid>, Vec<String>) {
    let lines = orders.iter().flat_map(|order| order.lines.iter().flatten());
    let streams: BTreeSet<(ProductId, &Location)> = lines.map(|line| (line.product_id, &line.location)).collect();
    streams.into_iter().map(|(product, location)| (product.0, location.to_string())).unzip()
}

fn standing(row: &tokio_postgres::Row) -> (StockStream, Standing) {
    let stream = StockStream { product_id: ProductId(row.get(1)), location: Location::trusted(row.get(2)) };
    let level = Level { on_hand: row.get(3), reserved: row.get(4), version: row.get(5), archived: row.get(6) };
    (stream, Standing { id: row.get(0), level, product_version: row.get(7), recorded_at: Time::new(row.get(8)), touched: false })
}

fn by_request(batch: &[Orders], outcomes: Vec<Outcome>) -> Vec<Vec<Outcome>> {
    let mut outcomes = outcomes.into_iter();
    batch.iter().map(|orders| outcomes.by_ref().take(orders.0.len()).collect()).collect()
}

/// The levels that a batch leaves, column by column.
#[derive(Default)]
struct LevelColumns {
    ids: Vec<i64>,
    on_hand: Vec<i64>,
    reserved: Vec<i64>,
    versions: Vec<i64>,
    recorded_at: Vec<jiff::Timestamp>,
}

/// What a batch writes, column by column, as UNNEST takes it.
#[derive(Default)]
struct Columns<'a> {
    levels: LevelColumns,
    level_ids: Vec<i64>,
    versions: Vec<i64>,
    kinds: Vec<&'static str>,
    change_ids: Vec<uuid::Uuid>,
    quantities: Vec<i64>,
    deltas: Vec<i64>,
    on_hand: Vec<i64>,
    reserved: Vec<i64>,
    product_versions: Vec<i64>,
    unit_prices: Vec<Option<rust_decimal::Decimal>>,
    reasons: Vec<Option<&'a str>>,
    references: Vec<Option<&'a str>>,
    occurred_at: Vec<jiff::Timestamp>,
    recorded_at: Vec<jiff::Timestamp>,
}

impl<'a> Columns<'a> {
    fn of(levels: &Levels, rows: &'a [Row]) -> Self {
        let mut columns = Self::default();
        for standing in levels.values().filter(|standing| standing.touched) {
            columns.levels.ids.push(standing.id);
            columns.levels.on_hand.push(standing.level.on_hand);
            columns.levels.reserved.push(standing.level.reserved);
            columns.levels.versions.push(standing.level.version);
            columns.levels.recorded_at.push(standing.recorded_at.timestamp());
        }
        for Row { level_id, product_version, change } in rows {
            columns.level_ids.push(*level_id);
            columns.versions.push(change.version);
            columns.kinds.push(change.kind.as_str());
            columns.change_ids.push(change.id);
            columns.quantities.push(change.quantity);
            columns.deltas.push(change.delta);
            columns.on_hand.push(change.on_hand);
            columns.reserved.push(change.reserved);
            columns.product_versions.push(*product_version);
            columns.unit_prices.push(change.unit_price.map(contract::Money::amount));
            columns.reasons.push(change.reason.as_ref().map(contract::Reason::as_str));
            columns.references.push(change.reference.as_ref().map(contract::Reference::as_str));
            columns.occurred_at.push(change.occurred_at.timestamp());
            columns.recorded_at.push(change.recorded_at.timestamp());
        }
        columns
    }

    async fn write(&self, client: &Connection, statement: &tokio_postgres::Statement) -> Result<(), DatabaseError> {
        let LevelColumns { ids, on_hand, reserved, versions, recorded_at } = &self.levels;
        let written = client
            .execute(
                statement,
                &[
                    ids,
                    on_hand,
                    reserved,
                    versions,
                    recorded_at,
                    &self.level_ids,
                    &self.versions,
                    &self.kinds,
                    &self.change_ids,
                    &self.quantities,
                    &self.deltas,
                    &self.on_hand,
                    &self.reserved,
                    &self.product_versions,
                    &self.unit_prices,
                    &self.reasons,
                    &self.references,
                    &self.occurred_at,
                    &self.recorded_at,
                ],
            )
            .await?;
        debug_assert_eq!(written, self.level_ids.len() as u64, "every row is written");
        Ok(())
    }
}
