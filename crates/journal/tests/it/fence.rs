//! The fence: each version once, in order, whoever brings it. The control applies without a fence and is wrong.

use std::sync::Arc;

use bus::Handler;
use journal::Mode;

use crate::fixture::{another, broken, consumer, event, incoming, stream};

#[tokio::test]
async fn what_comes_again_is_dropped_and_what_comes_shuffled_in_batches_is_repaired() {
    let consumer = consumer(Mode::Gapless).await;
    *consumer.upstream.events.lock().unwrap() = (1..=6).map(|version| event("a", version)).collect();
    consumer.intake.handle(&incoming([event("a", 1), event("a", 2), event("a", 2), event("a", 1)])).await.unwrap();
    consumer.intake.handle(&incoming([event("a", 2), event("a", 3)])).await.unwrap();
    consumer.intake.handle(&incoming([event("a", 6), event("a", 4)])).await.unwrap();
    assert_eq!(consumer.versions("a").await, [1, 2, 3, 4, 5, 6]);
    assert_eq!(consumer.letters().await.len(), 0);
}

#[tokio::test]
async fn two_processes_with_the_same_first_event_apply_it_once_and_without_a_fence_twice() {
    let consumer = consumer(Mode::Gapless).await;
    let others: Vec<_> = (0..4).map(|_| another(&consumer.database, &consumer.upstream, Mode::Gapless)).collect();
    for round in 0..10 {
        let location = format!("r{round}");
        let batch = Arc::new(incoming([event(&location, 1), event(&location, 2)]));
        let handled = others.iter().map(|intake| {
            let (intake, batch) = (Arc::clone(intake), Arc::clone(&batch));
            tokio::spawn(async move { intake.handle(&batch).await.unwrap() })
        });
        for handled in handled.collect::<Vec<_>>() {
            handled.await.unwrap();
        }
        assert_eq!(consumer.versions(&location).await, [1, 2]);
    }
    // The control: the same effect with the fence's row put back, which is what a consumer without a fence does.
    let client = consumer.database.get().await.unwrap();
    client.execute("DELETE FROM applied WHERE stream = $1", &[&stream("r0")]).await.unwrap();
    consumer.intake.handle(&incoming([event("r0", 1), event("r0", 2)])).await.unwrap();
    assert_eq!(consumer.versions("r0").await, [1, 2, 1, 2]);
}

#[tokio::test]
async fn a_gap_is_repaired_from_the_producers_journal_before_anything_is_applied_out_of_order() {
    let consumer = consumer(Mode::Gapless).await;
    *consumer.upstream.events.lock().unwrap() = (1..=1200).map(|version| event("a", version)).collect();
    consumer.intake.handle(&incoming([event("a", 1100), event("b", 1)])).await.unwrap();
    assert_eq!(consumer.versions("a").await, (1..=1200).collect::<Vec<_>>());
    assert_eq!(consumer.versions("b").await, [1]);
}

#[tokio::test]
async fn a_copy_that_broke_on_the_way_heals_itself() {
    let consumer = consumer(Mode::Gapless).await;
    *consumer.upstream.events.lock().unwrap() = (1..=3).map(|version| event("a", version)).collect();
    consumer.intake.handle(&incoming([event("a", 1), broken("a", 2), event("a", 3)])).await.unwrap();
    assert_eq!(consumer.versions("a").await, [1, 2, 3]);
    assert_eq!(consumer.letters().await.len(), 0);
}

#[tokio::test]
async fn a_whole_state_passes_over_gaps_and_old_ones_stay_out() {
    let consumer = consumer(Mode::Newest).await;
    consumer.intake.handle(&incoming([event("a", 4), event("a", 2), event("a", 9), event("a", 9)])).await.unwrap();
    assert_eq!(consumer.versions("a").await, [4, 9]);
}

#[tokio::test]
async fn a_stranger_and_an_unknown_type_are_no_error_and_the_stream_goes_on() {
    let consumer = consumer(Mode::Gapless).await;
    let mut foreign = event("a", 1);
    foreign.source = "/somebody/else".to_owned();
    let mut unknown = event("a", 1);
    unknown.kind = "gudang.stock.blessed.v7".to_owned();
    consumer.intake.handle(&incoming([foreign, unknown, event("a", 2)])).await.unwrap();
    assert_eq!(consumer.versions("a").await, [2]);
    assert_eq!(consumer.letters().await.len(), 0);
}

#[tokio::test]
async fn a_last_event_that_never_came_is_found_by_comparing_books() {
    let consumer = consumer(Mode::Gapless).await;
    *consumer.upstream.events.lock().unwrap() = (1..=3).map(|version| event("a", version)).collect();
    consumer.intake.handle(&incoming([event("a", 1), event("a", 2)])).await.unwrap();
    assert_eq!(consumer.intake.reconcile().await.unwrap(), 0, "the first time it may be on its way");
    assert_eq!(consumer.intake.reconcile().await.unwrap(), 1);
    assert_eq!(consumer.versions("a").await, [1, 2, 3]);
    assert_eq!(consumer.intake.reconcile().await.unwrap(), 0);
}
