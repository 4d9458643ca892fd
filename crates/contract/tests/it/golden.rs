//! One golden event a type, in the structured form, as the first release wrote it. A golden is never edited: what is out there stays readable.

use std::fs;
use std::path::Path;

use contract::event::{Broken, Payload, kind};
use contract::{Event, Topic};
use serde_json::{Value, json};
use uuid::Uuid;

const PRODUCT_KINDS: [&str; 4] = [kind::PRODUCT_CREATED, kind::PRODUCT_UPDATED, kind::PRODUCT_ARCHIVED, kind::PRODUCT_RESTORED];
const STOCK_KINDS: [&str; 5] =
    [kind::STOCK_CHANGED, kind::STOCK_THRESHOLD_CHANGED, kind::STOCK_RESERVED, kind::STOCK_RELEASED, kind::STOCK_EXPIRED];
const NOTIFICATION_KINDS: [&str; 3] = [kind::NOTIFICATION_RAISED, kind::NOTIFICATION_RESOLVED, kind::NOTIFICATION_ACKNOWLEDGED];

/// Every golden, with its file's name.
pub(crate) fn goldens() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden");
    let read =
        |entry: fs::DirEntry| (entry.file_name().to_string_lossy().into_owned(), fs::read_to_string(entry.path()).expect("a golden"));
    let mut goldens: Vec<_> = fs::read_dir(folder)
        .expect("the goldens")
        .map(|entry| entry.expect("an entry"))
        .filter(|entry| entry.path().is_file())
        .map(read)
        .collect();
    goldens.sort();
    goldens
}

