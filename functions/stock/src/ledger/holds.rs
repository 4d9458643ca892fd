//! Reservations and their holds, as a transaction of the ledger reads and writes them.
//!
//! A hold changes only under the lock of its level, so none of these statements locks anything: they run after the levels were locked.

use std::collections::HashMap;

use contract::{Reference, Time};
use jiff::Timestamp;
use postgres::{Connection, DatabaseError};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Row, Statement};
use uuid::Uuid;

use crate::decide::{Decisions, Levels};
use crate::order::{Lapsed, Reservation};
use crate::store::reservations::{COLUMNS, TABLES, reservation};

/// Holds that one transaction ends at most. More is the work of several.
const LAPSED_AT_ONCE: usize = 5000;

/// The holds of levels that have lapsed, each level's in the order of time: a range of `hold_of_level` a level.
const LAPSED: &str = "SELECT h.reservation_id, h.line, h.level_id, h.quantity, h.expires_at, r.reference \
     FROM hold h JOIN reservation r ON r.id = h.reservation_id \
     WHERE h.level_id = ANY ($1) AND h.counted AND h.expires_at <= $2 ORDER BY h.level_id, h.expires_at, h.reservation_id, h.line LIMIT $3";

/// When the next hold of each level lapses: the first entry of a range of `hold_of_level` a level.
const NEXT: &str = "SELECT k.level_id, (SELECT h.expires_at FROM hold h WHERE h.level_id = k.level_id AND h.counted AND h.expires_at > $2 \
       ORDER BY h.expires_at LIMIT 1) FROM unnest($1::bigint[]) k (level_id)";

/// Reservations that were made, with their holds.
const KEEP: &str = "WITH r AS (INSERT INTO reservation (id, reference, created_at, expires_at, state) \
       SELECT id, reference, created_at, expires_at, 'ACTIVE' \
       FROM unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::timestamptz[]) n (id, reference, created_at, expires_at)) \
     INSERT INTO hold (reservation_id, line, level_id, quantity, expires_at) \
     SELECT * FROM unnest($5::uuid[], $6::integer[], $7::bigint[], $8::bigint[], $9::timestamptz[])";

/// Reservations as they are now, and holds that are over. What was extended is active still and has no hold that is over, so no row of
/// `hold` is changed twice.
const SETTLE: &str = "WITH s AS (SELECT * FROM unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::timestamptz[]) s (id, state, expires_at, resolved_at)), \
       settled AS (UPDATE reservation r SET state = s.state, expires_at = s.expires_at, resolved_at = s.resolved_at FROM s WHERE r.id = s.id), \
       extended AS (UPDATE hold h SET expires_at = s.expires_at FROM s WHERE s.state = 'ACTIVE' AND h.reservation_id = s.id) \
     UPDATE hold h SET counted = false, sale_version = e.sale_version \
     FROM unnest($5::uuid[], $6::integer[], $7::bigint[]) e (reservation_id, line, sale_version) \
     WHERE h.reservation_id = e.reservation_id AND h.line = e.line";

/// The statements, prepared.
pub(super) struct Statements {
    read: Statement,
    lapsed: Statement,
    next: Statement,
    keep: Statement,
    settle: Statement,
}

impl Statements {
    pub(super) async fn prepare(client: &Connection) -> Result<Self, DatabaseError> {
        Ok(Self {
            read: client.prepare(&format!("SELECT {COLUMNS} FROM {TABLES} WHERE r.id = ANY ($1) ORDER BY r.id, h.line")).await?,
            lapsed: client.prepare(LAPSED).await?,
            next: client.prepare(NEXT).await?,
            keep: client.prepare(KEEP).await?,
            settle: client.prepare(SETTLE).await?,
        })
    }

    /// Reads reservations as they stand.
    pub(super) async fn read(&self, client: &Connection, ids: Vec<Uuid>) -> Result<HashMap<Uuid, Reservation>, DatabaseError> {
        if ids.is_empty() {
            return Ok(HashMap::new());
        }
        let rows = client.query(&self.read, &[&ids]).await?;
        let reservations = rows.chunk_by(|one, next| one.get::<_, Uuid>(0) == next.get::<_, Uuid>(0)).filter_map(reservation);
        Ok(reservations.map(|reservation| (reservation.id, reservation)).collect())
    }

