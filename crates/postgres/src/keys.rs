//! Idempotency keys: a write that is sent again has its effect once, and gets the same answer.
//!
//! It knows no HTTP: an answer is a status, a body and two texts, which the routes turn into a response.
//!
//! **The week's boundary.** Keys are unique per weekly partition only: a table by weeks can hold no wider unique constraint. So the same key, first
//! used by one transaction that began on Sunday and by another that began on Monday, meets no unique violation. What keeps it to one effect:
//! - [`claim`] takes an advisory lock on the key first, which knows no weeks, and then looks into all partitions that may hold a key of the last 7
//!   days. The one who waited looks after the other has committed, whichever week either of them began in.
//! - Batches ([`read`], then [`write()`]) leave it to the unique index, except around the turn of the week, when [`week_turn`] has `read` take the
//!   same locks.

use std::collections::HashMap;
use std::fmt;

use deadpool_postgres::{GenericClient, Transaction};
use sha2::{Digest, Sha256};
use tokio_postgres::Row;
use uuid::Uuid;

use crate::{Database, DatabaseError, execute, query};

/// The table of keys, its functions and its first partitions. A migration of every service that takes writes.
pub const SCHEMA: &str = include_str!("keys.sql");

/// The table of keys, as the first migration of every service that takes writes.
pub const MIGRATION: crate::Migration = crate::Migration { version: 1, name: "keys", sql: SCHEMA };

/// Has [`read`] lock its keys while the week turns, for services that write keys by batches. A migration of its own, with a number of theirs.
pub const fn week_turn(version: u32) -> crate::Migration {
    crate::Migration { version, name: "week_turn", sql: include_str!("week_turn.sql") }
}

/// One lock a key, held to the end of the transaction. Sent together with [`INSERT_UNLESS_KNOWN`].
const LOCK: &str = "SELECT pg_advisory_xact_lock($1)";

/// Claims a key that nobody used within 7 days. Plan: `idempotency_key_read`, which looks into the primary keys of three weeks.
const INSERT_UNLESS_KNOWN: &str = "
    INSERT INTO idempotency_key (key, week, request_hash, status)
    SELECT $1, idempotency_key_week(now()), $2, 0
    WHERE NOT EXISTS (SELECT FROM idempotency_key_read(ARRAY[$1::uuid]))
    ON CONFLICT DO NOTHING";

/// Plan: `idempotency_key_read`, one primary-key look-up a key in each of three weeks. Of two rows of a key the latest comes last and counts.
const SELECT: &str = "SELECT key, request_hash, status, body, location, etag FROM idempotency_key_read($1) ORDER BY created_at";

/// Plan: one primary-key look-up, in this transaction's own partition.
const UPDATE_ANSWER: &str = "
    UPDATE idempotency_key SET status = $2, body = $3, location = $4, etag = $5
    WHERE key = $1 AND week = idempotency_key_week(now()) AND status = 0";

/// Plan: one function scan, in the order given, which is that of the stored bytes: two batches that share keys wait for one another in one order.
const INSERT_MANY: &str = "
    INSERT INTO idempotency_key (key, week, request_hash, status, body, location, etag)
    SELECT t.key, idempotency_key_week(now()), t.request_hash, t.status, t.body, t.location, t.etag
    FROM unnest($1::uuid[], $2::bytea[], $3::smallint[], $4::bytea[], $5::text[], $6::text[]) t(key, request_hash, status, body, location, etag)";

const MAINTAIN: &str = "SELECT idempotency_key_maintain()";

/// An idempotency key as it is stored: the first 16 bytes of SHA-256 of its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Uuid);

impl Key {
    /// Makes the key of a text. Row n of an import is `<key>:<n>`.
    pub fn of(text: &str) -> Self {
        let digest = Sha256::digest(text.as_bytes());
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&digest[..16]);
        Self(Uuid::from_bytes(bytes))
    }

    /// The value in the `key` column, for a statement that writes keys beside other things.
    pub fn to_uuid(self) -> Uuid {
        self.0
    }

    /// The number of its advisory lock. Two keys that share one merely wait for one another.
    fn lock_number(self) -> i64 {
        self.0.as_u64_pair().0 as i64
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a request was, as SHA-256 of method, path and body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RequestHash([u8; 32]);

impl RequestHash {
    /// Hashes a request. No method and no path holds the byte that parts them.
    pub fn of(method: &str, path: &str, body: &[u8]) -> Self {
        let mut digest = Sha256::new();
        for part in [method.as_bytes(), b"\0", path.as_bytes(), b"\0", body] {
            digest.update(part);
        }
        Self(digest.finalize().into())
    }

    /// The value in the `request_hash` column.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// An answer as it was given the first time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// The body's bytes; an import's rows store none.
    pub body: Option<Vec<u8>>,
    /// The `Location` header.
    pub location: Option<String>,
    /// The `ETag` header.
    pub etag: Option<String>,
}

/// What a key means for the request that brings it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// It is the first: do the work, then [`fill`] in the same transaction, or roll back when nothing is to be stored.
    Mine,
    /// The same request was answered before.
    Replay(Answer),
    /// Another request used this key.
    Mismatch,
}

