//! Products read by two processes through one Redis: `{ref}` in both forms, conditional requests, writes and events.

use axum::body::Body;
use serde_json::{Value, json};
use testkit::{Redis, TestDatabase, eventually};

use crate::fixture::Shop;
use crate::stock::{deliver, level};

const PATIENCE: std::time::Duration = std::time::Duration::from_secs(30);
/// What another process may be behind.
const BOUND: std::time::Duration = std::time::Duration::from_secs(1);

async fn two(redis: &Redis) -> [Shop; 2] {
    let database = TestDatabase::create().await;
    [Shop::on(&database, Some(&redis.url())).await, Shop::on(&database, Some(&redis.url())).await]
}

/// What both forms of `{ref}` show, and the tag; asserted to be the same.
async fn shown(shop: &Shop, product: &Value) -> (Value, String) {
    let by_sku = shop.get(&format!("/v1/products/{}", product["sku"].as_str().unwrap())).await;
    let by_id = shop.get(&format!("/v1/products/{}", product["id"].as_str().unwrap())).await;
    assert_eq!((by_sku.status, by_sku.header("etag"), &by_sku.body), (by_id.status, by_id.header("etag"), &by_id.body));
    assert_eq!(by_sku.header("content-type"), "application/json");
    (by_sku.json(), by_sku.header("etag").to_owned())
}

#[tokio::test]
async fn what_one_process_writes_or_hears_it_shows_at_once_and_the_other_within_a_second() {
    let redis = Redis::start();
    let [one, two] = two(&redis).await;
    assert_eq!(two.get("/v1/products/mug").await.status, 404);
    let mug = one.add("mug").await;
    assert_eq!(shown(&two, &mug).await, (mug.clone(), "\"1-0\"".to_owned()), "made a moment ago, and not there before that");
    eventually("redis has it", PATIENCE, async || {
        shown(&two, &mug).await;
        (redis.command(&["DBSIZE"]) == "1").then_some(())
    })
    .await;
    for (n, name) in ["cup", "bowl", "jug"].into_iter().enumerate() {
        shown(&two, &mug).await;
        assert_eq!(one.patch("mug", &json!({"name": name})).await.status, 200);
        assert_eq!(shown(&one, &mug).await.0["name"], name);
        deliver(&one, &[level(&mug, "default", n as i64 + 1, 10 * n as i64, 0)]).await;
        let (_, tag) = shown(&one, &mug).await;
        assert_eq!(tag, format!("\"{}-{}\"", n + 2, n + 1));
        tokio::time::sleep(BOUND).await;
        assert_eq!(shown(&two, &mug).await, shown(&one, &mug).await);
        let has = [("if-none-match", tag.as_str())];
        assert_eq!(two.send("GET", "/v1/products/mug", &has, Body::empty()).await.status, 304);
    }
    assert_eq!(one.step("DELETE", "/v1/products/mug").await.status, 204);
    assert_eq!(shown(&one, &mug).await.0["status"], "archived");
    let rows = "{\"sku\": \"fork\", \"name\": \"fork\", \"category\": \"Kitchen\"}\n";
    let fork = one.add("fork").await;
    shown(&two, &fork).await;
    assert_eq!(one.import("application/x-ndjson", None, rows.replace("\"name\": \"fork\"", "\"name\": \"spoon\"")).await.status, 200);
    assert_eq!(shown(&one, &fork).await.0["name"], "spoon");
    tokio::time::sleep(BOUND).await;
    assert_eq!(shown(&two, &fork).await.0["name"], "spoon");
    assert_eq!(shown(&two, &mug).await.0["status"], "archived");
}

#[tokio::test]
async fn a_redis_that_hangs_keeps_nobody_from_reading_or_writing() {
    let redis = Redis::start();
    let [one, two] = two(&redis).await;
    let mug = one.add("mug").await;
    shown(&two, &mug).await;
    redis.hang();
    let begun = std::time::Instant::now();
    assert_eq!(one.patch("mug", &json!({"name": "cup"})).await.status, 200);
    assert_eq!(shown(&one, &mug).await.0["name"], "cup");
    deliver(&one, &[level(&mug, "default", 1, 7, 0)]).await;
    assert_eq!(shown(&one, &mug).await.1, "\"2-1\"");
    assert!(begun.elapsed() < BOUND, "it took {:?}", begun.elapsed());
    tokio::time::sleep(BOUND).await;
    assert_eq!(shown(&two, &mug).await.1, "\"2-1\"");
    redis.go_on();
    for _ in 0..50 {
        assert_eq!(shown(&two, &mug).await.1, "\"2-1\"", "what it kept is out of reach");
        tokio::time::sleep(BOUND / 50).await;
    }
}
