//! Dead letters: what cannot be applied stands aside, others go on, and a retry takes it up in order.

use std::sync::Mutex;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bus::{Alien, DeadLetter, DeadLetterOffice, Handler, Incoming, Message, Origin, Undelivered};
use contract::Topic;
use futures::future::BoxFuture;
use journal::Mode;
use tokio_util::sync::CancellationToken;

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
    let message = || Message { bytes: b"\xffnot json".to_vec(), ..Message::default() };
    let alien = || Incoming::Alien(Alien { message: message(), cause: "no \0 CloudEvent".to_owned() });
    consumer.intake.handle(&[alien()]).await.unwrap();
    consumer.intake.handle(&[alien(), Incoming::Event(event("a", 1))]).await.unwrap();
    let letters = consumer.letters().await;
    assert_eq!((letters.len(), letters[0].reason.as_str(), letters[0].stream.as_deref()), (1, "alien", None));
    assert_eq!(consumer.versions("a").await, [1]);
}

#[tokio::test]
async fn what_is_somebody_else_s_is_settled_and_leaves_nothing() {
    let consumer = consumer(Mode::Gapless).await;
    consumer.intake.handle(&[Incoming::Foreign(None), Incoming::Event(event("a", 1))]).await.unwrap();
    assert_eq!((consumer.versions("a").await, consumer.letters().await.len()), (vec![1], 0));
}

#[tokio::test]
async fn many_gaps_of_a_producer_that_hangs_wait_for_it_once() {
    const GAPS: usize = 200;
    let consumer = consumer(Mode::Gapless).await;
    consumer.upstream.hangs.store(true, Ordering::SeqCst);
    let gaps = (0..GAPS).map(|shelf| event(&format!("shelf {shelf}"), 2));
    let begun = Instant::now();
    consumer.intake.handle(&incoming(gaps.chain([event("a", 1)]))).await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    assert_eq!(consumer.upstream.asked.load(Ordering::SeqCst), 1);
    assert_eq!(consumer.versions("a").await, [1]);
    assert_eq!(journal::letters::list(&consumer.database, None, 500).await.unwrap().len(), GAPS);

    let begun = Instant::now();
    consumer.intake.retry_gaps().await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    assert_eq!(consumer.upstream.asked.load(Ordering::SeqCst), 2);
    consumer.upstream.hangs.store(false, Ordering::SeqCst);
    let both = |shelf| (1..=2).map(move |version| event(&format!("shelf {shelf}"), version));
    *consumer.upstream.events.lock().unwrap() = (0..GAPS).flat_map(both).collect();
    for _ in 0..2 {
        consumer.intake.retry_gaps().await.unwrap();
    }
    for shelf in 0..GAPS {
        assert_eq!(consumer.versions(&format!("shelf {shelf}")).await, [1, 2]);
    }
}

/// Keeps what it is sent.
#[derive(Default)]
struct Shelf {
    letters: Mutex<Vec<DeadLetter>>,
}

impl DeadLetterOffice for Shelf {
    fn post<'a>(&'a self, letters: &'a [DeadLetter]) -> BoxFuture<'a, Result<(), Undelivered>> {
        self.letters.lock().unwrap().extend_from_slice(letters);
        Box::pin(async { Ok(()) })
    }
}

#[tokio::test]
async fn a_letter_is_sent_on_byte_for_byte_as_its_message_came() {
    let consumer = consumer(Mode::Gapless).await;
    let message = |offset| Message {
        key: Some(b"\xfea key of their own".to_vec()),
        headers: vec![("ce_time".to_owned(), b"2026-01-01T01:00:00+01:00".to_vec()), ("x-more".to_owned(), b"\xff".to_vec())],
        bytes: b" {\"quantity\" :\t\"many\"} ".to_vec(),
        origin: Some(Origin { topic: "stock-changes".into(), partition: 2, offset }),
    };
    *consumer.upstream.events.lock().unwrap() = vec![broken("b", 1)];
    let came = [("a", 2), ("b", 1)].map(|(shelf, version)| Incoming::Carried(broken(shelf, version), message(version)));
    consumer.intake.handle(&came).await.unwrap();
    let (office, stop) = (Shelf::default(), CancellationToken::new());
    let epoch = journal::Lease::take(&consumer.database, "test").await.unwrap().unwrap().epoch;
    let sending = journal::post::run(consumer.database.clone(), "gudang-test".to_owned(), &office, epoch, stop.clone());
    let sent = testkit::eventually("both letters", Duration::from_secs(20), async || {
        let letters = office.letters.lock().unwrap();
        (letters.len() == 2).then(|| letters.iter().filter_map(|letter| letter.message.message()).cloned().collect::<Vec<_>>())
    });
    let sent = tokio::select! { sent = sent => sent, () = sending => panic!("it goes on until it is stopped") };
    assert_eq!(sent, [message(2), message(1)]);
}
