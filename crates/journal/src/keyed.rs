//! Writes with an `Idempotency-Key` over HTTP: the answer is stored in the transaction of the effect, and given again to the same request.
//!
//! It stands here because this room knows both the database and HTTP. It knows no route and no key's table: a route claims, does its work in
//! the same transaction, and answers through here.

use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::header::{CONTENT_TYPE, ETAG, HeaderName, LOCATION};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use fault::{FieldError, Kind, Problem};
use postgres::keys::{self, Claim, Key, RequestHash};
use postgres::{DatabaseError, Transaction};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use web::params::{IDEMPOTENCY_KEY, IDEMPOTENT_REPLAYED};
use web::{Answer, Failure, IdempotencyKey, NoQuery};

/// Makes the problem of a key that belongs to another request.
pub fn mismatch() -> Problem {
    let detail = "this key was used for another request; choose a new one, or send the same request again";
    let mut problem = Problem::new(Kind::Invalid, "idempotency_key_mismatch", detail);
    let error = FieldError { field: IDEMPOTENCY_KEY.to_owned(), code: "idempotency_key_mismatch".to_owned(), detail: detail.to_owned() };
    problem.errors.push(error);
    problem
}

/// Renders an answer as a key keeps it; `replayed` says that it was given before.
pub fn render(answer: keys::Answer, replayed: bool) -> Response {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = match answer.body {
        None => status.into_response(),
        Some(body) => web::json::written(status, body),
    };
    let headers = response.headers_mut();
    if !status.is_success() {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    }
    put(headers, LOCATION, answer.location);
    put(headers, ETAG, answer.etag);
    if replayed {
        headers.insert(IDEMPOTENT_REPLAYED, HeaderValue::from_static("true"));
    }
    response
}

/// Both are made of ASCII.
fn put(headers: &mut HeaderMap, name: HeaderName, value: Option<String>) {
    if let Some(value) = value.and_then(|value| HeaderValue::try_from(value).ok()) {
        headers.insert(name, value);
    }
}

/// A step that was asked for: its idempotency key, if any, and what it takes. Neither a body nor a Content-Type is needed; without a body the step
/// is taken in its usual way, that of `T::default()`.
#[derive(Debug)]
pub struct Step<T = Nothing> {
    key: Option<(Key, RequestHash)>,
    value: T,
}

/// What a step takes that is asked for by its path alone. A field is refused, as everywhere.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

impl<S: Send + Sync, T: DeserializeOwned + Default> FromRequest<S> for Step<T> {
    type Rejection = Failure;
    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        let (mut parts, body) = request.into_parts();
        NoQuery::from_request_parts(&mut parts, state).await?;
        let IdempotencyKey(key) = IdempotencyKey::from_request_parts(&mut parts, state).await?;
        let body = web::body_bytes(body, web::JSON_BYTES).await?;
        let value = if body.is_empty() { T::default() } else { web::json::from_bytes(&body)? };
        let key = key.map(|key| (Key::of(&key), RequestHash::of(parts.method.as_str(), parts.uri.path(), &body)));
        Ok(Self { key, value })
    }
}

impl<T> Step<T> {
    /// Gives the key and what the step takes, for one that keeps its answer itself.
    pub fn into_parts(self) -> (Option<(Key, RequestHash)>, T) {
        (self.key, self.value)
    }

    /// Claims the key. An answer means that there is nothing left to do: the request was answered before, or the key is another request's.
    pub async fn claim(&self, transaction: &Transaction<'_>) -> Answer<Option<Response>> {
        let Some((key, request)) = &self.key else { return Ok(None) };
        match keys::claim(transaction, key, request).await.map_err(|error| failed(&error))? {
            Claim::Mine => Ok(None),
            Claim::Replay(answer) => Ok(Some(render(answer, true))),
            Claim::Mismatch => Err(mismatch().into()),
        }
    }

    /// Stores the answer with the key, commits, and answers 200.
    pub async fn answer(&self, transaction: Transaction<'_>, answer: &(impl Serialize + Sync)) -> Answer {
        let body = serde_json::to_vec(answer).map_err(|error| failed(&DatabaseError::codec(error)))?;
        let answer = keys::Answer { status: 200, body: Some(body), location: None, etag: None };
        if let Some((key, _)) = &self.key {
            keys::fill(&transaction, key, &answer).await.map_err(|error| failed(&error))?;
        }
        transaction.commit().await.map_err(|error| failed(&error.into()))?;
        Ok(render(answer, false))
    }
}

fn failed(error: &DatabaseError) -> Failure {
    Failure::of(error)
}
