//! Lists by keyset: a limit, an opaque cursor, a page.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fault::Problem;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use crate::typing::coded;

/// Items of a page: 1 to 500, 50 when nothing is said. In a query type: `#[serde(default)] limit: Limit`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit(u32);

impl Limit {
    /// The most items of one page.
    pub const MAX: u32 = 500;

    /// The number of items.
    pub fn get(self) -> u32 {
        self.0
    }

    /// The rows to ask the database for: one more than are shown, which tells whether there is a next page.
    pub fn rows(self) -> i64 {
        i64::from(self.0) + 1
    }
}

impl Default for Limit {
    fn default() -> Self {
        Self(50)
    }
}

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u64::deserialize(deserializer)? {
            limit @ 1..=500 => Ok(Self(limit as u32)),
            limit => Err(coded("out_of_range", format_args!("must be a whole number from 1 to 500, it is {limit}"))),
        }
    }
}

impl utoipa::PartialSchema for Limit {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::Type::Integer)
            .minimum(Some(1))
            .maximum(Some(Self::MAX))
            .default(Some(50.into()))
            .into()
    }
}

impl ToSchema for Limit {}

/// Where the next page begins, as a client hands it back. Opaque to it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(transparent)]
pub struct Cursor(String);

impl Cursor {
    /// Writes the position `at` of the list named `list`.
    pub fn encode(list: &str, at: &impl Serialize) -> String {
        // A position is made of numbers and strings: it always can be written.
        URL_SAFE_NO_PAD.encode(serde_json::to_vec(&(list, at)).unwrap_or_default())
    }

    /// Reads a position of the list named `list`; garbage, and a cursor of another list, are 422.
    pub fn decode<T: DeserializeOwned>(&self, list: &str) -> Result<T, Problem> {
        let refuse = || Problem::field("cursor", "invalid_cursor", "must be the `next_cursor` of a page of this list");
        let bytes = URL_SAFE_NO_PAD.decode(&self.0).map_err(|_| refuse())?;
        let (of, at): (String, T) = serde_json::from_slice(&bytes).map_err(|_| refuse())?;
        if of == list { Ok(at) } else { Err(refuse()) }
    }
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Page<T> {
    /// In the order of the list.
    pub items: Vec<T>,
    /// Asks for the next page; null on the last one.
    pub next_cursor: Option<String>,
}

impl<T> Page<T> {
    /// Makes a page of up to [`Limit::rows`] rows; `cursor` writes the position of the last one shown.
    pub fn of(mut rows: Vec<T>, limit: Limit, cursor: impl FnOnce(&T) -> String) -> Self {
        let shown = limit.0 as usize;
        let more = rows.len() > shown;
        rows.truncate(shown);
        let next_cursor = if more { rows.last().map(cursor) } else { None };
        Self { items: rows, next_cursor }
    }

    /// Turns each row into what is shown of it.
    pub fn map<U>(self, show: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(show).collect(), next_cursor: self.next_cursor }
    }
}
