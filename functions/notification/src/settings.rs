//! What Notification needs to be told at its start. Plain data, read from the environment by whoever starts it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub use crate::channels::email::{BadEmail, EmailConfig};

/// Everything that Notification needs to run.
#[derive(Debug, Clone)]
pub struct Config {
    /// Its own database.
    pub database: postgres::Settings,
    /// Base URL of Product, for repair.
    pub product_url: String,
    /// Base URL of Stock Change, for repair and for comparing books.
    pub stock_url: String,
    /// Where alerts go. The log is always one of them.
    pub channels: ChannelsConfig,
}

/// Where alerts go, and how often that is tried.
#[derive(Debug, Clone)]
pub struct ChannelsConfig {
    /// `NOTIFY_WEBHOOK_*`; absent: no webhook.
    pub webhook: Option<WebhookConfig>,
    /// `NOTIFY_EMAIL_*` and `SMTP_URL`; absent: no e-mail.
    pub email: Option<EmailConfig>,
    /// `NOTIFY_RETRY_SCHEDULE`: the wait before each attempt, the first one included. As many attempts as entries, then it is dead.
    pub retry_schedule: Vec<Duration>,
    /// `NOTIFY_TIMEOUT_SECONDS`: how long one attempt may take.
    pub timeout: Duration,
}

impl Default for ChannelsConfig {
    /// The contract's: the log alone, eight attempts over some 28 hours, 10 s for each.
    fn default() -> Self {
        let retry_schedule = [0, 5, 300, 1800, 7200, 18000, 36000, 36000].map(Duration::from_secs).to_vec();
        Self { webhook: None, email: None, retry_schedule, timeout: Duration::from_secs(10) }
    }
}

/// The webhook channel.
#[derive(Clone)]
pub struct WebhookConfig {
    /// `NOTIFY_WEBHOOK_URL`. It may hold a password or a token, so it is never shown whole.
    pub url: String,
    /// `NOTIFY_WEBHOOK_SECRET`.
    pub secret: WebhookSecret,
    /// `NOTIFY_WEBHOOK_ALLOW_PRIVATE`: whether private, loopback and link-local addresses may be called.
    pub allow_private: bool,
}

impl fmt::Debug for WebhookConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookConfig").field("url", &"***").field("allow_private", &self.allow_private).finish_non_exhaustive()
    }
}

/// The key that webhooks are signed with, written `whsec_<base64>`. Never printed.
#[derive(Clone)]
pub struct WebhookSecret(Arc<standardwebhooks::Webhook>);

/// A text is no webhook secret. It says nothing of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be `whsec_` and then a key in base64")]
pub struct NoSecret;

impl WebhookSecret {
    /// Reads a secret.
    pub fn parse(text: &str) -> Result<Self, NoSecret> {
        let key = text.strip_prefix("whsec_").filter(|key| !key.is_empty()).ok_or(NoSecret)?;
        Ok(Self(Arc::new(standardwebhooks::Webhook::new(key).map_err(|_| NoSecret)?)))
    }

    /// Signs a message as Standard Webhooks says: the value of `webhook-signature`.
    pub(crate) fn sign(&self, id: &str, timestamp_seconds: i64, body: &[u8]) -> Result<String, standardwebhooks::WebhookError> {
        self.0.sign(id, timestamp_seconds, body)
    }
}

impl fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookSecret(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_read_strictly_and_never_shown() {
        let secret = WebhookSecret::parse("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD").expect("a secret");
        assert_eq!(format!("{secret:?}"), "WebhookSecret(***)");
        let webhook = WebhookConfig { url: "https://user:password@example.com/token".into(), secret, allow_private: false };
        let shown = format!("{webhook:?}");
        assert!(!shown.contains("C2FV") && !shown.contains("password") && !shown.contains("token"), "{shown}");
        for bad in ["", "whsec_", "C2FVsBQIhrscChlQIMV+b5sSYspob7oD", "whsec_not base64"] {
            assert_eq!(WebhookSecret::parse(bad).err(), Some(NoSecret), "{bad}");
        }
    }

    #[test]
    fn a_signature_is_that_of_the_specification() {
        let secret = WebhookSecret::parse("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD").expect("a secret");
        let body = br#"{"email":"test@example.com","username":"test_user"}"#;
        let signature = secret.sign("msg_27UH4WbU6Z5A5EzD8u03UvzRbpk", 1_649_367_553, body).expect("a signature");
        assert_eq!(signature, "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=");
    }
}
