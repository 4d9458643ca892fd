//! Flags that say where alerts go, for programs that run Notification. It reads nothing by itself: whoever parses the command line does.

use std::time::Duration;

use clap::Args;
use host::flags::Secret;

use crate::{BadEmail, ChannelsConfig, EmailConfig, NoSecret, WebhookConfig, WebhookSecret};

/// Where alerts go besides the log.
#[derive(Debug, Args)]
pub struct Notify {
    /// URL that gets alerts as signed webhooks (Standard Webhooks)
    #[arg(long, env, hide_env_values = true)]
    pub notify_webhook_url: Option<Secret>,
    /// Secret that signs the webhooks, `whsec_<base64>`
    #[arg(long, env, hide_env_values = true)]
    pub notify_webhook_secret: Option<Secret>,
    /// Allow webhooks to private, loopback and link-local addresses
    #[arg(long, env, default_value_t = false, num_args = 0..=1, default_missing_value = "true", action = clap::ArgAction::Set)]
    pub notify_webhook_allow_private: bool,
    /// Addresses that get alerts as e-mail, parted by commas
    #[arg(long, env)]
    pub notify_email_to: Option<String>,
    /// Address that e-mails come from
    #[arg(long, env)]
    pub notify_email_from: Option<String>,
    /// Mail server: smtp://host:port (STARTTLS if offered) or smtps://host:port, with user:password@ if it asks for that
    #[arg(long, env, hide_env_values = true)]
    pub smtp_url: Option<Secret>,
    /// Seconds before each attempt of a delivery, parted by commas
    #[arg(long, env, default_value = "0,5,300,1800,7200,18000,36000,36000")]
    pub notify_retry_schedule: Schedule,
    /// Seconds that one attempt may take
    #[arg(long, env, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=600))]
    pub notify_timeout_seconds: u64,
}

/// Why what was said of alerts cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BadNotify {
    /// There is nothing to sign for.
    #[error("NOTIFY_WEBHOOK_SECRET is given without NOTIFY_WEBHOOK_URL")]
    SecretAlone,
    /// There is nothing to sign with.
    #[error("NOTIFY_WEBHOOK_URL needs NOTIFY_WEBHOOK_SECRET, `whsec_` and then a key in base64, to sign with")]
    NoSecret,
    /// It is no secret.
    #[error("NOTIFY_WEBHOOK_SECRET cannot be used")]
    Secret(#[from] NoSecret),
    /// Some of the three are given, and not all.
    #[error("NOTIFY_EMAIL_TO, NOTIFY_EMAIL_FROM and SMTP_URL need one another")]
    HalfAnEmail,
    /// One of the three cannot be used.
    #[error(transparent)]
    Email(#[from] BadEmail),
}

impl Notify {
    /// Where alerts go, as Notification takes it.
    pub fn channels(&self) -> Result<ChannelsConfig, BadNotify> {
        let webhook = match (&self.notify_webhook_url, &self.notify_webhook_secret) {
            (None, None) => None,
            (None, Some(_)) => return Err(BadNotify::SecretAlone),
            (Some(_), None) => return Err(BadNotify::NoSecret),
            (Some(url), Some(secret)) => {
                let secret = WebhookSecret::parse(secret.reveal())?;
                Some(WebhookConfig { url: url.reveal().to_owned(), secret, allow_private: self.notify_webhook_allow_private })
            }
        };
        let email = match (&self.smtp_url, &self.notify_email_from, &self.notify_email_to) {
            (None, None, None) => None,
            (Some(url), Some(from), Some(to)) => Some(EmailConfig::new(url.reveal(), from, to)?),
            _ => return Err(BadNotify::HalfAnEmail),
        };
        let retry_schedule = self.notify_retry_schedule.0.iter().copied().map(Duration::from_secs).collect();
        Ok(ChannelsConfig { webhook, email, retry_schedule, timeout: Duration::from_secs(self.notify_timeout_seconds) })
    }
}

/// Pauses before the attempts of a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule(pub Vec<u64>);

impl std::str::FromStr for Schedule {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let pauses = text.split(',').map(|pause| pause.trim().parse::<u32>().map(u64::from)).collect::<Result<Vec<u64>, _>>();
        pauses.map(Self).map_err(|_| "it must be whole numbers of seconds parted by commas, such as 0,5,300")
    }
}
