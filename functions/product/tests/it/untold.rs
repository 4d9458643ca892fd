//! Changes whose maker hears nothing of them, or is gone, before he could tell the cache: other processes show them all the same.

use std::time::Duration;

use serde_json::json;
use testkit::{Blow, Marks, Point, Proxy, Redis, Server, TestDatabase, eventually};

use crate::fixture::Shop;

/// The transactions that change a product, as they show on the wire.
const MARKS: Marks = Marks { begin: "START TRANSACTION", write: "UPDATE product p SET" };
/// How soon others show what nobody told. Redis would keep what was there before for ten minutes.
const TOLD: Duration = Duration::from_secs(10);
/// A COMMIT that takes its time.
const SLOW_COMMIT: &str = "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.5); RETURN NULL; END'; \
     CREATE CONSTRAINT TRIGGER slow AFTER UPDATE ON product DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION slow()";
const COMMITTING: &str = "SELECT EXISTS (SELECT FROM pg_stat_activity \
     WHERE datname = current_database() AND state = 'active' AND query = 'COMMIT')";
/// Waits for whoever is changing it.
const NAME: &str = "SELECT name FROM product WHERE sku = 'mug' FOR UPDATE";

async fn shown(shop: &Shop) -> String {
    shop.get("/v1/products/mug").await.json()["name"].as_str().unwrap().to_owned()
}

async fn committed(shop: &Shop) -> String {
    shop.function.database.get().await.unwrap().query_one(NAME, &[]).await.unwrap().get(0)
}

async fn shows(shop: &Shop, name: &str) {
    eventually("others show what is committed", TOLD, async || (shown(shop).await == name).then_some(())).await;
}

/// Adds a product, and has Redis keep it as it is.
async fn kept(shop: &Shop, redis: &Redis) {
    shop.add("mug").await;
    eventually("redis has it", TOLD, async || {
        shown(shop).await;
        (redis.command(&["DBSIZE"]) == "1").then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_whose_commit_was_never_answered_is_shown_by_others() {
    let redis = tokio::task::block_in_place(Redis::start);
    let server = Server::start(&["product"]).await;
    let proxy = Proxy::open(&server.socket(), MARKS).await;
    let [reader, writer] = [server.url("product"), server.url_by(proxy.port(), "product")].map(|url| {
        let settings = postgres::Settings { url, pool_size: 4, application_name: "test".to_owned() };
        Shop::over(settings, Some(redis.url().leak()))
    });
    let (reader, writer) = (reader.await, writer.await);
    kept(&reader, &redis).await;
    let mut known = 0;
    for (n, point) in [Point::CommitSent, Point::DuringCommit, Point::AfterCommit].into_iter().cycle().take(6).enumerate() {
        shown(&reader).await;
        let name = format!("mug {n}");
        let struck = proxy.set(point, 1, Blow::Cut);
        let reply = writer.patch("mug", &json!({"name": name})).await;
        assert_eq!(reply.status, 503, "{point:?}: {}", String::from_utf8_lossy(&reply.body));
        struck.await.unwrap();
        let is = committed(&reader).await;
        known += usize::from(is == name);
        shows(&reader, &is).await;
        assert_eq!(shown(&writer).await, is);
    }
    assert!(known >= 2, "what is cut off after the commit is committed: {known}");
}

#[tokio::test]
async fn a_change_whose_maker_left_while_it_was_committed_is_shown_by_others() {
    let redis = Redis::start();
    let database = TestDatabase::create().await;
    let (one, two) = (Shop::on(&database, Some(&redis.url())).await, Shop::on(&database, Some(&redis.url())).await);
    kept(&two, &redis).await;
    let client = one.function.database.get().await.unwrap();
    client.batch_execute(SLOW_COMMIT).await.unwrap();
    for n in 0..3 {
        let name = format!("mug {n}");
        let commits = eventually("it is being committed", TOLD, async || {
            let committing: bool = client.query_one(COMMITTING, &[]).await.unwrap().get(0);
            committing.then_some(())
        });
        let body = json!({"name": name});
        tokio::select! {
            reply = one.patch("mug", &body) => panic!("it was to be left: {reply:?}"),
            () = commits => {}
        }
        assert_ne!(shown(&two).await, name, "not yet");
        assert_eq!(committed(&two).await, name);
        shows(&two, &name).await;
    }
}
