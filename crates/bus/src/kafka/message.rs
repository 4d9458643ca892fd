//! Events as Kafka messages: the binary mode of the CloudEvents binding for Kafka (version 1.0.2), attributes in `ce_` headers and JSON behind
//! them. The structured mode is read too. It knows no client.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::str;
use std::sync::Arc;

use contract::event::Broken;
use contract::{Event, Topic};
use rdkafka::message::{Header, Headers, OwnedHeaders};

use crate::{Alien, DeadLetter, Incoming, Message, Origin};

const PREFIX: &str = "ce_";
const CONTENT_TYPE: &str = "content-type";
const STRUCTURED: &[u8] = b"application/cloudevents+json";

/// What is left of a letter that no broker takes whole: bytes of what it carries, bytes of its headers, and letters of what went wrong.
const SHORT: usize = 64 << 10;
const SHORT_HEADERS: usize = 16 << 10;
const SHORT_ERROR: usize = 1 << 10;

/// What is written to a partition.
#[derive(Default)]
pub(super) struct Outgoing<'a> {
    pub(super) key: Option<&'a [u8]>,
    pub(super) headers: OwnedHeaders,
    pub(super) bytes: &'a [u8],
}

/// An event in binary mode, ordered by its product.
pub(super) fn of_event(event: &Event) -> Outgoing<'_> {
    let mut headers = with(OwnedHeaders::new_with_capacity(12), CONTENT_TYPE, Event::CONTENT_TYPE.as_bytes());
    let mut name = String::with_capacity(32);
    for (attribute, value) in event.attributes() {
        name.clear();
        name.push_str(PREFIX);
        name.push_str(attribute);
        headers = with(headers, &name, value.as_bytes());
    }
    Outgoing { key: Some(event.partition_key.as_bytes()), headers, bytes: event.data.get().as_bytes() }
}

/// A dead letter: the message as it came, with what became of it in `x-` headers.
pub(super) fn of_letter(letter: &DeadLetter) -> Outgoing<'_> {
    let DeadLetter { message, error, consumer } = letter;
    let (mut outgoing, topic) = match message {
        Incoming::Event(event) => (of_event(event), Topic::of_source(&event.source).map(Topic::name)),
        _ => (message.message().map_or_else(Outgoing::default, as_it_came), None),
    };
    let origin = message.origin();
    let more = [
        ("x-error", Some(error.clone())),
        ("x-consumer", Some(consumer.clone())),
        ("x-topic", origin.map(|origin| &*origin.topic).or(topic).map(str::to_owned)),
        ("x-partition", origin.map(|origin| origin.partition.to_string())),
        ("x-offset", origin.map(|origin| origin.offset.to_string())),
    ];
    for (name, value) in more {
        if let Some(value) = value {
            outgoing.headers = with(outgoing.headers, name, value.as_bytes());
        }
    }
    outgoing
}

fn as_it_came(message: &Message) -> Outgoing<'_> {
    let Message { key, headers, bytes, .. } = message;
    let headers = headers.iter().fold(OwnedHeaders::new(), |all, (name, value)| with(all, name, value));
    Outgoing { key: key.as_deref(), headers, bytes }
}

/// What goes in place of a letter that no broker takes whole: its beginning, and in `x-truncated` how many bytes it carried. The whole of it
/// stays with its consumer.
pub(super) fn in_short(letter: &DeadLetter) -> DeadLetter {
    let mut message = match &letter.message {
        Incoming::Event(event) => Message { key: None, headers: Vec::new(), bytes: event.data.get().as_bytes().to_vec(), origin: None },
        other => other.message().cloned().unwrap_or_default(),
    };
    let mut room = SHORT_HEADERS;
    message.headers.retain(|(name, value)| {
        let left = room.checked_sub(name.len() + value.len());
        room = left.unwrap_or(room);
        left.is_some()
    });
    message.headers.push(("x-truncated".to_owned(), message.bytes.len().to_string().into_bytes()));
    message.bytes.truncate(SHORT);
    if let Some(key) = &mut message.key {
        key.truncate(SHORT_HEADERS);
    }
    let error = letter.error.chars().take(SHORT_ERROR).collect();
    DeadLetter { message: Incoming::Alien(Alien { message, cause: String::new() }), error, consumer: letter.consumer.clone() }
}

fn with(headers: OwnedHeaders, name: &str, value: &[u8]) -> OwnedHeaders {
    headers.insert(Header { key: name, value: Some(value) })
}

/// What a message of `topic` is.
pub(super) fn read(message: &impl rdkafka::Message, topic: Arc<str>) -> Incoming {
    let origin = Some(Origin { topic, partition: message.partition(), offset: message.offset() });
    let bytes = message.payload().unwrap_or_default();
    let (read, headers) = match headers(message) {
        Ok(headers) => (event(&headers, bytes), headers),
        Err(unreadable) => (Err(Broken::Envelope(unreadable.to_string())), Vec::new()),
    };
    if matches!(read, Err(Broken::Foreign { .. })) {
        return Incoming::Foreign(origin);
    }
    let headers = headers.into_iter().map(|(name, value)| (name.to_owned(), value.to_vec())).collect();
    let message = Message { key: message.key().map(<[u8]>::to_vec), headers, bytes: bytes.to_vec(), origin };
    match read {
        Ok(event) => Incoming::Carried(event, message),
        Err(broken) => Incoming::Alien(Alien { message, cause: broken.to_string() }),
    }
}

fn event(headers: &[(&str, &[u8])], bytes: &[u8]) -> Result<Event, Broken> {
    if headers.iter().any(|(name, value)| *name == CONTENT_TYPE && value.starts_with(STRUCTURED)) {
        return Event::from_json(bytes);
    }
    // A header that is no text is none of ours.
    let attributes = headers.iter().filter_map(|(name, value)| Some((name.strip_prefix(PREFIX)?, str::from_utf8(value).ok()?)));
    Event::from_binary(attributes, bytes)
}

/// Headers that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("a header has a name that is no UTF-8")]
struct Unreadable;

/// The headers of a message. rdkafka panics at a name that is no text; one such message must not be the end of the consumer.
fn headers(message: &impl rdkafka::Message) -> Result<Vec<(&str, &[u8])>, Unreadable> {
    let read =
        || message.headers().into_iter().flat_map(Headers::iter).map(|header| (header.key, header.value.unwrap_or_default())).collect();
    catch_unwind(AssertUnwindSafe(read)).map_err(|_| Unreadable)
}
