//! The relay: moves a journal's events to outlets, each at its own pace, and never says "done" before the outlet did.
//!
//! It deletes nothing and holds no transaction open while an outlet works. The cursor moves only after a delivery; what is sent twice
//! after a crash is dropped by version on the other side. A relay of an older epoch can no longer move a cursor.

use std::sync::Arc;
use std::time::Duration;

use bus::Outlet;
use contract::Event;
use postgres::{Database, DatabaseError};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::Journal;

/// Between two ticks, at least: writers that commit in quick succession share one.
const BETWEEN_TICKS: Duration = Duration::from_millis(5);
/// How long a commit that nobody announced may wait.
const POLL: Duration = Duration::from_millis(250);
/// Rows of one page, which an outlet gets as one batch.
const PAGE_ROWS: i64 = 2000;
/// Before an outlet that failed is tried again; doubled up to the second bound.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));

/// Makes the outlet's cursor if it is new, and takes it over into this epoch.
const TAKE_CURSOR: &str = "INSERT INTO journal_cursor (name, epoch) VALUES ($1, $2) \
     ON CONFLICT (name) DO UPDATE SET epoch = $2 WHERE journal_cursor.epoch <= $2 RETURNING tick, upto, id";

/// Fewer than one row: another relay has taken over.
const MOVE_CURSOR: &str = "UPDATE journal_cursor SET tick = $2, upto = $3, id = $4 WHERE name = $1 AND epoch = $5";

/// Why a relay stopped.
#[derive(Debug, thiserror::Error)]
pub enum Stopped {
    /// A newer epoch owns the cursor.
    #[error("another relay has taken over the cursor {cursor}")]
    TakenOver {
        /// The cursor's name.
        cursor: String,
    },
    /// The producer's database.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

/// Adds ticks as commits come in, until `stop`, and then a last one for what was committed by then. Only the leader runs it.
pub async fn tick(journal: Arc<Journal>, epoch: i64, stop: CancellationToken) {
    loop {
        let last = stop.is_cancelled();
        let pause = match journal.tick(epoch).await {
            Ok(true) => BETWEEN_TICKS,
            Ok(false) => {
                let woken = async { drop(timeout(POLL, journal.woken()).await) };
                let _ = stop.run_until_cancelled(woken).await;
                Duration::ZERO
            }
            Err(error) => {
                tracing::warn!(error = %fault::chain(&error), "the journal could not tick");
                Duration::from_secs(1)
            }
        };
        if last {
            return;
        }
        let _ = timeout(pause, stop.cancelled()).await;
    }
}

/// Adds one tick if there is anything to read beyond the last one; says whether it did.
pub async fn tick_once(journal: &Journal, epoch: i64) -> Result<bool, DatabaseError> {
    journal.tick(epoch).await
}

/// Forgets what no reader needs any more.
pub async fn maintain(journal: &Journal) -> Result<(), DatabaseError> {
    journal.thin().await
}

/// Moves events to `outlet` until `stop`, and then what is left of those that were ticked, as far as the outlet takes them at once; or until
/// another relay takes over.
pub async fn run(journal: Arc<Journal>, outlet: Arc<dyn Outlet>, epoch: i64, stop: CancellationToken) {
    let mut ticks = journal.ticks();
    let mut pause = BACK_OFF.0;
    let mut cursor = None;
    loop {
        let last = stop.is_cancelled();
        ticks.mark_unchanged();
        let moved = match &mut cursor {
            Some(cursor) => advance(&journal, &*outlet, cursor).await,
            None => match Cursor::take(journal.database(), outlet.name(), epoch).await {
                Ok(taken) => {
                    cursor = Some(taken);
                    continue;
                }
                Err(stopped) => Err(Failed::Stopped(stopped)),
            },
        };
        match moved {
            Ok(true) => pause = BACK_OFF.0,
            Ok(false) if last => return,
            Ok(false) => {
                tokio::select! {
                    () = stop.cancelled() => {}
                    _ = timeout(POLL, ticks.changed()) => {}
                }
            }
            Err(Failed::Stopped(Stopped::TakenOver { cursor })) => {
                tracing::warn!(relay.cursor = cursor, "another relay has taken over");
                return;
            }
            Err(error) => {
                // What was read may be delivered again: the cursor in the database is what counts.
                cursor = None;
                tracing::warn!(relay.outlet = outlet.name(), error = %fault::chain(&error), "events wait in the journal");
                metrics::counter!("gudang_relay_failures_total", "outlet" => outlet.name().to_owned()).increment(1);
                if last {
                    return;
                }
                let _ = timeout(pause, stop.cancelled()).await;
                pause = (pause * 2).min(BACK_OFF.1);
            }
        }
    }
}

#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error(transparent)]
    Stopped(#[from] Stopped),
    #[error(transparent)]
    Undelivered(#[from] bus::Undelivered),
}

impl From<DatabaseError> for Failed {
    fn from(error: DatabaseError) -> Self {
        Self::Stopped(Stopped::Database(error))
    }
}

/// Where an outlet stands.
struct Cursor {
    database: Database,
    name: String,
    epoch: i64,
    tick: i64,
    upto: i64,
    id: i64,
}

impl Cursor {
    async fn take(database: &Database, name: &str, epoch: i64) -> Result<Self, Stopped> {
        let client = database.get().await?;
        let row = postgres::query_opt(&client, TAKE_CURSOR, &[&name, &epoch]).await?;
        let row = row.ok_or_else(|| Stopped::TakenOver { cursor: name.to_owned() })?;
        Ok(Self { database: database.clone(), name: name.to_owned(), epoch, tick: row.get(0), upto: row.get(1), id: row.get(2) })
    }

    async fn move_to(&mut self, tick: i64, upto: i64, id: i64) -> Result<(), Stopped> {
        let client = self.database.get().await?;
        if postgres::execute(&client, MOVE_CURSOR, &[&self.name, &tick, &upto, &id, &self.epoch]).await? == 0 {
            return Err(Stopped::TakenOver { cursor: self.name.clone() });
        }
        (self.tick, self.upto, self.id) = (tick, upto, id);
        Ok(())
    }
}

/// Delivers one step, page by page, and moves the cursor behind each; false when nothing was left to read.
async fn advance(journal: &Journal, outlet: &dyn Outlet, cursor: &mut Cursor) -> Result<bool, Failed> {
    let Some(step) = journal.relay_step(cursor.tick, cursor.upto).await? else { return Ok(false) };
    // A thinned tick or a first page begins the step at its beginning; else go on where the last page ended.
    let mut after = if step.from == cursor.tick && step.upto == cursor.upto { cursor.id } else { 0 };
    loop {
        let page = journal.shared_page(&step, after, PAGE_ROWS).await?;
        let events: Vec<Event> = page.rows.iter().map(|(_, event)| event.clone()).collect();
        if !events.is_empty() {
            outlet.deliver(&events).await?;
            metrics::counter!("gudang_relay_events_total", "outlet" => outlet.name().to_owned()).increment(events.len() as u64);
        }
        match page.rows.last() {
            Some((id, _)) if !page.ends => {
                cursor.move_to(step.from, step.upto, *id).await?;
                after = *id;
            }
            _ => {
                cursor.move_to(step.upto, step.upto, 0).await?;
                return Ok(true);
            }
        }
    }
}
