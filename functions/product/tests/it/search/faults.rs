//! The search index when things go wrong: it ends as the database is, and searches are answered all the while.

use std::time::{Duration, Instant};

use product::{Progress, ReindexError};
use search::elastic::Index;
use serde_json::json;
use testkit::dice::{Dice, seed};
use testkit::{Elasticsearch, eventually};

use super::gate::Gate;
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
    // The last of the changes may come before they are counted.
    let last = last.unwrap();
    assert!((3000..=3001).contains(&last.of) && last.done >= 3000, "{last:?}");
    world.settled().await;
    let [new] = indexes(&world).await.try_into().unwrap();
    assert_ne!(new, old);
    assert_eq!(skus(&world.search("q=NEW-1").await), ["NEW-1"]);
    assert_eq!(world.shop.get("/v1/search/drifts").await.json()["drifts"], json!([]));
}

#[tokio::test]
async fn each_change_is_found_by_the_index_itself() {
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
}

/// How long the index is down. What must hold for five minutes is seen in one: nothing of it counts time but the looks for whether the index is
/// back, each half a second, and for whether it is the right one, each five, so that a minute has a hundred of the one and a dozen of the other; and
/// what it lacks meanwhile is at most one mark a product, which the third change of each shows as well as the thirtieth. Elasticsearch forgets what
/// was deleted after a minute, and nothing is ever deleted there; `crates/search/tests/it/order.rs` has it forget at once.
const DOWN: Duration = Duration::from_mins(1);

