//! What an answer must say: a status, and of its JSON the fields that the model knows. It knows no operation.

use serde_json::{Value, json};

/// What the model says that Stock answers.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Expected {
    /// The HTTP status; 0 for what has no answer.
    pub(super) status: u16,
    /// Fields that the body has, in the shape of the body.
    pub(super) body: Value,
    /// Whether it is a repetition of an answer given before.
    pub(super) replayed: bool,
}

/// What Stock answered, with the names of this run taken out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answered {
    pub(super) status: u16,
    pub(super) body: Value,
    pub(super) replayed: bool,
}

impl Expected {
    pub(super) fn new(status: u16, body: Value) -> Self {
        Self { status, body, replayed: false }
    }

    /// For what has no answer.
    pub(super) fn nothing() -> Self {
        Self::new(0, Value::Null)
    }

    /// A problem of which no more is known than its code.
    pub(super) fn problem(status: u16, code: &str) -> Self {
        Self::new(status, json!({"code": code}))
    }

    /// What is wrong with an answer, if anything is.
    pub(super) fn differs(&self, answered: &Answered) -> Option<String> {
        if self.status != answered.status {
            return Some(format!("status {} expected, it was {}", self.status, answered.status));
        }
        if self.replayed != answered.replayed {
            return Some(format!("replayed: {} expected, it was {}", self.replayed, answered.replayed));
        }
        differs(&self.body, &answered.body, "body")
    }
}

/// A number that may be any from `least` to `most`.
pub(super) fn within(least: i64, most: i64) -> Value {
    if least == most { json!(least) } else { json!({"at least": least, "at most": most}) }
}

/// Where `actual` does not have what `expected` names.
pub(super) fn differs(expected: &Value, actual: &Value, place: &str) -> Option<String> {
    let said = || Some(format!("{place}: {expected} expected, it was {actual}"));
    match (expected, actual) {
        (Value::Object(bounds), Value::Number(number)) => match (&bounds.get("at least"), &bounds.get("at most"), number.as_i64()) {
            (Some(least), Some(most), Some(number)) if least.as_i64() <= Some(number) && Some(number) <= most.as_i64() => None,
            _ => said(),
        },
        (Value::Object(expected), Value::Object(actual)) => {
            expected.iter().find_map(|(name, value)| differs(value, actual.get(name).unwrap_or(&Value::Null), &format!("{place}.{name}")))
        }
        (Value::Array(expected), Value::Array(actual)) if expected.len() == actual.len() => {
            let mut places = expected.iter().zip(actual).enumerate();
            places.find_map(|(index, (expected, actual))| differs(expected, actual, &format!("{place}[{index}]")))
        }
        (expected, actual) if expected == actual => None,
        _ => said(),
    }
}
