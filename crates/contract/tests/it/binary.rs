//! The binary form: one golden a type, as the first release wrote it. `golden/binary` shows attributes line by line, and the data behind an
//! empty line. A golden is never edited.

use std::fs;
use std::path::{Path, PathBuf};

use contract::Event;
use contract::event::{Broken, Payload};

use crate::golden::goldens;

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/binary").join(name).with_extension("txt")
}

fn structured() -> impl Iterator<Item = (String, Event)> {
    goldens().into_iter().map(|(name, text)| (name, Event::from_json(text.as_bytes()).expect("an event")))
}

fn written(event: &Event) -> String {
    let attributes = event.attributes();
    let lines = attributes.iter().map(|(name, value)| format!("{name}: {value}\n"));
    format!("{}\n{}", lines.collect::<String>(), event.data.get())
}

fn parts(text: &str) -> (Vec<(&str, &str)>, &[u8]) {
    let (attributes, data) = text.split_once("\n\n").expect("an empty line");
    (attributes.lines().map(|line| line.split_once(": ").expect("an attribute")).collect(), data.as_bytes())
}

#[test]
fn every_type_has_a_golden_that_is_written_as_it_was_and_reads_back() {
    for (name, event) in structured() {
        let golden = fs::read_to_string(path(&name)).expect(&name);
        assert_eq!(written(&event), golden, "{name}");
        let (attributes, data) = parts(&golden);
        let read = Event::from_binary(attributes, data).expect(&name);
        assert_eq!(serde_json::to_value(&read).expect("JSON"), serde_json::to_value(&event).expect("JSON"), "{name}");
        assert_eq!(read.data.get(), event.data.get(), "{name}: the data to the letter");
    }
    assert_eq!(fs::read_dir(path("x").with_file_name("")).expect("the goldens").count(), structured().count());
}

#[test]
fn attributes_that_nobody_knows_are_let_be_and_one_that_is_missing_or_bad_is_broken() {
    for (name, event) in structured() {
        let text = written(&event);
        let (attributes, data) = parts(&text);
        let more = attributes.iter().copied().chain([("added", "later"), ("dataschema", "https://example.org/schema")]);
        assert_eq!(Event::from_binary(more, data).expect(&name).id, event.id);
        for (left_out, _) in attributes.iter().filter(|(attribute, _)| *attribute != "traceparent") {
            let fewer = attributes.iter().copied().filter(|(attribute, _)| attribute != left_out);
            let said = Event::from_binary(fewer, data).expect_err(left_out).to_string();
            assert!(said.contains(&format!("`{left_out}` is missing")), "{said}");
        }
        for (attribute, bad) in [("specversion", "0.3"), ("sequence", "0"), ("sequence", "one"), ("time", "yesterday"), ("id", "1")] {
            let bad = attributes.iter().map(|&(known, value)| (known, if known == attribute { bad } else { value }));
            assert!(matches!(Event::from_binary(bad, data), Err(Broken::Envelope(_))), "{name}: {attribute}");
        }
    }
}

#[test]
fn data_that_is_no_json_leaves_the_envelope_readable_and_the_payload_broken() {
    for (name, event) in structured() {
        let text = written(&event);
        let (attributes, _) = parts(&text);
        for data in [&b"{\"half\": "[..], b"", b"\xff\xfe", b"plain text", b"\"\""] {
            let read = Event::from_binary(attributes.clone(), data).expect("an envelope");
            assert_eq!((read.id, read.version), (event.id, event.version), "{name}");
            assert!(matches!(read.payload(), Err(Broken::Data { .. })), "{name}: {data:?}");
        }
        assert!(!matches!(event.payload(), Ok(Payload::Unknown) | Err(_)));
    }
}

#[test]
fn an_event_of_somebody_else_is_foreign_and_not_broken_in_both_forms() {
    let foreign = [("specversion", "1.0"), ("id", "A-42"), ("source", "https://example.org/till"), ("type", "org.example.sold")];
    let ours = ("source", "/gudang/stock");
    let with = |place: usize, attribute: (&'static str, &'static str)| {
        let mut attributes = foreign;
        attributes[place] = attribute;
        attributes
    };
    let json = |attributes: &[(&str, &str)]| serde_json::to_vec(&attributes.iter().copied().collect::<std::collections::BTreeMap<_, _>>());
    for attributes in [foreign, with(2, ours), with(3, ("type", "gudang.stock.changed.v1"))] {
        let (binary, structured) = (Event::from_binary(attributes, b"{}"), Event::from_json(&json(&attributes).expect("JSON")));
        assert!(matches!(binary, Err(Broken::Foreign { .. })), "{binary:?}");
        assert!(matches!(structured, Err(Broken::Foreign { .. })), "{structured:?}");
    }
    let mut half_ours = with(2, ours);
    half_ours[3] = ("type", "gudang.stock.changed.v9");
    for attributes in [&half_ours[..], &foreign[1..], &foreign[..3], &with(1, ("id", ""))] {
        let (binary, structured) =
            (Event::from_binary(attributes.iter().copied(), b"{}"), Event::from_json(&json(attributes).expect("JSON")));
        assert!(matches!(binary, Err(Broken::Envelope(_))), "{binary:?}");
        assert!(matches!(structured, Err(Broken::Envelope(_))), "{structured:?}");
    }
}
