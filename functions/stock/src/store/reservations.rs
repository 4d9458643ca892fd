//! Reservations as they are read: one with all that became of it, and the streams in which holds have lapsed. They are written by `ledger` alone.

use contract::{Change, Location, ProductId, Reference, Sku, StockStream, Time};
use jiff::Timestamp;
use postgres::{Database, DatabaseError};
use tokio_postgres::Row;
use uuid::Uuid;

use super::movements;
use crate::order::{Hold, Reservation, State};

/// A reservation with its lines, a row a line: what [`reservation`] reads from [`TABLES`].
pub(crate) const COLUMNS: &str = "r.id, r.reference, r.created_at, r.expires_at, r.state, r.resolved_at, \
     h.line, l.product_id, p.sku, l.location, h.quantity, h.counted";

/// Primary keys all through, once the reservation's id is given.
pub(crate) const TABLES: &str = "reservation r JOIN hold h ON h.reservation_id = r.id JOIN level l ON l.id = h.level_id \
     JOIN product p ON p.product_id = l.product_id";

/// One reservation; of a line that was sold the ledger row too, by (level_id, version).
fn read_sql() -> String {
    format!(
        "SELECT {COLUMNS}, now(), {} FROM {TABLES} LEFT JOIN ledger j ON j.level_id = h.level_id AND j.version = h.sale_version \
         WHERE r.id = $1 ORDER BY h.line",
        movements::COLUMNS
    )
}

/// Streams whose holds have lapsed without a row of it, those first that lapsed first: a range of `hold_by_expiry`.
const LAPSED: &str = "SELECT DISTINCT l.product_id, l.location \
     FROM (SELECT level_id FROM hold WHERE counted AND expires_at <= now() ORDER BY expires_at LIMIT $1) h JOIN level l ON l.id = h.level_id \
     ORDER BY l.product_id, l.location";

/// A reservation as it was found.
pub struct Found {
    /// As it stands.
    pub reservation: Reservation,
    /// The sales that it became, once it is confirmed.
    pub changes: Option<Vec<Change>>,
    /// The database's clock when it was read.
    pub now: Time,
}

/// Reads one reservation; `None` when there is none.
pub async fn read(database: &Database, id: Uuid) -> Result<Option<Found>, DatabaseError> {
    let client = database.get().await?;
    let rows = postgres::query(&client, &read_sql(), &[&id]).await?;
    let Some(reservation) = reservation(&rows) else { return Ok(None) };
    let changes = (reservation.state == State::Confirmed).then(|| rows.iter().filter_map(|row| movements::change(row, 13)).collect());
    Ok(rows.first().map(|row| Found { reservation, changes, now: Time::new(row.get(12)) }))
}

/// One reservation from its rows; `None` where there are none.
pub(crate) fn reservation(rows: &[Row]) -> Option<Reservation> {
    let first = rows.first()?;
    let state = State::parse(first.get(4))?;
    Some(Reservation {
        id: first.get(0),
        reference: first.get::<_, Option<&str>>(1).map(Reference::trusted),
        created_at: Time::new(first.get(2)),
        expires_at: Time::new(first.get(3)),
        state,
        resolved_at: first.get::<_, Option<Timestamp>>(5).map(Time::new),
        swept: state == State::Active && rows.iter().any(|row| !row.get::<_, bool>(11)),
        lines: rows.iter().map(hold).collect(),
    })
}

/// Finds streams in which holds have lapsed that are counted still, at most `holds` of them.
pub async fn lapsed(database: &Database, holds: i64) -> Result<Vec<StockStream>, DatabaseError> {
    let client = database.get().await?;
    let rows = postgres::query(&client, LAPSED, &[&holds]).await?;
    Ok(rows.iter().map(|row| StockStream { product_id: ProductId(row.get(0)), location: Location::trusted(row.get(1)) }).collect())
}

fn hold(row: &Row) -> Hold {
    Hold {
        line: row.get(6),
        stream: StockStream { product_id: ProductId(row.get(7)), location: Location::trusted(row.get(9)) },
        sku: Sku::trusted(row.get(8)),
        quantity: row.get(10),
    }
}
