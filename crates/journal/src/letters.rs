//! Dead letters: what could not be applied, kept as it came, and the streams that are parked because of it.

use std::borrow::Cow;

use bus::{Alien, Message, Origin};
use contract::Time;
use postgres::{Database, DatabaseError, Transaction};
use serde::Serialize;
use serde_json::value::RawValue;
use tokio_postgres::types::ToSql;
use utoipa::ToSchema;
use uuid::Uuid;

/// Why an event was put aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Something before it is missing and could not be fetched.
    Gap,
    /// It cannot be applied, nor can the producer's own copy.
    Broken,
    /// Its version was given a second time.
    Rewritten,
    /// It is no event at all.
    Alien,
}

impl Reason {
    /// The word in the table and in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gap => "gap",
            Self::Broken => "broken",
            Self::Rewritten => "rewritten",
            Self::Alien => "alien",
        }
    }
}

/// A dead letter.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Letter {
    /// Its own id.
    pub id: Uuid,
    /// The stream that is parked because of it; null for what names none.
    pub stream: Option<String>,
    /// The version at which the stream stands still.
    pub version: Option<i64>,
    /// Where it came from.
    pub topic: Option<String>,
    /// `gap`, `broken`, `rewritten` or `alien`.
    pub reason: String,
    /// What went wrong, for people.
    pub error: String,
    /// The event as it came.
    #[schema(value_type = Object)]
    pub event: Box<RawValue>,
    /// When it was put aside.
    pub created_at: Time,
    /// When it was last tried again.
    pub retried_at: Option<Time>,
    /// When a retry went through; null while it waits.
    pub resolved_at: Option<Time>,
}

/// What is known of an event that is put aside.
pub(crate) struct Wreck<'a> {
    pub(crate) stream: Option<&'a str>,
    pub(crate) version: Option<i64>,
    pub(crate) topic: Option<&'a str>,
    pub(crate) reason: Reason,
    pub(crate) error: &'a str,
    /// It in JSON, unless it is no event.
    pub(crate) event: Option<&'a str>,
    /// The message as it came; none if it was not the one that came, but the producer's own copy.
    pub(crate) message: Option<&'a Message>,
}

impl<'a> Wreck<'a> {
    /// What is no event: nothing is known but what came.
    pub(crate) fn of_alien(Alien { message, cause }: &'a Alien) -> Self {
        let topic = message.origin.as_ref().map(|origin| &*origin.topic);
        Self { stream: None, version: None, topic, reason: Reason::Alien, error: cause, event: None, message: Some(message) }
    }

    fn origin(&self) -> Option<&Origin> {
        self.message?.origin.as_ref()
    }

    /// Its letter's id. The same alien twice is one letter: the one of a place on a broker, or else that of its bytes.
    fn id(&self) -> Uuid {
        let (None, Some(message)) = (self.event, self.message) else { return Uuid::now_v7() };
        let text = String::from_utf8_lossy(&message.bytes);
        let name = match self.origin() {
            Some(Origin { topic, partition, offset }) => Cow::Owned(format!("{topic}/{partition}/{offset}/{text}")),
            None => text,
        };
        Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes())
    }

    /// What is shown of it: JSON as it came, or a JSON text.
    fn shown(&self) -> Result<String, DatabaseError> {
        let bytes = self.message.map_or(&[][..], |message| &message.bytes);
        let event = self.event.map_or_else(|| String::from_utf8_lossy(bytes), Cow::Borrowed);
        if serde_json::from_str::<&RawValue>(&event).is_ok() {
            return Ok(event.into_owned());
        }
        serde_json::to_string(&event).map_err(DatabaseError::codec)
    }
}

/// A stream that is parked already keeps its first letter.
const PUT: &str = "INSERT INTO dead_letter \
     (id, stream, version, topic, reason, error, event, partition, \"offset\", key, header_names, header_values, bytes) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) ON CONFLICT DO NOTHING";
const PARK: &str = "INSERT INTO applied (stream, version, parked) VALUES ($1, 0, true) \
     ON CONFLICT (stream) DO UPDATE SET parked = true";
const RESOLVE: &str =
    "UPDATE dead_letter SET resolved_at = clock_timestamp(), retried_at = clock_timestamp() WHERE stream = $1 AND resolved_at IS NULL";
const UNPARK: &str = "UPDATE applied SET parked = false WHERE stream = $1 AND parked";
const RETRIED: &str = "UPDATE dead_letter SET retried_at = clock_timestamp(), error = $2 WHERE stream = $1 AND resolved_at IS NULL";
const COLUMNS: &str = "SELECT id, stream, version, topic, reason, error, event, created_at, retried_at, resolved_at FROM dead_letter";

