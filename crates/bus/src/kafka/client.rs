//! What all clients of librdkafka have in common: what they say, for the log, and how they end. It knows neither producers nor consumers.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use tokio::runtime::Handle;

/// Between two warnings that nobody answers.
const SILENCE: Duration = Duration::from_secs(30);

/// Passes on what a client says. A link that failed is tried again and of no interest; that no broker answers at all is.
pub(super) fn log(level: RDKafkaLogLevel, facility: &str, message: &str) {
    match level {
        RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => {
            tracing::error!(kafka.facility = facility, "{message}");
        }
        _ => tracing::debug!(kafka.facility = facility, "{message}"),
    }
}

/// Passes on an error that belongs to no message.
pub(super) fn error(error: &KafkaError, reason: &str) {
    match error.rdkafka_error_code() {
        Some(RDKafkaErrorCode::AllBrokersDown) if is_news() => tracing::warn!(reason, "no broker of Kafka answers, it is tried again"),
        Some(RDKafkaErrorCode::Authentication | RDKafkaErrorCode::SSL) => tracing::warn!(reason, "Kafka does not let us in"),
        _ => tracing::debug!(reason, error = %error, "Kafka"),
    }
}

/// Whether it is a while since somebody said the same: each client of a process says it for each attempt.
fn is_news() -> bool {
    static SAID: Mutex<Option<Instant>> = Mutex::new(None);
    let mut said = SAID.lock().unwrap_or_else(PoisonError::into_inner);
    let news = said.is_none_or(|said| said.elapsed() > SILENCE);
    if news {
        *said = Some(Instant::now());
    }
    news
}

/// Lets a client go where nobody waits for it: librdkafka takes its time to end one.
pub(super) fn let_go<T: Send + 'static>(client: T) {
    match Handle::try_current() {
        Ok(runtime) => drop(runtime.spawn_blocking(move || drop(client))),
        Err(_) => drop(client),
    }
}

/// A client that only asks questions.
pub(super) struct Quiet;

impl ClientContext for Quiet {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log(level, facility, message);
    }

    fn error(&self, cause: KafkaError, reason: &str) {
        error(&cause, reason);
    }
}

impl rdkafka::consumer::ConsumerContext for Quiet {}
