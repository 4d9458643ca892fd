//! The e-mail channel: a plain text that says in its subject what is to be done, by SMTP, to each recipient by himself.
//!
//! One recipient whom the server refuses keeps the alert from nobody else, and a retry goes only to those who have not had it. All copies and
//! all attempts have the same Message-ID. What a server says of a mail for good (5xx) is for good; everything else is tried again, and so is what it
//! says of who we are: a wrong password is mended by an operator, and then the mail goes.

use std::fmt;
use std::time::Duration;

use contract::{Notification, NotificationKind};
use futures::future::BoxFuture;
use lettre::address::Envelope;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Mailboxes};
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport, Message as Mail, Tokio1Executor};
use moka::sync::Cache;
use reqwest::Url;
use uuid::Uuid;

use super::{Channel, Failed, Message, Outcome, TEST};

/// Attempts under way at once, each with a connection of its own.
const AT_ONCE: usize = 4;
/// Letters of a name that fit a subject.
const NAME_LETTERS: usize = 80;
/// Deliveries between two attempts whose recipients are remembered.
const REMEMBERED: u64 = 10_000;

/// What a server says when it does not know who we are, or that too openly (RFC 4954, section 6). None of it is about the mail.
const AUTHENTICATION: [u16; 4] = [530, 534, 535, 538];

type Transport = AsyncSmtpTransport<Tokio1Executor>;

/// The e-mail channel, as it is configured.
#[derive(Clone)]
pub struct EmailConfig {
    url: String,
    from: Mailbox,
    to: Vec<Mailbox>,
}

/// The settings of e-mail cannot work. They are not repeated: the URL may hold a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadEmail {
    /// The server.
    #[error("SMTP_URL must be smtp://host:port, or smtps:// for TLS from the start, with user:password@ where the server asks for it")]
    Url,
    /// The sender.
    #[error("NOTIFY_EMAIL_FROM must be an address, such as Gudang <gudang@example.com>")]
    From,
    /// The recipients.
    #[error("NOTIFY_EMAIL_TO must be one or more addresses parted by commas")]
    To,
}

impl EmailConfig {
    /// Reads `SMTP_URL`, `NOTIFY_EMAIL_FROM` and `NOTIFY_EMAIL_TO`.
    pub fn new(url: &str, from: &str, to: &str) -> Result<Self, BadEmail> {
        let from = from.parse().map_err(|_| BadEmail::From)?;
        let to: Vec<Mailbox> = to.parse::<Mailboxes>().map_err(|_| BadEmail::To)?.into_iter().collect();
        if to.is_empty() {
            return Err(BadEmail::To);
        }
        let config = Self { url: url.to_owned(), from, to };
        config.transport(Duration::from_secs(1))?;
        Ok(config)
    }

    /// `smtp://` uses STARTTLS if the server offers it, and needs it where there is a password: that never goes in the clear.
    fn transport(&self, timeout: Duration) -> Result<Transport, BadEmail> {
        let url = Url::parse(&self.url).map_err(|_| BadEmail::Url)?;
        let (Some(host), None) = (url.host_str().filter(|host| !host.is_empty()), url.query()) else { return Err(BadEmail::Url) };
        let builder = Transport::from_url(&self.url).map_err(|_| BadEmail::Url)?.timeout(Some(timeout));
        let tls = || TlsParameters::new(host.to_owned()).map_err(|_| BadEmail::Url);
        match url.scheme() {
            "smtps" => Ok(builder.build()),
            "smtp" if url.password().is_some() => Ok(builder.tls(Tls::Required(tls()?)).build()),
            "smtp" => Ok(builder.tls(Tls::Opportunistic(tls()?)).build()),
            _ => Err(BadEmail::Url),
        }
    }
}

impl fmt::Debug for EmailConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmailConfig").field("url", &"***").field("recipients", &self.to.len()).finish_non_exhaustive()
    }
}

