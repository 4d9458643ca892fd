//! Writes the ledger: one transaction for a batch of orders, whatever its size, in two round trips.
//!
//! Here a batch is brought to an end that is known: written, or not, or, when a COMMIT's answer was lost, whichever of the two it was. What
//! one transaction says to the database stands in `session`, what it writes in `columns` and `holds`. Nothing else moves units; `store/products` alone writes beside it, the rows of thresholds.

mod columns;
mod holds;
mod session;

use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use journal::Journal;
use postgres::{Database, DatabaseError, Settings};
use tokio_postgres::error::SqlState;

use crate::lane::{Commit, Request};
use crate::order::{Order, Outcome};

use session::{Failed, Session, Witness};

/// Whether a transaction may still end either way. A number that was not given yet is that of one which a crash undid.
const IN_PROGRESS: &str = "SELECT CASE WHEN $1::text::xid8 < pg_current_xact_id() \
     THEN pg_xact_status($1::text::xid8) IS NOT DISTINCT FROM 'in progress' ELSE false END";

/// Whether a row is the one that was written: by (level_id, version).
const WRITTEN: &str = "SELECT EXISTS (SELECT FROM ledger WHERE level_id = $1 AND version = $2 AND xid = $3::text::xid8 \
     AND change_id IS NOT DISTINCT FROM $4 AND recorded_at = $5)";

/// How long the outcome of a COMMIT is asked for before the callers are told that it is unknown.
const ASK_FOR_OUTCOME: Duration = Duration::from_secs(10);
/// Between two such questions.
const ASK_AGAIN: Duration = Duration::from_millis(20);
/// How often a batch is run again that was rolled back through no fault of its own.
const AGAIN: u32 = 3;

/// Orders that came in one request and are written in one transaction.
#[derive(Debug, Clone)]
pub struct Orders(pub Arc<[Order]>);

impl Request for Orders {
    fn lines(&self) -> usize {
        self.0.iter().map(Order::lines).sum()
    }

    fn bytes(&self) -> usize {
        // A line with its texts; the bound is on memory, so it is generous.
        self.lines() * 512
    }