#[tokio::test]
async fn while_the_index_is_down_for_long_every_search_is_answered_and_then_the_index_is_as_the_database_is() {
    let seed = seed();
    println!("seed {seed}");
    let mut dice = Dice::new(seed, 0);
    let mut server = Elasticsearch::start();
    let world = World::over(&server.url()).await;
    world.add_many(100, |n| format!("P-{n:02},Lantern {n},Garden,0\n")).await;
    world.settled().await;
    server.kill();
    degraded_first(&world).await;
    let (begun, mut times) = (Instant::now(), Vec::new());
    let mut versions = [0; 100];
    while begun.elapsed() < DOWN {
        let n = dice.below(100) as usize;
        let product = format!("/v1/products/P-{n:02}");
        match dice.below(4) {
            0 => drop(world.shop.step("DELETE", &product).await),
            1 => drop(world.shop.step("POST", &format!("{product}/restore")).await),
            2 => {
                versions[n] += 1;
                world.put(&format!("P-{n:02}"), "a", versions[n], dice.below(9) as i64).await;
            }
            _ => drop(world.shop.patch(&format!("P-{n:02}"), &json!({"name": format!("Lantern {}", dice.below(100))})).await),
        }
        let asked = Instant::now();
        assert_eq!(world.search("q=lantern").await["degraded"], true);
        times.push(asked.elapsed());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(world.stale().await <= 100, "one mark a product, however much was changed");
    let expected = world.every("q=lantern&limit=500").await;
    server.restart();
    world.settled().await;
    assert_eq!((world.search("q=lantern").await["degraded"].clone(), world.every("q=lantern&limit=500").await), (json!(false), expected));
    times.sort();
    println!("{} searches while it was down: p50 {:?}, slowest {:?}", times.len(), times[times.len() / 2], times[times.len() - 1]);
    assert!(times[times.len() * 95 / 100] < AT_ONCE, "{times:?}");
}

/// The first search after its end finds out that it is down.
async fn degraded_first(world: &World) {
    eventually("the index is known to be down", FOUND, async || (world.search("q=lantern").await["degraded"] == true).then_some(())).await;
}

#[tokio::test]
async fn an_index_that_is_slow_keeps_nobody_waiting_and_lacks_nothing() {
    let gate = Gate::open(&World::server().await).await;
    let world = World::over(&gate.url()).await;
    world.add("A-1,Red lantern,Garden,0\n").await;
    world.settled().await;
    // So slow that it is not waited for: whoever asks first waits a second, and nobody after him.
    gate.slow(Duration::from_secs(2));
    world.add("A-2,Green lantern,Garden,0\n").await;
    let first = degraded(&world, "q=lantern", &["A-1", "A-2"]).await;
    assert!(first < AT_ONCE + Duration::from_secs(1), "{first:?}");
    for _ in 0..40 {
        let took = degraded(&world, "q=lantern", &["A-1", "A-2"]).await;
        assert!(took < AT_ONCE, "slow: {took:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // Whoever brings it up to date has more patience.
    eventually("it is brought up to date", FOUND, async || (world.stale().await == 0).then_some(())).await;
    gate.slow(Duration::ZERO);
    world.settled().await;
    assert_eq!(skus(&world.search("q=lantern").await), ["A-1", "A-2"]);
}

#[tokio::test]
async fn a_new_index_answers_though_changes_never_end() {
    let world = World::open(Engine::Index).await;
    world.add_many(50, |n| format!("P-{n:02},Lantern {n},Garden,0\n")).await;
    world.settled().await;
    let [lost] = indexes(&world).await.try_into().unwrap();
    let changes = async {
        for n in 0.. {
            world.put(&format!("P-{:02}", n % 50), "a", n / 50 + 1, n).await;
        }
    };
    let index = Index::new(world.config.elasticsearch.as_ref().unwrap()).unwrap();
    let comes_back = async {
        index.remove(&lost).await.unwrap();
        eventually("another index answers", FOUND, async || {
            let page = world.search("q=lantern&limit=1").await;
            let is_another = index.behind().await.unwrap().iter().any(|name| *name != lost);
            (is_another && page["degraded"] == false).then(|| assert_eq!(page["total"], 50))
        })
        .await;
    };
    tokio::select! {
        () = changes => panic!("they never end"),
        () = comes_back => {}
    }
}

#[tokio::test]
async fn who_marks_a_product_waits_for_nobody_who_works_marks_off() {
    let mut world = World::open(Engine::Index).await;
    world.add("A-1,Red lantern,Garden,0\nA-2,Green lantern,Garden,0\n").await;
    world.settled().await;
    world.lead_no_more();
    world.add("A-1,Red candle,Garden,0\nA-2,Green candle,Garden,0\n").await;
    let mut client = world.shop.function.database.get().await.unwrap();
    let writer = client.transaction().await.unwrap();
    let touch = "UPDATE search_stale SET version = version \
                 WHERE product_id = (SELECT product_id FROM search_document WHERE sku = $1)";
    // Everybody marks in the order of the ids: the first one is marked, and the second is still to be.
    assert_eq!(writer.execute(touch, &[&"A-1"]).await.unwrap(), 1);
    world.lead();
    eventually("what nobody holds is worked off", FOUND, async || (world.stale().await == 1).then_some(())).await;
    let next = writer.execute(touch, &[&"A-2"]);
    tokio::time::timeout(FOUND, next).await.expect("nobody holds it").unwrap();
    writer.commit().await.unwrap();
    world.settled().await;
    assert_eq!(skus(&world.search("q=candle").await), ["A-1", "A-2"]);
}

/// How soon whoever leads a database looks whether the right index answers, and a little more.
const LOOKED: Duration = Duration::from_secs(7);

#[tokio::test]
async fn searches_go_over_to_a_new_index_once_and_it_is_kept_up_to_date_all_the_while() {
    let server = World::server().await;
    let (gate, world) = (Gate::open(&server).await, World::over(&server).await);
    world.add_many(20, |n| format!("P-{n:02},Lantern {n},Garden,0\n")).await;
    world.settled().await;
    let settings = world.config.elasticsearch.clone().unwrap();
    let index = Index::new(&settings).unwrap();
    let [old] = index.behind().await.unwrap().try_into().unwrap();
    let slow = product::IndexSettings { url: gate.url().parse().unwrap(), name: settings.name.clone() };
    // It has gone over, and who did it has not heard so yet; meanwhile others look after the index.
    let (held, go) = gate.hold("/_aliases", true);
    let watched = async {
        held.await.unwrap();
        let new = eventually("searches go over", FOUND, async || index.behind().await.unwrap().into_iter().find(|name| *name != old)).await;
        let begun = Instant::now();
        let mut n = 0;
        while begun.elapsed() < LOOKED {
            assert_eq!(index.behind().await.unwrap(), [new.as_str()], "searches go back to the old index");
            n += 1;
            world.put("P-07", "a", n, n).await;
            eventually("a change is found", FOUND, async || {
                let page = world.search("q=P-07").await;
                (page["items"][0]["product"]["stock"]["on_hand"] == n).then_some(())
            })
            .await;
        }
        go.send(()).unwrap();
        new
    };
    let (built, new) = tokio::join!(product::reindex(&world.config.database, &slow, |_| {}), watched);
    built.unwrap();
    assert_eq!(indexes(&world).await, [new.as_str()]);
    // The next one is killed right before it: who looks after the index finishes that.
    let (held, _go) = gate.hold("/_aliases", false);
    tokio::select! {
        done = product::reindex(&world.config.database, &slow, |_| {}) => panic!("it was to be killed: {done:?}"),
        held = held => held.unwrap(),
    }
    eventually("searches go over", FOUND, async || (index.behind().await.unwrap() != [new.as_str()]).then_some(())).await;
    world.add("NEW-1,Lantern new,Garden,0\n").await;
    world.settled().await;
    assert_eq!(skus(&world.search("q=NEW-1").await), ["NEW-1"]);
}
