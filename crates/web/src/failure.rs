//! The answer that says no: problem+json, with the cause logged once and never shown.

use axum::response::{IntoResponse, Response};
use fault::{Fault, Kind, Problem};
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, StatusCode};

/// What a route answers.
pub type Answer<T = Response> = Result<T, Failure>;

/// A problem on its way to the client.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure(pub Problem);

impl Failure {
    /// Makes the answer for a domain error. What the client is not told (the chain of causes of an internal error or of something
    /// that is away) is logged here, once.
    pub fn of(fault: &(impl Fault + ?Sized)) -> Self {
        match fault.kind() {
            Kind::Internal => tracing::error!(code = fault.code(), error = chain(fault), "request failed"),
            Kind::Unavailable => tracing::warn!(code = fault.code(), error = chain(fault), "something is away"),
            Kind::Malformed
            | Kind::NotFound
            | Kind::MethodNotAllowed
            | Kind::Conflict
            | Kind::PreconditionFailed
            | Kind::TooLarge
            | Kind::UnsupportedMedia
            | Kind::Invalid
            | Kind::Overloaded => {}
        }
        Self(Problem::of(fault))
    }
}

/// The error and all its causes in one line.
fn chain(fault: &(impl Fault + ?Sized)) -> String {
    let mut text = fault.to_string();
    let mut cause = fault.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self(problem)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut problem = self.0;
        if problem.status == 500 && problem.code != "internal" {
            tracing::error!(code = %problem.code, detail = problem.detail, "request failed");
            problem = Problem::internal();
        }
        let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let retry_after = problem.retry_after_seconds;
        // A problem is strings and JSON values: it always can be written.
        let body = serde_json::to_vec(&problem).unwrap_or_default();
        let mut response = (status, body).into_response();
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if status == StatusCode::SERVICE_UNAVAILABLE && problem.code == "overloaded" {
            // For the metrics, and for the host: who was turned away is not listened to for a while.
            response.extensions_mut().insert(Kind::Overloaded);
        }
        if let Some(seconds) = retry_after {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// Lets `?` turn the domain errors of a service into answers: `web::failures!(StoreError, Refusal);`.
#[macro_export]
macro_rules! failures {
    ($($error:ty),+ $(,)?) => {
        $(impl From<$error> for $crate::Failure {
            fn from(error: $error) -> Self {
                $crate::Failure::of(&error)
            }
        })+
    };
}
