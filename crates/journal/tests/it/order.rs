//! The two histories on which naive readers fail, each with the naive reader as its control.

use std::time::Duration;

use contract::Event;
use journal::Position;

use crate::fixture::{Producer, named, producer, row, stream};

/// Ticks, if there is anything new, and reads what became visible.
async fn read(producer: &Producer, position: &mut Position) -> Vec<Event> {
    journal::relay::tick_once(&producer.journal, producer.epoch).await.unwrap();
    let events = producer.journal.after(*position, 100).await.unwrap();
    if let Some(last) = events.last() {
        *position = last.position.as_deref().unwrap().parse().unwrap();
    }
    events
}

/// The naive reader by id: remembers the highest id that it has seen.
async fn read_by_id(producer: &Producer, seen: &mut i64) -> Vec<(String, i64)> {
    let client = producer.database.get().await.unwrap();
    let rows = client.query("SELECT id, stream, version FROM journal WHERE id > $1 ORDER BY id", &[&*seen]).await.unwrap();
    *seen = rows.last().map_or(*seen, |row| row.get(0));
    rows.iter().map(|row| (row.get::<_, String>(1).split_once('@').unwrap().1.to_owned(), row.get(2))).collect()
}

/// The naive reader by transaction id: everything of transactions that are older than the oldest one still open, in their order.
async fn read_by_xmin(producer: &Producer, seen: &mut String) -> Vec<(String, i64)> {
    let client = producer.database.get().await.unwrap();
    let sql = "SELECT stream, version, pg_snapshot_xmin(pg_current_snapshot())::text FROM journal \
         WHERE xid < pg_snapshot_xmin(pg_current_snapshot()) AND xid >= $1::text::xid8 ORDER BY xid, id";
    let rows = client.query(sql, &[&*seen]).await.unwrap();
    *seen = rows.last().map_or_else(|| seen.clone(), |row| row.get(2));
    rows.iter().map(|row| (row.get::<_, String>(0).split_once('@').unwrap().1.to_owned(), row.get(1))).collect()
}

#[tokio::test]
async fn a_row_that_commits_late_is_read_once_and_a_reader_by_id_loses_it() {
    let producer = producer().await;
    let (mut position, mut by_id) = (Position::default(), 0);
    let (mut late, quick) = (producer.database.get().await.unwrap(), producer.database.get().await.unwrap());
    let late_one = late.transaction().await.unwrap();
    late_one.batch_execute(&row(&stream("late"), 1)).await.unwrap();
    quick.batch_execute(&row(&stream("quick"), 1)).await.unwrap();

    assert_eq!(named(&read(&producer, &mut position).await), [("quick", 1)]);
    assert_eq!(read_by_id(&producer, &mut by_id).await, [("quick".to_owned(), 1)]);
    late_one.commit().await.unwrap();
    assert_eq!(named(&read(&producer, &mut position).await), [("late", 1)]);
    assert_eq!(read_by_id(&producer, &mut by_id).await, [], "the control: a reader by id loses the late row");
    assert_eq!(named(&read(&producer, &mut position).await), []);
}

#[tokio::test]
async fn a_transaction_that_took_its_id_before_it_waited_keeps_its_place_and_a_reader_by_xmin_reorders_it() {
    let producer = producer().await;
    let (mut position, mut by_xmin) = (Position::default(), "0".to_owned());
    let pool = &producer.database;
    let (mut early, mut bystander, first) = (pool.get().await.unwrap(), pool.get().await.unwrap(), pool.get().await.unwrap());
    // Took its transaction id, then waited for the stream's lock ...
    let early = early.transaction().await.unwrap();
    early.query_one("SELECT pg_current_xact_id()::text", &[]).await.unwrap();
    // ... while somebody idle holds an id in between ...
    let bystander = bystander.transaction().await.unwrap();
    bystander.query_one("SELECT pg_current_xact_id()::text", &[]).await.unwrap();
    // ... and the holder of the lock, whose id is the highest, writes the first version.
    first.batch_execute(&row(&stream("a"), 1)).await.unwrap();
    early.batch_execute(&row(&stream("a"), 2)).await.unwrap();
    early.commit().await.unwrap();

    assert_eq!(named(&read(&producer, &mut position).await), [("a", 1), ("a", 2)]);
    // Transactions of other tests in this cluster hold the naive reader up, too.
    let naive = testkit::eventually("the naive reader gives something", Duration::from_secs(20), async || {
        Some(read_by_xmin(&producer, &mut by_xmin).await).filter(|read| !read.is_empty())
    })
    .await;
    assert_eq!(naive, [("a".to_owned(), 2)], "the control: a reader by xmin gives the second version first");
    bystander.commit().await.unwrap();
    assert_eq!(named(&read(&producer, &mut position).await), []);
}

#[tokio::test]
async fn an_idle_transaction_does_not_hold_up_what_commits_after_it() {
    let producer = producer().await;
    let mut position = Position::default();
    let (mut idle, writer) = (producer.database.get().await.unwrap(), producer.database.get().await.unwrap());
    let idle = idle.transaction().await.unwrap();
    idle.query_one("SELECT pg_current_xact_id()::text", &[]).await.unwrap();
    for version in 1..=20 {
        writer.batch_execute(&row(&stream("a"), version)).await.unwrap();
        assert_eq!(named(&read(&producer, &mut position).await), [("a", version)]);
    }
    drop(idle);
}

#[tokio::test]
async fn writers_at_once_lose_nothing_and_keep_each_streams_order() {
    let producer = producer().await;
    let sql = "CREATE TABLE head (stream text PRIMARY KEY, version bigint NOT NULL)";
    producer.database.get().await.unwrap().batch_execute(sql).await.unwrap();
    let writers = (0..6).map(|writer| {
        let database = producer.database.clone();
        tokio::spawn(async move {
            for round in 0..30 {
                // Streams are shared: each writer visits all of them, in another order.
                let stream = stream(&format!("s{}", (round * (writer + 1) + writer) % 5));
                let mut client = database.get().await.unwrap();
                let transaction = client.transaction().await.unwrap();
                transaction.query_one("SELECT pg_current_xact_id()::text", &[]).await.unwrap();
                let next =
                    "INSERT INTO head VALUES ($1, 1) ON CONFLICT (stream) DO UPDATE SET version = head.version + 1 RETURNING version";
                let version: i64 = transaction.query_one(next, &[&stream]).await.unwrap().get(0);
                transaction.batch_execute(&row(&stream, version)).await.unwrap();
                transaction.commit().await.unwrap();
            }
        })
    });
    let writers = futures::future::join_all(writers.collect::<Vec<_>>());
    tokio::pin!(writers);
    let (mut position, mut events, mut done) = (Position::default(), Vec::new(), false);
    while !done {
        tokio::select! {
            ended = &mut writers => { assert!(ended.iter().all(Result::is_ok)); done = true; }
            () = tokio::task::yield_now() => {}
        }
        events.extend(read(&producer, &mut position).await);
    }
    events.extend(read(&producer, &mut position).await);
    assert_eq!(events.len(), 180);
    let mut heads = std::collections::HashMap::new();
    for (stream, version) in named(&events) {
        let head = heads.entry(stream).or_insert(0);
        assert_eq!(version, *head + 1, "the stream {stream} is read in its order");
        *head = version;
    }
}
