//! Deliveries: what is due is claimed, and what became of it is written down. No transaction is open while a channel works.

use std::time::Duration;

use contract::{DeliveryStatus, Time};
use jiff::Timestamp;
use postgres::{Database, DatabaseError};
use tokio_postgres::Row;
use uuid::Uuid;

use super::status_word;

/// Claims what is due and not in somebody's hands. Plan: `delivery_due` from its oldest entry to the limit; `now()` and not the clock,
/// because a volatile bound could not be used by the index. Then one primary-key look-up each.
const CLAIM: &str = "WITH due AS ( \
         SELECT notification_id, channel FROM delivery \
         WHERE channel = $1 AND status = 'pending' AND next_attempt_at <= now() AND (leased_until IS NULL OR leased_until <= now()) \
         ORDER BY next_attempt_at LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED) \
     UPDATE delivery d SET claim = d.claim + 1, leased_until = now() + make_interval(secs => $3) \
     FROM due WHERE d.notification_id = due.notification_id AND d.channel = due.channel \
     RETURNING d.notification_id, d.claim, d.step, now()";

/// Plan: function scan, one primary-key look-up a result; locked in key order, as a redelivery locks. A claim that is not the newest any more (a
/// redelivery came in between, or the lease ran out) adds its attempt and decides nothing.
const RECORD: &str = "WITH result AS ( \
         SELECT * FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::text[], $5::float8[], $6::text[], $7::integer[], $8::timestamptz[]) \
             t (notification_id, channel, claim, status, wait_seconds, error, http_status, at)), \
     locked AS ( \
         SELECT d.notification_id, d.channel FROM delivery d JOIN result r ON r.notification_id = d.notification_id AND r.channel = d.channel \
         ORDER BY d.notification_id, d.channel FOR NO KEY UPDATE OF d), \
     recorded AS ( \
         UPDATE delivery d SET \
             attempts = d.attempts + 1, \
             last_error = coalesce(r.error, d.last_error), \
             status = CASE WHEN d.claim = r.claim THEN r.status ELSE d.status END, \
             step = CASE WHEN d.claim = r.claim THEN d.step + 1 ELSE d.step END, \
             leased_until = CASE WHEN d.claim = r.claim THEN NULL ELSE d.leased_until END, \
             next_attempt_at = CASE WHEN d.claim <> r.claim THEN d.next_attempt_at \
                 WHEN r.status = 'pending' THEN clock_timestamp() + make_interval(secs => r.wait_seconds) END \
         FROM locked l JOIN result r ON r.notification_id = l.notification_id AND r.channel = l.channel \
         WHERE d.notification_id = l.notification_id AND d.channel = l.channel \
         RETURNING d.notification_id, d.channel, d.attempts, r.at, r.error, r.http_status) \
     INSERT INTO delivery_attempt (notification_id, channel, number, at, error, http_status) SELECT * FROM recorded";

/// A delivery in our hands until its lease runs out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Claimed {
    pub(crate) notification_id: Uuid,
    /// Numbers the claim: only the newest decides.
    pub(crate) claim: i64,
    /// Attempts that failed since it was raised or last redelivered.
    pub(crate) step: i32,
    /// When it was claimed, by the database's clock.
    pub(crate) at: Time,
}

/// What became of an attempt.
#[derive(Debug)]
pub(crate) struct Recorded {
    pub(crate) claimed: Claimed,
    pub(crate) channel: &'static str,
    pub(crate) status: DeliveryStatus,
    /// Before the next attempt, where there is one.
    pub(crate) wait: Duration,
    pub(crate) error: Option<String>,
    pub(crate) http_status: Option<u16>,
}

/// Claims, of each channel named, at most so many due deliveries for as long as `lease`; whoever claims them after that takes this process
/// for dead. The answer has a list for each channel.
pub(crate) async fn claim(database: &Database, rooms: &[(&str, usize)], lease: Duration) -> Result<Vec<Vec<Claimed>>, DatabaseError> {
    let mut client = database.get().await?;
    let transaction = client.transaction().await?;
    let mut claimed = Vec::with_capacity(rooms.len());
    for (channel, room) in rooms {
        let rows = postgres::query(&transaction, CLAIM, &[channel, &(*room as i64), &lease.as_secs_f64()]).await?;
        let of_row = |row: &Row| Claimed { notification_id: row.get(0), claim: row.get(1), step: row.get(2), at: Time::new(row.get(3)) };
        claimed.push(rows.iter().map(of_row).collect());
    }
    transaction.commit().await?;
    Ok(claimed)
}

/// Writes down what became of attempts, all of them in one statement. No delivery may be there twice.
pub(crate) async fn record(database: &Database, results: &[Recorded]) -> Result<(), DatabaseError> {
    let mut client = database.get().await?;
    let transaction = client.transaction().await?;
    let ids: Vec<Uuid> = results.iter().map(|result| result.claimed.notification_id).collect();
    let channels: Vec<&str> = results.iter().map(|result| result.channel).collect();
    let claims: Vec<i64> = results.iter().map(|result| result.claimed.claim).collect();
    let statuses: Vec<&str> = results.iter().map(|result| status_word(result.status)).collect();
    let waits: Vec<f64> = results.iter().map(|result| result.wait.as_secs_f64()).collect();
    let errors: Vec<Option<&str>> = results.iter().map(|result| result.error.as_deref()).collect();
    let http: Vec<Option<i32>> = results.iter().map(|result| result.http_status.map(i32::from)).collect();
    let times: Vec<Timestamp> = results.iter().map(|result| result.claimed.at.timestamp()).collect();
    postgres::execute(&transaction, RECORD, &[&ids, &channels, &claims, &statuses, &waits, &errors, &http, &times]).await?;
    Ok(transaction.commit().await?)
}
