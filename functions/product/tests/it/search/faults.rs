//! The search index when things go wrong: it ends as the database is, and searches are answered all the while.

use std::time::{Duration, Instant};

use product::{Progress, ReindexError};
use search::elastic::Index;
use serde_json::json;
use testkit::dice::{Dice, seed};
use testkit::{Elasticsearch, eventually};

use super::world::{Engine, FOUND, World, skus};

/// An answer at once, on a machine with other work; well below the second that a request to the index may take.
const AT_ONCE: Duration = Duration::from_millis(700);

/// Asks; the database must answer, marked as such. Gives how long it took.
async fn degraded(world: &World, query: &str, expected: &[&str]) -> Duration {
    let begun = Instant::now();
    let page = world.search(query).await;
    assert_eq!((skus(&page), &page["degraded"]), (expected.iter().map(|sku| (*sku).to_owned()).collect(), &json!(true)), "{page}");
    begun.elapsed()
}

#[tokio::test]
async fn while_the_index_is_down_or_hangs_the_database_answers_at_once_and_then_everything_arrives() {
    // It ends with the thread that it was started from, which is this one.
    let mut server = Elasticsearch::start();
    let world = World::over(&server.url()).await;
    world.add("A-1,Red lantern,Garden,0\n").await;
    world.settled().await;
    assert_eq!(world.search("q=lantern").await["degraded"], false);
    server.kill();
    world.add("A-2,Green lantern,Garden,0\n").await;
    world.shop.step("DELETE", "/v1/products/A-1").await;
    for _ in 0..20 {
        let took = degraded(&world, "q=lantern", &["A-2"]).await;
        assert!(took < AT_ONCE, "down: {took:?}");
    }
    server.restart();
    world.settled().await;
    assert_eq!(skus(&world.search("q=lantern").await), ["A-2"]);
    // One that hangs costs the first who ask a second, and nobody after them.
    server.pause();
    world.add("A-3,Blue lantern,Garden,0\n").await;
    degraded(&world, "q=lantern", &["A-2", "A-3"]).await;
    for _ in 0..20 {
        let took = degraded(&world, "q=lantern", &["A-2", "A-3"]).await;
        assert!(took < AT_ONCE, "hanging: {took:?}");
    }
    server.go_on();
    world.settled().await;
    assert_eq!(skus(&world.search("q=lantern").await), ["A-2", "A-3"]);
}

async fn indexes(world: &World) -> Vec<String> {
    Index::new(world.config.elasticsearch.as_ref().unwrap()).unwrap().all().await.unwrap()
}

#[tokio::test]
async fn an_index_that_was_thrown_away_or_differs_comes_back() {
    let world = World::open(Engine::Index).await;
    world.add("A-1,Red lantern,Garden,0\nA-2,Green lantern,Garden,0\n").await;
    world.settled().await;
    let index = Index::new(world.config.elasticsearch.as_ref().unwrap()).unwrap();
    let [name] = indexes(&world).await.try_into().unwrap();
    index.remove(&name).await.unwrap();
    degraded(&world, "q=lantern", &["A-1", "A-2"]).await;
    world.settled().await;
    assert_eq!(skus(&world.search("q=lantern").await), ["A-1", "A-2"]);
    assert_ne!(indexes(&world).await, [name]);
    // A mark that was lost: nothing brings the document, and the comparison says so.
    let client = world.shop.function.database.get().await.unwrap();
    let lose = "UPDATE product SET version = version + 1 WHERE sku = 'A-1'";
    client.batch_execute(lose).await.unwrap();
    let drifts = world.shop.get("/v1/search/drifts").await.json()["drifts"].clone();
    assert_eq!(drifts.as_array().map(Vec::len), Some(1), "{drifts}");
    assert!(drifts[0].as_str().unwrap().ends_with("the database version 2"), "{drifts}");
}

async fn reindex(world: &World, tell: impl FnMut(Progress)) -> Result<(), ReindexError> {
    product::reindex(&world.config.database, world.config.elasticsearch.as_ref().unwrap(), tell).await
}

#[tokio::test]
async fn a_new_index_is_built_while_changes_go_on_and_an_interrupted_one_leaves_nothing() {
    let seed = seed();
    println!("seed {seed}");
    let mut dice = Dice::new(seed, 0);
    let world = World::open(Engine::Index).await;
    world.add_many(3000, |n| format!("P-{n:04},Lantern {n},Garden,0\n")).await;
    world.settled().await;
    let [old] = indexes(&world).await.try_into().unwrap();
    // Dropped in its middle, as if killed: searches go on, and the half index is kept until it is thrown away.
    let mut heard = 0;
    let halfway = reindex(&world, |progress| heard = progress.done);
    tokio::select! {
        done = halfway => panic!("it was to be interrupted: {done:?}"),
        () = eventually("half of it", FOUND, async || (indexes(&world).await.len() == 2).then_some(())) => {}
    }
    assert_eq!(world.search("q=lantern&limit=1").await["total"], 3000);
    let mut last = None;
    let building = reindex(&world, |progress| last = Some(progress));
    let changes = async {
        for n in 0..60 {
            let sku = format!("P-{:04}", dice.below(3000));
            match dice.below(3) {
                0 => drop(world.shop.step("DELETE", &format!("/v1/products/{sku}")).await),
                1 => world.put(&sku, "a", n + 1, n).await,
                _ => drop(world.shop.patch(&sku, &json!({"name": format!("Candle {n}")})).await),
            }
        }
        world.add("NEW-1,Lantern new,Garden,0\n").await;
    };
    let (built, ()) = tokio::join!(building, changes);
    built.unwrap();
    assert_eq!(last, Some(Progress { done: last.unwrap().done, of: 3000 }));
    assert!(last.unwrap().done >= 3000, "{last:?}");
    world.settled().await;
    let [new] = indexes(&world).await.try_into().unwrap();
    assert_ne!(new, old);
    assert_eq!(skus(&world.search("q=NEW-1").await), ["NEW-1"]);
    assert_eq!(world.shop.get("/v1/search/drifts").await.json()["drifts"], json!([]));
}

#[tokio::test]
async fn a_change_is_found_within_two_seconds() {
    let world = World::open(Engine::Index).await;
    world.add("A-0,Lantern,Garden,0\n").await;
    world.settled().await;
    let mut times = Vec::new();
    for n in 1..=40 {
        let begun = Instant::now();
        world.add(&format!("A-{n},Lantern,Garden,0\n")).await;
        let query = format!("q=A-{n}");
        loop {
            let page = world.search(&query).await;
            if page["degraded"] == false && skus(&page).first() == Some(&format!("A-{n}")) {
                break;
            }
            assert!(begun.elapsed() < FOUND, "{page}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        times.push(begun.elapsed());
    }
    times.sort();
    println!("change to searchable: p50 {:?}, slowest of 40 {:?}", times[20], times[39]);
    assert!(times[38] < Duration::from_secs(2), "{times:?}");
}
