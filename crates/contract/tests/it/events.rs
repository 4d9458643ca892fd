//! Events: what is sent is what arrives, and nothing that arrives brings the decoder down.

use contract::event::{Payload, kind};
use contract::{Category, ChangeType, Currency, Event, MinStock, Name, Reason, Reference, StockEvent, Topic};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::golden::goldens;
use crate::values::{location, money, product_id, sku, time};

fn text<T: Clone + std::fmt::Debug>(parse: impl Fn(&str) -> Option<T>) -> impl Strategy<Value = T> {
    "\\PC{1,100}".prop_filter_map("refused", move |text| parse(&text))
}

/// The data of a movement, in the ledger's own ranges.
fn movement() -> impl Strategy<Value = StockEvent> {
    let what = (any::<u128>(), product_id(), sku(), location(), select(ChangeType::ALL.as_slice()), 0_i64..=1_000_000_000);
    let levels = (0_i64..1 << 40, 0_i64..1 << 40, 1..=i64::MAX, 0_i64..=1_000_000_000);
    let said = (
        option::of(money()),
        option::of(text(|text| Reason::parse(text).ok())),
        option::of(text(|text| Reference::parse(text).ok())),
        time(),
        time(),
    );
    let product = (
        text(|text| Name::parse(text).ok()),
        text(|text| Category::parse(text).ok()),
        option::of(money()),
        select(["USD", "GBP", "JPY"].as_slice()),
    );
    (what, levels, said, product).prop_map(|(what, levels, said, product)| StockEvent {
        id: Some(Uuid::from_u128(what.0)),
        product_id: what.1,
        sku: what.2,
        location: what.3,
        kind: Some(what.4),
        quantity: Some(what.5),
        delta: -what.5,
        on_hand: levels.0,
        reserved: levels.1,
        available: levels.0 - levels.1,
        version: levels.2,
        unit_price: said.0,
        reason: said.1,
        reference: said.2,
        occurred_at: said.3,
        recorded_at: said.4,
        min_stock: MinStock::new(levels.3).expect("in range"),
        name: product.0,
        category: product.1,
        price: product.2,
        currency: Currency::parse(product.3).expect("a currency"),
    })
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf =
        prop_oneof![Just(Value::Null), any::<bool>().prop_map(Value::from), any::<i64>().prop_map(Value::from), ".*".prop_map(Value::from)];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::from),
            vec((".*", inner), 0..6).prop_map(|pairs| Value::Object(pairs.into_iter().collect()))
        ]
    })
}

/// Any envelope around any data.
fn envelope() -> impl Strategy<Value = Event> {
    let names = (any::<u128>(), any::<String>(), any::<String>(), any::<String>(), any::<String>());
    let rest = (time(), 1..=i64::MAX, time(), option::of(any::<String>()), option::of(any::<String>()), any_json());
    (names, rest).prop_map(|(names, rest)| Event {
        id: Uuid::from_u128(names.0),
        source: names.1,
        kind: names.2,
        subject: names.3,
        time: rest.0,
        version: rest.1,
        recorded_at: rest.2,
        partition_key: names.4,
        traceparent: rest.3,
        position: rest.4,
        data: to_raw_value(&rest.5).expect("JSON"),
    })
}

fn same(one: &Event, other: &Event) {
    assert_eq!(one.data.get(), other.data.get());
    // As text: the data may be nested deeper than a parser follows.
    assert_eq!(serde_json::to_string(one).expect("JSON"), serde_json::to_string(other).expect("JSON"));
}

/// Reads bytes as a consumer does; what can be read must survive being written and read again.
fn swallow(bytes: &[u8]) {
    if let Ok(event) = Event::from_json(bytes) {
        let written = serde_json::to_vec(&event).expect("JSON");
        same(&Event::from_json(&written).expect("what was written"), &event);
        let _ = event.payload();
    }
}

