//! Positions: a reader of the journal's route goes on where it stopped, in pages of any size, and over ticks that were thinned away.

use journal::{Position, relay};

use crate::fixture::{named, producer, row, stream};

#[tokio::test]
async fn pages_of_one_give_the_same_as_one_page() {
    let producer = producer().await;
    let client = producer.database.get().await.unwrap();
    for version in 1..=7 {
        client.batch_execute(&row(&stream("a"), version)).await.unwrap();
        if version % 3 == 0 {
            relay::tick_once(&producer.journal, producer.epoch).await.unwrap();
        }
    }
    relay::tick_once(&producer.journal, producer.epoch).await.unwrap();
    let whole = producer.journal.after(Position::default(), 100).await.unwrap();
    let mut position = Position::default();
    let mut singly = Vec::new();
    while let Some(event) = producer.journal.after(position, 1).await.unwrap().pop() {
        position = event.position.as_deref().unwrap().parse().unwrap();
        singly.push(event);
    }
    assert_eq!(named(&singly), named(&whole));
    assert_eq!(singly.len(), 7);
}

#[tokio::test]
async fn a_thinned_tick_sends_again_and_loses_nothing() {
    let producer = producer().await;
    let client = producer.database.get().await.unwrap();
    for version in 1..=4 {
        client.batch_execute(&row(&stream("a"), version)).await.unwrap();
        relay::tick_once(&producer.journal, producer.epoch).await.unwrap();
    }
    let second = producer.journal.after(Position::default(), 2).await.unwrap().pop().unwrap();
    let position: Position = second.position.as_deref().unwrap().parse().unwrap();
    client.batch_execute("UPDATE journal_tick SET made_at = '2020-01-01'").await.unwrap();
    relay::maintain(&producer.journal).await.unwrap();
    let left: i64 = client.query_one("SELECT count(*) FROM journal_tick WHERE tick BETWEEN 1 AND 3", &[]).await.unwrap().get(0);
    assert_eq!(left, 0, "old ticks are gone");
    client.batch_execute(&row(&stream("a"), 5)).await.unwrap();
    relay::tick_once(&producer.journal, producer.epoch).await.unwrap();
    let behind = producer.journal.after(position, 100).await.unwrap();
    let versions: Vec<i64> = named(&behind).into_iter().map(|(_, version)| version).collect();
    assert!([3, 4, 5].iter().all(|version| versions.contains(version)), "nothing is lost: {versions:?}");
}

#[tokio::test]
async fn a_journal_restored_into_another_cluster_is_read_again_whole_and_in_order() {
    let producer = producer().await;
    let client = producer.database.get().await.unwrap();
    for version in 1..=3 {
        client.batch_execute(&row(&stream("a"), version)).await.unwrap();
    }
    relay::tick_once(&producer.journal, producer.epoch).await.unwrap();
    assert!(!producer.journal.settle_in().await.unwrap(), "it is at home here");
    // As a dump leaves it: transaction ids and ticks far ahead of what this cluster has given out.
    let elsewhere = "UPDATE journal SET xid = '4000000000'; UPDATE journal_tick SET snapshot = '4000000001:4000000001:' WHERE tick > 0; \
         UPDATE journal_cluster SET system_identifier = 1";
    client.batch_execute(elsewhere).await.unwrap();
    client.batch_execute(&row(&stream("a"), 4)).await.unwrap();
    relay::tick_once(&producer.journal, producer.epoch).await.unwrap();
    let lost = producer.journal.after(Position { tick: 1, id: 0 }, 100).await.unwrap();
    assert_eq!(lost.len(), 0, "the control: with the old ticks the new row is never seen");
    assert!(producer.journal.settle_in().await.unwrap());
    relay::tick_once(&producer.journal, producer.epoch).await.unwrap();
    let again = producer.journal.after(Position::default(), 100).await.unwrap();
    assert_eq!(named(&again), [("a", 1), ("a", 2), ("a", 3), ("a", 4)]);
    assert!(!producer.journal.settle_in().await.unwrap(), "once is enough");
}
