//! From the outlet into the topic, and from there to the handler.

use std::collections::HashMap;
use std::time::Instant;

use bus::kafka::Producer;
use bus::{Alien, DeadLetter, Incoming, Message, Origin};
use contract::{Event, Topic};
use rdkafka::message::{Header, OwnedHeaders};

use crate::fixture::{Notes, PATIENCE, Running, cluster, event, product};
use crate::raw;

/// The murmur2 hash of Kafka's Java client, written again from its definition (org.apache.kafka.common.utils.Utils).
fn murmur2(data: &[u8]) -> i32 {
    const M: u32 = 0x5bd1_e995;
    let mut hash = 0x9747_b28c ^ data.len() as u32;
    let words = data.chunks_exact(4);
    let rest = words.remainder();
    for word in words {
        let mut k = u32::from_le_bytes(word.try_into().expect("four bytes")).wrapping_mul(M);
        k = (k ^ (k >> 24)).wrapping_mul(M);
        hash = hash.wrapping_mul(M) ^ k;
    }
    for (place, byte) in rest.iter().enumerate() {
        hash ^= u32::from(*byte) << (8 * place);
    }
    if !rest.is_empty() {
        hash = hash.wrapping_mul(M);
    }
    hash = (hash ^ (hash >> 13)).wrapping_mul(M);
    (hash ^ (hash >> 15)) as i32
}

#[test]
fn the_hash_is_that_of_the_java_client() {
    // From Kafka's own UtilsTest.
    for (text, hash) in [("21", -973_932_308), ("foobar", -790_332_482), ("a-little-bit-long-string", -985_981_536)] {
        assert_eq!(murmur2(text.as_bytes()), hash, "{text}");
    }
}

