//! Writes with an `Idempotency-Key`: the answer is stored in the transaction of the effect, and given again to the same request.
//!
//! It knows no route: a route claims, does its work in the same transaction, and answers through here.

use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::response::{IntoResponse, Response};
use fault::{Kind, Problem};
use http::{HeaderValue, StatusCode};
use postgres::keys::{self, Claim, Key, RequestHash};
use postgres::{DatabaseError, Transaction};
use serde::Serialize;
use web::params::IDEMPOTENT_REPLAYED;
use web::{Answer, Failure, IdempotencyKey, NoQuery};

/// A step that was asked for: its idempotency key, if any, and what the request was. Neither a body nor a Content-Type is needed.
pub(crate) struct Step {
    key: Option<(Key, RequestHash)>,
}

impl<S: Send + Sync> FromRequest<S> for Step {
    type Rejection = Failure;
    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        let (mut parts, body) = request.into_parts();
        NoQuery::from_request_parts(&mut parts, state).await?;
        let IdempotencyKey(key) = IdempotencyKey::from_request_parts(&mut parts, state).await?;
        let body = web::body_bytes(body, web::JSON_BYTES).await?;
        let key = key.map(|key| (Key::of(&key), RequestHash::of(parts.method.as_str(), parts.uri.path(), &body)));
        Ok(Self { key })
    }
}

impl Step {
    /// Claims the key. An answer means that there is nothing left to do: the request was answered before, or the key is another request's.
    pub(crate) async fn claim(&self, transaction: &Transaction<'_>) -> Answer<Option<Response>> {
        let Some((key, request)) = &self.key else { return Ok(None) };
        match keys::claim(transaction, key, request).await.map_err(failed)? {
            Claim::Mine => Ok(None),
            Claim::Replay(answer) => Ok(Some(replay(answer))),
            Claim::Mismatch => {
                let detail = "this key was used for another request; send a new key with a new request";
                Err(Problem::new(Kind::Invalid, "idempotency_key_mismatch", detail).into())
            }
        }
    }

    /// Stores the answer with the key, commits, and answers 200.
    pub(crate) async fn answer(&self, transaction: Transaction<'_>, answer: &(impl Serialize + Sync)) -> Answer {
        let body = serde_json::to_vec(answer).map_err(|error| failed(DatabaseError::codec(error)))?;
        if let Some((key, _)) = &self.key {
            let stored = keys::Answer { status: 200, body: Some(body.clone()), location: None, etag: None };
            keys::fill(&transaction, key, &stored).await.map_err(failed)?;
        }
        transaction.commit().await.map_err(|error| failed(error.into()))?;
        Ok(web::json::written(StatusCode::OK, body))
    }
}

fn replay(answer: keys::Answer) -> Response {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
    let mut response = web::json::written(status, answer.body.unwrap_or_default()).into_response();
    response.headers_mut().insert(IDEMPOTENT_REPLAYED, HeaderValue::from_static("true"));
    response
}

/// Makes the answer for an error of the database.
#[expect(clippy::needless_pass_by_value, reason = "it stands in `map_err`")]
pub(crate) fn failed(error: DatabaseError) -> Failure {
    Failure::of(&error)
}