/// Puts a wreck aside and parks its stream, in one transaction. The same alien twice is one letter.
pub(crate) async fn put(database: &Database, wreck: &Wreck<'_>) -> Result<(), DatabaseError> {
    let mut client = database.get().await?;
    let transaction = client.transaction().await?;
    // Locks in the fence's order: the stream's row first.
    if let Some(stream) = wreck.stream {
        postgres::execute(&transaction, PARK, &[&stream]).await?;
    }
    let (id, event, origin) = (wreck.id(), wreck.shown()?, wreck.origin());
    let Wreck { stream, version, topic, reason, error, message, .. } = wreck;
    // It may quote what came, and PostgreSQL keeps no such character.
    let error = error.replace('\0', "\u{fffd}");
    let (partition, offset) = (origin.map(|origin| origin.partition), origin.map(|origin| origin.offset));
    let (key, bytes) = (message.and_then(|message| message.key.as_deref()), message.map(|message| message.bytes.as_slice()));
    let headers = message.map(|message| message.headers.iter().map(|(name, value)| (name.as_str(), value.as_slice())).unzip());
    let (names, values): (Option<Vec<&str>>, Option<Vec<&[u8]>>) = headers.unzip();
    let parameters: [&(dyn ToSql + Sync); 13] =
        [&id, stream, version, topic, &reason.as_str(), &error, &event, &partition, &offset, &key, &names, &values, &bytes];
    postgres::execute(&transaction, PUT, &parameters).await?;
    transaction.commit().await?;
    metrics::counter!("gudang_dead_letters_total", "reason" => reason.as_str()).increment(1);
    tracing::error!(event.stream = stream, event.version = version, reason = reason.as_str(), error = error, "an event was put aside");
    Ok(())
}

/// Marks the letters of a stream as done and lets the stream go on, as part of `transaction`.
pub(crate) async fn resolve(transaction: &Transaction<'_>, stream: &str) -> Result<(), DatabaseError> {
    postgres::execute(transaction, UNPARK, &[&stream]).await?;
    postgres::execute(transaction, RESOLVE, &[&stream]).await.map(|_| ())
}

/// Notes that a retry failed again, and why.
pub(crate) async fn retried(database: &Database, stream: &str, error: &str) -> Result<(), DatabaseError> {
    let client = database.get().await?;
    postgres::execute(&client, RETRIED, &[&stream, &error]).await.map(|_| ())
}

/// Streams that are parked for `reason`, at most a hundred, longest untried first.
pub(crate) async fn parked(database: &Database, reason: Reason) -> Result<Vec<(String, String)>, DatabaseError> {
    const PARKED: &str = "SELECT stream, coalesce(topic, '') FROM dead_letter WHERE resolved_at IS NULL AND reason = $1 AND stream IS NOT NULL \
         ORDER BY coalesce(retried_at, created_at) LIMIT 100";
    let client = database.get().await?;
    let rows = postgres::query(&client, PARKED, &[&reason.as_str()]).await?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

/// A letter by its id.
pub async fn find(database: &Database, id: Uuid) -> Result<Option<Letter>, DatabaseError> {
    let client = database.get().await?;
    let row = postgres::query_opt(&client, &format!("{COLUMNS} WHERE id = $1"), &[&id]).await?;
    row.as_ref().map(letter).transpose()
}

/// Letters, newest first, behind the one that ended the last page.
pub async fn list(database: &Database, after: Option<(Time, Uuid)>, limit: i64) -> Result<Vec<Letter>, DatabaseError> {
    let client = database.get().await?;
    let sql = format!("{COLUMNS} WHERE $1::timestamptz IS NULL OR (created_at, id) < ($1, $2) ORDER BY created_at DESC, id DESC LIMIT $3");
    let (created, id) = (after.map(|(time, _)| time.timestamp()), after.map(|(_, id)| id));
    let rows = postgres::query(&client, &sql, &[&created, &id, &limit]).await?;
    rows.iter().map(letter).collect()
}

fn letter(row: &tokio_postgres::Row) -> Result<Letter, DatabaseError> {
    Ok(Letter {
        id: row.get(0),
        stream: row.get(1),
        version: row.get(2),
        topic: row.get(3),
        reason: row.get(4),
        error: row.get(5),
        event: RawValue::from_string(row.get(6)).map_err(DatabaseError::codec)?,
        created_at: Time::new(row.get(7)),
        retried_at: row.get::<_, Option<jiff::Timestamp>>(8).map(Time::new),
        resolved_at: row.get::<_, Option<jiff::Timestamp>>(9).map(Time::new),
    })
}