proptest! {
    #[test]
    fn an_envelope_comes_back_and_its_data_to_the_letter(event in envelope()) {
        let written = serde_json::to_vec(&event).expect("JSON");
        same(&Event::from_json(&written).expect("what was written"), &event);
    }

    #[test]
    fn spaces_and_order_in_the_data_are_the_senders(keys in vec("[a-z]{1,8}", 0..6)) {
        let pairs: Vec<String> = keys.iter().map(|key| format!("\"{key}\" :  1.50")).collect();
        let data = format!("{{ {} }}", pairs.join(" , "));
        let (_, golden) = goldens().swap_remove(0);
        let mut event = Event::from_json(golden.as_bytes()).expect("an event");
        event.data = RawValue::from_string(data.clone()).expect("JSON");
        let written = serde_json::to_vec(&event).expect("JSON");
        let read = Event::from_json(&written).expect("what was written");
        prop_assert_eq!(read.data.get(), data);
    }

    #[test]
    fn a_movement_is_heard_as_it_was_told(row in movement()) {
        let (source, subject) = (Topic::StockChanges.source(), row.stream().to_string());
        let event = Event {
            id: Event::id_of(source, &subject, row.version),
            source: source.to_owned(),
            kind: kind::STOCK_CHANGED.to_owned(),
            subject,
            time: row.occurred_at,
            version: row.version,
            recorded_at: row.recorded_at,
            partition_key: row.product_id.to_string(),
            traceparent: None,
            position: None,
            data: to_raw_value(&row).expect("JSON"),
        };
        let read = Event::from_json(&serde_json::to_vec(&event).expect("JSON")).expect("what was written");
        prop_assert_eq!(read.payload().expect("a movement"), Payload::Stock(Box::new(row)));
    }

    #[test]
    fn no_bytes_make_the_decoder_panic(bytes in vec(any::<u8>(), 0..600)) {
        swallow(&bytes);
    }

    #[test]
    fn no_json_makes_the_decoder_panic(json in any_json()) {
        swallow(json.to_string().as_bytes());
    }

    #[test]
    fn no_damage_to_an_event_makes_the_decoder_panic(
        which in any::<Index>(),
        damage in vec((any::<Index>(), any::<u8>()), 0..5),
        cut in option::weighted(0.3, any::<Index>()),
        doubled in option::weighted(0.2, (any::<Index>(), any::<Index>())),
    ) {
        let goldens = goldens();
        let mut bytes = which.get(&goldens).1.clone().into_bytes();
        for (place, byte) in &damage {
            let at = place.index(bytes.len());
            bytes[at] = *byte;
        }
        if let Some((from, to)) = &doubled {
            let piece = bytes[from.index(bytes.len())..].to_vec();
            let at = to.index(bytes.len());
            bytes.splice(at..at, piece);
        }
        if let Some(end) = &cut {
            bytes.truncate(end.index(bytes.len()));
        }
        swallow(&bytes);
    }

    #[test]
    fn no_value_in_a_field_makes_the_decoder_panic(which in any::<Index>(), field in any::<Index>(), other in any_json(), in_data in any::<bool>()) {
        let goldens = goldens();
        let mut golden: Value = serde_json::from_str(&which.get(&goldens).1).expect("JSON");
        let place = if in_data { &mut golden["data"] } else { &mut golden };
        let names: Vec<String> = place.as_object().expect("an object").keys().cloned().collect();
        place[field.get(&names)] = other;
        swallow(golden.to_string().as_bytes());
    }
}

#[test]
fn data_nested_as_deep_as_anybody_likes_does_not_bring_the_decoder_down() {
    let deep = "[".repeat(100_000) + &"]".repeat(100_000);
    for (_, golden) in goldens() {
        let mut event: Value = serde_json::from_str(&golden).expect("JSON");
        event["data"] = json!("HERE");
        swallow(event.to_string().replace("\"HERE\"", &deep).as_bytes());
    }
    swallow(deep.as_bytes());
}
