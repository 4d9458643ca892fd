//! Fifty thousand products, with both engines: what is exact stays first, what is counted adds up, a page has what it must have, and it is quick.

use std::time::{Duration, Instant};

use serde_json::json;
use testkit::eventually;

use super::model::{self, PRODUCTS, adjective, counted, sku, thing};
use super::world::{Engine, World, skus};

/// Rows of one import.
const ROWS: usize = 10_000;
/// Until the index has all of them, in a debug build beside other work.
const INDEXED: Duration = Duration::from_mins(5);
/// Half of the searches are answered in this time, also in a debug build beside other work. On a machine of its own it is that of nearly all.
const QUICK: Duration = Duration::from_millis(50);
/// What is compared with the model: one letter, two, three, more; in SKUs, in names, in both, in neither.
const TYPED: [&str; 22] = [
    "s",
    "l",
    "n",
    "1",
    "4",
    "z",
    "sk",
    "no",
    "la",
    "re",
    "12",
    "sku",
    "red",
    "sku0",
    "sku-012",
    "ku-012",
    "lan",
    "no 1",
    "red lan",
    "mug no 410",
    "red lantern no 0",
    "kettle 33",
];

async fn fifty_thousand(engine: Engine) {
    let world = World::open(engine).await;
    for first in (0..PRODUCTS).step_by(ROWS) {
        world.add_many(ROWS, |n| model::row(first + n)).await;
    }
    world.shop.function.database.get().await.unwrap().batch_execute("ANALYZE").await.unwrap();
    eventually("all of them are found", INDEXED, async || world.is_settled().await.then_some(())).await;
    for typed in TYPED {
        let page = world.search(&format!("q={}", typed.replace(' ', "+"))).await;
        let (expected, counts) = model::found(typed, 50);
        assert_eq!(skus(&page), expected, "{engine:?}: {typed}");
        assert_eq!(page["facets"]["category"], json!(counts), "{engine:?}: {typed}");
        assert_eq!(page["total"], counts.values().sum::<u64>(), "{engine:?}: {typed}");
        assert_eq!(page["facets"]["stock"], json!({"in": 0, "low": 0, "out": page["total"]}), "{engine:?}: {typed}");
    }
    quickly(&world, engine).await;
}

/// Searches of all kinds, each looked at for what can be said of it at once.
async fn quickly(world: &World, engine: Engine) {
    let mut times = Vec::new();
    for n in 0..40 {
        let n = n * 1237 % PRODUCTS;
        let (exact, thing, mistyped) = (sku(n), thing(n), swapped(thing(n)));
        for query in [
            format!("q={exact}"),
            format!("q=sku{n:05}"),
            format!("q={}", &exact[..8]),
            format!("q=KU-{:03}", n / 100),
            format!("q={thing}"),
            format!("q={thing}+{}", adjective(n)),
            format!("q={mistyped}+{}", adjective(n)),
            format!("q={mistyped}+no+{n}"),
            format!("q={}", &thing[..1]),
            format!("q={}", &thing[..2]),
            format!("q={thing}&category=Category+{}&stock=out", n % 7),
            format!("category=Category+{}", n % 7),
            String::new(),
        ] {
            let begun = Instant::now();
            let page = world.search(&query).await;
            times.push((begun.elapsed(), query.clone()));
            if query.starts_with("q=SKU") && query.len() == 11 || query.starts_with("q=sku") {
                assert_eq!(skus(&page)[0], exact, "{query}");
            }
            if query.contains("+no+") {
                assert_eq!(skus(&page), [exact.as_str()], "{query}");
            }
            assert!(page["total"].as_u64().unwrap() > 0, "{query}");
            if !query.contains("category") {
                assert_eq!(counted(&page["facets"]["category"]), page["total"].as_u64().unwrap(), "{query}");
                assert_eq!(counted(&page["facets"]["stock"]), page["total"].as_u64().unwrap(), "{query}");
            }
        }
    }
    times.sort();
    let at = |share: f64| &times[((times.len() - 1) as f64 * share) as usize];
    println!("{engine:?}, {} searches: p50 {:?}, p90 {:?}, p99 {:?}, slowest {:?}", times.len(), at(0.5), at(0.9), at(0.99), at(1.0));
    assert!(at(0.5).0 < QUICK, "half of the searches take longer than {QUICK:?}: {:?}", at(0.5));
}

#[tokio::test]
async fn fifty_thousand_products_are_searched_quickly_and_exactly_in_the_database() {
    fifty_thousand(Engine::Database).await;
}

#[tokio::test]
async fn fifty_thousand_products_are_searched_quickly_and_exactly_in_the_index() {
    fifty_thousand(Engine::Index).await;
}

/// The word with two letters of its middle swapped.
fn swapped(word: &str) -> String {
    let mut letters: Vec<char> = word.chars().collect();
    letters.swap(1, 2);
    letters.into_iter().collect()
}
