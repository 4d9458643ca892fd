//! The cells of a CSV record (RFC 4180), and the header row that gives them their names.

use std::borrow::Cow;

use fault::{Kind, Problem};
use serde_json::{Map, Value};

use super::Columns;
use super::split::{Flaw, Record};
use crate::typing::clip;

/// Columns of one file.
const MAX_COLUMNS: usize = 1000;

/// The header row.
pub(super) struct Header {
    columns: Vec<Column>,
}

struct Column {
    /// The object that it is an entry of.
    map: Option<&'static str>,
    name: String,
    integer: bool,
}

impl Header {
    /// Reads the header row; one that breaks the contract is an error of the whole request and names the column.
    pub(super) fn of(record: &Record, allowed: &Columns) -> Result<Self, Problem> {
        match record.flaw {
            Some(Flaw::TooLarge) => return Err(broken("the header row has more than 64 KiB")),
            Some(Flaw::Unclosed) => return Err(broken("a quote in the header row never closes")),
            None => {}
        }
        let names = cells(&record.bytes).map_err(|what| broken(&format!("header row: {what}")))?;
        if names.len() > MAX_COLUMNS {
            return Err(broken("the header row has more than 1,000 columns"));
        }
        for (at, name) in names.iter().enumerate() {
            if !allowed.has(name) {
                let known = allowed.allowed.join(", ");
                return Err(Problem::field(
                    clip(name),
                    "unknown_field",
                    format!("there is no such column (number {}); there are: {known}", at + 1),
                ));
            }
            if names[..at].contains(name) {
                return Err(Problem::field(clip(name), "duplicate_field", "this column is there more than once"));
            }
        }
        if let Some(name) = allowed.required.iter().find(|name| !names.iter().any(|there| there == *name)) {
            return Err(Problem::field(*name, "missing", "this column is needed in the header row"));
        }
        Ok(Self { columns: names.iter().map(|name| allowed.column(name)).collect() })
    }

    /// Reads a record as the object that it would be in JSON. An empty cell is an absent field.
    pub(super) fn row(&self, record: &[u8]) -> Result<Map<String, Value>, Problem> {
        let cells = cells(record).map_err(|what| Problem::new(Kind::Malformed, "malformed_csv", what))?;
        if cells.len() != self.columns.len() {
            let detail = format!("the record has {} cells, the header row {}", cells.len(), self.columns.len());
            return Err(Problem::new(Kind::Malformed, "malformed_csv", detail));
        }
        let mut row = Map::new();
        for (column, cell) in self.columns.iter().zip(cells) {
            if cell.is_empty() {
                continue;
            }
            let value = if column.integer { integer(&cell) } else { Value::String(cell.into_owned()) };
            match column.map {
                None => {
                    row.insert(column.name.clone(), value);
                }
                Some(map) => {
                    if let Value::Object(entries) = row.entry(map).or_insert_with(|| Value::Object(Map::new())) {
                        entries.insert(column.name.clone(), value);
                    }
                }
            }
        }
        Ok(row)
    }
}

impl Columns {
    fn entry(&self, name: &str) -> Option<(&'static str, String)> {
        let (map, entry) = name.split_once('.')?;
        let map = self.maps.iter().find(|known| **known == map)?;
        (!entry.is_empty()).then(|| (*map, entry.to_owned()))
    }

    fn has(&self, name: &str) -> bool {
        self.allowed.contains(&name) || self.entry(name).is_some()
    }

    fn column(&self, name: &str) -> Column {
        match self.entry(name) {
            Some((map, name)) => Column { map: Some(map), name, integer: false },
            None => Column { map: None, name: name.to_owned(), integer: self.integers.contains(&name) },
        }
    }
}

fn broken(detail: &str) -> Problem {
    Problem::new(Kind::Invalid, "invalid_request", detail)
}

/// A whole number where the text is one; other text stays text, so that reading the row's type refuses it as the wrong type.
fn integer(cell: &str) -> Value {
    let digits = cell.strip_prefix('-').unwrap_or(cell);
    let whole = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if !whole {
        return Value::String(cell.to_owned());
    }
    match (cell.parse::<i64>(), cell.parse::<f64>()) {
        (Ok(number), _) => number.into(),
        // As JSON would read it: a number beyond the integers, refused as out of range.
        (Err(_), Ok(number)) => Value::from(number),
        (Err(_), Err(_)) => Value::String(cell.to_owned()),
    }
}

/// Takes a record apart.
fn cells(record: &[u8]) -> Result<Vec<Cow<'_, str>>, &'static str> {
    let mut rest = std::str::from_utf8(record).map_err(|_| "the record is not UTF-8")?;
    let mut cells = Vec::new();
    loop {
        let (cell, after) = if let Some(quoted) = rest.strip_prefix('"') {
            quoted_cell(quoted)?
        } else {
            let (cell, after) = rest.split_at(rest.find(',').unwrap_or(rest.len()));
            (Cow::Borrowed(cell), after)
        };
        cells.push(cell);
        match after.strip_prefix(',') {
            Some(next) => rest = next,
            None if after.is_empty() => return Ok(cells),
            None => return Err("there is text behind a closing quote"),
        }
    }
}

/// Reads a cell behind its opening quote: what it says, and what follows its closing quote.
fn quoted_cell(quoted: &str) -> Result<(Cow<'_, str>, &str), &'static str> {
    let mut at = 0;
    let mut doubled = false;
    loop {
        at += quoted[at..].find('"').ok_or("a quote opens here and never closes")?;
        if quoted[at + 1..].starts_with('"') {
            doubled = true;
            at += 2;
            continue;
        }
        let text = &quoted[..at];
        let cell = if doubled { Cow::Owned(text.replace("\"\"", "\"")) } else { Cow::Borrowed(text) };
        return Ok((cell, &quoted[at + 1..]));
    }
}
