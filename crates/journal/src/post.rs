//! Sending dead letters on: whoever leads the database takes those that were not sent yet to their office and marks them.
//!
//! What is sent but not marked goes twice: a letter has an id of its own message, and nobody acts on letters by machine. It knows no broker.

use std::time::Duration;

use bus::{Alien, DeadLetter, DeadLetterOffice, Incoming, Message, Origin};
use contract::Event;
use postgres::{Database, DatabaseError};
use tokio::time::timeout;
use tokio_postgres::Row;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Letters that go together: few, because each may be as large as a message of Kafka.
const LETTERS: i64 = 10;
/// Between two looks at the table: nobody is in a hurry.
const LOOK: Duration = Duration::from_secs(1);
/// After a letter could not be sent.
const BACK_OFF: Duration = Duration::from_secs(5);

/// By the index over unsent ones.
const UNPOSTED: &str = "SELECT id, event, error, topic, partition, \"offset\", key, header_names, header_values, bytes FROM dead_letter \
     WHERE posted_at IS NULL ORDER BY created_at, id LIMIT $1";
/// None where another leads by now: then that one sends them again.
const POSTED: &str = "UPDATE dead_letter SET posted_at = clock_timestamp() WHERE id = ANY ($1) AND posted_at IS NULL \
     AND EXISTS (SELECT FROM lease WHERE epoch = $2)";

/// Why letters were not sent.
#[derive(Debug, thiserror::Error)]
enum Unsent {
    #[error(transparent)]
    Database(#[from] DatabaseError),
    #[error(transparent)]
    Undelivered(#[from] bus::Undelivered),
}

/// Sends the letters of `consumer` on until `stop`. Only the leader runs it.
pub async fn run(database: Database, consumer: String, office: &dyn DeadLetterOffice, epoch: i64, stop: CancellationToken) {
    while !stop.is_cancelled() {
        let pause = match send(&database, &consumer, office, epoch).await {
            Ok(sent) if sent < LETTERS as usize => LOOK,
            Ok(_) => continue,
            Err(error) => {
                tracing::warn!(error = %fault::chain(&error), "dead letters wait to be sent on");
                BACK_OFF
            }
        };
        let _ = timeout(pause, stop.cancelled()).await;
    }
}

/// Sends what is there, one page of it; says how many.
async fn send(database: &Database, consumer: &str, office: &dyn DeadLetterOffice, epoch: i64) -> Result<usize, Unsent> {
    let client = database.get().await?;
    let rows = postgres::query(&client, UNPOSTED, &[&LETTERS]).await?;
    drop(client);
    if rows.is_empty() {
        return Ok(0);
    }
    let letters: Vec<DeadLetter> = rows.iter().map(|row| letter(row, consumer)).collect();
    office.post(&letters).await?;
    let ids: Vec<Uuid> = rows.iter().map(|row| row.get("id")).collect();
    let client = database.get().await?;
    postgres::execute(&client, POSTED, &[&ids, &epoch]).await?;
    Ok(rows.len())
}

/// A row as it is sent: the message as it came, or the event where it is the producer's own copy that could not be applied.
fn letter(row: &Row, consumer: &str) -> DeadLetter {
    let (error, event): (String, String) = (row.get("error"), row.get("event"));
    let message = match (row.get::<_, Option<Vec<u8>>>("bytes"), Event::from_json(event.as_bytes())) {
        (None, Ok(event)) => Incoming::Event(event),
        (bytes, _) => {
            let (names, values): (Option<Vec<String>>, Option<Vec<Vec<u8>>>) = (row.get("header_names"), row.get("header_values"));
            let headers = names.unwrap_or_default().into_iter().zip(values.unwrap_or_default()).collect();
            let bytes = bytes.unwrap_or_else(|| event.into_bytes());
            let message = Message { key: row.get("key"), headers, bytes, origin: origin(row) };
            Incoming::Alien(Alien { message, cause: error.clone() })
        }
    };
    DeadLetter { message, error, consumer: consumer.to_owned() }
}

fn origin(row: &Row) -> Option<Origin> {
    let topic: Option<String> = row.get("topic");
    Some(Origin { topic: topic?.into(), partition: row.get::<_, Option<i32>>("partition")?, offset: row.get::<_, Option<i64>>("offset")? })
}
