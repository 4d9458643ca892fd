//! Who makes a change and does not tell of it: he leaves, never hears what came of his commit, or finds nobody to tell. And many who tell at once.

use std::sync::atomic::Ordering;
use std::time::Duration;

use cache::Cache;
use testkit::Redis;
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use crate::origin::{BOUND, NOBODY, PATIENCE, Shelf, all_come_to, process, shown, starting};

/// A thing that a process has read in its first version, so that Redis has it.
async fn read_by(shelf: &Shelf, reader: &Cache<Shelf>) -> Uuid {
    let id = Uuid::now_v7();
    shelf.put(id, 1);
    assert_eq!(shown(reader, id).await, 1);
    id
}

#[tokio::test]
async fn who_leaves_without_telling_is_told_for() {
    let (shelf, redis) = (Shelf::new(), Redis::start());
    let (reader, writer) = (process(&shelf, &redis).await, process(&shelf, &redis).await);
    // The control: where nobody tells, the old version stays.
    let id = read_by(&shelf, &reader).await;
    std::mem::forget(writer.changing(vec![id]));
    shelf.put(id, 2);
    sleep(BOUND + BOUND / 5).await;
    assert_eq!(shown(&reader, id).await, 1, "Redis is what would show an old version");
    // He leaves after the commit.
    let id = read_by(&shelf, &reader).await;
    let change = writer.changing(vec![id]);
    shelf.put(id, 2);
    drop(change);
    all_come_to(&[reader.clone(), writer.clone()], id, 2).await;
    // He knows the thing by its name.
    let id = read_by(&shelf, &reader).await;
    shelf.name("mug", id);
    let change = writer.changing_named("mug");
    shelf.put(id, 2);
    drop(change);
    all_come_to(&[reader.clone(), writer.clone()], id, 2).await;
    // He leaves while he tells, of a Redis that hangs.
    let id = read_by(&shelf, &reader).await;
    let change = writer.changing(vec![id]);
    shelf.put(id, 2);
    redis.hang();
    timeout(Duration::from_millis(10), change.tell()).await.expect_err("it waits for Redis");
    sleep(Duration::from_millis(200)).await;
    redis.go_on();
    all_come_to(&[reader, writer], id, 2).await;
}

#[tokio::test]
async fn what_nobody_could_be_told_of_is_told_as_soon_as_that_is_possible() {
    let (shelf, redis) = (Shelf::new(), Redis::start());
    let (reader, writer) = (process(&shelf, &redis).await, process(&shelf, &redis).await);
    let id = read_by(&shelf, &reader).await;
    let change = writer.changing(vec![id]);
    shelf.put(id, 2);
    shelf.broken.store(true, Ordering::SeqCst);
    change.tell().await.expect_err("the origin knows no generation");
    shelf.broken.store(false, Ordering::SeqCst);
    testkit::eventually("it is told", PATIENCE, async || (shown(&reader, id).await == 2).then_some(())).await;
    all_come_to(&[reader, writer], id, 2).await;
}

#[tokio::test]
async fn what_is_committed_after_its_maker_has_left_is_told_after_that() {
    let (shelf, redis) = (Shelf::new(), Redis::start());
    let (reader, writer) = (process(&shelf, &redis).await, process(&shelf, &redis).await);
    let id = read_by(&shelf, &reader).await;
    let rows = shelf.rows.lock().await;
    drop(writer.changing(vec![id]));
    // Long enough to be told too early; who then reads what was there before would keep it.
    sleep(BOUND / 5).await;
    let late = process(&shelf, &redis).await;
    assert_eq!(shown(&late, id).await, 1);
    shelf.put(id, 2);
    drop(rows);
    all_come_to(&[late, reader, writer], id, 2).await;
}

#[tokio::test]
async fn many_who_tell_at_once_without_redis_renew_the_generation_together() {
    let shelf = Shelf::new();
    let writer = starting(&shelf, NOBODY);
    let changes = (0..200).map(|_| async { writer.changed(&[Uuid::now_v7()]).await.expect("told") });
    futures::future::join_all(changes).await;
    let renewals = shelf.renewals();
    assert!((1..=3).contains(&renewals), "{renewals} renewals for 200 changes at once");
}

#[tokio::test]
async fn who_comes_after_a_renewal_has_begun_waits_for_another() {
    let (shelf, redis) = (Shelf::new(), Redis::start());
    let (reader, writer) = (process(&shelf, &redis).await, starting(&shelf, NOBODY));
    let (id, other) = (Uuid::now_v7(), Uuid::now_v7());
    shelf.put(id, 1);
    let go = shelf.hold_next_renewal();
    let first = async { writer.changed(&[other]).await.expect("told") };
    let second = async {
        while shelf.renewals() == 0 {
            tokio::task::yield_now().await;
        }
        // Somebody knows the new generation already, and reads under it what is about to change.
        reader.changed(&[other]).await.expect("told");
        assert_eq!(shown(&reader, id).await, 1);
        shelf.put(id, 2);
        let telling = async { writer.changed(&[id]).await.expect("told") };
        let let_go = async {
            sleep(Duration::from_millis(20)).await;
            let _ = go.send(());
        };
        tokio::join!(telling, let_go);
    };
    tokio::join!(first, second);
    assert_eq!(shelf.renewals(), 2);
    all_come_to(&[reader, writer], id, 2).await;
}
