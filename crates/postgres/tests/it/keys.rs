//! Idempotency keys: one effect, one answer, for 7 days.

use std::time::Duration;

use postgres::keys::{self, Answer, Claim, Key, RequestHash};
use postgres::{Database, DatabaseError, Migration};
use tokio_postgres::error::SqlState;

use crate::fixture::{Fixture, database, value};

async fn keyed(pool_size: usize) -> Fixture {
    let db = database(pool_size).await;
    db.migrate(&[Migration { version: 1, name: "idempotency_keys", sql: keys::SCHEMA }]).await.unwrap();
    db
}

fn request() -> RequestHash {
    RequestHash::of("POST", "/v1/products", b"{}")
}

fn created() -> Answer {
    Answer {
        status: 201,
        body: Some(b"{\"id\":1}".to_vec()),
        location: Some("/v1/products/1".to_owned()),
        etag: Some("\"1-0\"".to_owned()),
    }
}

/// What a service does: claims, works for a while, and stores its answer.
async fn serve(db: &Database, key: &Key, request: &RequestHash) -> Result<Claim, DatabaseError> {
    let mut connection = db.get().await?;
    let tx = connection.transaction().await?;
    let claim = keys::claim(&tx, key, request).await?;
    if claim == Claim::Mine {
        tokio::time::sleep(Duration::from_millis(100)).await;
        keys::fill(&tx, key, &created()).await?;
        tx.commit().await?;
    }
    Ok(claim)
}

/// A row as somebody wrote it `days` ago, in the partition of `weeks` weeks ago.
fn written_earlier(key: &Key, weeks: i8, days: u8) -> String {
    format!(
        "SELECT idempotency_key_partition(idempotency_key_week(now()) - 7 * ({weeks}));
         INSERT INTO idempotency_key VALUES ('{key}', idempotency_key_week(now()) - 7 * ({weeks}), '\\x{}', 201, '{{\"id\":1}}', '/v1/products/1',
             '\"1-0\"', now() - interval '{days} days')",
        hex::encode(request().as_bytes())
    )
}

#[tokio::test]
async fn two_requests_in_flight_with_one_key_have_one_effect() {
    let db = keyed(8).await;
    let key = Key::of("one");
    let request = request();
    let claims = futures::future::join_all((0..8).map(|_| serve(&db, &key, &request))).await;
    let claims = claims.into_iter().map(Result::unwrap).collect::<Vec<_>>();
    assert_eq!(claims.iter().filter(|&claim| *claim == Claim::Mine).count(), 1, "{claims:?}");
    assert_eq!(claims.iter().filter(|&claim| *claim == Claim::Replay(created())).count(), 7, "{claims:?}");
}

#[tokio::test]
async fn another_request_under_the_same_key_is_a_mismatch() {
    let db = keyed(1).await;
    let key = Key::of("one");
    assert_eq!(serve(&db, &key, &request()).await.unwrap(), Claim::Mine);
    assert_eq!(serve(&db, &key, &RequestHash::of("POST", "/v1/products", b"{ }")).await.unwrap(), Claim::Mismatch);
    assert_eq!(serve(&db, &Key::of("two"), &request()).await.unwrap(), Claim::Mine);
}

#[tokio::test]
async fn a_claim_that_is_rolled_back_was_never_made() {
    let db = keyed(1).await;
    let key = Key::of("one");
    let mut connection = db.get().await.unwrap();
    let tx = connection.transaction().await.unwrap();
    assert_eq!(keys::claim(&tx, &key, &request()).await.unwrap(), Claim::Mine);
    tx.rollback().await.unwrap();
    drop(connection);
    assert_eq!(serve(&db, &key, &request()).await.unwrap(), Claim::Mine);
}

#[tokio::test]
async fn a_claim_committed_without_an_answer_is_an_error_and_never_a_second_effect() {
    let db = keyed(1).await;
    let key = Key::of("one");
    let mut connection = db.get().await.unwrap();
    let tx = connection.transaction().await.unwrap();
    keys::claim(&tx, &key, &request()).await.unwrap();
    tx.commit().await.unwrap();
    drop(connection);
    assert!(matches!(serve(&db, &key, &request()).await, Err(DatabaseError::Unanswered(_))));
    let connection = db.get().await.unwrap();
    assert!(matches!(keys::read(&connection, &[key]).await, Err(DatabaseError::Unanswered(_))));
}

#[tokio::test]
async fn a_key_counts_for_seven_days_and_across_the_turn_of_the_week() {
    let db = keyed(1).await;
    let (young, old) = (Key::of("young"), Key::of("old"));
    let connection = db.get().await.unwrap();
    connection.batch_execute(&written_earlier(&young, 1, 6)).await.unwrap();
    connection.batch_execute(&written_earlier(&old, 1, 8)).await.unwrap();
    let known = keys::read(&connection, &[young, old]).await.unwrap();
    assert_eq!(known.len(), 1);
    assert_eq!(known[&young], (request(), created()));
    drop(connection);
    assert_eq!(serve(&db, &young, &request()).await.unwrap(), Claim::Replay(created()));
    assert_eq!(serve(&db, &old, &request()).await.unwrap(), Claim::Mine);
    assert_eq!(serve(&db, &old, &request()).await.unwrap(), Claim::Replay(created()));
}

