//! Errors as callers must act on them: kinds, codes, and the two tables from kind to HTTP status and to the fate of an event.
//!
//! Domain errors implement [`Fault`] and know no transport; [`Problem`] is what a client reads (RFC 9457). It knows no axum and no broker.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// What sort of failure it is, which decides what the caller should do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The request cannot be read at all.
    Malformed,
    /// What was named does not exist.
    NotFound,
    /// The path exists, the method does not.
    MethodNotAllowed,
    /// The state of things forbids it. Final: the same request gets the same answer.
    Conflict,
    /// An If-Match did not hold.
    PreconditionFailed,
    /// More bytes than allowed.
    TooLarge,
    /// A content type that is not understood.
    UnsupportedMedia,
    /// It can be read, but breaks the contract.
    Invalid,
    /// Too many requests at once. Nothing happened; later it may.
    Overloaded,
    /// Something that it needs is away for now. Later it may work.
    Unavailable,
    /// Our own fault.
    Internal,
}

/// What becomes of an event whose handling failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Tried again: the world may be different then.
    Retry,
    /// Parked with a dead letter: the same bytes will fail again.
    DeadLetter,
}

impl Kind {
    /// The HTTP status of an answer.
    pub fn status(self) -> u16 {
        match self {
            Self::Malformed => 400,
            Self::NotFound => 404,
            Self::MethodNotAllowed => 405,
            Self::Conflict => 409,
            Self::PreconditionFailed => 412,
            Self::TooLarge => 413,
            Self::UnsupportedMedia => 415,
            Self::Invalid => 422,
            Self::Overloaded | Self::Unavailable => 503,
            Self::Internal => 500,
        }
    }

    /// The fate of an event.
    pub fn fate(self) -> Fate {
        match self {
            Self::Overloaded | Self::Unavailable => Fate::Retry,
            Self::Malformed
            | Self::NotFound
            | Self::MethodNotAllowed
            | Self::Conflict
            | Self::PreconditionFailed
            | Self::TooLarge
            | Self::UnsupportedMedia
            | Self::Invalid
            | Self::Internal => Fate::DeadLetter,
        }
    }

    /// RFC 9457 `title`: the same for every problem of this kind.
    pub fn title(self) -> &'static str {
        match self {
            Self::Malformed => "Malformed request",
            Self::NotFound => "Not found",
            Self::MethodNotAllowed => "Method not allowed",
            Self::Conflict => "Conflict",
            Self::PreconditionFailed => "Precondition failed",
            Self::TooLarge => "Too large",
            Self::UnsupportedMedia => "Unsupported media type",
            Self::Invalid => "Invalid request",
            Self::Overloaded => "Too many requests at once",
            Self::Unavailable => "Temporarily unavailable",
            Self::Internal => "Internal error",
        }
    }
}

/// An error of a domain: what sort it is, and its stable name.
pub trait Fault: std::error::Error {
    /// What the caller should do about it.
    fn kind(&self) -> Kind;
    /// Stable, snake_case, for programs.
    fn code(&self) -> &'static str;
}

/// One field that breaks the contract.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FieldError {
    /// A JSON path (`changes[3].quantity`), a query parameter or a header, as sent.
    pub field: String,
    /// Stable, for programs.
    pub code: String,
    /// For people: what would be right.
    pub detail: String,
}

/// An answer that says no: RFC 9457 problem details with Gudang's `code` and `errors`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// A URI reference that names the problem: `/problems/<code>`.
    #[serde(rename = "type")]
    pub type_: String,
    /// The same for every problem of its kind.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// For people: what happened and what to do.
    pub detail: String,
    /// Stable, for programs.
    pub code: Cow<'static, str>,
    /// The fields at fault.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// What this code adds (`requested`, `available`, ...).
    #[serde(flatten)]
    pub more: Map<String, Value>,
    /// Seconds after which trying again makes sense; sent as `Retry-After`.
    #[serde(skip)]
    pub retry_after_seconds: Option<u32>,
}

impl Problem {
    /// Makes a problem of a kind.
    pub fn new(kind: Kind, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            type_: format!("/problems/{code}"),
            title: kind.title().to_owned(),
            status: kind.status(),
            detail: detail.into(),
            code: Cow::Borrowed(code),
            errors: Vec::new(),
            more: Map::new(),
            retry_after_seconds: matches!(kind, Kind::Overloaded | Kind::Unavailable).then_some(1),
        }
    }

    /// Makes the 422 for one field.
    pub fn field(field: impl Into<String>, code: &str, detail: impl Into<String>) -> Self {
        let (field, detail) = (field.into(), detail.into());
        let mut problem = Self::new(Kind::Invalid, "invalid_request", format!("`{field}`: {detail}"));
        problem.errors.push(FieldError { field, code: code.to_owned(), detail });
        problem
    }

    /// Makes the answer for what went wrong inside. It says nothing of the inside; the cause belongs in the log.
    pub fn internal() -> Self {
        Self::new(Kind::Internal, "internal", "something went wrong on our side; the request id finds it in the log")
    }

    /// Makes the answer for a domain error, in its own words; a 5xx says nothing of the inside.
    pub fn of(fault: &(impl Fault + ?Sized)) -> Self {
        match fault.kind() {
            Kind::Internal => Self::internal(),
            kind @ Kind::Unavailable => Self::new(kind, fault.code(), "something that this needs is away for now, try again"),
            kind => Self::new(kind, fault.code(), fault.to_string()),
        }
    }

    /// Adds a field that the code promises.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.more.insert(name.to_owned(), value.into());
        self
    }

    /// Puts `prefix` in front of every field's name, for a request inside a larger one: `quantity` -> `changes[3].quantity`.
    #[must_use]
    pub fn within(mut self, prefix: &str) -> Self {
        for error in &mut self.errors {
            error.field = if error.field.is_empty() { prefix.to_owned() } else { format!("{prefix}.{}", error.field) };
        }
        if let [error] = self.errors.as_slice() {
            self.detail = format!("`{}`: {}", error.field, error.detail);
        }
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {}", self.status, self.code, self.detail)
    }
}

impl std::error::Error for Problem {}

/// An error with everything that caused it, for one line of a log: `could not connect: connection refused`.
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut line = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let text = cause.to_string();
        if !line.ends_with(&text) {
            line.push_str(": ");
            line.push_str(&text);
        }
        source = cause.source();
    }
    line
}