fn value(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

fn event(golden: &Value) -> Event {
    Event::from_json(golden.to_string().as_bytes()).expect("an event")
}

/// A payload, written again.
fn data_of(payload: &Payload) -> Value {
    let written = match payload {
        Payload::Product(product) => serde_json::to_value(product),
        Payload::Stock(row) => serde_json::to_value(row),
        Payload::Notification(notification) => serde_json::to_value(notification),
        Payload::Unknown => panic!("a golden of a type that nobody knows"),
    };
    written.expect("JSON")
}

fn unfit(golden: &Value) -> bool {
    matches!(event(golden).payload(), Err(Broken::Data { .. }))
}

#[test]
fn every_type_of_the_contract_has_its_golden_and_no_golden_is_of_another() {
    let mut expected: Vec<String> =
        [&PRODUCT_KINDS[..], &STOCK_KINDS, &NOTIFICATION_KINDS].concat().iter().map(|kind| format!("{kind}.json")).collect();
    expected.sort();
    let found: Vec<String> = goldens().into_iter().map(|(name, _)| name).collect();
    assert_eq!(found, expected);
    for (name, text) in goldens() {
        assert_eq!(value(&text)["type"], name.trim_end_matches(".json"));
    }
}

#[test]
fn a_golden_is_read_as_what_its_type_promises_and_written_again_as_it_was() {
    for (name, text) in goldens() {
        let event = Event::from_json(text.as_bytes()).expect(&name);
        let payload = event.payload().expect(&name);
        let kind = event.kind.as_str();
        let right = match &payload {
            Payload::Product(_) => PRODUCT_KINDS.contains(&kind),
            Payload::Stock(_) => STOCK_KINDS.contains(&kind),
            Payload::Notification(_) => NOTIFICATION_KINDS.contains(&kind),
            Payload::Unknown => false,
        };
        assert!(right, "{name}: {payload:?}");
        assert_eq!(serde_json::to_value(&event).expect("JSON"), value(&text), "{name}");
        assert_eq!(data_of(&payload), value(&text)["data"], "{name}");
    }
}

#[test]
fn the_id_of_a_golden_follows_from_source_subject_and_version() {
    for (name, text) in goldens() {
        let golden = value(&text);
        let part = |attribute: &str| golden[attribute].as_str().expect(attribute).to_owned();
        // Spelt out here as in the contract, so that the code is not measured with itself.
        let named = format!("{}/{}/{}", part("source"), part("subject"), part("sequence"));
        assert_eq!(part("id"), Uuid::new_v5(&Uuid::NAMESPACE_URL, named.as_bytes()).to_string(), "{name}");
        let event = event(&golden);
        assert_eq!(event.id, Event::id_of(&event.source, &event.subject, event.version), "{name}");
    }
}

#[test]
fn a_golden_comes_from_the_source_of_its_topic_and_is_ordered_by_its_product() {
    for (name, text) in goldens() {
        let event = event(&value(&text));
        let topic = Topic::of_source(&event.source).expect(&name);
        let expected = match event.kind.split('.').nth(1) {
            Some("product") => Topic::ProductEvents,
            Some("stock") => Topic::StockChanges,
            _ => Topic::Notifications,
        };
        assert_eq!(topic, expected, "{name}");
        assert_eq!(event.subject.split('@').next(), Some(event.partition_key.as_str()), "{name}");
    }
}

#[test]
fn what_a_later_release_adds_to_an_event_is_let_be() {
    for (name, text) in goldens() {
        let mut golden = value(&text);
        let known = event(&golden).payload().expect(&name);
        let added = json!({"nested": [1, null, "x"]});
        golden["data"]["added_later"] = added.clone();
        golden["added"] = json!("later");
        golden["dataschema"] = json!("https://example.org/schema");
        for delivery in golden["data"]["deliveries"].as_array_mut().into_iter().flatten() {
            delivery["added_later"] = added.clone();
        }
        assert_eq!(event(&golden).payload().expect(&name), known, "{name}");
    }
}

#[test]
fn a_type_that_this_version_does_not_know_is_no_error() {
    for (_, text) in goldens() {
        let mut golden = value(&text);
        golden["type"] = json!("gudang.stock.counted.v9");
        golden["data"] = json!(["anything"]);
        assert_eq!(event(&golden).payload().expect("no error"), Payload::Unknown);
    }
}

#[test]
fn an_envelope_that_is_none_of_the_contract_is_broken() {
    for (name, text) in goldens() {
        for attribute in ["specversion", "id", "source", "type", "subject", "time", "sequence", "partitionkey", "recordedtime", "data"] {
            let mut without = value(&text);
            without.as_object_mut().expect("an object").remove(attribute);
            let refused = Event::from_json(without.to_string().as_bytes());
            assert!(matches!(refused, Err(Broken::Envelope(_))), "{name} without {attribute}");
        }
        for (attribute, bad) in [
            ("specversion", json!("0.3")),
            ("sequence", json!("0")),
            ("sequence", json!("-1")),
            ("sequence", json!("one")),
            ("sequence", json!(1)),
            ("time", json!("yesterday")),
            ("id", json!("1")),
            ("subject", json!("nothing\0of this kind")),
            ("subject", json!("x".repeat(1025))),
        ] {
            let mut golden = value(&text);
            golden[attribute] = bad;
            assert!(matches!(Event::from_json(golden.to_string().as_bytes()), Err(Broken::Envelope(_))), "{name}: {golden}");
        }
    }
}

#[test]
fn data_that_does_not_fit_its_type_is_broken_and_the_envelope_can_still_be_read() {
    for (name, text) in goldens() {
        for data in [json!(null), json!([]), json!("text"), json!({})] {
            let mut golden = value(&text);
            golden["data"] = data;
            assert!(unfit(&golden), "{name}: {golden}");
        }
    }
}

#[test]
fn envelope_and_data_must_speak_of_the_same_row() {
    for (name, text) in goldens().into_iter().filter(|(name, _)| !name.starts_with("gudang.notification.")) {
        for (attribute, other) in
            [("sequence", "99"), ("subject", "0198c9f2-7a4e-7c33-9a51-000000000000"), ("subject", "0198c9f2-7a4e-7c33-9a51-3d2f6f6b9f10@x")]
        {
            let mut golden = value(&text);
            golden[attribute] = json!(other);
            assert!(unfit(&golden), "{name}: {attribute} {other}");
        }
    }
}

#[test]
fn a_movement_without_its_parts_is_broken() {
    let (_, text) = goldens().into_iter().find(|(name, _)| *name == format!("{}.json", kind::STOCK_CHANGED)).expect("its golden");
    for part in ["id", "type", "quantity"] {
        let mut golden = value(&text);
        golden["data"].as_object_mut().expect("an object").remove(part);
        assert!(unfit(&golden), "without {part}");
    }
}
