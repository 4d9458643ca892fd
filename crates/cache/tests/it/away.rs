//! Redis away: emptied, stopped, hung, cut off from one process, back with what it once knew.

use std::time::{Duration, Instant};

use cache::Cache;
use testkit::{Redis, eventually};
use uuid::Uuid;

use crate::origin::{BOUND, NOBODY, PATIENCE, Shelf, all_come_to, process, shown, starting, uses_redis};

/// What a read takes, the longest tenth left out: those are the busy machine's own.
async fn p90(cache: &Cache<Shelf>, shelf: &Shelf) -> Duration {
    let mut took = Vec::new();
    for _ in 0..300 {
        let id = Uuid::now_v7();
        shelf.put(id, 1);
        let begun = Instant::now();
        assert_eq!(shown(cache, id).await, 1);
        took.push(begun.elapsed());
    }
    took.sort_unstable();
    took[270]
}

#[tokio::test]
async fn an_emptied_redis_is_filled_again() {
    let (shelf, redis) = (Shelf::new(), Redis::start());
    let id = Uuid::now_v7();
    shelf.put(id, 1);
    let (one, two) = (process(&shelf, &redis).await, process(&shelf, &redis).await);
    shown(&one, id).await;
    redis.command(&["FLUSHALL"]);
    eventually("memory is over, and somebody fills it again", PATIENCE, async || {
        assert_eq!((shown(&one, id).await, shown(&two, id).await), (1, 1));
        (redis.command(&["DBSIZE"]) == "1").then_some(())
    })
    .await;
    assert_eq!(shelf.loads(), 2);
}

#[tokio::test]
async fn a_redis_that_hangs_or_is_gone_costs_no_read_its_time() {
    let (shelf, mut redis) = (Shelf::new(), Redis::start());
    let cache = process(&shelf, &redis).await;
    let there = p90(&cache, &shelf).await;
    redis.hang();
    let hanging = p90(&cache, &shelf).await;
    assert!(!cache.uses_redis());
    redis.go_on();
    uses_redis(&cache).await;
    redis.stop();
    let gone = p90(&cache, &shelf).await;
    let bound = there * 2 + Duration::from_millis(5);
    println!("p90 with redis {there:?}, hanging {hanging:?}, gone {gone:?}");
    assert!(hanging <= bound && gone <= bound, "p90 with redis {there:?}, hanging {hanging:?}, gone {gone:?}");
    redis.restart();
    uses_redis(&cache).await;
}

#[tokio::test]
async fn many_readers_of_many_things_wait_once_for_a_redis_that_hangs() {
    let (shelf, redis) = (Shelf::new(), Redis::start());
    let cache = process(&shelf, &redis).await;
    redis.hang();
    for round in 0..5 {
        let begun = Instant::now();
        let ids: Vec<Uuid> = (0..200).map(|_| Uuid::now_v7()).collect();
        futures::future::join_all(ids.iter().map(|id| cache.get(*id))).await;
        let most = Duration::from_millis(if round == 0 { 200 } else { 40 });
        assert!(begun.elapsed() < most, "round {round} took {:?}", begun.elapsed());
    }
}

#[tokio::test]
async fn what_changed_while_redis_hung_is_not_shown_as_it_was_when_it_goes_on() {
    let (shelf, redis) = (Shelf::new(), Redis::start());
    let id = Uuid::now_v7();
    shelf.put(id, 1);
    // The third reads nothing meanwhile: nobody tells it that Redis was away.
    let caches = [process(&shelf, &redis).await, process(&shelf, &redis).await, process(&shelf, &redis).await];
    shown(&caches[0], id).await;
    redis.hang();
    // Somebody has noticed: what is not sent will not be carried out late either.
    shown(&caches[0], Uuid::now_v7()).await;
    shelf.put(id, 2);
    let begun = Instant::now();
    caches[0].changed(&[id]).await.expect("told");
    assert!(begun.elapsed() < BOUND / 2, "it took {:?}", begun.elapsed());
    all_come_to(&caches[..2], id, 2).await;
    redis.go_on();
    all_come_to(&caches, id, 2).await;
}

