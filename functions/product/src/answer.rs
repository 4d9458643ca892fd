//! How Product answers: refusals as problems, what the service replies as a response. It knows no route.

use axum::response::{IntoResponse, Response};
use fault::{FieldError, Kind, Problem};
use http::header::{CONTENT_TYPE, ETAG, HeaderName, LOCATION};
use http::{HeaderMap, HeaderValue, StatusCode};
use web::Failure;
use web::params::{IDEMPOTENCY_KEY, IDEMPOTENT_REPLAYED};

use crate::rule::Refusal;
use crate::service::{Reply, WriteError};

/// A refusal as a client reads it.
pub(crate) fn problem_of(refusal: &Refusal) -> Problem {
    match refusal {
        Refusal::Field { field, invalid } => Problem::field(*field, invalid.code, invalid.detail.clone()),
        Refusal::Outdated { version } => Problem::of(refusal).with("version", *version),
        Refusal::NotFound | Refusal::SkuTaken(_) | Refusal::Archived => Problem::of(refusal),
    }
}

/// The answer to a key that belongs to another request.
pub(crate) fn key_mismatch() -> Problem {
    let detail = WriteError::KeyMismatch.to_string();
    let mut problem = Problem::new(Kind::Invalid, "idempotency_key_mismatch", detail.clone());
    problem.errors.push(FieldError { field: IDEMPOTENCY_KEY.to_owned(), code: "idempotency_key_mismatch".to_owned(), detail });
    problem
}

impl From<WriteError> for Failure {
    fn from(error: WriteError) -> Self {
        match &error {
            WriteError::Refused(refusal) => problem_of(refusal).into(),
            WriteError::KeyMismatch => key_mismatch().into(),
            WriteError::Database(_) | WriteError::Contended => Self::of(&error),
        }
    }
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = match self.answer.body {
            None => status.into_response(),
            Some(body) => web::json::written(status, body),
        };
        let headers = response.headers_mut();
        if status.is_client_error() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        }
        put(headers, LOCATION, self.answer.location);
        put(headers, ETAG, self.answer.etag);
        if self.replayed
            && let Ok(name) = HeaderName::try_from(IDEMPOTENT_REPLAYED)
        {
            headers.insert(name, HeaderValue::from_static("true"));
        }
        response
    }
}

/// Both are made of ASCII.
fn put(headers: &mut HeaderMap, name: HeaderName, value: Option<String>) {
    if let Some(value) = value.and_then(|value| HeaderValue::try_from(value).ok()) {
        headers.insert(name, value);
    }
}
