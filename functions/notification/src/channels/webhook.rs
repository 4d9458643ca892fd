//! The webhook channel: a signed POST as Standard Webhooks says (<https://www.standardwebhooks.com>).
//!
//! Follows no redirect, uses no proxy, reaches no address of the inside unless that is allowed, and reads no more of an answer than it must.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use contract::{Notification, Time};
use futures::future::BoxFuture;
use jiff::Timestamp;
use reqwest::{Client, Response, StatusCode, Url, header, redirect};
use serde::Serialize;

use super::address::{OutOfBounds, PublicOnly, check_literal};
use super::{Channel, Failed, Message, Outcome};
use crate::settings::{WebhookConfig, WebhookSecret};

/// Attempts under way at once.
const AT_ONCE: usize = 8;
/// Bytes that are read of an answer, so that its connection may be used again; nobody looks at them.
const ANSWER_BYTES: usize = 64 << 10;

/// A webhook.
pub(crate) struct Webhook {
    url: Url,
    secret: WebhookSecret,
    allow_private: bool,
    timeout: Duration,
    client: Client,
}

/// The settings of the webhook cannot work.
#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    /// The URL. It is not shown: it may hold a token.
    #[error("NOTIFY_WEBHOOK_URL must be an http or https URL")]
    Url,
    /// The HTTP client.
    #[error("the webhook's HTTP client could not be made")]
    Client(#[source] reqwest::Error),
}

#[derive(Serialize)]
struct Body<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    /// When what it tells of happened, so that it is the same on every attempt.
    timestamp: Time,
    data: &'a Notification,
}

impl Webhook {
    pub(crate) fn new(config: &WebhookConfig, timeout: Duration) -> Result<Self, WebhookError> {
        let url = Url::parse(&config.url).map_err(|_| WebhookError::Url)?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err(WebhookError::Url);
        }
        let builder = Client::builder()
            .no_proxy()
            .redirect(redirect::Policy::none())
            .timeout(timeout)
            .user_agent(concat!("gudang/", env!("CARGO_PKG_VERSION")));
        let builder = if config.allow_private { builder } else { builder.dns_resolver(Arc::new(PublicOnly)) };
        let client = builder.build().map_err(WebhookError::Client)?;
        Ok(Self { url, secret: config.secret.clone(), allow_private: config.allow_private, timeout, client })
    }

    async fn attempt(&self, message: &Message) -> Outcome {
        if !self.allow_private {
            check_literal(self.url.host_str().unwrap_or_default()).map_err(|out| Failed::finally(out.to_string()))?;
        }
        let body = Body { kind: message.kind, timestamp: message.notification.raised_at, data: &message.notification };
        let body = serde_json::to_vec(&body).map_err(|error| Failed::finally(format!("cannot be written as JSON: {error}")))?;
        let (id, sent_at) = (message.id.to_string(), Timestamp::now().as_second());
        let signature = self.secret.sign(&id, sent_at, &body).map_err(|error| Failed::finally(format!("cannot be signed: {error}")))?;
        let request = self
            .client
            .post(self.url.clone())
            .header(header::CONTENT_TYPE, "application/json")
            .header(standardwebhooks::HEADER_WEBHOOK_ID, id)
            .header(standardwebhooks::HEADER_WEBHOOK_TIMESTAMP, sent_at.to_string())
            .header(standardwebhooks::HEADER_WEBHOOK_SIGNATURE, signature)
            .body(body);
        let answer = request.send().await.map_err(|error| unsent(error, self.timeout))?;
        let status = answer.status();
        skim(answer).await;
        judge(status)
    }
}

impl Channel for Webhook {
    fn name(&self) -> &'static str {
        "webhook"
    }

    /// Scheme, host and port: what follows may be a token.
    fn target(&self) -> String {
        let origin = self.url.origin().ascii_serialization();
        if self.url.path() == "/" && self.url.query().is_none() { origin } else { format!("{origin}/…") }
    }

    fn at_once(&self) -> usize {
        AT_ONCE
    }

    fn send<'a>(&'a self, message: &'a Message) -> BoxFuture<'a, Outcome> {
        Box::pin(self.attempt(message))
    }
}

impl Failed {
    pub(super) fn finally(error: String) -> Self {
        Self { error, http_status: None, is_final: true }
    }
}

/// What a status means: 2xx is delivered, 410 says that nobody will ever listen there again, and everything else may pass.
fn judge(status: StatusCode) -> Outcome {
    if status.is_success() {
        return Ok(Some(status.as_u16()));
    }
    let error =
        if status.is_redirection() { format!("answered {status}; redirects are not followed") } else { format!("answered {status}") };
    Err(Failed { error, http_status: Some(status.as_u16()), is_final: status == StatusCode::GONE })
}

/// Why no answer came. Neither the URL nor anything else of the request is told.
fn unsent(error: reqwest::Error, timeout: Duration) -> Failed {
    let error = error.without_url();
    let mut cause: Option<&(dyn Error + 'static)> = Some(&error);
    let mut last = String::new();
    while let Some(inner) = cause {
        if let Some(out) = inner.downcast_ref::<OutOfBounds>() {
            return Failed::finally(out.to_string());
        }
        last = inner.to_string();
        cause = inner.source();
    }
    let error = if error.is_timeout() {
        format!("no answer within {} ms", timeout.as_millis())
    } else if error.is_connect() {
        format!("could not connect: {last}")
    } else {
        format!("broke off: {last}")
    };
    Failed { error, http_status: None, is_final: false }
}

/// Reads a bounded part of an answer. What it is cannot change what the status said.
async fn skim(mut answer: Response) {
    let mut read = 0;
    while read < ANSWER_BYTES {
        match answer.chunk().await {
            Ok(Some(chunk)) => read += chunk.len(),
            Ok(None) | Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn webhook(url: &str) -> Result<Webhook, WebhookError> {
        let secret = WebhookSecret::parse("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD").expect("a secret");
        Webhook::new(&WebhookConfig { url: url.to_owned(), secret, allow_private: false }, Duration::from_secs(1))
    }

    #[test]
    fn a_status_decides() {
        assert_eq!(judge(StatusCode::NO_CONTENT), Ok(Some(204)));
        for (status, is_final) in [(302, false), (400, false), (404, false), (410, true), (429, false), (500, false), (503, false)] {
            let failed = judge(StatusCode::from_u16(status).expect("a status")).expect_err("a failure");
            assert_eq!((failed.http_status, failed.is_final), (Some(status), is_final));
        }
    }

    #[test]
    fn a_target_shows_no_secret() {
        for (url, target) in [
            ("https://user:password@hooks.example.com/T0/B0/token?key=1", "https://hooks.example.com/…"),
            ("http://example.com:9000", "http://example.com:9000"),
        ] {
            assert_eq!(webhook(url).expect(url).target(), target);
        }
        for bad in ["", "hooks.example.com", "ftp://example.com", "https://", "file:///etc/passwd"] {
            assert!(matches!(webhook(bad), Err(WebhookError::Url)), "{bad}");
        }
    }

    #[tokio::test]
    async fn an_address_of_the_inside_is_refused_for_good_however_it_is_written() {
        for url in
            ["http://127.0.0.1:9/", "http://2130706433:9/", "http://0x7f.1:9/", "http://[::ffff:127.0.0.1]:9/", "http://localhost:9/"]
        {
            let failed = webhook(url).expect(url).attempt(&Message::test()).await.expect_err(url);
            assert!(failed.is_final && failed.error.contains("NOTIFY_WEBHOOK_ALLOW_PRIVATE"), "{url}: {failed:?}");
        }
    }
}
