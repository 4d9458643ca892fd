//! Migrations: once each, by one process at a time.

use std::time::{Duration, Instant};

use postgres::{DatabaseError, Migration, keys};

use crate::fixture::{database, database_at, value};

const FIRST: Migration =
    Migration { version: 1, name: "shop", sql: "CREATE TABLE shop (n int); SELECT pg_sleep(0.2); INSERT INTO shop VALUES (1)" };
const SECOND: Migration = Migration { version: 2, name: "idempotency_keys", sql: keys::SCHEMA };
const BROKEN: Migration = Migration { version: 3, name: "broken", sql: "INSERT INTO shop VALUES (2); SELECT nonsense" };

const HELD_HERE: &str = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";

#[tokio::test]
async fn many_instances_that_start_at_once_migrate_once() {
    let db = database(4).await;
    let others = [database_at(&db.url, 1), database_at(&db.url, 1), database_at(&db.url, 1)];
    let all = [&*db, &others[0], &others[1], &others[2]].map(|db| db.migrate(&[FIRST, SECOND]));
    for outcome in futures::future::join_all(all).await {
        outcome.unwrap();
    }
    assert_eq!(value::<i64>(&db, "SELECT count(*) FROM shop").await, 1);
    assert_eq!(value::<i64>(&db, "SELECT count(*) FROM refinery_schema_history").await, 2);
    // The lock ends with its connection, which is closed without waiting for the server.
    let begin = Instant::now();
    while value::<i64>(&db, HELD_HERE).await > 0 {
        assert!(begin.elapsed() < Duration::from_secs(5), "the lock stays");
    }
    db.migrate(&[FIRST, SECOND]).await.unwrap();
}

#[tokio::test]
async fn a_broken_migration_leaves_nothing_and_the_ones_before_it_stay() {
    let db = database(2).await;
    let error = db.migrate(&[FIRST, BROKEN]).await.unwrap_err();
    assert!(matches!(error, DatabaseError::Migration(_)) && error.sql_state().is_some() && !error.is_transient(), "{error:?}");
    assert_eq!(value::<i64>(&db, "SELECT count(*) FROM shop").await, 1);
    db.migrate(&[FIRST]).await.unwrap();
}

#[tokio::test]
async fn an_edited_migration_is_refused() {
    let db = database(1).await;
    db.migrate(&[FIRST]).await.unwrap();
    assert!(db.migrate(&[Migration { sql: "CREATE TABLE other ()", ..FIRST }]).await.is_err());
    assert!(db.migrate(&[]).await.is_err(), "a database from the future");
}
