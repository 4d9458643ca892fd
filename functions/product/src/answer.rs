//! How Product answers: refusals as problems, what the service replies as a response. It knows no route.

use axum::response::{IntoResponse, Response};
use fault::Problem;
use journal::keyed;
use web::Failure;

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

impl From<WriteError> for Failure {
    fn from(error: WriteError) -> Self {
        match &error {
            WriteError::Refused(refusal) => problem_of(refusal).into(),
            WriteError::KeyMismatch => keyed::mismatch().into(),
            WriteError::Database(_) | WriteError::Untold(_) | WriteError::Contended => Self::of(&error),
        }
    }
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        keyed::render(self.answer, self.replayed)
    }
}