fn golden(name: &str) -> String {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../contract/golden").join(name);
    std::fs::read_to_string(path).expect("a golden")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_lies_in_its_partition_in_binary_mode_as_the_golden_has_it_and_comes_out_the_same() {
    let (kafka, settings) = cluster().await;
    let event = Event::from_json(golden("gudang.stock.changed.v1.json").as_bytes()).expect("an event");
    Producer::new(&settings)
        .expect("a producer")
        .outlet(Topic::StockChanges)
        .deliver(std::slice::from_ref(&event))
        .await
        .expect("delivered");

    let lying = raw::everything(&kafka, "stock-changes");
    let shown = golden("binary/gudang.stock.changed.v1.txt");
    let (attributes, data) = shown.split_once("\n\n").expect("attributes and data");
    let mut expected = vec![("content-type".to_owned(), "application/json".to_owned())];
    expected.extend(attributes.lines().map(|line| {
        let (name, value) = line.split_once(": ").expect("an attribute");
        (format!("ce_{name}"), value.to_owned())
    }));
    assert_eq!(lying.len(), 1);
    assert_eq!(lying[0].headers, expected);
    assert_eq!(String::from_utf8_lossy(&lying[0].bytes), data);
    assert_eq!(lying[0].key.as_deref(), Some(event.partition_key.as_bytes()));

    let notes = Notes::open();
    let running = Running::start(&settings, &notes);
    notes.until(1).await;
    running.stop().await;
    let [Incoming::Carried(read, message)] = &notes.all()[..] else { panic!("one event") };
    assert_eq!(serde_json::to_string(read).expect("JSON"), serde_json::to_string(&event).expect("JSON"));
    let origin = message.origin.as_ref().expect("a place");
    assert_eq!((&*origin.topic, origin.partition, origin.offset), ("stock-changes", lying[0].partition, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_thousand_events_arrive_once_each_in_order_of_their_product_and_where_java_would_have_put_them() {
    const PRODUCTS: usize = 500;
    const VERSIONS: i64 = 100;
    let (kafka, settings) = cluster().await;
    let events: Vec<Event> = (1..=VERSIONS).flat_map(|version| (0..PRODUCTS).map(move |number| event(number, version))).collect();
    let begun = Instant::now();
    Producer::new(&settings).expect("a producer").outlet(Topic::StockChanges).deliver(&events).await.expect("delivered");
    println!("{} events were delivered in {:?}", events.len(), begun.elapsed());

    let begun = Instant::now();
    let notes = Notes::open();
    let running = Running::start(&settings, &notes);
    notes.until(events.len()).await;
    println!("and handled in {:?}, in {} batches", begun.elapsed(), notes.handed.lock().expect("notes").len());
    running.stop().await;
    let mut seen: HashMap<String, i64> = HashMap::new();
    for (subject, version) in notes.events() {
        let last = seen.entry(subject).or_default();
        assert_eq!(version, *last + 1, "no version is missing, twice or out of turn");
        *last = version;
    }
    assert!(seen.len() == PRODUCTS && seen.values().all(|last| *last == VERSIONS));
    for message in raw::everything(&kafka, "stock-changes") {
        let hash = murmur2(message.key.as_deref().expect("a key"));
        assert_eq!(message.partition, (hash & 0x7fff_ffff) % 12);
    }
    let committed = raw::committed(&kafka, crate::fixture::GROUP, "stock-changes");
    assert_eq!(committed.values().sum::<i64>(), events.len() as i64, "every offset is committed: {committed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_event_is_handed_over_as_it_came_with_its_place() {
    let (kafka, settings) = cluster().await;
    let headers =
        || OwnedHeaders::new().insert(Header { key: "ce_id", value: Some("1") }).insert(Header { key: "x", value: Some("\u{1}") });
    raw::put(&kafka, "stock-changes", b"anything", headers(), b"\xff\0no JSON").await;
    raw::put(&kafka, "stock-changes", b"anything", headers(), b"\xff\0no JSON").await;
    let event = event(1, 1);
    let structured = OwnedHeaders::new().insert(Header { key: "content-type", value: Some("application/cloudevents+json; charset=UTF-8") });
    raw::put(&kafka, "stock-changes", b"anything", structured, &serde_json::to_vec(&event).expect("JSON")).await;
    let notes = Notes::open();
    let running = Running::start(&settings, &notes);
    notes.until(3).await;
    running.stop().await;
    let all = notes.all();
    let [Incoming::Alien(first), Incoming::Alien(second), Incoming::Carried(third, _)] = &all[..] else { panic!("{all:?}") };
    let Alien { message: Message { key, headers, bytes, origin }, cause } = first;
    assert_eq!((key.as_deref(), bytes.as_slice()), (Some(&b"anything"[..]), &b"\xff\0no JSON"[..]));
    assert_eq!(headers, &[("ce_id".to_owned(), b"1".to_vec()), ("x".to_owned(), b"\x01".to_vec())]);
    assert!(cause.contains("`specversion` is missing"), "{cause}");
    let place = |alien: &Alien| alien.message.origin.clone().expect("a place");
    assert_eq!((place(first).offset, place(second).offset), (0, 1));
    assert_eq!(origin.as_ref().map(|origin| &*origin.topic), Some("stock-changes"));
    assert_eq!(third.id, event.id);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_is_the_message_as_it_came_with_what_became_of_it() {
    let (kafka, settings) = cluster().await;
    let origin = Origin { topic: "stock-changes".into(), partition: 3, offset: 77 };
    let letter = |message| DeadLetter { message, error: "version 3 came, 2 is missing".to_owned(), consumer: "gudang-test".to_owned() };
    let message = Message {
        key: Some(b"k".to_vec()),
        headers: vec![("a".to_owned(), b"1".to_vec()), ("a".to_owned(), b"2".to_vec())],
        bytes: b"\0\xff".to_vec(),
        origin: Some(origin),
    };
    let event = event(1, 3);
    let carried = Incoming::Carried(event.clone(), Message { key: Some(b"c".to_vec()), ..message.clone() });
    let alien = Incoming::Alien(Alien { message, cause: String::new() });
    let letters = [letter(alien), letter(carried), letter(Incoming::Event(event))];
    Producer::new(&settings).expect("a producer").dead_letters().post(&letters).await.expect("posted");
    let lying = raw::everything(&kafka, "dead-letters");
    let find = |key: &str| lying.iter().filter(|message| message.key.as_deref() == Some(key.as_bytes())).collect::<Vec<_>>();
    let pairs = |message: &raw::Lying| message.headers.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>();
    let stamped =
        ["x-error=version 3 came, 2 is missing", "x-consumer=gudang-test", "x-topic=stock-changes", "x-partition=3", "x-offset=77"];
    for key in ["k", "c"] {
        let as_it_came = find(key)[0];
        assert_eq!(as_it_came.bytes, b"\0\xff", "{key}");
        assert_eq!(pairs(as_it_came), [&["a=1", "a=2"][..], &stamped].concat(), "{key}");
    }
    let own = find(&product(1))[0];
    let said = |name: &str| own.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    assert_eq!(["ce_sequence", "x-topic", "x-offset"].map(said), [Some("3"), Some("stock-changes"), None]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_that_is_too_large_for_any_broker_is_sent_in_short_and_keeps_none_behind_it() {
    let (kafka, settings) = cluster().await;
    let letter = |key: &str, bytes: usize| {
        let headers = vec![("small".to_owned(), b"kept".to_vec()), ("large".to_owned(), vec![b'h'; bytes / 2])];
        let origin = Some(Origin { topic: "stock-changes".into(), partition: 3, offset: 77 });
        let message = Message { key: Some(key.as_bytes().to_vec()), headers, bytes: vec![b'x'; bytes], origin };
        let (error, consumer) = ("e".repeat(bytes), "gudang-test".to_owned());
        DeadLetter { message: Incoming::Alien(Alien { message, cause: String::new() }), error, consumer }
    };
    let letters = [letter("small", 10), letter("large", 2_000_000), letter("vast", 9_000_000), letter("last", 20)];
    let office = Producer::new(&settings).expect("a producer").dead_letters();
    office.post(&letters).await.expect("posted");
    let lying = raw::everything(&kafka, "dead-letters");
    assert_eq!(lying.len(), 4, "each once");
    for (letter, whole) in letters.iter().zip([true, true, false, true]) {
        let message = letter.message.message().expect("a message");
        let lies = lying.iter().find(|lying| lying.key == message.key).expect("it is there");
        let said = |name: &str| lies.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        assert!(message.bytes.starts_with(&lies.bytes) && !lies.bytes.is_empty());
        assert_eq!(lies.bytes.len() == message.bytes.len(), whole);
        assert_eq!(said("x-truncated"), (!whole).then_some("9000000"));
        assert_eq!((said("small"), said("large").is_some()), (Some("kept"), whole));
        assert!(letter.error.starts_with(said("x-error").expect("an error")));
        assert_eq!((said("x-topic"), said("x-offset")), (Some("stock-changes"), Some("77")));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_comes_back_gets_the_rest_and_one_that_stays_away_is_an_error_within_a_bound() {
    let (mut kafka, settings) = cluster().await;
    let outlet = Producer::new(&settings).expect("a producer").outlet(Topic::StockChanges);
    outlet.deliver(&[event(1, 1)]).await.expect("delivered");
    kafka.kill();
    let begun = Instant::now();
    let later = [event(1, 2), event(1, 3)];
    outlet.deliver(&later).await.expect_err("nobody is there");
    assert!(begun.elapsed() < PATIENCE, "{:?}", begun.elapsed());
    let sending = tokio::spawn(async move { outlet.deliver(&later).await });
    tokio::task::block_in_place(|| kafka.restart());
    sending.await.expect("no panic").expect("delivered after all");
    let notes = Notes::open();
    let running = Running::start(&settings, &notes);
    notes.until(3).await;
    running.stop().await;
    assert_eq!(notes.events().iter().map(|(_, version)| *version).collect::<Vec<_>>(), [1, 2, 3]);
}
