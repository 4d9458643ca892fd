//! Answers as CSV for those who ask for it: `Accept: text/csv`.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use http::header::{ACCEPT, CONTENT_TYPE, VARY};
use http::request::Parts;
use http::{HeaderMap, HeaderValue};

/// What the client would rather have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accept {
    /// JSON, also when nothing is said.
    Json,
    /// CSV.
    Csv,
}

impl Accept {
    /// Weighs the Accept header. Where both weigh the same, what is named more exactly wins, then JSON.
    pub fn of(headers: &HeaderMap) -> Self {
        let ranges: Vec<&str> =
            headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(',')).collect();
        if weight(&ranges, "text", "csv") > weight(&ranges, "application", "json") { Self::Csv } else { Self::Json }
    }
}

impl<S: Sync> FromRequestParts<S> for Accept {
    type Rejection = Infallible;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(&parts.headers))
    }
}

/// The quality (0 to 1000) that the most exact range gives to a media type, and how exact that range is.
fn weight(ranges: &[&str], kind: &str, name: &str) -> (u32, u32) {
    let mut best = (0, 0);
    for range in ranges {
        let mut parts = range.split(';').map(str::trim);
        let exactness = match parts.next().and_then(|media| media.split_once('/')) {
            Some((a, b)) if a.eq_ignore_ascii_case(kind) && b.eq_ignore_ascii_case(name) => 3,
            Some((a, "*")) if a.eq_ignore_ascii_case(kind) => 2,
            Some(("*", "*")) => 1,
            _ => continue,
        };
        let quality = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
        let quality = quality.map_or(1.0, |text| text.parse::<f32>().unwrap_or(0.0)).clamp(0.0, 1.0);
        if exactness > best.1 {
            best = ((quality * 1000.0) as u32, exactness);
        }
    }
    if best.0 == 0 { (0, 0) } else { best }
}

/// Writes CSV: RFC 4180, a header row, CRLF. Cells are written as they are, also those that a spreadsheet would take for a formula.
pub fn write<R>(columns: &[&str], rows: impl IntoIterator<Item = R>) -> Response
where
    R: IntoIterator,
    R::Item: AsRef<[u8]>,
{
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).flexible(true).from_writer(Vec::new());
    // Writing to memory does not fail.
    let _ = writer.write_record(columns);
    for row in rows {
        let _ = writer.write_record(row);
    }
    let mut response = writer.into_inner().unwrap_or_default().into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8"));
    response.headers_mut().insert(VARY, HeaderValue::from_static("accept"));
    response
}
