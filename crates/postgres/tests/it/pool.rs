//! The pool: bounded, and never a connection inside somebody else's transaction.

use std::time::{Duration, Instant};

use fault::{Fault, Kind};
use postgres::DatabaseError;
use tokio_postgres::error::SqlState;

use crate::fixture::{database, database_at, value};

const PID: &str = "SELECT pg_backend_pid()";

#[tokio::test]
async fn a_connection_left_inside_a_transaction_is_not_handed_out_again() {
    for left_behind in ["BEGIN; CREATE TABLE half_done ()", "BEGIN", "BEGIN; SELECT pg_current_xact_id()"] {
        let db = database(1).await;
        let before: i32 = value(&db, PID).await;
        let connection = db.get().await.unwrap();
        connection.batch_execute(left_behind).await.unwrap();
        drop(connection);
        let after: i32 = value(&db, PID).await;
        assert_ne!(before, after, "{left_behind}");
        assert!(value::<bool>(&db, "SELECT to_regclass('half_done') IS NULL").await);
    }
}

/// Thirty seconds are not waited for here: PostgreSQL is trusted with its own setting.
#[tokio::test]
async fn who_is_frozen_inside_a_transaction_does_not_keep_its_locks_for_ever() {
    let db = database(1).await;
    assert_eq!(value::<String>(&db, "SELECT current_setting('idle_in_transaction_session_timeout')").await, "30s");
}

#[tokio::test]
async fn a_connection_left_inside_a_failed_transaction_is_not_handed_out_again() {
    let db = database(1).await;
    let connection = db.get().await.unwrap();
    assert!(connection.batch_execute("BEGIN; SELECT 1 / 0").await.is_err());
    drop(connection);
    assert_eq!(value::<i32>(&db, "SELECT 1").await, 1);
}

#[tokio::test]
async fn a_dropped_transaction_leaves_nothing_and_its_connection_is_used_again() {
    let db = database(1).await;
    let before: i32 = value(&db, PID).await;
    let mut connection = db.get().await.unwrap();
    let transaction = connection.transaction().await.unwrap();
    transaction.batch_execute("CREATE TABLE half_done ()").await.unwrap();
    // The future that runs a statement is dropped in the middle, as when a client goes away.
    assert!(tokio::time::timeout(Duration::from_millis(50), transaction.batch_execute("SELECT pg_sleep(0.3)")).await.is_err());
    drop(transaction);
    drop(connection);
    assert!(value::<bool>(&db, "SELECT to_regclass('half_done') IS NULL").await);
    assert_eq!(value::<i32>(&db, PID).await, before);
}

#[tokio::test]
async fn waiting_for_a_connection_has_an_end() {
    let db = database(1).await;
    let _held = db.get().await.unwrap();
    let begin = Instant::now();
    let error = db.get().await.unwrap_err();
    assert!(begin.elapsed() >= Duration::from_secs(5) && begin.elapsed() < Duration::from_secs(7), "{:?}", begin.elapsed());
    assert!(error.is_transient());
    assert_eq!((error.kind(), error.code()), (Kind::Unavailable, "database_unavailable"));
    assert!(matches!(db.ready().await, Err(DatabaseError::NoAnswer { after_ms: 1000 })));
}

#[tokio::test]
async fn a_killed_connection_is_transient_and_the_next_one_works() {
    let db = database(2).await;
    let victim = db.get().await.unwrap();
    let pid: i32 = victim.query_one(PID, &[]).await.unwrap().get(0);
    let killer = db.get().await.unwrap();
    killer.execute("SELECT pg_terminate_backend($1)", &[&pid]).await.unwrap();
    let error = DatabaseError::from(victim.query_one("SELECT 1", &[]).await.unwrap_err());
    assert!(error.is_transient(), "{error:?}");
    drop((victim, killer));
    db.ready().await.unwrap();
}

#[tokio::test]
async fn errors_are_told_apart_by_what_to_do_about_them() {
    let db = database(1).await;
    let connection = db.get().await.unwrap();
    connection.batch_execute("CREATE TABLE one (n int PRIMARY KEY CHECK (n < 10)); INSERT INTO one VALUES (1)").await.unwrap();

    let twice = postgres::execute(&connection, "INSERT INTO one VALUES (1)", &[]).await.unwrap_err();
    assert_eq!(twice.sql_state(), Some(&SqlState::UNIQUE_VIOLATION));
    let too_large = postgres::execute(&connection, "INSERT INTO one VALUES (10)", &[]).await.unwrap_err();
    for error in [twice, too_large] {
        assert!(error.is_data() && !error.is_transient());
        assert_eq!(error.kind(), Kind::Internal);
    }

    let wrong = postgres::query(&connection, "SELECT * FROM nowhere", &[]).await.unwrap_err();
    assert!(matches!(wrong, DatabaseError::Other(_)) && wrong.kind() == Kind::Internal);
    assert_eq!(postgres::query_one(&connection, "SELECT n FROM one", &[]).await.unwrap().get::<_, i32>(0), 1);
    assert!(postgres::query_opt(&connection, "SELECT n FROM one WHERE n = $1", &[&2]).await.unwrap().is_none());
}

#[tokio::test]
async fn a_database_that_does_not_exist_is_refused_and_one_that_is_away_is_away() {
    let db = database(1).await;
    let missing = database_at(&db.url.replace("/it_", "/nowhere_"), 1).get().await.unwrap_err();
    assert!(matches!(missing, DatabaseError::Refused(_)) && missing.kind() == Kind::Unavailable, "{missing:?}");
    let away = database_at("postgresql://gudang@127.0.0.1:1/stock", 1).ready().await.unwrap_err();
    assert!(away.is_transient() && away.kind() == Kind::Unavailable, "{away:?}");
}

#[tokio::test]
async fn a_database_that_would_lose_acknowledged_writes_is_refused() {
    let db = database(1).await;
    db.check_durability().await.unwrap();
    let lax = database_at(&format!("{}?options=-c%20synchronous_commit%3Doff", db.url), 1);
    let error = lax.check_durability().await.unwrap_err();
    assert!(matches!(error, DatabaseError::Misconfigured(_)) && !error.is_transient());
    assert!(error.to_string().contains("set `synchronous_commit = on`"), "{error}");
}