/// E-mail.
pub(crate) struct Email {
    from: Mailbox,
    to: Vec<Mailbox>,
    transport: Transport,
    /// By message: who has it already, while others of the same delivery have not.
    have_it: Cache<Uuid, Vec<Mailbox>>,
}

impl Email {
    pub(crate) fn new(config: &EmailConfig, timeout: Duration) -> Result<Self, BadEmail> {
        let transport = config.transport(timeout)?;
        Ok(Self { from: config.from.clone(), to: config.to.clone(), transport, have_it: Cache::new(REMEMBERED) })
    }

    async fn attempt(&self, message: &Message) -> Outcome {
        let mail = self.written(message).map_err(|error| Failed::finally(format!("cannot be written as a mail: {error}")))?;
        let mail = mail.formatted();
        let mut refused = Vec::new();
        let mut not_now = Vec::new();
        for recipient in &self.to {
            let mut have_it = self.have_it.get(&message.id).unwrap_or_default();
            if have_it.contains(recipient) {
                continue;
            }
            match self.hand_over(recipient, &mail).await {
                Ok(()) => {
                    have_it.push(recipient.clone());
                    self.have_it.insert(message.id, have_it);
                }
                Err((error, true)) => refused.push(error),
                Err((error, false)) => not_now.push(error),
            }
        }
        if refused.is_empty() && not_now.is_empty() {
            self.have_it.invalidate(&message.id);
            return Ok(None);
        }
        let is_final = not_now.is_empty();
        if is_final {
            // Who is asked to deliver it once more means everybody.
            self.have_it.invalidate(&message.id);
        }
        not_now.extend(refused);
        Err(Failed { error: not_now.join("; "), http_status: None, is_final })
    }

    /// Hands the mail over for one recipient; an error says whether it is for good.
    async fn hand_over(&self, recipient: &Mailbox, mail: &[u8]) -> Result<(), (String, bool)> {
        let said = |error: &dyn fmt::Display, is_final| (format!("{}: {error}", recipient.email), is_final);
        let envelope = Envelope::new(Some(self.from.email.clone()), vec![recipient.email.clone()]).map_err(|error| said(&error, true))?;
        match self.transport.send_raw(&envelope, mail).await {
            Ok(_) => Ok(()),
            Err(error) => Err(said(&fault::chain(&error), is_for_good(&error))),
        }
    }

    fn written(&self, message: &Message) -> Result<Mail, lettre::error::Error> {
        let automatic = HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".to_owned());
        let builder = Mail::builder()
            .from(self.from.clone())
            .subject(subject(message))
            .message_id(Some(format!("<{}@{}>", message.id, self.from.email.domain())))
            .raw_header(automatic)
            .header(ContentType::TEXT_PLAIN);
        self.to.iter().fold(builder, |builder, recipient| builder.to(recipient.clone())).body(text(message))
    }
}

/// Whether trying again is of no use.
fn is_for_good(error: &lettre::transport::smtp::Error) -> bool {
    error.is_permanent() && !error.status().is_some_and(|code| AUTHENTICATION.contains(&code.into()))
}

impl Channel for Email {
    fn name(&self) -> &'static str {
        "email"
    }

    /// The addresses; the server's URL may hold a password.
    fn target(&self) -> String {
        self.to.iter().map(|recipient| recipient.email.to_string()).collect::<Vec<_>>().join(", ")
    }

    fn at_once(&self) -> usize {
        AT_ONCE
    }

    fn send<'a>(&'a self, message: &'a Message) -> BoxFuture<'a, Outcome> {
        Box::pin(self.attempt(message))
    }
}

