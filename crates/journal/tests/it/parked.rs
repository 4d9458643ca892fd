//! Dead letters: what cannot be applied stands aside, others go on, and a retry takes it up in order.

use std::sync::atomic::Ordering;

use bus::{Alien, Handler, Incoming};
use contract::Topic;
use journal::Mode;

use crate::fixture::{broken, consumer, event, incoming, stream};

#[tokio::test]
async fn a_poison_event_parks_its_stream_alone_and_a_retry_applies_it_and_what_followed() {
    let consumer = consumer(Mode::Gapless).await;
    *consumer.upstream.events.lock().unwrap() = vec![event("a", 1), broken("a", 2), event("a", 3)];
    consumer.intake.handle(&incoming([event("a", 1), broken("a", 2), event("a", 3), event("b", 1)])).await.unwrap();
    consumer.intake.handle(&incoming([event("a", 4), event("b", 2)])).await.unwrap();
    assert_eq!((consumer.versions("a").await, consumer.versions("b").await), (vec![1], vec![1, 2]));
    let letters = consumer.letters().await;
    assert_eq!(letters.len(), 1, "one letter, not one for each event behind it");
    assert_eq!((letters[0].version, letters[0].reason.as_str()), (Some(2), "broken"));

    *consumer.upstream.events.lock().unwrap() = (1..=4).map(|version| event("a", version)).collect();
    let retried = consumer.intake.retry(&stream("a"), Topic::StockChanges).await.unwrap();
    assert_eq!(retried, journal::Retried::Resolved { version: 4 });
    assert_eq!(consumer.versions("a").await, [1, 2, 3, 4]);
    assert!(consumer.letters().await[0].resolved_at.is_some());
    consumer.intake.handle(&incoming([event("a", 5)])).await.unwrap();
    assert_eq!(consumer.versions("a").await, [1, 2, 3, 4, 5]);
}

#[tokio::test]
async fn a_gap_that_cannot_be_repaired_now_waits_and_is_retried_by_tick() {
    let consumer = consumer(Mode::Gapless).await;
    consumer.upstream.away.store(true, Ordering::SeqCst);
    consumer.intake.handle(&incoming([event("a", 1), event("a", 3)])).await.unwrap();
    assert_eq!(consumer.letters().await[0].reason, "gap");
    consumer.intake.retry_gaps().await.unwrap();
    assert_eq!(consumer.versions("a").await, [1], "nothing is applied out of order");

    consumer.upstream.away.store(false, Ordering::SeqCst);
    *consumer.upstream.events.lock().unwrap() = (1..=3).map(|version| event("a", version)).collect();
    consumer.intake.retry_gaps().await.unwrap();
    assert_eq!(consumer.versions("a").await, [1, 2, 3]);
}

#[tokio::test]
async fn an_event_that_the_database_refuses_is_found_among_many_and_parked_alone() {
    let consumer = consumer(Mode::Gapless).await;
    // The table refuses a total of 13: the thirteenth event of `poison` it is.
    let events: Vec<_> = (1..=20).map(|version| event("poison", version)).chain((1..=12).map(|version| event("b", version))).collect();
    *consumer.upstream.events.lock().unwrap() = events.clone();
    consumer.intake.handle(&incoming(events)).await.unwrap();
    assert_eq!(consumer.versions("poison").await, (1..=12).collect::<Vec<_>>());
    assert_eq!(consumer.versions("b").await, (1..=12).collect::<Vec<_>>());
    let letters = consumer.letters().await;
    assert_eq!((letters.len(), letters[0].version, letters[0].reason.as_str()), (1, Some(13), "broken"));
}

#[tokio::test]
async fn history_that_was_rewritten_is_told_by_its_recorded_time_and_parked() {
    let consumer = consumer(Mode::Gapless).await;
    consumer.intake.handle(&incoming([event("a", 1), event("a", 2)])).await.unwrap();
    let mut rewritten = event("a", 2);
    rewritten.recorded_at = contract::Time::parse("2026-02-01T00:00:00Z").unwrap();
    consumer.intake.handle(&incoming([rewritten, event("a", 3)])).await.unwrap();
    assert_eq!(consumer.versions("a").await, [1, 2]);
    assert_eq!(consumer.letters().await[0].reason, "rewritten");
}

#[tokio::test]
async fn what_is_no_event_is_kept_as_it_came_once() {
    let consumer = consumer(Mode::Gapless).await;
    let alien = || Incoming::Alien(Alien { bytes: b"\xffnot json".to_vec(), cause: "no \0 CloudEvent".to_owned(), ..Alien::default() });
    consumer.intake.handle(&[alien()]).await.unwrap();
    consumer.intake.handle(&[alien(), Incoming::Event(event("a", 1))]).await.unwrap();
    let letters = consumer.letters().await;
    assert_eq!((letters.len(), letters[0].reason.as_str(), letters[0].stream.as_deref()), (1, "alien", None));
    assert_eq!(consumer.versions("a").await, [1]);
}
