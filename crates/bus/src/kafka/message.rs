//! Events as Kafka messages: the binary mode of the CloudEvents binding for Kafka (version 1.0.2), attributes in `ce_` headers and JSON behind
//! them. The structured mode is read too. It knows no client.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::str;
use std::sync::Arc;

use contract::Event;
use contract::event::Broken;
use rdkafka::message::{Header, Headers, Message, OwnedHeaders};

use crate::{Alien, DeadLetter, Incoming, Origin};

const PREFIX: &str = "ce_";
const CONTENT_TYPE: &str = "content-type";
const STRUCTURED: &[u8] = b"application/cloudevents+json";

/// What is written to a partition.
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
    let mut outgoing = match &letter.message {
        Incoming::Event(event) | Incoming::Carried(event, _) => of_event(event),
        Incoming::Alien(Alien { key, headers, bytes, .. }) => {
            let headers = headers.iter().fold(OwnedHeaders::new(), |all, (name, value)| with(all, name, value));
            Outgoing { key: key.as_deref(), headers, bytes }
        }
    };
    let origin = letter.message.origin();
    let topic = letter.message.event().and_then(|event| contract::Topic::of_source(&event.source)).map(contract::Topic::name);
    let more = [
        ("x-error", Some(letter.error.clone())),
        ("x-consumer", Some(letter.consumer.clone())),
        ("x-topic", origin.map(|origin| origin.topic.to_string()).or_else(|| topic.map(str::to_owned))),
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

fn with(headers: OwnedHeaders, name: &str, value: &[u8]) -> OwnedHeaders {
    headers.insert(Header { key: name, value: Some(value) })
}

/// What a message of `topic` is.
pub(super) fn read(message: &impl Message, topic: Arc<str>) -> Incoming {
    let origin = Origin { topic, partition: message.partition(), offset: message.offset() };
    let bytes = message.payload().unwrap_or_default();
    let read = headers(message).map(|headers| (event(&headers, bytes).map_err(|broken| broken.to_string()), headers));
    let (cause, headers) = match read {
        Ok((Ok(event), _)) => return Incoming::Carried(event, origin),
        Ok((Err(broken), headers)) => (broken, headers.into_iter().map(|(name, value)| (name.to_owned(), value.to_vec())).collect()),
        Err(unreadable) => (unreadable.to_string(), Vec::new()),
    };
    let key = message.key().map(<[u8]>::to_vec);
    Incoming::Alien(Alien { key, headers, bytes: bytes.to_vec(), cause, origin: Some(origin) })
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
fn headers(message: &impl Message) -> Result<Vec<(&str, &[u8])>, Unreadable> {
    let read =
        || message.headers().into_iter().flat_map(Headers::iter).map(|header| (header.key, header.value.unwrap_or_default())).collect();
    catch_unwind(AssertUnwindSafe(read)).map_err(|_| Unreadable)
}
