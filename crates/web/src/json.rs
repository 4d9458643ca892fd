//! JSON bodies: media type, bound, syntax, and the field at fault; the raw bytes stay at hand for idempotency keys.

use axum::extract::{FromRequest, Request};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use fault::{Kind, Problem};
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::body::{body_bytes, media_type};
use crate::{Failure, JSON_BYTES, typing};

const JSON: &[&str] = &["application/json"];
const PATCH: &[&str] = &["application/merge-patch+json", "application/json"];

/// A JSON body of at most 1 MiB, both ways.
#[derive(Debug, Clone, Copy)]
pub struct Json<T>(pub T);

/// A JSON body with its bytes as sent, for the hash of an idempotency key. A batch is `JsonBytes<T, { web::BATCH_BYTES }>`.
#[derive(Debug, Clone)]
pub struct JsonBytes<T, const MAX: usize = JSON_BYTES> {
    /// What it says.
    pub value: T,
    /// As sent.
    pub raw: Bytes,
}

/// A JSON merge patch (RFC 7396) of at most 1 MiB; see [`crate::strict::nullable`].
#[derive(Debug, Clone, Copy)]
pub struct MergePatch<T>(pub T);

/// A JSON merge patch with its bytes as sent.
#[derive(Debug, Clone)]
pub struct MergePatchBytes<T> {
    /// What it says.
    pub value: T,
    /// As sent.
    pub raw: Bytes,
}

/// Reads a value from JSON bytes: 400 where it is no JSON, 422 with the field where a value is wrong. A route that judges the lines
/// of a batch one by one calls it for each.
pub fn from_bytes<T: DeserializeOwned>(raw: &[u8]) -> Result<T, Problem> {
    let text = std::str::from_utf8(raw)
        .map_err(|error| Problem::new(Kind::Malformed, "malformed_json", format!("not UTF-8 at byte {}", error.valid_up_to())))?;
    if text.trim_ascii().is_empty() {
        return Err(Problem::new(Kind::Malformed, "malformed_json", "the body is empty, send a JSON object"));
    }
    typing::parsed(text)
}

async fn read<T: DeserializeOwned>(request: Request, accepted: &[&str], limit: usize) -> Result<(T, Bytes), Failure> {
    media_type(request.headers(), accepted)?;
    let raw = body_bytes(request.into_body(), limit).await?;
    Ok((from_bytes(&raw)?, raw))
}

impl<S: Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = Failure;
    async fn from_request(request: Request, _: &S) -> Result<Self, Failure> {
        read(request, JSON, JSON_BYTES).await.map(|(value, _)| Self(value))
    }
}

impl<S: Sync, T: DeserializeOwned, const MAX: usize> FromRequest<S> for JsonBytes<T, MAX> {
    type Rejection = Failure;
    async fn from_request(request: Request, _: &S) -> Result<Self, Failure> {
        read(request, JSON, MAX).await.map(|(value, raw)| Self { value, raw })
    }
}

impl<S: Sync, T: DeserializeOwned> FromRequest<S> for MergePatch<T> {
    type Rejection = Failure;
    async fn from_request(request: Request, _: &S) -> Result<Self, Failure> {
        read(request, PATCH, JSON_BYTES).await.map(|(value, _)| Self(value))
    }
}

impl<S: Sync, T: DeserializeOwned> FromRequest<S> for MergePatchBytes<T> {
    type Rejection = Failure;
    async fn from_request(request: Request, _: &S) -> Result<Self, Failure> {
        read(request, PATCH, JSON_BYTES).await.map(|(value, raw)| Self { value, raw })
    }
}

/// Answers bytes that are JSON already, such as a stored answer that is replayed.
pub fn written(status: StatusCode, body: impl Into<Bytes>) -> Response {
    let mut response = (status, body.into()).into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.0) {
            Ok(body) => written(StatusCode::OK, body),
            Err(error) => {
                tracing::error!(%error, "answer cannot be written as JSON");
                Failure(Problem::internal()).into_response()
            }
        }
    }
}