/// Claims `key` for a request; waits for another transaction that has claimed it.
///
/// The transaction must be READ COMMITTED, which is the default. A transaction should claim one key, or a bounded number in one order everywhere: each
/// is a lock in memory. It must end in [`fill`] or in a rollback; a claim that was committed unanswered is an error to all who come later.
pub async fn claim(tx: &Transaction<'_>, key: &Key, request: &RequestHash) -> Result<Claim, DatabaseError> {
    let (lock, insert) = (tx.prepare_cached(LOCK).await?, tx.prepare_cached(INSERT_UNLESS_KNOWN).await?);
    // Polled in this order they are sent in this order, in one round trip; the insert's snapshot is taken when the lock is had.
    let lock_number = key.lock_number();
    let request_hash = request.as_bytes();
    let (locked, inserted) =
        futures::join!(async { tx.query_one(&lock, &[&lock_number]).await }, async { tx.execute(&insert, &[&key.0, &request_hash]).await });
    locked?;
    if inserted? == 1 {
        return Ok(Claim::Mine);
    }
    match read(tx, &[*key]).await?.remove(key) {
        Some((stored, answer)) if stored == *request => Ok(Claim::Replay(answer)),
        Some(_) => Ok(Claim::Mismatch),
        None => Err(DatabaseError::Unanswered(key.0)),
    }
}

/// Stores the answer of what [`claim`] made [`Claim::Mine`] in this transaction.
pub async fn fill(tx: &Transaction<'_>, key: &Key, answer: &Answer) -> Result<(), DatabaseError> {
    let status = answer.status.cast_signed();
    let updated = execute(tx, UPDATE_ANSWER, &[&key.0, &status, &answer.body, &answer.location, &answer.etag]).await?;
    if updated == 1 { Ok(()) } else { Err(DatabaseError::Unanswered(key.0)) }
}

/// Makes ready what [`read`] and [`write()`] send, for who sends more right behind them without waiting.
///
/// A connection's first use of a statement asks the server to prepare it and waits: a COMMIT that is polled next would be sent before the statement
/// itself, and the keys would be written by themselves, after it.
pub async fn prepare(client: &impl GenericClient) -> Result<(), DatabaseError> {
    client.prepare_cached(SELECT).await?;
    client.prepare_cached(INSERT_MANY).await?;
    Ok(())
}

/// Reads the answers stored with `keys` within 7 days; an unknown key is absent. Call it after taking the locks that the decision stands on.
pub async fn read(tx: &impl GenericClient, keys: &[Key]) -> Result<HashMap<Key, (RequestHash, Answer)>, DatabaseError> {
    let keys = keys.iter().map(|key| key.0).collect::<Vec<_>>();
    let rows = query(tx, SELECT, &[&keys]).await?;
    rows.iter().map(|row| from_row(row).map(|(key, request, answer)| (key, (request, answer)))).collect()
}

/// Stores answers in one statement, sorted by key.
///
/// Sent in one round trip with a COMMIT behind it, it needs [`prepare`] before.
/// A key that another transaction used this week surfaces as `SqlState::UNIQUE_VIOLATION`: roll back and run the batch again, its [`read`] now finds it.
pub async fn write(tx: &impl GenericClient, rows: &[(Key, RequestHash, Answer)]) -> Result<(), DatabaseError> {
    let mut sorted = rows.iter().collect::<Vec<_>>();
    sorted.sort_unstable_by_key(|(key, _, _)| *key);
    let keys = sorted.iter().map(|row| row.0.0).collect::<Vec<_>>();
    let hashes = sorted.iter().map(|row| row.1.as_bytes()).collect::<Vec<_>>();
    let statuses = sorted.iter().map(|row| row.2.status.cast_signed()).collect::<Vec<_>>();
    let bodies = sorted.iter().map(|row| row.2.body.as_deref()).collect::<Vec<_>>();
    let locations = sorted.iter().map(|row| row.2.location.as_deref()).collect::<Vec<_>>();
    let etags = sorted.iter().map(|row| row.2.etag.as_deref()).collect::<Vec<_>>();
    execute(tx, INSERT_MANY, &[&keys, &hashes, &statuses, &bodies, &locations, &etags]).await?;
    Ok(())
}

/// Makes the partitions of the 8 weeks ahead and drops those that hold nothing younger than 7 days. Call it at start and every hour.
pub async fn maintain(db: &Database) -> Result<(), DatabaseError> {
    execute(&db.get().await?, MAINTAIN, &[]).await?;
    Ok(())
}

fn from_row(row: &Row) -> Result<(Key, RequestHash, Answer), DatabaseError> {
    let key: Uuid = row.try_get(0)?;
    let hash: &[u8] = row.try_get(1)?;
    let status: i16 = row.try_get(2)?;
    if status == 0 {
        return Err(DatabaseError::Unanswered(key));
    }
    // A hash of another length is none of ours and equals no request.
    let mut request_hash = [0; 32];
    if hash.len() == request_hash.len() {
        request_hash.copy_from_slice(hash);
    }
    let answer = Answer { status: status.cast_unsigned(), body: row.try_get(3)?, location: row.try_get(4)?, etag: row.try_get(5)? };
    Ok((Key(key), RequestHash(request_hash), answer))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_the_first_half_of_its_digest() {
        // sha256("abc") = ba7816bf 8f01cfea 414140de 5dae2223 ... (FIPS 180-2)
        assert_eq!(Key::of("abc").to_string(), "ba7816bf-8f01-cfea-4141-40de5dae2223");
    }

    #[test]
    fn every_part_of_a_request_counts() {
        let request = RequestHash::of("POST", "/v1/products", b"{}");
        assert_eq!(request, RequestHash::of("POST", "/v1/products", b"{}"));
        for other in [
            RequestHash::of("PUT", "/v1/products", b"{}"),
            RequestHash::of("POST", "/v1/product", b"s{}"),
            RequestHash::of("POST", "/v1/products", b"{ }"),
        ] {
            assert_ne!(request, other);
        }
    }
}
