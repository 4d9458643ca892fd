//! One transaction of the ledger, as the database hears it: lock and read, decide, write and commit.
//!
//! The statements of a round trip are polled together, in order, which pipelines them. So each of them is prepared when the session is opened:
//! one that first had to ask for that would be overtaken by those behind it, the last of which is COMMIT.

use std::collections::{BTreeSet, HashMap};

use contract::{Location, ProductId, StockStream, Time};
use futures::future::OptionFuture;
use postgres::keys::{self, Key};
use postgres::{Connection, Database, DatabaseError};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Row, Statement};
use uuid::Uuid;

use super::{Orders, columns, holds};
use crate::decide::{Ground, Levels, Standing, decide};
use crate::order::{Order, Outcome};
use crate::rule::Level;

/// Plans are made once: every statement looks rows up by keys, whatever the tables have grown to, and planning one costs more than running it.
/// A lane waits for no lock for ever, and a process that froze inside a transaction loses it.
pub(super) const SETTINGS: &str = "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off; \
     SET jit = off; SET lock_timeout = '5s'; SET idle_in_transaction_session_timeout = '10s'";

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
const LOCK_LEVELS: &str = "SELECT l.id, l.product_id, l.location, l.on_hand, l.reserved, l.version, l.archived, l.product_version, l.recorded_at, \
       l.occurred_at, l.next_expiry \
     FROM level l JOIN unnest($1::uuid[], $2::text[]) k (product_id, location) ON l.product_id = k.product_id AND l.location = k.location \
     ORDER BY l.id FOR NO KEY UPDATE OF l";

/// The same for levels whose ids are known. Ids are never used again, and no level goes away.
const LOCK_KNOWN: &str = "SELECT l.id, l.product_id, l.location, l.on_hand, l.reserved, l.version, l.archived, l.product_version, l.recorded_at, \
       l.occurred_at, l.next_expiry \
     FROM level l WHERE l.id = ANY ($1) ORDER BY l.id FOR NO KEY UPDATE";

/// The time at which the locks were had, and the transaction's number, by which one whose COMMIT was not answered is waited for.
const NOW: &str = "SELECT clock_timestamp(), pg_current_xact_id()::text";

/// Levels whose ids a session remembers, some 100 bytes each.
const REMEMBERED: usize = 50_000;

/// Why one attempt at a batch did not end in a commit that is known.
pub(super) enum Failed {
    /// Rolled back; the error says why.
    Before(DatabaseError),
    /// Rolled back with a connection that had gone while nobody used it.
    Lost,
    /// COMMIT was sent, its answer never came.
    During { xid: String, witness: Option<Witness>, outcomes: Vec<Vec<Outcome>>, error: DatabaseError },
}

/// A row that a transaction wrote and no other can have written: all of it is there, or none.
#[derive(Debug, Clone, Copy)]
pub(super) struct Witness {
    pub(super) level_id: i64,
    pub(super) version: i64,
    pub(super) change_id: Option<Uuid>,
    pub(super) recorded_at: Time,
}

impl<E: Into<DatabaseError>> From<E> for Failed {
    fn from(error: E) -> Self {
        Self::Before(error.into())
    }
}

/// What a transaction has read under its locks.
struct Read {
    ground: Ground,
    xid: String,
    /// Whether all holds that have lapsed are among it.
    all: bool,
}

/// A connection that a lane keeps. One that it took anew for each batch would have to be tried each time.
pub(super) struct Session {
    client: Connection,
    make: Statement,
    lock: Statement,
    lock_known: Statement,
    now: Statement,
    write: columns::Write,
    holds: holds::Statements,
    /// Ids of levels. They hold for this connection's server only, so they end with it.
    known: HashMap<StockStream, i64>,
}

impl Session {
    /// Takes a connection and prepares every statement that a transaction may send.
    pub(super) async fn open(database: &Database) -> Result<Self, DatabaseError> {
        let client = database.get().await?;
        keys::prepare(&client).await?;
        Ok(Self {
            make: client.prepare(MAKE_LEVELS).await?,
            lock: client.prepare(LOCK_LEVELS).await?,
            lock_known: client.prepare(LOCK_KNOWN).await?,
            now: client.prepare(NOW).await?,
            write: columns::Write::prepare(&client).await?,
            holds: holds::Statements::prepare(&client).await?,
            known: HashMap::new(),
            client,
        })
    }

    /// Whether the connection still stands, as far as can be told without asking.
    pub(super) fn is_open(&self) -> bool {
        !self.client.is_closed()
    }

    /// Leaves a transaction that failed; false when the connection is of no more use.
    pub(super) async fn roll_back(&mut self) -> bool {
        // Levels that it made are gone again.
        self.known.clear();
        self.client.batch_execute("ROLLBACK").await.is_ok()
    }