#[tokio::test]
async fn a_redis_that_comes_back_with_what_it_once_knew_is_not_believed() {
    let (shelf, mut redis) = (Shelf::new(), Redis::start());
    let id = Uuid::now_v7();
    shelf.put(id, 1);
    let caches = [process(&shelf, &redis).await, process(&shelf, &redis).await];
    shown(&caches[0], id).await;
    redis.command(&["SAVE"]);
    shelf.put(id, 2);
    caches[0].changed(&[id]).await.expect("told");
    redis.stop();
    all_come_to(&caches, id, 2).await;
    redis.restart();
    assert_eq!(redis.command(&["DBSIZE"]), "1", "it has the old value");
    let late = process(&shelf, &redis).await;
    uses_redis(&caches[0]).await;
    uses_redis(&caches[1]).await;
    let [one, two] = caches;
    all_come_to(&[one, two, late], id, 2).await;
}

#[tokio::test]
async fn a_process_that_alone_is_cut_off_from_redis_is_heard_all_the_same() {
    let (shelf, redis) = (Shelf::new(), Redis::start());
    let id = Uuid::now_v7();
    shelf.put(id, 1);
    let (reader, writer) = (process(&shelf, &redis).await, starting(&shelf, NOBODY));
    for version in 2..5 {
        shown(&reader, id).await;
        shelf.put(id, version);
        writer.changed(&[id]).await.expect("told");
        assert_eq!(shown(&writer, id).await, version);
        all_come_to(std::slice::from_ref(&reader), id, version).await;
    }
}

#[tokio::test]
async fn a_redis_that_comes_later_is_used() {
    let (shelf, mut redis) = (Shelf::new(), Redis::start());
    let id = Uuid::now_v7();
    shelf.put(id, 1);
    redis.stop();
    let cache = starting(&shelf, &redis.url());
    assert_eq!(shown(&cache, id).await, 1);
    assert!(!cache.uses_redis());
    redis.restart();
    uses_redis(&cache).await;
    eventually("it writes there", PATIENCE, async || {
        shown(&cache, id).await;
        (redis.command(&["DBSIZE"]) == "1").then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_origin_that_fails_to_hear_of_it_leaves_the_change_unacknowledged() {
    let shelf = Shelf::new();
    let cache = starting(&shelf, NOBODY);
    shelf.broken.store(true, std::sync::atomic::Ordering::SeqCst);
    assert!(cache.changed(&[Uuid::now_v7()]).await.is_err());
}

#[test]
fn what_is_no_url_of_redis_is_refused_and_a_password_never_shown() {
    for bad in ["", "redis", "http://redis:6379", "redis-cluster://redis:6379", "redis://redis:port"] {
        assert_eq!(bad.parse::<cache::RedisUrl>(), Err(cache::NotRedis), "{bad}");
    }
    let url: cache::RedisUrl = "rediss://user:secret@redis:6380/3".parse().expect("a URL");
    assert!(!format!("{url:?}").contains("secret"));
}

#[tokio::test]
async fn a_change_is_told_under_the_generation_of_the_moment_and_not_under_the_last_one_known() {
    let (shelf, redis) = (Shelf::new(), Redis::start());
    let (writer, cut_off) = (process(&shelf, &redis).await, starting(&shelf, NOBODY));
    let reader = process(&shelf, &redis).await;
    for _ in 0..6 {
        let (id, other) = (Uuid::now_v7(), Uuid::now_v7());
        shelf.put(id, 1);
        cut_off.changed(&[other]).await.expect("told");
        // This one hears of the new generation at once, because it tells of something itself, and reads the old version under it. All of that
        // takes a few milliseconds, so that the writer, who looks every 200, mostly knows the generation before.
        reader.changed(&[other]).await.expect("told");
        assert_eq!(shown(&reader, id).await, 1);
        shelf.put(id, 2);
        writer.changed(&[id]).await.expect("told");
        all_come_to(&[reader.clone(), writer.clone()], id, 2).await;
    }
}
