//! The binary form of CloudEvents: attributes beside the data, as the headers of a message carry them.
//!
//! It knows no transport: attributes go by their own names, and whoever carries them adds a prefix (`ce_` on Kafka, `ce-` over HTTP).

use serde_json::value::RawValue;
use uuid::Uuid;

use crate::event::{Broken, Event, Read, unread};
use crate::{Invalid, Time};

impl Event {
    /// What the data is: transports have a header of their own for it.
    pub const CONTENT_TYPE: &'static str = "application/json";

    /// Its attributes, but `datacontenttype` and the position in a journal.
    pub fn attributes(&self) -> Vec<(&'static str, String)> {
        let mut attributes = vec![
            ("specversion", "1.0".to_owned()),
            ("id", self.id.to_string()),
            ("source", self.source.clone()),
            ("type", self.kind.clone()),
            ("subject", self.subject.clone()),
            ("time", self.time.to_string()),
            ("sequence", self.version.to_string()),
            ("partitionkey", self.partition_key.clone()),
            ("recordedtime", self.recorded_at.to_string()),
        ];
        attributes.extend(self.traceparent.iter().map(|traceparent| ("traceparent", traceparent.clone())));
        attributes
    }

    /// Reads the binary form; attributes that we do not use are ignored.
    ///
    /// Data that is no JSON does not make the envelope unreadable: it is kept as a JSON text, which no payload is, so that the event can be
    /// fenced and a good copy fetched.
    pub fn from_binary<'a>(attributes: impl IntoIterator<Item = (&'a str, &'a str)>, data: &[u8]) -> Result<Self, Broken> {
        let mut found = [None; NAMES.len()];
        for (name, value) in attributes {
            if let Some(place) = NAMES.iter().position(|known| *known == name) {
                found[place] = Some(value);
            }
        }
        let [specversion, id, source, kind, ..] = found;
        read(found, data).and_then(Read::event).map_err(|cause| unread([specversion, id, source, kind], cause))
    }
}

/// The attributes in the order in which they are read.
const NAMES: [&str; 10] =
    ["specversion", "id", "source", "type", "subject", "time", "sequence", "partitionkey", "recordedtime", "traceparent"];

fn read(found: [Option<&str>; NAMES.len()], data: &[u8]) -> Result<Read, String> {
    let needed = |place: usize| found[place].ok_or_else(|| format!("the attribute `{}` is missing", NAMES[place]));
    let text = |place: usize| needed(place).map(str::to_owned);
    let time =
        |place: usize| Time::parse(needed(place)?).map_err(|Invalid { detail, .. }| format!("the attribute `{}` {detail}", NAMES[place]));
    Ok(Read {
        specversion: text(0)?,
        id: Uuid::try_parse(needed(1)?).map_err(|_| "the attribute `id` must be a UUID".to_owned())?,
        source: text(2)?,
        kind: text(3)?,
        subject: text(4)?,
        time: time(5)?,
        sequence: text(6)?,
        partitionkey: text(7)?,
        recordedtime: time(8)?,
        traceparent: found[9].map(str::to_owned),
        position: None,
        data: json(data)?,
    })
}

/// The data as it came, where it is JSON; else as a JSON text.
fn json(data: &[u8]) -> Result<Box<RawValue>, String> {
    if let Ok(json) = serde_json::from_slice(data) {
        return Ok(json);
    }
    serde_json::value::to_raw_value(&String::from_utf8_lossy(data)).map_err(|cause| cause.to_string())
}
