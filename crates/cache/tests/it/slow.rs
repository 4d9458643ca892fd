//! Slow readers, who come back with what was true when they began.

use cache::Cache;
use testkit::Redis;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::origin::{Shelf, process, shown};

type Reading = JoinHandle<Option<i64>>;

/// Somebody who has read version 1, and will come back with it when he is let go.
async fn slow_reader(shelf: &Shelf, cache: &Cache<Shelf>, id: Uuid) -> (oneshot::Sender<()>, Reading) {
    let (asked, go, cache) = (shelf.loads(), shelf.hold_next(), cache.clone());
    let reading = tokio::spawn(async move { cache.get(id).await.expect("the origin answers").map(|entry| entry.version.major) });
    while shelf.loads() == asked {
        tokio::task::yield_now().await;
    }
    tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    (go, reading)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_reader_puts_no_old_value_back() {
    let (shelf, redis) = (Shelf::new(), Redis::start());
    let (reader, writer) = (process(&shelf, &redis).await, process(&shelf, &redis).await);
    // The writer has read the new version before the reader comes back, or nobody has.
    for writer_reads in [true, false] {
        let id = Uuid::now_v7();
        shelf.put(id, 1);
        let (go, reading) = slow_reader(&shelf, &reader, id).await;
        shelf.put(id, 2);
        writer.changed(&[id]).await.expect("told");
        if writer_reads {
            assert_eq!(shown(&writer, id).await, 2);
        }
        let _ = go.send(());
        assert_eq!(reading.await.expect("it ends"), Some(1), "he began before the change");
        let third = process(&shelf, &redis).await;
        assert_eq!(shown(&third, id).await, 2, "an old value is in Redis");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_reader_puts_no_old_value_into_the_memory_of_who_changed_it() {
    let (shelf, redis) = (Shelf::new(), Redis::start());
    let cache = process(&shelf, &redis).await;
    let id = Uuid::now_v7();
    shelf.put(id, 1);
    let (go, reading) = slow_reader(&shelf, &cache, id).await;
    shelf.put(id, 2);
    cache.changed(&[id]).await.expect("told");
    assert_eq!(shown(&cache, id).await, 2, "who comes after the change does not wait for who came before");
    let _ = go.send(());
    assert_eq!(reading.await.expect("it ends"), Some(1));
    assert_eq!(shown(&cache, id).await, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_reader_puts_no_old_value_into_a_redis_that_was_emptied() {
    let (shelf, redis) = (Shelf::new(), Redis::start());
    let (reader, writer) = (process(&shelf, &redis).await, process(&shelf, &redis).await);
    let id = Uuid::now_v7();
    shelf.put(id, 1);
    let (go, reading) = slow_reader(&shelf, &reader, id).await;
    shelf.put(id, 2);
    writer.changed(&[id]).await.expect("told");
    assert_eq!(shown(&writer, id).await, 2);
    redis.command(&["FLUSHALL"]);
    let _ = go.send(());
    reading.await.expect("it ends");
    let third = process(&shelf, &redis).await;
    assert_eq!(shown(&third, id).await, 2, "an old value is in Redis");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_reader_puts_no_old_value_into_a_redis_that_was_restarted() {
    let (shelf, mut redis) = (Shelf::new(), Redis::start());
    let (reader, writer) = (process(&shelf, &redis).await, process(&shelf, &redis).await);
    let id = Uuid::now_v7();
    shelf.put(id, 1);
    let (go, reading) = slow_reader(&shelf, &reader, id).await;
    shelf.put(id, 2);
    redis.stop();
    writer.changed(&[id]).await.expect("told");
    redis.restart();
    for cache in [&reader, &writer] {
        crate::origin::uses_redis(cache).await;
    }
    let _ = go.send(());
    reading.await.expect("it ends");
    let third = process(&shelf, &redis).await;
    assert_eq!(shown(&third, id).await, 2, "an old value is in Redis");
}
