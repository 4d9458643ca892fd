//! How pushed events are read: the binary, the structured and the batch mode of CloudEvents over HTTP (version 1.0.2). It knows no handler.

use std::borrow::Cow;

use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use contract::Event;
use contract::event::Broken;
use fault::{Kind, Problem};
use percent_encoding::percent_decode_str;
use serde_json::value::RawValue;

/// How the names of attributes begin in binary mode.
const PREFIX: &str = "ce-";
const STRUCTURED: &str = "application/cloudevents+json";
const BATCH: &str = "application/cloudevents-batch+json";

/// The mode of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// Attributes in headers, the data is the body.
    Binary,
    /// One event, whole.
    Structured,
    /// A list of events, each whole.
    Batch,
}

/// What a request brought.
#[derive(Debug, Default)]
pub(super) struct Read {
    /// Events of the contract's form. Those of strangers are left out: nobody here has anything to do with them.
    pub(super) events: Vec<Event>,
    /// What is wrong with the first that is none.
    pub(super) malformed: Option<String>,
}

impl Mode {
    /// The mode, by the headers. What is no CloudEvent at all is 415.
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        let media = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let mut parts = media.split(';').map(str::trim);
        let essence = parts.next().unwrap_or_default().to_ascii_lowercase();
        let utf_8 = parts.filter_map(|part| part.split_once('=')).all(|(name, value)| {
            let value = value.trim_matches('"');
            !name.eq_ignore_ascii_case("charset") || value.eq_ignore_ascii_case("utf-8")
        });
        match essence.as_str() {
            STRUCTURED if utf_8 => Ok(Self::Structured),
            BATCH if utf_8 => Ok(Self::Batch),
            // Whatever else begins like this is the structured mode in a form that is not read here.
            other if !other.starts_with("application/cloudevents") && headers.contains_key("ce-specversion") => Ok(Self::Binary),
            _ => {
                let detail = format!("send a CloudEvent: `{STRUCTURED}`, `{BATCH}`, or its attributes as headers `{PREFIX}…`");
                Err(Problem::new(Kind::UnsupportedMedia, "unsupported_media_type", detail))
            }
        }
    }

    /// The most bytes of a body.
    pub(super) fn limit(self) -> usize {
        if self == Self::Batch { web::BATCH_BYTES } else { web::JSON_BYTES }
    }

    /// Reads the events of a body.
    pub(super) fn read(self, headers: &HeaderMap, body: &[u8]) -> Read {
        let mut read = Read::default();
        match self {
            Self::Binary => read.take(binary(headers, body)),
            Self::Structured => read.take(Event::from_json(body)),
            Self::Batch => match serde_json::from_slice::<Vec<&RawValue>>(body) {
                Ok(events) => {
                    for event in events {
                        read.take(Event::from_json(event.get().as_bytes()));
                    }
                }
                Err(error) => read.malformed = Some(format!("a batch is a JSON array of events: {error}")),
            },
        }
        read
    }
}

impl Read {
    fn take(&mut self, event: Result<Event, Broken>) {
        match event {
            Ok(event) => self.events.push(event),
            Err(Broken::Foreign { .. }) => {}
            Err(broken) => self.malformed = self.malformed.take().or_else(|| Some(broken.to_string())),
        }
    }
}

/// An event in binary mode. Values are percent-encoded where they are not plain ASCII.
fn binary(headers: &HeaderMap, body: &[u8]) -> Result<Event, Broken> {
    let attributes: Vec<(&str, Cow<'_, str>)> = headers
        .iter()
        .filter_map(|(name, value)| {
            Some((name.as_str().strip_prefix(PREFIX)?, percent_decode_str(value.to_str().ok()?).decode_utf8().ok()?))
        })
        .collect();
    Event::from_binary(attributes.iter().map(|(name, value)| (*name, &**value)), body)
}
