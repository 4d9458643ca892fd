//! Levels and ledger rows of a batch, column by column, as one statement takes them whatever their number.
//!
//! It knows the two tables and nothing of how a batch was decided.

use jiff::Timestamp;
use postgres::{Connection, DatabaseError};
use rust_decimal::Decimal;
use tokio_postgres::Statement;
use uuid::Uuid;

use crate::decide::{Decisions, Row, Standing};

/// Levels and ledger rows in one statement. Rows are inserted in the order given, so that ids rise along each stream.
const WRITE: &str = "WITH levels AS (UPDATE level l SET on_hand = b.on_hand, reserved = b.reserved, version = b.version, \
         recorded_at = b.recorded_at, occurred_at = b.occurred_at, next_expiry = b.next_expiry \
       FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::timestamptz[], $6::timestamptz[], $7::timestamptz[]) \
         b (id, on_hand, reserved, version, recorded_at, occurred_at, next_expiry) \
       WHERE l.id = b.id) \
     INSERT INTO ledger (level_id, version, kind, change_id, quantity, delta, delta_reserved, on_hand, reserved, product_version, \
       unit_price, reason, reference, occurred_at, occurred_max, recorded_at) \
     SELECT level_id, version, kind::row_kind, change_id, quantity, delta, delta_reserved, on_hand, reserved, product_version, \
       unit_price, reason, reference, occurred_at, occurred_max, recorded_at \
     FROM unnest($8::bigint[], $9::bigint[], $10::text[], $11::uuid[], $12::bigint[], $13::bigint[], $14::bigint[], $15::bigint[], $16::bigint[], \
       $17::bigint[], $18::numeric[], $19::text[], $20::text[], $21::timestamptz[], $22::timestamptz[], $23::timestamptz[]) \
       r (level_id, version, kind, change_id, quantity, delta, delta_reserved, on_hand, reserved, product_version, unit_price, reason, reference, \
          occurred_at, occurred_max, recorded_at)";

/// The statement, prepared.
pub(super) struct Write(Statement);

impl Write {
    pub(super) async fn prepare(client: &Connection) -> Result<Self, DatabaseError> {
        Ok(Self(client.prepare(WRITE).await?))
    }

    /// Sends what a batch leaves; nothing when it leaves nothing.
    pub(super) async fn send(&self, client: &Connection, decisions: &Decisions) -> Result<(), DatabaseError> {
        if decisions.levels.is_empty() {
            return Ok(());
        }
        let levels = Levels::of(&decisions.levels);
        let rows = Rows::of(&decisions.rows);
        let written = client
            .execute(
                &self.0,
                &[
                    &levels.ids,
                    &levels.on_hand,
                    &levels.reserved,
                    &levels.versions,
                    &levels.recorded_at,
                    &levels.occurred_at,
                    &levels.next_expiry,
                    &rows.level_ids,
                    &rows.versions,
                    &rows.kinds,
                    &rows.change_ids,
                    &rows.quantities,
                    &rows.deltas,
                    &rows.deltas_reserved,
                    &rows.on_hand,
                    &rows.reserved,
                    &rows.product_versions,
                    &rows.unit_prices,
                    &rows.reasons,
                    &rows.references,
                    &rows.occurred_at,
                    &rows.occurred_max,
                    &rows.recorded_at,
                ],
            )
            .await?;
        debug_assert_eq!(written, decisions.rows.len() as u64, "every row is written");
        Ok(())
    }
}

/// The levels that a batch leaves.
#[derive(Default)]
struct Levels {
    ids: Vec<i64>,
    on_hand: Vec<i64>,
    reserved: Vec<i64>,
    versions: Vec<i64>,
    recorded_at: Vec<Timestamp>,
    occurred_at: Vec<Option<Timestamp>>,
    next_expiry: Vec<Option<Timestamp>>,
}

impl Levels {
    fn of(levels: &[Standing]) -> Self {
        let mut columns = Self::default();
        for standing in levels {
            columns.ids.push(standing.id);
            columns.on_hand.push(standing.level.on_hand);
            columns.reserved.push(standing.level.reserved);
            columns.versions.push(standing.level.version);
            columns.recorded_at.push(standing.recorded_at.timestamp());
            columns.occurred_at.push(standing.occurred_at.map(contract::Time::timestamp));
            columns.next_expiry.push(standing.next_expiry.map(contract::Time::timestamp));
        }
        columns
    }
}

/// The rows that a batch adds.
#[derive(Default)]
struct Rows<'a> {
    level_ids: Vec<i64>,
    versions: Vec<i64>,
    kinds: Vec<&'static str>,
    change_ids: Vec<Option<Uuid>>,
    quantities: Vec<Option<i64>>,
    deltas: Vec<i64>,
    deltas_reserved: Vec<i64>,
    on_hand: Vec<i64>,
    reserved: Vec<i64>,
    product_versions: Vec<i64>,
    unit_prices: Vec<Option<Decimal>>,
    reasons: Vec<Option<&'a str>>,
    references: Vec<Option<&'a str>>,
    occurred_at: Vec<Timestamp>,
    occurred_max: Vec<Option<Timestamp>>,
    recorded_at: Vec<Timestamp>,
}

impl<'a> Rows<'a> {
    fn of(rows: &'a [Row]) -> Self {
        let mut columns = Self::default();
        for row in rows {
            columns.level_ids.push(row.level_id);
            columns.versions.push(row.version);
            columns.kinds.push(row.kind);
            columns.change_ids.push(row.change_id);
            columns.quantities.push(row.quantity);
            columns.deltas.push(row.delta);
            columns.deltas_reserved.push(row.delta_reserved);
            columns.on_hand.push(row.on_hand);
            columns.reserved.push(row.reserved);
            columns.product_versions.push(row.product_version);
            columns.unit_prices.push(row.unit_price.map(contract::Money::amount));
            columns.reasons.push(row.reason.as_ref().map(contract::Reason::as_str));
            columns.references.push(row.reference.as_ref().map(contract::Reference::as_str));
            columns.occurred_at.push(row.occurred_at.timestamp());
            columns.occurred_max.push(row.occurred_max.map(contract::Time::timestamp));
            columns.recorded_at.push(row.recorded_at.timestamp());
        }
        columns
    }
}
