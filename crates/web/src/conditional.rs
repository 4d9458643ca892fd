//! Conditional requests (RFC 9110, section 13): ETags of two versions, If-Match by the first, If-None-Match by both.

use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use fault::{Kind, Problem};
use http::header::{ETAG, HeaderName, IF_MATCH, IF_NONE_MATCH};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode};

use crate::Failure;

/// Writes the ETag `"<version>-<stock version>"`.
pub fn etag(version: i64, stock_version: i64) -> HeaderValue {
    HeaderValue::try_from(format!("\"{version}-{stock_version}\"")).unwrap_or(HeaderValue::from_static("\"\""))
}

/// Answers 304 with the ETag that the client has already.
pub fn not_modified(etag: HeaderValue) -> Response {
    (StatusCode::NOT_MODIFIED, [(ETAG, etag)]).into_response()
}

/// What a write is conditional on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IfMatch {
    /// Nothing: there is no such header.
    Absent,
    /// `*`: that the thing is there.
    Any,
    /// One of these versions. Empty when none of the tags can be one of ours: then it never holds.
    Versions(Vec<i64>),
}

impl IfMatch {
    /// Whether the write may go on at this version.
    pub fn holds(&self, version: i64) -> bool {
        match self {
            Self::Absent | Self::Any => true,
            Self::Versions(versions) => versions.contains(&version),
        }
    }

    /// The same, as the 412 that says which version there is.
    pub fn check(&self, version: i64) -> Result<(), Problem> {
        if self.holds(version) {
            return Ok(());
        }
        let detail = format!("it is at version {version} now, read it again");
        Err(Problem::new(Kind::PreconditionFailed, "precondition_failed", detail).with("version", version))
    }
}

impl<S: Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Failure;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        let version = |tag: &str| tag.split_once('-').map_or(tag, |(version, _)| version).parse().ok();
        Ok(match tags(&parts.headers, &IF_MATCH) {
            Ok(None) => Self::Absent,
            Ok(Some(Tags::Any)) => Self::Any,
            // If-Match compares strongly: a weak tag never matches.
            Ok(Some(Tags::List(tags))) => {
                Self::Versions(tags.iter().filter(|tag| !tag.weak).filter_map(|tag| version(&tag.text)).collect())
            }
            Err(()) => return Err(Problem::field("If-Match", "invalid", "must be `*` or a list of ETags such as \"3-7\" or \"3\"").into()),
        })
    }
}

/// What the client has already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IfNoneMatch {
    /// Nothing that can be compared.
    Absent,
    /// `*`: anything.
    Any,
    /// One of these tags, without quotes.
    Tags(Vec<String>),
}

impl IfNoneMatch {
    /// Whether the client has this one, so that the answer is 304. Compares weakly.
    pub fn has(&self, etag: &HeaderValue) -> bool {
        match self {
            Self::Absent => false,
            Self::Any => true,
            Self::Tags(tags) => {
                let etag = etag.as_bytes();
                let bare = etag.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")).unwrap_or(etag);
                tags.iter().any(|tag| tag.as_bytes() == bare)
            }
        }
    }
}

impl<S: Sync> FromRequestParts<S> for IfNoneMatch {
    type Rejection = Failure;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        Ok(match tags(&parts.headers, &IF_NONE_MATCH) {
            // What cannot be read only costs the client a whole answer.
            Ok(None) | Err(()) => Self::Absent,
            Ok(Some(Tags::Any)) => Self::Any,
            Ok(Some(Tags::List(tags))) => Self::Tags(tags.into_iter().map(|tag| tag.text).collect()),
        })
    }
}

enum Tags {
    Any,
    List(Vec<Tag>),
}

struct Tag {
    weak: bool,
    text: String,
}

fn tags(headers: &HeaderMap, name: &HeaderName) -> Result<Option<Tags>, ()> {
    let mut list = Vec::new();
    let mut values = headers.get_all(name).iter().peekable();
    if values.peek().is_none() {
        return Ok(None);
    }
    for value in values {
        let mut rest = value.to_str().map_err(|_| ())?.trim();
        if rest == "*" {
            return Ok(Some(Tags::Any));
        }
        while !rest.is_empty() {
            let (weak, quoted) = rest.strip_prefix("W/").map_or((false, rest), |quoted| (true, quoted));
            let (text, after) = quoted.strip_prefix('"').and_then(|tag| tag.split_once('"')).ok_or(())?;
            list.push(Tag { weak, text: text.to_owned() });
            let after = after.trim_start();
            rest = match after.strip_prefix(',') {
                Some(next) => next.trim_start_matches([' ', '\t', ',']),
                None if after.is_empty() => after,
                None => return Err(()),
            };
        }
    }
    if list.is_empty() { Err(()) } else { Ok(Some(Tags::List(list))) }
}
