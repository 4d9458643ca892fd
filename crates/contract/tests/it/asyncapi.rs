//! The AsyncAPI document: in its place as the types make it, sound by AsyncAPI's own schema, and true of the goldens.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use contract::asyncapi::document;
use contract::{Event, Topic};
use jsonschema::Validator;
use serde_json::{Value, json};

use crate::golden::goldens;

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

fn validator(schema: &Value) -> Validator {
    jsonschema::options().should_validate_formats(true).build(schema).expect("a schema")
}

/// What a validator has against something.
fn complaints(validator: &Validator, instance: &Value) -> Vec<String> {
    validator.iter_errors(instance).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

/// The schema of a part of every message of a type, with what it refers to. `strict`: and no field besides those that it names.
fn schema(kind: &str, part: &str, strict: bool) -> Value {
    let document = document().expect("a document");
    let mut schema = document["components"]["messages"][kind][part].clone();
    let mut schemas = document["components"]["schemas"].clone();
    for named in schemas.as_object_mut().expect("schemas").values_mut().filter(|named| strict && named["properties"].is_object()) {
        named["additionalProperties"] = json!(false);
    }
    schema["components"] = json!({"schemas": schemas});
    schema
}

/// The headers of a message that carries an event.
fn headers(event: &Event) -> Value {
    let mut headers: Value = event.attributes().into_iter().map(|(name, value)| (format!("ce_{name}"), json!(value))).collect();
    headers["content-type"] = json!("application/json");
    headers
}

#[test]
fn the_document_in_the_tree_is_the_one_that_the_types_make() {
    let written = fs::read_to_string(root().join("docs/asyncapi.json")).expect("docs/asyncapi.json");
    assert!(
        written == format!("{:#}\n", document().expect("a document")),
        "docs/asyncapi.json is not as the types are: run `make asyncapi`"
    );
}

#[test]
fn it_is_sound_by_the_schema_of_asyncapi_itself() {
    let said = Command::new(root().join("scripts/asyncapi-schema.sh")).output().expect("a script");
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    let path = String::from_utf8(said.stdout).expect("a path");
    let schema: Value = serde_json::from_str(&fs::read_to_string(path.trim_end()).expect("a schema")).expect("JSON");
    let validator = validator(&schema);
    let mut document = document().expect("a document");
    assert_eq!(complaints(&validator, &document), [""; 0]);
    document["channels"]["stock-changes"]["adress"] = json!("stock-changes");
    assert_ne!(complaints(&validator, &document), [""; 0], "it would not notice");
}

/// Every `$ref` in a document.
fn references<'a>(value: &'a Value, found: &mut BTreeSet<&'a str>) {
    match value {
        Value::Object(fields) => {
            found.extend(fields.get("$ref").and_then(Value::as_str));
            fields.values().for_each(|field| references(field, found));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

#[test]
fn everything_that_it_refers_to_is_there_and_nothing_is_there_in_vain() {
    let document = document().expect("a document");
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    for reference in &found {
        assert!(document.pointer(&reference[1..]).is_some(), "{reference}");
    }
    for section in ["messages", "schemas"] {
        for name in document["components"][section].as_object().expect("a section").keys() {
            assert!(found.contains(&*format!("#/components/{section}/{name}")), "{section}: {name}");
        }
    }
}

#[test]
fn every_type_stands_on_its_topic_with_the_golden_as_its_example() {
    let document = document().expect("a document");
    let kinds: BTreeSet<&str> = document["components"]["messages"].as_object().expect("messages").keys().map(String::as_str).collect();
    let mut expected: BTreeSet<String> = ["dead-letter".to_owned()].into();
    for (name, text) in goldens() {
        let golden = Event::from_json(text.as_bytes()).expect(&name);
        let topic = Topic::of_source(&golden.source).expect(&name);
        assert!(document["channels"][topic.name()]["messages"][&golden.kind].is_object(), "{name}");
        let example = &document["components"]["messages"][&golden.kind]["examples"][0];
        let data: Value = serde_json::from_str(golden.data.get()).expect("JSON");
        assert_eq!((&example["payload"], &example["headers"]), (&data, &headers(&golden)), "{name}");
        expected.insert(golden.kind);
    }
    assert_eq!(kinds, expected.iter().map(String::as_str).collect());
    let channels: Vec<&String> = document["channels"].as_object().expect("channels").keys().collect();
    assert_eq!(channels, ["dead-letters", "notifications", "product-events", "stock-changes"]);
}

#[test]
fn goldens_fit_their_schemas_and_have_no_field_that_these_do_not_name() {
    for (name, text) in goldens() {
        let golden = Event::from_json(text.as_bytes()).expect(&name);
        let data: Value = serde_json::from_str(golden.data.get()).expect("JSON");
        for (part, instance) in [("payload", data), ("headers", headers(&golden))] {
            let validator = validator(&schema(&golden.kind, part, true));
            assert_eq!(complaints(&validator, &instance), [""; 0], "{name}: {part}");
            for field in instance.as_object().expect("an object").keys() {
                let mut wrong = instance.clone();
                wrong[field] = json!({"not": ["what", "it", "is"]});
                assert!(!validator.is_valid(&wrong), "{name}: {part}: {field} may be anything");
            }
        }
    }
}

#[test]
fn what_a_later_release_adds_fits_too_and_what_is_missing_does_not() {
    for (name, text) in goldens() {
        let golden = Event::from_json(text.as_bytes()).expect(&name);
        let mut data: Value = serde_json::from_str(golden.data.get()).expect("JSON");
        let validator = validator(&schema(&golden.kind, "payload", false));
        data["added_later"] = json!([1]);
        assert!(validator.is_valid(&data), "{name}");
        data.as_object_mut().expect("an object").remove("sku");
        assert!(!validator.is_valid(&data), "{name}");
    }
}