    /// Reads the holds of `levels` that have lapsed by `now`, and whether these are all of them; if so, it corrects what the levels say of the next
    /// ones. Asks only where a level says that there may be some.
    pub(super) async fn lapsed(&self, client: &Connection, levels: &mut Levels, now: Time) -> Result<(Vec<Lapsed>, bool), DatabaseError> {
        let mut due: HashMap<i64, usize> = HashMap::new();
        for (place, (_, standing)) in levels.iter().enumerate() {
            if standing.next_expiry.is_some_and(|next| next <= now) {
                due.insert(standing.id, place);
            }
        }
        if due.is_empty() {
            return Ok((Vec::new(), true));
        }
        let (ids, now, most): (Vec<i64>, Timestamp, i64) = (due.keys().copied().collect(), now.timestamp(), LAPSED_AT_ONCE as i64);
        let asked: [&(dyn ToSql + Sync); 2] = [&ids, &now];
        let bounded: [&(dyn ToSql + Sync); 3] = [&ids, &now, &most];
        let (lapsed, next) = futures::join!(client.query(&self.lapsed, &bounded), client.query(&self.next, &asked));
        let (lapsed, next) = (lapsed?, next?);
        let all = lapsed.len() < LAPSED_AT_ONCE;
        for row in next.iter().filter(|_| all) {
            if let Some((_, standing)) = due.get(&row.get(0)).and_then(|place| levels.get_mut(*place)) {
                standing.next_expiry = row.get::<_, Option<Timestamp>>(1).map(Time::new);
                standing.touched = true;
            }
        }
        let hold = |row: &Row| {
            let (stream, _) = due.get(&row.get(2)).and_then(|place| levels.get(*place))?;
            Some(Lapsed {
                reservation: row.get(0),
                line: row.get(1),
                stream: stream.clone(),
                quantity: row.get(3),
                expires_at: Time::new(row.get(4)),
                reference: row.get::<_, Option<&str>>(5).map(Reference::trusted),
            })
        };
        Ok((lapsed.iter().filter_map(hold).collect(), all))
    }

    /// Writes what a batch made of reservations; sends nothing when it had none.
    pub(super) async fn write(&self, client: &Connection, decisions: &Decisions) -> Result<(), DatabaseError> {
        let (kept, settled) = futures::join!(self.keep(client, decisions), self.settle(client, decisions));
        kept.and(settled)
    }

    async fn keep(&self, client: &Connection, decisions: &Decisions) -> Result<(), DatabaseError> {
        if decisions.kept.is_empty() {
            return Ok(());
        }
        let reservations = || decisions.kept.iter().map(|kept| &kept.reservation);
        let holds = || {
            decisions
                .kept
                .iter()
                .flat_map(|kept| kept.reservation.lines.iter().zip(&kept.levels).map(move |(hold, level)| (kept, hold, *level)))
        };
        let ids: Vec<Uuid> = reservations().map(|reservation| reservation.id).collect();
        let references: Vec<Option<&str>> =
            reservations().map(|reservation| reservation.reference.as_ref().map(Reference::as_str)).collect();
        let created: Vec<Timestamp> = reservations().map(|reservation| reservation.created_at.timestamp()).collect();
        let expire: Vec<Timestamp> = reservations().map(|reservation| reservation.expires_at.timestamp()).collect();
        let of: Vec<Uuid> = holds().map(|(kept, _, _)| kept.reservation.id).collect();
        let lines: Vec<i32> = holds().map(|(_, hold, _)| hold.line).collect();
        let levels: Vec<i64> = holds().map(|(_, _, level)| level).collect();
        let quantities: Vec<i64> = holds().map(|(_, hold, _)| hold.quantity).collect();
        let until: Vec<Timestamp> = holds().map(|(kept, _, _)| kept.reservation.expires_at.timestamp()).collect();
        client.execute(&self.keep, &[&ids, &references, &created, &expire, &of, &lines, &levels, &quantities, &until]).await?;
        Ok(())
    }

    async fn settle(&self, client: &Connection, decisions: &Decisions) -> Result<(), DatabaseError> {
        let Decisions { settled, ended, .. } = decisions;
        if settled.is_empty() && ended.is_empty() {
            return Ok(());
        }
        let ids: Vec<Uuid> = settled.iter().map(|reservation| reservation.id).collect();
        let states: Vec<&str> = settled.iter().map(|reservation| reservation.state.as_str()).collect();
        let expire: Vec<Timestamp> = settled.iter().map(|reservation| reservation.expires_at.timestamp()).collect();
        let resolved: Vec<Option<Timestamp>> = settled.iter().map(|reservation| reservation.resolved_at.map(Time::timestamp)).collect();
        let of: Vec<Uuid> = ended.iter().map(|ended| ended.reservation).collect();
        let lines: Vec<i32> = ended.iter().map(|ended| ended.line).collect();
        let versions: Vec<Option<i64>> = ended.iter().map(|ended| ended.sale_version).collect();
        client.execute(&self.settle, &[&ids, &states, &expire, &resolved, &of, &lines, &versions]).await?;
        Ok(())
    }
}
