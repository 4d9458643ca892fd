//! Bodies of imports: CSV or NDJSON of any length, read as a stream in bounded memory, each row judged by itself.
//!
//! It knows no field of any service: the caller names the columns, and reads each row with [`crate::typing::typed`].

mod cells;
mod report;
mod split;

use axum::body::Body;
use axum::extract::FromRequestParts;
use bytes::Bytes;
use fault::{Kind, Problem};
use http::HeaderMap;
use http::request::Parts;
use serde_json::{Map, Value};

pub use crate::typing::typed;
pub use report::{LineError, Report};

use crate::body::{media_type, next_chunk};
use crate::strict::{Object, canonical};
use crate::{Failure, typing};
use cells::Header;
use split::{Flaw, Record, Splitter};

/// Bytes of rows in one group, whatever their number.
const GROUP_BYTES: usize = 4 << 20;

/// How the rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `text/csv`, with a header row.
    Csv,
    /// `application/x-ndjson`: a JSON object a line.
    Ndjson,
}

impl Format {
    /// Reads it from the Content-Type; anything else is 415.
    pub fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        match media_type(headers, &["text/csv", "application/x-ndjson"])? {
            "text/csv" => Ok(Self::Csv),
            _ => Ok(Self::Ndjson),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Format {
    type Rejection = Failure;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        Ok(Self::of(&parts.headers)?)
    }
}

/// What a CSV's header row may and must name. NDJSON is judged by the row's type alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Columns {
    /// Columns there may be.
    pub allowed: &'static [&'static str],
    /// Those of them that must be there.
    pub required: &'static [&'static str],
    /// Those of them whose text is read as a whole number where it is one.
    pub integers: &'static [&'static str],
    /// Objects whose entries are columns: with `attributes` in it, `attributes.<name>` may be there.
    pub maps: &'static [&'static str],
}

/// One row of an import.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The 1-based line of the body where it begins. A CSV's header is line 1.
    pub line: u64,
    /// The 1-based number among the rows, for the idempotency key `<key>:<number>`.
    pub number: u64,
    /// What it says, or why it cannot be read.
    pub value: Result<Map<String, Value>, Problem>,
    /// What an idempotency key is compared by: the same for the same values, however they are ordered, spaced or quoted.
    pub raw: Bytes,
}

/// The rows of a body, in groups.
pub struct Rows {
    format: Format,
    body: Body,
    columns: &'static Columns,
    header: Option<Header>,
    records: Splitter,
    number: u64,
    ended: bool,
}

impl Rows {
    /// Begins to read a body.
    pub fn new(format: Format, body: Body, columns: &'static Columns) -> Self {
        Self { format, body, columns, header: None, records: Splitter::new(format == Format::Csv), number: 0, ended: false }
    }

    /// Reads up to `max_rows` rows, fewer where they are long; none means that the body is at its end.
    ///
    /// An error is about the whole request: a header that breaks the contract, or a body that breaks off. Rows of earlier groups may have
    /// been recorded by then; the row at which a body breaks off is never given.
    pub async fn next_group(&mut self, max_rows: usize) -> Result<Vec<Row>, Problem> {
        let mut rows = Vec::new();
        let mut bytes = 0;
        while rows.len() < max_rows && bytes < GROUP_BYTES {
            if let Some(record) = self.records.next() {
                if self.format == Format::Csv && self.header.is_none() {
                    self.header = Some(Header::of(&record, self.columns)?);
                    continue;
                }
                let row = self.row(record);
                bytes += row.raw.len();
                rows.push(row);
            } else if self.ended {
                if self.format == Format::Csv && self.header.is_none() {
                    return Err(Problem::new(Kind::Invalid, "invalid_request", "the file is empty: send a header row"));
                }
                break;
            } else if let Some(chunk) = next_chunk(&mut self.body).await? {
                self.records.push(&chunk);
            } else {
                self.ended = true;
                self.records.end();
            }
        }
        Ok(rows)
    }

    fn row(&mut self, record: Record) -> Row {
        self.number += 1;
        let value = match (&record.flaw, &self.header) {
            (Some(flaw), _) => Err(flawed(*flaw, self.format)),
            (None, Some(header)) => header.row(&record.bytes),
            (None, None) => object(&record.bytes),
        };
        let raw = value.as_ref().map_or(record.bytes, |values| Bytes::from(canonical(values)));
        Row { line: record.line, number: self.number, value, raw }
    }
}

fn object(line: &[u8]) -> Result<Map<String, Value>, Problem> {
    let text = std::str::from_utf8(line).map_err(|_| Problem::new(Kind::Malformed, "malformed_json", "the line is not UTF-8"))?;
    typing::parsed(text).map(|Object(values)| values)
}

fn flawed(flaw: Flaw, format: Format) -> Problem {
    match (flaw, format) {
        (Flaw::TooLarge, Format::Ndjson) => Problem::new(Kind::TooLarge, "too_large", "a line may have at most 64 KiB"),
        (Flaw::TooLarge, Format::Csv) => {
            Problem::new(Kind::TooLarge, "too_large", "a record may have at most 64 KiB; is there a quote that never closes?")
        }
        (Flaw::Unclosed, _) => Problem::new(Kind::Malformed, "malformed_csv", "a quote opens here and never closes"),
    }
}
