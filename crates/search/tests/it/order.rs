//! Documents that come late, twice or in any order.

use std::collections::BTreeMap;
use std::time::Duration;

use search::elastic::{Index, Settings};
use search::{Filters, Question, Typed};
use serde_json::json;
use testkit::dice::{Dice, seed};
use testkit::{Elasticsearch, Http, eventually};

use crate::shop::document;

const PRODUCTS: u128 = 50;
const VERSIONS: i64 = 6;

#[tokio::test]
async fn shuffled_and_repeated_the_newest_stays_and_nothing_archived_comes_back() {
    let seed = seed();
    println!("seed {seed}");
    let mut dice = Dice::new(seed, 0);
    let server = Elasticsearch::start();
    let index = Index::new(&Settings::new(server.url().parse().unwrap())).unwrap();
    let name = index.create().await.unwrap();
    index.answer_from(&name).await.unwrap();
    // Every third product is archived by its last version; each version comes twice, in any order.
    let status = |n: u128, version: i64| if n.is_multiple_of(3) && version == VERSIONS { "archived" } else { "active" };
    let mut all = Vec::new();
    for n in 0..PRODUCTS {
        for version in (1..=VERSIONS).chain(1..=VERSIONS) {
            all.push(document(n, version, status(n, version)));
        }
    }
    for at in (1..all.len()).rev() {
        all.swap(at, dice.below(at as u64 + 1) as usize);
    }
    for some in all.chunks(37) {
        let put = index.put(&name, some).await.unwrap();
        assert!(put.busy.is_empty() && put.refused.is_empty() && put.there.len() == some.len(), "{put:?}");
    }
    // Deleted documents are forgotten after a while, and an older version then comes back; one with a status does not.
    let late: Vec<_> = (0..PRODUCTS).map(|n| document(n, VERSIONS - 1, "active")).collect();
    index.put(&name, &late).await.unwrap();
    index.refresh(&name).await.unwrap();
    let mut copies = BTreeMap::new();
    index.copies(&name, |copy| copies.extend([(copy.id, copy.version)])).await.unwrap();
    assert_eq!(copies.len() as u128, PRODUCTS);
    assert!(copies.values().all(|version| *version == VERSIONS), "{copies:?}");
    let question = Question { typed: Typed::parse("lantern").unwrap(), filters: Filters::default(), after: None, rows: 500 };
    let hits = index.find(&question).await.expect("it answers");
    let active = (0..PRODUCTS).filter(|n| !n.is_multiple_of(3)).count();
    assert_eq!((hits.page.len(), hits.cube.counts(&question.filters).total), (active, active as u64));
    assert!(hits.page.iter().all(|hit| hit.product.as_ref().unwrap().version == VERSIONS));
}

/// How long the index remembers what was deleted, and what is forgotten a while after that.
const REMEMBERED: &str = "2s";
const FORGOTTEN: Duration = Duration::from_mins(1);

#[tokio::test]
async fn what_was_archived_stays_so_after_the_index_has_forgotten_what_was_deleted() {
    let server = Elasticsearch::start();
    let index = Index::new(&Settings::new(server.url().parse().unwrap())).unwrap();
    let (name, http) = (index.create().await.unwrap(), Http::new(&server.url()));
    index.answer_from(&name).await.unwrap();
    let forgetful = json!({"index.gc_deletes": REMEMBERED}).to_string();
    let typed = [("content-type", "application/json")];
    http.send("PUT", &format!("/{name}/_settings"), &typed, forgetful.clone()).await.expect(200);
    index.put(&name, &[document(1, 5, "active")]).await.unwrap();
    index.put(&name, &[document(1, 6, "archived")]).await.unwrap();
    // The control: in an index of somebody who deletes, the same late update brings a document back, once its deletion is forgotten.
    http.send("PUT", "/control", &typed, json!({"settings": {"number_of_replicas": 0}}).to_string()).await.expect(200);
    http.send("PUT", "/control/_settings", &typed, forgetful).await.expect(200);
    let write = async |method: &str, version: u64| {
        let path = format!("/control/_doc/1?version={version}&version_type=external");
        http.send(method, &path, &typed, if method == "PUT" { "{}" } else { "" }).await.status
    };
    assert_eq!((write("PUT", 5).await, write("DELETE", 6).await, write("PUT", 5).await), (201, 200, 409), "not forgotten yet");
    eventually("the deletion is forgotten", FORGOTTEN, async || {
        http.send("POST", "/_refresh", &[], String::new()).await.expect(200);
        (write("PUT", 5).await == 201).then_some(())
    })
    .await;
    let put = index.put(&name, &[document(1, 5, "active")]).await.unwrap();
    assert_eq!((put.there.len(), put.busy.len(), put.refused.len()), (1, 0, 0), "{put:?}");
    index.refresh(&name).await.unwrap();
    let mut versions = Vec::new();
    index.copies(&name, |copy| versions.push(copy.version)).await.unwrap();
    assert_eq!(versions, [6]);
    let question = Question { typed: Typed::parse("lantern").unwrap(), filters: Filters::default(), after: None, rows: 10 };
    assert!(index.find(&question).await.expect("it answers").page.is_empty());
}