    fn claims(&self, claim: &mut dyn FnMut(u64)) {
        let mut claim_of = |thing: &dyn Fn(&mut std::hash::DefaultHasher)| {
            let mut hasher = std::hash::DefaultHasher::new();
            thing(&mut hasher);
            claim(hasher.finish());
        };
        for order in self.0.iter() {
            order.each_stream(|stream| claim_of(&|hasher| stream.hash(hasher)));
            if let Some((key, _)) = &order.key {
                claim_of(&|hasher| key.hash(hasher));
            }
        }
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

/// One lane's end of the ledger. It keeps a connection, made when it is needed.
pub struct Writer {
    /// For questions from outside a transaction.
    database: Database,
    /// Where its own connection comes from.
    own: Database,
    journal: Arc<Journal>,
    session: Option<Session>,
}

impl Writer {
    /// Makes a writer for the database at `settings`, which is also `database`. `journal` is woken after each commit.
    pub fn new(settings: &Settings, database: Database, journal: Arc<Journal>) -> Result<Self, DatabaseError> {
        let one = Settings { pool_size: 1, ..settings.clone() };
        Ok(Self { database, own: Database::with_session(&one, session::SETTINGS)?, journal, session: None })
    }

    /// Writes a batch; when it cannot be written because of a request in it, the halves are tried alone, so that only that one fails.
    async fn write(&mut self, batch: &[Orders]) -> Vec<Written> {
        let mut written = Vec::with_capacity(batch.len());
        // A stack in place of a recursion: the left half lies on top.
        let mut parts = vec![batch];
        while let Some(part) = parts.pop() {
            match self.settle(part).await {
                Ok(outcomes) => written.extend(outcomes.into_iter().map(Ok)),
                Err(LedgerError::Poison) if part.len() > 1 => {
                    let (left, right) = part.split_at(part.len() / 2);
                    parts.extend([right, left]);
                }
                Err(error) => written.extend(part.iter().map(|_| Err(error.clone()))),
            }
        }
        written
    }

    /// Brings one batch to an end that is known, as far as it can be known.
    async fn settle(&mut self, batch: &[Orders]) -> Result<Vec<Vec<Outcome>>, LedgerError> {
        // Whether an earlier run may have been committed: one that left no row to prove it.
        let mut perhaps = false;
        for again in 0..=AGAIN {
            match self.attempt(batch).await {
                Ok(outcomes) => {
                    self.journal.wake();
                    return Ok(outcomes);
                }
                Err(Failed::During { xid, witness, outcomes, error }) => {
                    tracing::warn!(ledger.xid = xid, error = %fault::chain(&error), "the answer to a commit was lost, asking for its outcome");
                    match self.outcome(&xid, witness).await {
                        Some(true) => {
                            self.journal.wake();
                            return Ok(outcomes);
                        }
                        Some(false) => perhaps |= witness.is_none(),
                        None => return Err(LedgerError::OutcomeUnknown),
                    }
                }
                Err(Failed::Lost) => {}
                // The same key in two instances: the other one has committed, so the next read of the keys sees its answer.
                Err(Failed::Before(error)) if error.sql_state() == Some(&SqlState::UNIQUE_VIOLATION) && again < AGAIN => {
                    tracing::debug!(error = %fault::chain(&error), "a key was used elsewhere at the same time, the batch is run again");
                }
                Err(Failed::Before(error)) if error.is_transient() => {
                    tracing::warn!(error = %fault::chain(&error), ledger.requests = batch.len(), "a batch was not written");
                    break;
                }
                Err(Failed::Before(error)) => {
                    tracing::warn!(error = %fault::chain(&error), ledger.requests = batch.len(), "a batch cannot be written");
                    return Err(LedgerError::Poison);
                }
            }
        }
        Err(if perhaps { LedgerError::OutcomeUnknown } else { LedgerError::Unavailable })
    }

    /// One transaction, on the lane's own connection or, when that is gone, on a new one.
    async fn attempt(&mut self, batch: &[Orders]) -> Result<Vec<Vec<Outcome>>, Failed> {
        let kept = self.session.take().filter(Session::is_open);
        let used = kept.is_some();
        let mut session = match kept {
            Some(session) => session,
            None => Session::open(&self.own).await?,
        };
        let written = session.transact(batch).await;
        match written {
            // A connection that had been idle may have been dead for long: that says nothing of the database.
            Err(Failed::Before(error)) if used && !session.is_open() => {
                tracing::debug!(error = %fault::chain(&error), "the lane's connection was lost, the batch is run again on a new one");
                return Err(Failed::Lost);
            }
            Err(Failed::Before(_)) if session.roll_back().await => self.session = Some(session),
            Err(_) => {}
            Ok(_) => self.session = Some(session),
        }
        written
    }

    /// Finds out whether a transaction was committed; `None` when the database could not be asked.
    ///
    /// Its number only tells when it is over: after a crash the numbers of transactions that were not flushed are given again, so another's
    /// success may stand under it. What proves that it was ours is a row of ours. A batch without any row changed no stock and is simply run
    /// again: what it answered under keys is found then, and a hold that it extended is extended once more.
    async fn outcome(&self, xid: &str, witness: Option<Witness>) -> Option<bool> {
        let asked = async {
            loop {
                match self.ask_for_outcome(xid, witness).await {
                    Ok(Some(committed)) => return committed,
                    Ok(None) => {}
                    Err(error) => tracing::debug!(error = %fault::chain(&error), "the outcome cannot be asked for yet"),
                }
                tokio::time::sleep(ASK_AGAIN).await;
            }
        };
        tokio::time::timeout(ASK_FOR_OUTCOME, asked).await.ok()
    }

    /// Asks once; `None` while the transaction is still in progress.
    async fn ask_for_outcome(&self, xid: &str, witness: Option<Witness>) -> Result<Option<bool>, DatabaseError> {
        let client = self.database.get().await?;
        if postgres::query_one(&client, IN_PROGRESS, &[&xid]).await?.get(0) {
            return Ok(None);
        }
        let Some(Witness { level_id, version, change_id, recorded_at }) = witness else { return Ok(Some(false)) };
        let row = postgres::query_one(&client, WRITTEN, &[&level_id, &version, &xid, &change_id, &recorded_at.timestamp()]).await?;
        Ok(Some(row.get(0)))
    }
}

impl Commit<Orders, Written> for Writer {
    async fn commit(&mut self, batch: Vec<Orders>) -> Vec<Written> {
        metrics::histogram!("gudang_ledger_batch_lines").record(batch.iter().map(Request::lines).sum::<usize>() as f64);
        self.write(&batch).await
    }
}