/// What is to be done, of what, and why.
fn subject(message: &Message) -> String {
    let Notification { kind, sku, name, location, available, min_stock, .. } = &message.notification;
    let name: String = name.as_str().chars().take(NAME_LETTERS).collect();
    let (minimum, what) = (min_stock.get(), format!("{sku} {name}"));
    one_line(&match kind {
        _ if message.kind == TEST => "Test of Gudang's e-mail: nothing to do".to_owned(),
        NotificationKind::LowStock => format!("Reorder {what}: {available} left at {location}, minimum {minimum}"),
        NotificationKind::OutOfStock => format!("Reorder now {what}: out of stock at {location} ({available} left, minimum {minimum})"),
        NotificationKind::BackInStock => format!("Back in stock {what}: {available} at {location}, minimum {minimum}"),
    })
}

fn text(message: &Message) -> String {
    let Notification { id, sku, name, location, available, min_stock, raised_at, episode, .. } = &message.notification;
    format!(
        "{subject}\n\nSKU:          {sku}\nName:         {name}\nLocation:     {location}\nAvailable:    {available}\n\
         Minimum:      {minimum}\nRaised at:    {raised_at}\nEpisode:      {episode}\nNotification: {id}\n",
        subject = subject(message),
        minimum = min_stock.get(),
    )
}

/// No name can begin a header of its own, whatever it holds.
fn one_line(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

#[cfg(test)]
mod tests {
    use contract::{Name, Sku};

    use super::*;

    fn email(to: &str) -> Email {
        let config = EmailConfig::new("smtp://127.0.0.1:1", "Gudang <gudang@example.com>", to).expect("usable");
        Email::new(&config, Duration::from_secs(1)).expect("a channel")
    }

    #[test]
    fn unusable_settings_are_named_and_never_shown() {
        let read = |url, from, to| EmailConfig::new(url, from, to).err();
        for url in ["", "mail.example.com", "http://mail.example.com", "smtp://", "smtp://host:port", "smtp://host?tls=none"] {
            assert_eq!(read(url, "a@example.com", "b@example.com"), Some(BadEmail::Url), "{url}");
        }
        for bad in ["", "nobody", "a@", "a@example.com\r\nBcc: c@example.com"] {
            assert_eq!(read("smtp://host", bad, "b@example.com"), Some(BadEmail::From), "{bad}");
            assert_eq!(read("smtp://host", "a@example.com", bad), Some(BadEmail::To), "{bad}");
        }
        let config = EmailConfig::new("smtps://user:secret@host", "a@example.com", "b@example.com, C D <c@example.com>").expect("usable");
        assert!(!format!("{config:?}").contains("secret"));
        assert_eq!(Email::new(&config, Duration::from_secs(1)).expect("a channel").target(), "b@example.com, c@example.com");
    }

    #[test]
    fn no_name_begins_a_header_of_its_own() {
        let mut message = Message::of(Message::test().notification, "email");
        message.notification.sku = Sku::trusted("1\r\nBcc: evil@example.com");
        message.notification.name = Name::trusted("x\r\n\r\nbody\nX-Evil: 1\u{2028}");
        let mail = String::from_utf8(email("b@example.com").written(&message).expect("a mail").formatted()).expect("text");
        let head = mail.split("\r\n\r\n").next().expect("headers");
        for line in head.split("\r\n") {
            let known = ["From:", "To:", "Subject:", "Message-ID:", "Auto-Submitted:", "Content-Type:", "Content-Transfer-Encoding:"];
            let known = known.iter().chain(&["Date:", "MIME-Version:", " "]).any(|name| line.starts_with(name));
            assert!(known, "{line:?} in {head}");
        }
    }

    #[test]
    fn a_subject_says_what_to_do() {
        let mut message = Message::of(Message::test().notification, "email");
        message.notification.sku = Sku::trusted("22423");
        message.notification.name = Name::trusted("Étagère à gâteaux");
        assert_eq!(subject(&message), "Reorder 22423 Étagère à gâteaux: 1 left at default, minimum 0");
        message.notification.kind = NotificationKind::OutOfStock;
        assert_eq!(subject(&message), "Reorder now 22423 Étagère à gâteaux: out of stock at default (1 left, minimum 0)");
        assert_eq!(subject(&Message::test()), "Test of Gudang's e-mail: nothing to do");
    }
}