#[tokio::test]
async fn of_two_first_uses_on_both_sides_of_the_turn_of_the_week_one_wins() {
    let db = keyed(2).await;
    // The other transaction began on the Sunday before, or on the Monday after ours.
    for weeks in [1, -1] {
        let key = Key::of(&weeks.to_string());
        let mut connection = db.get().await.unwrap();
        let other = connection.transaction().await.unwrap();
        // As `claim` does it.
        let lock_number = key.to_uuid().as_u64_pair().0.cast_signed();
        other.query_one("SELECT pg_advisory_xact_lock($1)", &[&lock_number]).await.unwrap();
        other.batch_execute(&written_earlier(&key, weeks, 0)).await.unwrap();
        let request = request();
        let ours = serve(&db, &key, &request);
        let theirs = async {
            tokio::time::sleep(Duration::from_millis(200)).await;
            other.commit().await.unwrap();
        };
        let (claim, ()) = tokio::join!(ours, theirs);
        assert_eq!(claim.unwrap(), Claim::Replay(created()));
    }
}

#[tokio::test]
async fn a_batch_of_answers_reads_back_as_it_was_written() {
    let db = keyed(1).await;
    let mut connection = db.get().await.unwrap();
    let tx = connection.transaction().await.unwrap();
    let bare = Answer { status: 409, body: None, location: None, etag: None };
    let rows = (0..1000)
        .map(|n| (Key::of(&format!("import:{n}")), request(), if n % 2 == 0 { created() } else { bare.clone() }))
        .collect::<Vec<_>>();
    keys::write(&tx, &rows).await.unwrap();
    tx.commit().await.unwrap();
    let asked = rows.iter().map(|row| row.0).chain([Key::of("unknown")]).collect::<Vec<_>>();
    let known = keys::read(&connection, &asked).await.unwrap();
    assert_eq!(known.len(), rows.len());
    for (key, hash, answer) in rows {
        assert_eq!(known[&key], (hash, answer));
    }
}

#[tokio::test]
async fn a_key_written_twice_in_a_week_is_a_unique_violation() {
    let db = keyed(1).await;
    let connection = db.get().await.unwrap();
    let row = [(Key::of("one"), request(), created())];
    keys::write(&connection, &row).await.unwrap();
    let error = keys::write(&connection, &row).await.unwrap_err();
    assert_eq!(error.sql_state(), Some(&SqlState::UNIQUE_VIOLATION));
}

#[tokio::test]
async fn batches_that_share_keys_do_not_deadlock() {
    let db = keyed(2).await;
    for round in 0..10 {
        let rows = (0..200).map(|n| (Key::of(&format!("{round}:{n}")), request(), created())).collect::<Vec<_>>();
        let backwards = rows.iter().rev().cloned().collect::<Vec<_>>();
        let (one, other) = (db.get().await.unwrap(), db.get().await.unwrap());
        let outcomes = <[_; 2]>::from(tokio::join!(keys::write(&one, &rows), keys::write(&other, &backwards)));
        let refused = outcomes.iter().filter_map(|outcome| outcome.as_ref().err()).collect::<Vec<_>>();
        assert_eq!(refused.len(), 1);
        assert_eq!(refused[0].sql_state(), Some(&SqlState::UNIQUE_VIOLATION));
    }
}

#[tokio::test]
async fn partitions_are_made_ahead_and_dropped_when_nothing_in_them_counts() {
    const PARTITIONS: &str = "SELECT count(*) FROM pg_inherits WHERE inhparent = 'idempotency_key'::regclass";
    let db = keyed(4).await;
    assert_eq!(value::<i64>(&db, PARTITIONS).await, 9, "at migration time");
    let connection = db.get().await.unwrap();
    connection.batch_execute(&written_earlier(&Key::of("last week"), 1, 6)).await.unwrap();
    connection.batch_execute(&written_earlier(&Key::of("long ago"), 3, 21)).await.unwrap();
    connection
        .batch_execute("DO $$ BEGIN EXECUTE 'DROP TABLE idempotency_key_' || to_char(idempotency_key_week(now()) + 56, 'YYYYMMDD'); END $$")
        .await
        .unwrap();
    drop(connection);
    assert_eq!(value::<i64>(&db, PARTITIONS).await, 10);

    for outcome in futures::future::join_all((0..4).map(|_| keys::maintain(&db))).await {
        outcome.unwrap();
    }
    assert_eq!(value::<i64>(&db, PARTITIONS).await, 10);
    assert_eq!(value::<i64>(&db, "SELECT count(*) FROM idempotency_key").await, 1);
}

#[tokio::test]
async fn a_partition_in_use_stays_until_the_next_time() {
    let db = keyed(2).await;
    db.get().await.unwrap().batch_execute(&written_earlier(&Key::of("long ago"), 3, 21)).await.unwrap();
    let mut reader = db.get().await.unwrap();
    let tx = reader.transaction().await.unwrap();
    tx.query("SELECT * FROM idempotency_key", &[]).await.unwrap();
    keys::maintain(&db).await.unwrap();
    tx.rollback().await.unwrap();
    assert_eq!(value::<i64>(&db, "SELECT count(*) FROM idempotency_key").await, 1);
    keys::maintain(&db).await.unwrap();
    assert_eq!(value::<i64>(&db, "SELECT count(*) FROM idempotency_key").await, 0);
}
