//! Who reads what from where while everything is well.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use testkit::Redis;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::origin::{BOUND, Broken, Shelf, alone, process, shown};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_hundred_readers_of_one_thing_are_one_read_of_the_origin_in_each_process() {
    let (shelf, redis) = (Shelf::new(), Redis::start());
    let id = Uuid::now_v7();
    shelf.put(id, 1);
    shelf.name("mug", id);
    let processes = [process(&shelf, &redis).await, process(&shelf, &redis).await];
    let mut readers = JoinSet::new();
    for n in 0..500 {
        for cache in processes.clone() {
            readers.spawn(async move {
                let found = if n % 2 == 0 { cache.get(id).await } else { cache.get_named("mug").await };
                found.expect("the origin answers").expect("it is there").version.major
            });
        }
    }
    let shown = readers.join_all().await;
    assert!(shown.len() == 1000 && shown.iter().all(|version| *version == 1), "all are shown the same");
    assert!(shelf.loads() <= 2, "{} loads by two processes", shelf.loads());
    let look_ups = shelf.look_ups.load(Ordering::SeqCst);
    assert!(look_ups <= 2, "{look_ups} look-ups by two processes");
}

#[tokio::test]
async fn what_one_process_has_read_another_need_not() {
    let (shelf, redis) = (Shelf::new(), Redis::start());
    let id = Uuid::now_v7();
    shelf.put(id, 1);
    let (one, two) = (process(&shelf, &redis).await, process(&shelf, &redis).await);
    assert_eq!((shown(&one, id).await, shown(&two, id).await, shelf.loads()), (1, 1, 1));
    tokio::time::sleep(BOUND).await;
    assert_eq!((shown(&one, id).await, shown(&two, id).await, shelf.loads()), (1, 1, 1), "memory is over, Redis is not");
}

#[tokio::test]
async fn a_change_is_seen_at_once_where_it_was_made_and_within_a_second_elsewhere() {
    let (shelf, redis) = (Shelf::new(), Redis::start());
    let id = Uuid::now_v7();
    shelf.put(id, 1);
    let (one, two) = (process(&shelf, &redis).await, process(&shelf, &redis).await);
    for version in 2..6 {
        shown(&one, id).await;
        shown(&two, id).await;
        shelf.put(id, version);
        one.changed(&[id]).await.expect("told");
        let told = Instant::now();
        assert_eq!(shown(&one, id).await, version);
        while shown(&two, id).await != version {
            assert!(told.elapsed() < BOUND, "still not at {version}");
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn a_process_alone_shows_nothing_older_than_a_second() {
    let shelf = Shelf::new();
    let (id, cache) = (Uuid::now_v7(), alone(&shelf));
    shelf.put(id, 1);
    assert_eq!((shown(&cache, id).await, shown(&cache, id).await, shelf.loads()), (1, 1, 1));
    shelf.put(id, 2);
    let committed = Instant::now();
    while shown(&cache, id).await != 2 {
        assert!(committed.elapsed() < BOUND, "an old version after {:?}", committed.elapsed());
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_not_there_is_found_the_moment_it_is_made() {
    let (shelf, redis) = (Shelf::new(), Redis::start());
    let caches = [alone(&shelf), process(&shelf, &redis).await];
    for n in 0..20 {
        for cache in &caches {
            let (id, name) = (Uuid::now_v7(), format!("thing {n}"));
            assert_eq!(shown(cache, id).await, 0);
            assert_eq!(cache.get_named(&name).await, Ok(None));
            // Somebody asks, finds nothing, and has not been answered yet when it is made: who comes after that must not wait for him.
            let asked = shelf.loads();
            let slow = shelf.hold_next();
            let asking = tokio::spawn({
                let cache = cache.clone();
                async move { cache.get(id).await }
            });
            while shelf.loads() == asked {
                tokio::task::yield_now().await;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
            shelf.put(id, 1);
            shelf.name(&name, id);
            let let_go = async {
                tokio::time::sleep(Duration::from_millis(5)).await;
                let _ = slow.send(());
            };
            assert_eq!(tokio::join!(shown(cache, id), let_go).0, 1, "made before it was asked for");
            asking.await.expect("it ends").expect("the origin answers");
            assert!(cache.get_named(&name).await.expect("the origin answers").is_some(), "made before it was asked for");
            shelf.forget_all();
        }
    }
}

#[tokio::test]
async fn a_name_that_leads_nowhere_any_more_is_looked_up_again() {
    let shelf = Shelf::new();
    let cache = alone(&shelf);
    let (gone, here) = (Uuid::now_v7(), Uuid::now_v7());
    shelf.put(gone, 1);
    shelf.name("mug", gone);
    assert_eq!(cache.get_named("mug").await.expect("an answer").expect("a thing").version.major, 1);
    // As after a restore to an earlier time.
    shelf.forget_all();
    shelf.put(here, 7);
    shelf.name("mug", here);
    cache.changed(&[gone]).await.expect("told");
    assert_eq!(cache.get_named("mug").await.expect("an answer").expect("a thing").version.major, 7);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failure_of_the_origin_is_everybodys_and_nobody_keeps_it() {
    let shelf = Shelf::new();
    let (id, cache) = (Uuid::now_v7(), alone(&shelf));
    shelf.put(id, 1);
    shelf.broken.store(true, Ordering::SeqCst);
    let mut readers = JoinSet::new();
    for _ in 0..20 {
        let cache = cache.clone();
        readers.spawn(async move { cache.get(id).await.map_err(|error| *error) });
    }
    for answer in readers.join_all().await {
        assert_eq!(answer, Err(Broken));
    }
    shelf.broken.store(false, Ordering::SeqCst);
    assert_eq!(shown(&cache, id).await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_who_leaves_takes_nobody_with_him() {
    let shelf = Shelf::new();
    let (id, cache) = (Uuid::now_v7(), alone(&shelf));
    shelf.put(id, 1);
    let slow = shelf.hold_next();
    let reader = |cache: cache::Cache<Shelf>| tokio::spawn(async move { cache.get(id).await });
    let first = reader(cache.clone());
    while shelf.loads() == 0 {
        tokio::task::yield_now().await;
    }
    let second = reader(cache.clone());
    tokio::time::sleep(Duration::from_millis(20)).await;
    first.abort();
    let _ = slow.send(());
    let found = second.await.expect("it ends").expect("the origin answers").expect("it is there");
    assert_eq!((found.version.major, shelf.loads()), (1, 1));
}
