//! Reading maps, words and optional fields as they were sent: names that occur twice, words that are no strings, and null where it differs
//! from absence.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{DeserializeSeed, IntoDeserializer, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Number, Value};

use crate::typing::coded;

/// Reads a map in which no name occurs twice: `#[serde(deserialize_with = "web::strict::map")]`.
pub fn map<'de, D: Deserializer<'de>, V: Deserialize<'de>>(deserializer: D) -> Result<BTreeMap<String, V>, D::Error> {
    struct Names<V>(PhantomData<V>);
    impl<'de, V: Deserialize<'de>> Visitor<'de> for Names<V> {
        type Value = BTreeMap<String, V>;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }
        fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
            let mut values = BTreeMap::new();
            while let Some(name) = entries.next_key::<String>()? {
                let value = entries.next_value()?;
                if values.contains_key(&name) {
                    return Err(twice(&name));
                }
                values.insert(name, value);
            }
            Ok(values)
        }
    }
    deserializer.deserialize_map(Names(PhantomData))
}

/// Tells null from absence, for merge patches: `None` absent, `Some(None)` null. `#[serde(default, deserialize_with = "web::strict::nullable")]`.
pub fn nullable<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// Reads one of a type's words from a string, and from nothing else: `#[serde(deserialize_with = "web::strict::word")]`.
///
/// By itself a derived enum also takes `{"WORD": null}`, and `serde_json` calls a number in its place bad syntax.
pub fn word<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<T, D::Error> {
    let text = String::deserialize(deserializer)?;
    T::deserialize(text.into_deserializer())
}

fn twice<E: serde::de::Error>(name: &str) -> E {
    coded("duplicate_field", format_args!("`{}` is there more than once", crate::typing::clip(name)))
}

/// A JSON object in which no name occurs twice, at any depth.
pub(crate) struct Object(pub(crate) Map<String, Value>);

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Map<String, Value>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }
            fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<Self::Value, A::Error> {
                object(entries)
            }
        }
        deserializer.deserialize_map(Entries).map(Self)
    }
}

fn object<'de, A: MapAccess<'de>>(mut entries: A) -> Result<Map<String, Value>, A::Error> {
    let mut values = Map::new();
    while let Some(name) = entries.next_key::<String>()? {
        let value = entries.next_value_seed(Any)?;
        if values.contains_key(&name) {
            return Err(twice(&name));
        }
        values.insert(name, value);
    }
    Ok(values)
}

/// Writes an object so that equal objects give equal bytes: names sorted, no spaces.
pub(crate) fn canonical(object: &Map<String, Value>) -> Vec<u8> {
    fn sorted(value: &Value) -> Value {
        match value {
            Value::Object(entries) => {
                let entries: BTreeMap<_, _> = entries.iter().map(|(name, value)| (name.clone(), sorted(value))).collect();
                Value::Object(entries.into_iter().collect())
            }
            Value::Array(values) => values.iter().map(sorted).collect(),
            plain => plain.clone(),
        }
    }
    let top: BTreeMap<&str, Cow<'_, Value>> = object
        .iter()
        .map(|(name, value)| {
            (name.as_str(), if value.is_object() || value.is_array() { Cow::Owned(sorted(value)) } else { Cow::Borrowed(value) })
        })
        .collect();
    // Strings and numbers always can be written.
    serde_json::to_vec(&top).unwrap_or_default()
}

struct Any;

impl<'de> DeserializeSeed<'de> for Any {
    type Value = Value;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Any {
    type Value = Value;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }
    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }
    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }
    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }
    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = elements.next_element_seed(Any)? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }
    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<Value, A::Error> {
        object(entries).map(Value::Object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "UPPERCASE")]
    enum Kind {
        Sale,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct Change {
        #[serde(deserialize_with = "word")]
        kind: Kind,
    }

    #[test]
    fn a_word_is_a_string_and_nothing_else() {
        assert_eq!(crate::typing::parsed(r#"{"kind": "S\u0041LE"}"#), Ok(Change { kind: Kind::Sale }));
        for (value, code) in
            [("1", "invalid_type"), ("null", "invalid_type"), (r#"{"SALE": null}"#, "invalid_type"), (r#""SOLD""#, "invalid")]
        {
            let refused = crate::typing::parsed::<Change>(&format!(r#"{{"kind": {value}}}"#)).unwrap_err();
            let [error] = refused.errors.as_slice() else { panic!("{refused:?}") };
            assert_eq!((refused.status, &*error.field, &*error.code), (422, "kind", code), "{value}");
        }
    }
}
