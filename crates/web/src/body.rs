//! Request bodies: their media type, and their bytes up to a bound.

use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use fault::{Kind, Problem};
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http_body_util::BodyExt;

/// Bytes beyond the bound that are still read, so that the client gets to the answer instead of a broken connection.
const DRAINED_BYTES: usize = 4 << 20;
/// How long a client may pause within its body.
const PAUSE: Duration = Duration::from_mins(1);
/// How long a bounded body may take. Shorter than what a route may take: a slow client is told of its body, not that the service failed.
const WHOLE: Duration = Duration::from_secs(25);

/// Reads a whole body of at most `limit` bytes; more is 413.
pub async fn body_bytes(body: Body, limit: usize) -> Result<Bytes, Problem> {
    let slow = |_| Problem::new(Kind::Malformed, "incomplete_body", format!("the body did not come within {} seconds", WHOLE.as_secs()));
    tokio::time::timeout(WHOLE, collected(body, limit)).await.map_err(slow)?
}

async fn collected(mut body: Body, limit: usize) -> Result<Bytes, Problem> {
    let mut whole = Bytes::new();
    let mut parts = BytesMut::new();
    let mut read = 0;
    while let Some(chunk) = next_chunk(&mut body).await? {
        read += chunk.len();
        if read > limit {
            drain(body).await;
            return Err(too_large(limit));
        }
        if whole.is_empty() && parts.is_empty() {
            whole = chunk;
        } else {
            parts.extend_from_slice(&std::mem::take(&mut whole));
            parts.extend_from_slice(&chunk);
        }
    }
    Ok(if parts.is_empty() { whole } else { parts.freeze() })
}

/// Reads the next bytes of a body; `None` is its end. A body that breaks off, or pauses for too long, is an error.
pub(crate) async fn next_chunk(body: &mut Body) -> Result<Option<Bytes>, Problem> {
    loop {
        let frame = tokio::time::timeout(PAUSE, body.frame()).await;
        let frame = frame.map_err(|_| Problem::new(Kind::Malformed, "incomplete_body", "the body paused for too long"))?;
        match frame {
            None => return Ok(None),
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) if data.is_empty() => {}
                Ok(data) => return Ok(Some(data)),
                Err(_trailers) => {}
            },
            Some(Err(error)) => {
                tracing::debug!(%error, "body broke off");
                return Err(Problem::new(Kind::Malformed, "incomplete_body", "the body broke off before its end"));
            }
        }
    }
}

async fn drain(mut body: Body) {
    let mut drained = 0;
    while drained < DRAINED_BYTES {
        match next_chunk(&mut body).await {
            Ok(Some(chunk)) => drained += chunk.len(),
            Ok(None) | Err(_) => return,
        }
    }
}

fn too_large(limit: usize) -> Problem {
    Problem::new(Kind::TooLarge, "too_large", format!("the body may have at most {limit} bytes"))
}

/// Tells which of `accepted` the body is; anything else, another charset than UTF-8, and a compressed body are 415.
pub(crate) fn media_type<'a>(headers: &HeaderMap, accepted: &[&'a str]) -> Result<&'a str, Problem> {
    let refuse = |what: &str| {
        let wanted = accepted.join("` or `");
        Problem::new(Kind::UnsupportedMedia, "unsupported_media_type", format!("send the body as `{wanted}`; {what}"))
    };
    let mut sent = headers.get_all(CONTENT_TYPE).iter();
    let value = match (sent.next(), sent.next()) {
        (None, _) => return Err(refuse("there is no Content-Type")),
        (Some(_), Some(_)) => return Err(refuse("there are several Content-Types")),
        (Some(value), None) => value.to_str().map_err(|_| refuse("the Content-Type cannot be read"))?,
    };
    let mut parts = value.split(';');
    let essence = parts.next().unwrap_or_default().trim();
    let Some(found) = accepted.iter().find(|media| media.eq_ignore_ascii_case(essence)) else {
        return Err(refuse("the Content-Type is another one"));
    };
    for parameter in parts {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let charset = value.trim().trim_matches('"');
        if name.trim().eq_ignore_ascii_case("charset") && !charset.eq_ignore_ascii_case("utf-8") && !charset.eq_ignore_ascii_case("utf8") {
            return Err(refuse("the charset must be utf-8"));
        }
    }
    match headers.get(CONTENT_ENCODING) {
        Some(encoding) if !encoding.as_bytes().eq_ignore_ascii_case(b"identity") => Err(refuse("it must not be compressed")),
        _ => Ok(found),
    }
}
