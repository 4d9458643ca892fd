//! An index that refuses items of a bulk request whose status is 200 all the same.

use search::elastic::{Index, IndexError, Settings};

use crate::fake::Fake;
use crate::shop::document;

async fn put(fake: &Fake, count: u128) -> Result<search::elastic::Put, IndexError> {
    let index = Index::new(&Settings::new(fake.url().parse().unwrap())).unwrap();
    let documents: Vec<_> = (0..count).map(|n| document(n, 1, "active")).collect();
    index.put("products", &documents).await
}

#[tokio::test]
async fn half_of_the_items_refused_for_now_are_sent_again_and_all_arrive() {
    // Of every request the second half is refused with 429: in the end one is left, which is taken.
    let fake = Fake::start(|_, place, of| if place * 2 >= of && of > 1 { 429 } else { 201 }).await;
    let put = put(&fake, 40).await.unwrap();
    assert!(put.busy.is_empty() && put.refused.is_empty(), "{put:?}");
    assert_eq!((put.there.len(), fake.taken().len()), (40, 40));
}

#[tokio::test]
async fn what_stays_refused_for_now_is_told_and_so_is_what_is_refused_for_good() {
    let fake = Fake::start(|id, _, _| {
        if id.ends_with('3') {
            503
        } else if id.ends_with('7') {
            400
        } else {
            409
        }
    })
    .await;
    let put = put(&fake, 16).await.unwrap();
    assert_eq!((put.there.len(), put.busy.len(), put.refused.len()), (14, 1, 1), "{put:?}");
    assert!(put.refused[0].1.contains("says the fake"), "{put:?}");
}

#[tokio::test]
async fn an_index_that_is_gone_is_no_success() {
    let fake = Fake::start(|_, _, _| 404).await;
    assert!(matches!(put(&fake, 3).await, Err(IndexError::NoIndex(_))));
}
