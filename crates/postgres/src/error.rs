//! What can go wrong with a database, told apart by what the caller should do about it.
//!
//! It knows no statement: only SQLSTATE classes and the state of a connection.

use std::error::Error as _;
use std::io;

use deadpool_postgres::PoolError;
use fault::{Fault, Kind};
use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

/// An error of the database, or of the way to it.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// The server is away, is overloaded, or rolled this transaction back in favour of another. Nothing is wrong with the statement; of a
    /// COMMIT the outcome is unknown.
    #[error("the database is away, or could not finish this now")]
    Away(#[source] Error),
    /// No connection came out of the pool in time.
    #[error("no database connection could be had in time")]
    NoConnection(#[source] PoolError),
    /// The server did not answer within the bound.
    #[error("the database did not answer within {after_ms} ms")]
    NoAnswer {
        /// The bound that passed, in milliseconds.
        after_ms: u64,
    },
    /// The values break a rule of the schema (SQLSTATE classes 22 and 23).
    #[error("the database refused the data")]
    Data(#[source] Error),
    /// The server turned the connection itself down: user, password or database.
    #[error("the database refuses the connection: check the user, the password and the database in its URL")]
    Refused(#[source] Error),
    /// The settings cannot work; the text says what to change.
    #[error("{0}")]
    Misconfigured(String),
    /// The schema could not be brought up to date.
    #[error("the schema of the database could not be brought up to date")]
    Migration(#[source] Box<refinery::Error>),
    /// A transaction claimed an idempotency key and committed without storing an answer.
    #[error("idempotency key {0} was claimed, but no answer was ever stored with it")]
    Unanswered(uuid::Uuid),
    /// A value that is kept as JSON could not be written or read.
    #[error("a value kept as JSON does not fit")]
    Codec(#[source] serde_json::Error),
    /// Anything else: a statement that is wrong, a row that cannot be read.
    #[error("the database answered with an error")]
    Other(#[source] Error),
}

impl DatabaseError {
    /// Wraps the failure to write or read a value that is kept as JSON.
    pub fn codec(error: serde_json::Error) -> Self {
        Self::Codec(error)
    }

    /// Tells whether the same call may succeed later, unchanged.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Away(_) | Self::NoConnection(_) | Self::NoAnswer { .. } => true,
            Self::Migration(_) => self.driver_error().is_some_and(|error| Class::of(error) == Class::Away),
            Self::Data(_) | Self::Refused(_) | Self::Misconfigured(_) | Self::Unanswered(_) | Self::Codec(_) | Self::Other(_) => false,
        }
    }

    /// Tells whether the values themselves were refused, so that the same ones will be refused again.
    pub fn is_data(&self) -> bool {
        matches!(self, Self::Data(_))
    }

    /// The SQLSTATE, where the server gave one.
    pub fn sql_state(&self) -> Option<&SqlState> {
        self.driver_error().and_then(Error::code)
    }

    fn driver_error(&self) -> Option<&Error> {
        match self {
            Self::Away(error) | Self::Data(error) | Self::Refused(error) | Self::Other(error) => Some(error),
            Self::Migration(error) => error.source().and_then(|source| source.downcast_ref()),
            Self::NoConnection(_) | Self::NoAnswer { .. } | Self::Misconfigured(_) | Self::Unanswered(_) | Self::Codec(_) => None,
        }
    }
}

impl Fault for DatabaseError {
    /// A database that turns us down is unavailable too: whoever waits should wait, and no event may be parked for it.
    fn kind(&self) -> Kind {
        match self {
            Self::Refused(_) | Self::Misconfigured(_) => Kind::Unavailable,
            _ if self.is_transient() => Kind::Unavailable,
            _ => Kind::Internal,
        }
    }

    fn code(&self) -> &'static str {
        match self.kind() {
            Kind::Unavailable => "database_unavailable",
            _ => "internal",
        }
    }
}

impl From<Error> for DatabaseError {
    fn from(error: Error) -> Self {
        match Class::of(&error) {
            Class::Away => Self::Away(error),
            Class::Data => Self::Data(error),
            Class::Refused => Self::Refused(error),
            Class::Other => Self::Other(error),
        }
    }
}

impl From<PoolError> for DatabaseError {
    fn from(error: PoolError) -> Self {
        match error {
            PoolError::Backend(error) => error.into(),
            error => Self::NoConnection(error),
        }
    }
}

impl From<refinery::Error> for DatabaseError {
    fn from(error: refinery::Error) -> Self {
        Self::Migration(Box::new(error))
    }
}

/// An error with its causes, in one line.
pub(crate) fn in_full(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

/// The classes that callers treat alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Away,
    Data,
    Refused,
    Other,
}

impl Class {
    fn of(error: &Error) -> Self {
        match error.as_db_error() {
            // A row that no partition takes is reported as a broken check without a name: that is our omission, not the data's.
            Some(refusal) if *refusal.code() == SqlState::CHECK_VIOLATION && refusal.constraint().is_none() => Self::Other,
            Some(refusal) => Self::of_sql_state(refusal.code().code()),
            None if error.is_closed() => Self::Away,
            None => Self::of_io(error.source().and_then(|source| source.downcast_ref())),
        }
    }

    fn of_sql_state(state: &str) -> Self {
        match state {
            // serialization failure, deadlock, read-only server (a standby after a failover), lock timeout, cancelled by a timeout
            "40001" | "40P01" | "25006" | "55P03" | "57014" => Self::Away,
            _ if state.starts_with("08") || state.starts_with("53") || state.starts_with("57P0") => Self::Away,
            _ if state.starts_with("22") || state.starts_with("23") => Self::Data,
            _ if state.starts_with("28") || state == "3D000" => Self::Refused,
            _ => Self::Other,
        }
    }

    /// The driver also wraps what it cannot encode or parse into an I/O error; a link that broke is of another sort.
    fn of_io(error: Option<&io::Error>) -> Self {
        match error.map(io::Error::kind) {
            None | Some(io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData) => Self::Other,
            Some(_) => Self::Away,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sql_states_are_told_apart_by_what_to_do_about_them() {
        for state in ["08006", "53100", "53300", "57P01", "57P03", "40001", "40P01", "25006"] {
            assert_eq!(Class::of_sql_state(state), Class::Away, "{state}");
        }
        for state in ["22003", "23505", "23514"] {
            assert_eq!(Class::of_sql_state(state), Class::Data, "{state}");
        }
        assert_eq!(Class::of_sql_state("28P01"), Class::Refused);
        assert_eq!(Class::of_sql_state("42601"), Class::Other);
        assert_eq!(Class::of_sql_state("25P02"), Class::Other);
    }

    #[test]
    fn a_broken_link_is_away_and_a_bad_parameter_is_not() {
        assert_eq!(Class::of_io(Some(&io::ErrorKind::ConnectionRefused.into())), Class::Away);
        assert_eq!(Class::of_io(Some(&io::ErrorKind::InvalidInput.into())), Class::Other);
    }

    #[test]
    fn waiting_is_worth_it_when_the_database_is_away() {
        let error = DatabaseError::NoAnswer { after_ms: 1 };
        assert!(error.is_transient());
        assert_eq!((error.kind(), error.code()), (Kind::Unavailable, "database_unavailable"));
    }
}
