//! What librdkafka has to say, for the log. It knows neither producers nor consumers.

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

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
        Some(RDKafkaErrorCode::AllBrokersDown) => tracing::warn!(reason, "no broker of Kafka answers, it is tried again"),
        Some(RDKafkaErrorCode::Authentication | RDKafkaErrorCode::SSL) => tracing::warn!(reason, "Kafka does not let us in"),
        _ => tracing::debug!(reason, error = %error, "Kafka"),
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
