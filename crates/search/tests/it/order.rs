//! Documents that come late, twice or in any order.

use std::collections::BTreeMap;

use search::elastic::{Index, Settings};
use search::{Filters, Question, Typed};
use testkit::Elasticsearch;
use testkit::dice::{Dice, seed};

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
