//! What closes the day: the audit, of all books, the cache and the index; and that it does not pass over what is wrong.

use serde_json::{Value, json};
use testkit::{Http, Service, eventually};

use crate::world::{PATIENCE, Servers, World};

/// How often an old value is put into Redis.
const ATTEMPTS: usize = 5;

/// Nothing differs, after everything that happened.
pub(super) async fn the_books_balance(world: &World) {
    // In Redis, where there is one, is what was read of late.
    for sku in ["85123A", "vase", "clock"] {
        world.http(Service::Product).get(&format!("/v1/products/{sku}")).await.expect(200);
    }
    assert_eq!(world.run(&["audit", "--json"]).expect(0).json(), json!({"drifts": []}));
    let said = world.run(&["audit"]).expect(0);
    assert!(said.out.contains("the books balance") && !said.out.contains("compared: 0 products"), "{said:?}");
    assert_eq!(said.out.contains(" products in Redis"), world.servers().is_some(), "{said:?}");
}

/// `gudang reindex`, and again: the same is found, and the audit agrees.
pub(super) async fn a_new_index_is_as_the_old_one(world: &World) {
    let Some(Servers { elasticsearch, .. }) = world.servers() else { return };
    let path = "/v1/products/search?q=lantern&category=Lamps";
    let items = async || world.http(Service::Product).get(path).await.expect(200).json()["items"].clone();
    let before = items().await;
    let elastic = Http::new(&elasticsearch.url());
    let index = async || elastic.get("/_alias/gudang-products").await.json();
    let mut behind = index().await;
    for _ in 0..2 {
        let url = world.database_url(Service::Product);
        let said = world.run(&["reindex", "--product-database-url", &url, "--elasticsearch-url", &elasticsearch.url()]).expect(0);
        assert!(said.out.starts_with("a new search index answers, with ") && said.out.ends_with(" products\n"), "{said:?}");
        assert_eq!(items().await, before);
        let now = index().await;
        assert_ne!(now, behind, "it is another one");
        assert_eq!(now.as_object().expect("indexes").len(), 1);
        behind = now;
    }
    world.run(&["audit"]).expect(0);
}

/// A copy, a cached product and a document that are made wrong behind everybody's back are drifts, each by its name.
pub(super) async fn what_is_wrong_is_named(world: &World) {
    let id_of = async |sku: &str| {
        let product = world.http(Service::Product).get(&format!("/v1/products/{sku}")).await.expect(200).json();
        product["id"].as_str().expect("an id").to_owned()
    };
    let jug = id_of("jug").await;
    world.meddle(Service::Product, &format!("UPDATE product_stock SET on_hand = on_hand + 1 WHERE product_id = '{jug}'")).await;
    let stream = format!("{jug}@default");
    let mut expected = vec![json!({
        "service": "product", "account": "stock", "stream": stream, "expected": "on_hand 0", "found": "on_hand 1",
        "detail": format!("stock of {stream} at version 4: Stock Change says on_hand 0, Product says on_hand 1"),
    })];
    if let Some(servers) = world.servers() {
        expected.push(gone_from_the_index(servers, &id_of("LMP-100").await).await);
    }
    assert_eq!(drifts(world), sorted(expected.clone()));
    let said = world.run(&["audit"]).expect(1);
    let count = if expected.len() == 1 { "1 drift\n".to_owned() } else { format!("{} drifts\n", expected.len()) };
    assert!(said.out.contains("drift: stock of ") && said.out.ends_with(&count), "{said:?}");

    let Some(servers) = world.servers() else { return };
    let clock = id_of("clock").await;
    for attempt in 1.. {
        // Where Redis is not heard in time, all that it has is out of reach, and this with it.
        let expected = sorted([&expected[..], &[old_in_redis(world, servers, &clock, attempt).await]].concat());
        let found = drifts(world);
        if found == expected {
            break;
        }
        assert!(attempt < ATTEMPTS, "{found:#?} instead of {expected:#?}");
    }
}

fn drifts(world: &World) -> Vec<Value> {
    sorted(world.run(&["audit", "--json"]).expect(1).json()["drifts"].as_array().expect("drifts").clone())
}

fn sorted(mut drifts: Vec<Value>) -> Vec<Value> {
    drifts.sort_by_key(|drift| drift["detail"].to_string());
    drifts
}

fn found_by_product(detail: &str) -> Value {
    json!({"service": "product", "detail": format!("product: {detail}")})
}

/// Puts back into Redis what it had of a product before a change.
async fn old_in_redis(world: &World, Servers { redis, .. }: &Servers, id: &str, attempt: usize) -> Value {
    let http = world.http(Service::Product);
    let pattern = format!("gudang:*:{}", id.replace('-', ""));
    let (keys, old) = eventually("it is in Redis", PATIENCE, async || {
        http.get(&format!("/v1/products/{id}")).await.expect(200);
        let keys = redis.command(&["--scan", "--pattern", &pattern]);
        // Whoever begins to load it leaves a mark first.
        let value = keys.lines().map(|key| redis.command(&["GET", key])).find(|value| value.contains('\n'))?;
        Some((keys, value))
    })
    .await;
    let headers = [("content-type", "application/merge-patch+json")];
    let patch = json!({"description": format!("Ticks, for the {attempt}. time")}).to_string();
    let changed = http.send("PATCH", &format!("/v1/products/{id}"), &headers, patch).await.expect(200);
    for key in keys.lines() {
        redis.command(&["SET", key, &old]);
    }
    let (was, is) = (old.lines().next().expect("versions").replace(' ', "-"), changed.header("etag").trim_matches('"').to_owned());
    found_by_product(&format!("redis has product {id} at version {was}, the database at {is}"))
}

/// Takes a document out of the index.
async fn gone_from_the_index(Servers { elasticsearch, .. }: &Servers, id: &str) -> Value {
    let elastic = Http::new(&elasticsearch.url());
    let query = json!({"query": {"ids": {"values": [id]}}});
    let found = elastic.post("/gudang-products/_search?version=true", &query).await.expect(200).json();
    let hit = &found["hits"]["hits"][0];
    let path = format!("/{}/_doc/{id}?refresh=true", hit["_index"].as_str().expect("an index"));
    elastic.send("DELETE", &path, &[], "").await.expect(200);
    let version = &hit["_version"];
    found_by_product(&format!("the search index has nothing of product {id}, the database version {version}"))
}