    /// Writes a batch in one transaction.
    pub(super) async fn transact(&mut self, batch: &[Orders]) -> Result<Vec<Vec<Outcome>>, Failed> {
        let orders: Vec<&Order> = batch.iter().flat_map(|orders| orders.0.iter()).collect();
        let (ground, xid) = loop {
            match self.lock_and_read(&orders).await? {
                Read { ground, xid, all: true } => break (ground, xid),
                Read { ground, .. } => self.expire(ground).await?,
            }
        };
        let mut decisions = decide(&orders, ground);
        let mut outcomes = std::mem::take(&mut decisions.outcomes).into_iter();
        let outcomes: Vec<Vec<Outcome>> = batch.iter().map(|orders| outcomes.by_ref().take(orders.0.len()).collect()).collect();

        let client = &self.client;
        let answers: OptionFuture<_> = (!decisions.answers.is_empty()).then(|| keys::write(client, &decisions.answers)).into();
        let (written, held, answered, committed) = futures::join!(
            self.write.send(client, &decisions),
            self.holds.write(client, &decisions),
            answers,
            client.batch_execute("COMMIT"),
        );
        let witness = decisions.rows.last().map(|row| Witness {
            level_id: row.level_id,
            version: row.version,
            change_id: row.change_id,
            recorded_at: row.recorded_at,
        });
        // COMMIT of a failed transaction "succeeds" as a rollback: what stood before it decides.
        match (written.and(held).and(answered.unwrap_or(Ok(()))), committed) {
            (Ok(()), Ok(())) => Ok(outcomes),
            (Ok(()), Err(error)) => Err(Failed::During { xid, witness, outcomes, error: error.into() }),
            (Err(error), Err(_)) if error.is_transient() => Err(Failed::During { xid, witness, outcomes, error }),
            (Err(error), _) => Err(Failed::Before(error)),
        }
    }

    /// So many holds have lapsed that ending them is a transaction of its own. Should it fail, the batch begins anew.
    async fn expire(&self, ground: Ground) -> Result<(), Failed> {
        let decisions = decide(&[], ground);
        let (written, held, committed) = futures::join!(
            self.write.send(&self.client, &decisions),
            self.holds.write(&self.client, &decisions),
            self.client.batch_execute("COMMIT"),
        );
        written.and(held)?;
        committed.map_err(|_| Failed::Lost)
    }

    /// The first round trip, and the second when holds have lapsed.
    async fn lock_and_read(&mut self, orders: &[&Order]) -> Result<Read, Failed> {
        let mut streams = BTreeSet::new();
        for order in orders {
            order.each_stream(|stream| {
                streams.insert(stream);
            });
        }
        let keys: BTreeSet<Key> = orders.iter().filter_map(|order| order.key.as_ref().map(|(key, _)| *key)).collect();
        let keys: Vec<Key> = keys.into_iter().collect();
        let reservations: BTreeSet<_> = orders.iter().filter_map(|order| order.reservation()).collect();
        let client = &self.client;
        let stored: OptionFuture<_> = (!keys.is_empty()).then(|| keys::read(client, &keys)).into();
        let (begun, locked, stored, reservations, now) = futures::join!(
            client.batch_execute(BEGIN),
            self.lock(&streams),
            stored,
            self.holds.read(client, reservations.into_iter().collect()),
            client.query_one(&self.now, &[]),
        );
        begun?;
        let (locked, stored, reservations, now) = (locked?, stored.transpose()?.unwrap_or_default(), reservations?, now?);
        let xid: String = now.get(1);
        let now = Time::new(now.get(0));
        let mut levels: Levels = locked.iter().map(standing).collect();
        self.remember(&levels, streams.len());
        let (lapsed, all) = self.holds.lapsed(&self.client, &mut levels, now).await?;
        Ok(Read { ground: Ground { levels, stored, reservations, lapsed, now }, xid, all })
    }

    /// Locks the levels of these streams; makes those that are missing first.
    async fn lock(&self, streams: &BTreeSet<&StockStream>) -> Result<Vec<Row>, tokio_postgres::Error> {
        let known: Option<Vec<i64>> = streams.iter().map(|stream| self.known.get(*stream).copied()).collect();
        if let Some(ids) = known {
            return self.client.query(&self.lock_known, &[&ids]).await;
        }
        let (products, locations): (Vec<Uuid>, Vec<&str>) =
            streams.iter().map(|stream| (stream.product_id.0, stream.location.as_str())).unzip();
        let streams: [&(dyn ToSql + Sync); 2] = [&products, &locations];
        let (made, locked) = futures::join!(self.client.execute(&self.make, &streams), self.client.query(&self.lock, &streams));
        made?;
        locked
    }

    /// Remembers the ids of levels that were locked. When there are too many, or one was not there after all, it begins anew.
    fn remember(&mut self, levels: &Levels, asked: usize) {
        if levels.len() < asked || self.known.len() + levels.len() > REMEMBERED {
            self.known.clear();
        }
        for (stream, standing) in levels {
            if !self.known.contains_key(stream) {
                self.known.insert(stream.clone(), standing.id);
            }
        }
    }
}

fn standing(row: &Row) -> (StockStream, Standing) {
    let stream = StockStream { product_id: ProductId(row.get(1)), location: Location::trusted(row.get(2)) };
    let level = Level { on_hand: row.get(3), reserved: row.get(4), version: row.get(5), archived: row.get(6) };
    let time = |column: usize| row.get::<_, Option<jiff::Timestamp>>(column).map(Time::new);
    let standing = Standing {
        id: row.get(0),
        level,
        product_version: row.get(7),
        recorded_at: Time::new(row.get(8)),
        occurred_at: time(9),
        next_expiry: time(10),
        touched: false,
    };
    (stream, standing)
}
