//! Appending to a journal table, for services whose journal is not their ledger.

use contract::{Event, Time, Topic};
use postgres::{DatabaseError, Transaction};
use serde::Serialize;
use serde_json::value::RawValue;
use tokio_postgres::Row;

use crate::Table;

/// An event to be recorded.
#[derive(Debug)]
pub struct Entry<'a, D> {
    /// The stream.
    pub stream: &'a str,
    /// Its next version, taken under the stream's row lock.
    pub version: i64,
    /// The event's type.
    pub kind: &'a str,
    /// The product's id.
    pub partition_key: String,
    /// When it happened.
    pub occurred_at: Time,
    /// When it was recorded: taken after the lock.
    pub recorded_at: Time,
    /// The event's data.
    pub data: &'a D,
}

const APPEND: &str = "INSERT INTO journal (stream, version, type, partition_key, occurred_at, recorded_at, data) \
     SELECT * FROM unnest($1::text[], $2::bigint[], $3::text[], $4::text[], $5::timestamptz[], $6::timestamptz[], $7::text[])";

/// Appends events, in order. The rows are part of `transaction`: with it they stand or fall.
pub async fn append<D: Serialize>(transaction: &Transaction<'_>, entries: &[Entry<'_, D>]) -> Result<(), DatabaseError> {
    if entries.is_empty() {
        return Ok(());
    }
    let data = entries.iter().map(|entry| serde_json::to_string(entry.data)).collect::<Result<Vec<_>, _>>();
    let data = data.map_err(DatabaseError::codec)?;
    let streams: Vec<&str> = entries.iter().map(|entry| entry.stream).collect();
    let versions: Vec<i64> = entries.iter().map(|entry| entry.version).collect();
    let kinds: Vec<&str> = entries.iter().map(|entry| entry.kind).collect();
    let keys: Vec<&str> = entries.iter().map(|entry| entry.partition_key.as_str()).collect();
    let occurred: Vec<_> = entries.iter().map(|entry| entry.occurred_at.timestamp()).collect();
    let recorded: Vec<_> = entries.iter().map(|entry| entry.recorded_at.timestamp()).collect();
    postgres::execute(transaction, APPEND, &[&streams, &versions, &kinds, &keys, &occurred, &recorded, &data]).await.map(|_| ())
}

/// How a journal table of this room is read, for the service that publishes on `topic`.
pub fn table(topic: Topic) -> Table {
    Table {
        from: "journal j",
        columns: "j.id, j.stream, j.version, j.type, j.partition_key, j.occurred_at, j.recorded_at, j.traceparent, j.data",
        bytes: "octet_length(j.data)",
        of_stream: "j.stream = $1",
        event: match topic {
            Topic::ProductEvents => |row| event(row, Topic::ProductEvents.source()),
            Topic::StockChanges => |row| event(row, Topic::StockChanges.source()),
            Topic::Notifications => |row| event(row, Topic::Notifications.source()),
        },
    }
}

fn event(row: &Row, source: &'static str) -> Result<Event, DatabaseError> {
    let (stream, version): (String, i64) = (row.get(1), row.get(2));
    Ok(Event {
        id: Event::id_of(source, &stream, version),
        source: source.to_owned(),
        kind: row.get(3),
        subject: stream,
        time: Time::new(row.get(5)),
        version,
        recorded_at: Time::new(row.get(6)),
        partition_key: row.get(4),
        traceparent: row.get(7),
        position: None,
        data: RawValue::from_string(row.get(8)).map_err(DatabaseError::codec)?,
    })
}
