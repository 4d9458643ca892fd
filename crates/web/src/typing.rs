//! From what serde says of a wrong value to the field, the code and the sentence of the contract.
//!
//! A refusal of a value type reaches serde as text only; one that ends in ` (snake_case)` carries its code there, as [`coded`] writes it.

use std::fmt::Display;

use fault::Problem;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use serde_path_to_error::{Path, Segment};

/// The most bytes of what is shown of a client's own words.
const SHOWN_BYTES: usize = 300;

/// Reads a value from an object that is JSON already, such as a row of an import. A wrong one is 422 and names the field.
pub fn typed<T: DeserializeOwned>(object: Map<String, Value>) -> Result<T, Problem> {
    let object = Value::Object(object);
    T::deserialize(&object)
        .or_else(|_| serde_path_to_error::deserialize(&object).map_err(|error| refused(error.path(), &error.inner().to_string())))
}

/// Reads a value from one JSON text: syntax errors are 400, wrong values 422 with the field.
pub fn parsed<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Problem> {
    let first = text.trim_start_matches([' ', '\t', '\n', '\r']).as_bytes().first().copied();
    if first == Some(b'{') {
        // The usual case pays for no path: only a refused body is read a second time, to name the field.
        if let Ok(value) = serde_json::from_str(text) {
            return Ok(value);
        }
    }
    serde_json::from_str::<serde::de::IgnoredAny>(text).map_err(|error| malformed(&error))?;
    if first != Some(b'{') {
        return Err(about("", "invalid_type", "must be a JSON object"));
    }
    let mut deserializer = serde_json::Deserializer::from_str(text);
    match serde_path_to_error::deserialize(&mut deserializer) {
        Ok(value) => Ok(value),
        Err(error) if error.inner().is_data() => Err(refused(error.path(), &without_position(error.inner()))),
        Err(error) if without_position(error.inner()) == "number out of range" => {
            Err(refused(error.path(), "number out of range (out_of_range)"))
        }
        Err(error) => Err(malformed(error.inner())),
    }
}

/// Makes the 400 for a text that is no JSON.
pub(crate) fn malformed(error: &serde_json::Error) -> Problem {
    let what = without_position(error);
    Problem::new(
        fault::Kind::Malformed,
        "malformed_json",
        format!("not valid JSON at line {}, column {}: {}", error.line(), error.column(), clip(&what)),
    )
    .with("line", error.line())
    .with("column", error.column())
}

fn without_position(error: &serde_json::Error) -> String {
    let mut text = error.to_string();
    if error.line() > 0 {
        let position = format!(" at line {} column {}", error.line(), error.column());
        if text.ends_with(&position) {
            text.truncate(text.len() - position.len());
        }
    }
    text
}

/// Writes a refusal so that its code survives the way through serde.
pub fn coded<E: serde::de::Error>(code: &str, detail: impl Display) -> E {
    E::custom(format_args!("{detail} ({code})"))
}

/// Makes the 422 for what serde refused at `path`.
pub(crate) fn refused(path: &Path, message: &str) -> Problem {
    let (code, detail, own) = told_apart(message);
    let mut field = String::new();
    for segment in path {
        push(&mut field, segment);
    }
    if let Some(name) = own {
        // serde names a missing field in its sentence and stops at the object around it.
        let last = path.iter().next_back();
        if code == "missing" || !matches!(last, Some(Segment::Map { key }) if key == name) {
            push(&mut field, &Segment::Map { key: name.to_owned() });
        }
    }
    about(&clip(&field), code, &detail)
}

/// Makes the 422 for a field, or for the whole when it has no name.
fn about(field: &str, code: &str, detail: &str) -> Problem {
    let mut problem = Problem::field(field, code, detail);
    if field.is_empty() {
        detail.clone_into(&mut problem.detail);
    }
    problem
}

fn push(field: &mut String, segment: &Segment) {
    use std::fmt::Write;
    let _ = match segment {
        Segment::Seq { index } => write!(field, "[{index}]"),
        Segment::Unknown => Ok(()),
        Segment::Map { key } | Segment::Enum { variant: key } => {
            if !field.is_empty() {
                field.push('.');
            }
            field.push_str(key);
            Ok(())
        }
    };
}

/// Tells from serde's sentence the code, the detail for people, and the field if the sentence is about a field as such.
fn told_apart(message: &str) -> (&str, String, Option<&str>) {
    if let Some(name) = quoted(message, "missing field `") {
        return ("missing", "this field is needed".to_owned(), Some(name));
    }
    if let Some(name) = quoted(message, "duplicate field `") {
        return ("duplicate_field", "it is there more than once".to_owned(), Some(name));
    }
    if let Some(rest) = message.strip_prefix("unknown field `") {
        let (name, known) =
            rest.rsplit_once("`, expected ").unwrap_or((rest.strip_suffix("`, there are no fields").unwrap_or(rest), "none"));
        return ("unknown_field", format!("there is no such field; there are: {}", known.trim_start_matches("one of ")), Some(name));
    }
    if let Some(rest) = message.strip_prefix("unknown variant `") {
        let (name, known) = rest.rsplit_once("`, expected ").unwrap_or((rest, "none"));
        return ("invalid", format!("must be {known}, it is `{}`", clip(name)), None);
    }
    for (start, code) in [("invalid type: ", "invalid_type"), ("invalid value: ", "invalid"), ("invalid length ", "invalid_length")] {
        if let Some((got, expected)) = message.strip_prefix(start).and_then(|rest| rest.rsplit_once(", expected ")) {
            let code = if beyond_integers(got) { "out_of_range" } else { code };
            return (code, format!("must be {}, it is {}", in_words(expected), clip(in_words(got))), None);
        }
    }
    if matches!(message, "invalid digit found in string" | "cannot parse integer from empty string") {
        return ("invalid_type", "must be a whole number".to_owned(), None);
    }
    if message.starts_with("number too ") {
        return ("out_of_range", message.to_owned(), None);
    }
    match message.strip_suffix(')').and_then(|rest| rest.rsplit_once(" (")) {
        Some((detail, code)) if !code.is_empty() && code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_') => {
            (code, clip(detail), None)
        }
        _ => ("invalid", clip(message), None),
    }
}

/// JSON's word for what serde calls by Rust's.
fn in_words(said: &str) -> &str {
    match said {
        "i64" | "u64" | "i32" | "u32" => "a whole number",
        "a sequence" | "sequence" => "a list",
        "a map" | "map" => "an object",
        _ if said.starts_with("struct ") => "an object",
        _ => said,
    }
}

fn quoted<'a>(message: &'a str, start: &str) -> Option<&'a str> {
    message.strip_prefix(start)?.strip_suffix('`')
}

/// A whole number that no integer type holds is read as a float; it is too large rather than of another type.
fn beyond_integers(got: &str) -> bool {
    quoted(got, "floating point `").and_then(|number| number.parse::<f64>().ok()).is_some_and(|number| number.abs() >= 9.2e18)
}

/// Keeps what is shown of a client's own words short.
pub(crate) fn clip(text: &str) -> String {
    if text.len() <= SHOWN_BYTES {
        return text.to_owned();
    }
    let mut end = SHOWN_BYTES;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}...", &text[..end])
}
