//! Events: the CloudEvents 1.0 envelope, the topics, and what stands in each type.
//!
//! An envelope can be read without understanding its data, so that an event of a newer type or a broken one can still be fenced,
//! parked and repaired. Sources: CloudEvents 1.0.2, and its extensions `partitioning`, `sequence` and `recordedtime`.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::{Notification, Product, StockEvent, Time};

/// Where events are carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Topic {
    /// What Product publishes.
    ProductEvents,
    /// What Stock publishes.
    StockChanges,
    /// What Notification publishes.
    Notifications,
}

impl Topic {
    /// The topic's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::ProductEvents => "product-events",
            Self::StockChanges => "stock-changes",
            Self::Notifications => "notifications",
        }
    }

    /// The CloudEvents `source` of what it carries.
    pub fn source(self) -> &'static str {
        match self {
            Self::ProductEvents => "/gudang/product",
            Self::StockChanges => "/gudang/stock",
            Self::Notifications => "/gudang/notification",
        }
    }

    /// The topic that a source publishes on; `None` for a stranger's.
    pub fn of_source(source: &str) -> Option<Self> {
        [Self::ProductEvents, Self::StockChanges, Self::Notifications].into_iter().find(|topic| topic.source() == source)
    }
}

/// The event types of the contract.
pub mod kind {
    /// A product was added.
    pub const PRODUCT_CREATED: &str = "gudang.product.created.v1";
    /// A product was changed.
    pub const PRODUCT_UPDATED: &str = "gudang.product.updated.v1";
    /// A product was taken off.
    pub const PRODUCT_ARCHIVED: &str = "gudang.product.archived.v1";
    /// A product came back.
    pub const PRODUCT_RESTORED: &str = "gudang.product.restored.v1";
    /// Units moved.
    pub const STOCK_CHANGED: &str = "gudang.stock.changed.v1";
    /// The threshold in force changed.
    pub const STOCK_THRESHOLD_CHANGED: &str = "gudang.stock.threshold-changed.v1";
    /// Units were promised.
    pub const STOCK_RESERVED: &str = "gudang.stock.reserved.v1";
    /// A promise was let go.
    pub const STOCK_RELEASED: &str = "gudang.stock.released.v1";
    /// A promise lapsed.
    pub const STOCK_EXPIRED: &str = "gudang.stock.expired.v1";
    /// An alert was raised.
    pub const NOTIFICATION_RAISED: &str = "gudang.notification.raised.v1";
    /// An alert's episode closed.
    pub const NOTIFICATION_RESOLVED: &str = "gudang.notification.resolved.v1";
    /// Somebody has seen an alert.
    pub const NOTIFICATION_ACKNOWLEDGED: &str = "gudang.notification.acknowledged.v1";
}

/// What an event says, by its type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Payload {
    /// A product, whole.
    Product(Box<Product>),
    /// A row of a stock stream.
    Stock(Box<StockEvent>),
    /// A notification.
    Notification(Box<Notification>),
    /// A type of our own source that this version does not know: counted, not understood, no error.
    Unknown,
}

/// An event as it travels.
#[derive(Debug, Clone)]
pub struct Event {
    /// UUIDv5 of source, subject and version: the same event has the same id wherever it is made again.
    pub id: Uuid,
    /// Who published it.
    pub source: String,
    /// CloudEvents `type`.
    pub kind: String,
    /// The stream.
    pub subject: String,
    /// When it happened.
    pub time: Time,
    /// The stream's version, from 1.
    pub version: i64,
    /// When it was recorded; rises along a stream.
    pub recorded_at: Time,
    /// Orders events on a broker: the product's id.
    pub partition_key: String,
    /// W3C trace context of the request that caused it.
    pub traceparent: Option<String>,
    /// Where it stands in its producer's journal; only the journal's own answers carry it.
    pub position: Option<String>,
    /// JSON.
    pub data: Box<RawValue>,
}

/// Why an event cannot be understood. Trying again does not help; a fresh copy from its producer may.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    /// The envelope is not one.
    #[error("not a CloudEvent of the contract: {0}")]
    Envelope(String),
    /// A CloudEvent of somebody else, who need not have what ours have: nothing is wrong with it, and it is none of our business.
    #[error("a CloudEvent of somebody else: {kind}, published by {publisher}")]
    Foreign {
        /// The event's type.
        kind: String,
        /// Its source.
        publisher: String,
    },
    /// The data is not what the type promises.
    #[error("the data of {kind} does not fit: {cause}")]
    Data {
        /// The event's type.
        kind: String,
        /// What did not fit.
        cause: String,
    },
}

impl Event {
    /// The id of the event that stands at `version` of `subject`.
    pub fn id_of(source: &str, subject: &str, version: i64) -> Uuid {
        Uuid::new_v5(&Uuid::NAMESPACE_URL, format!("{source}/{subject}/{version}").as_bytes())
    }

    /// Reads the structured JSON form.
    pub fn from_json(bytes: &[u8]) -> Result<Self, Broken> {
        serde_json::from_slice(bytes).map_err(|cause| {
            let Core { specversion, id, source, kind } = serde_json::from_slice(bytes).unwrap_or_default();
            unread([specversion, id, source, kind].each_ref().map(Option::as_deref), cause.to_string())
        })
    }

    /// Reads the data as its type promises, and checks that envelope and data speak of the same row.
    pub fn payload(&self) -> Result<Payload, Broken> {
        match self.kind.as_str() {
            kind::PRODUCT_CREATED | kind::PRODUCT_UPDATED | kind::PRODUCT_ARCHIVED | kind::PRODUCT_RESTORED => {
                let product: Box<Product> = self.read()?;
                self.agrees(&product.id.to_string(), Some(product.version))?;
                Ok(Payload::Product(product))
            }
            kind::STOCK_CHANGED | kind::STOCK_THRESHOLD_CHANGED | kind::STOCK_RESERVED | kind::STOCK_RELEASED | kind::STOCK_EXPIRED => {
                let row: Box<StockEvent> = self.read()?;
                self.agrees(&row.stream().to_string(), Some(row.version))?;
                if self.kind == kind::STOCK_CHANGED && (row.id.is_none() || row.kind.is_none() || row.quantity.is_none()) {
                    return Err(self.unfit("a movement has `id`, `type` and `quantity`"));
                }
                Ok(Payload::Stock(row))
            }
            kind::NOTIFICATION_RAISED | kind::NOTIFICATION_RESOLVED | kind::NOTIFICATION_ACKNOWLEDGED => {
                Ok(Payload::Notification(self.read()?))
            }
            _ => Ok(Payload::Unknown),
        }
    }

    fn read<'a, T: Deserialize<'a>>(&'a self) -> Result<T, Broken> {
        serde_json::from_str(self.data.get()).map_err(|cause| self.unfit(&cause.to_string()))
    }

    fn agrees(&self, subject: &str, version: Option<i64>) -> Result<(), Broken> {
        if subject == self.subject && version.is_none_or(|version| version == self.version) {
            Ok(())
        } else {
            Err(self.unfit("envelope and data name different rows"))
        }
    }

    fn unfit(&self, cause: &str) -> Broken {
        Broken::Data { kind: self.kind.clone(), cause: cause.to_owned() }
    }
}

/// What every CloudEvent has, ours or not.
#[derive(Default, Deserialize)]
struct Core {
    specversion: Option<String>,
    id: Option<String>,
    source: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
}

/// How the types of all our events begin.
const OUR_TYPES: &str = "gudang.";

/// Why an event was not read, by what every CloudEvent has (`specversion`, `id`, `source`, `type`) and what is wrong with it as one of ours.
pub(crate) fn unread(core: [Option<&str>; 4], cause: String) -> Broken {
    match core.map(|attribute| attribute.filter(|text| !text.is_empty())) {
        [Some(_), Some(_), Some(publisher), Some(kind)] if Topic::of_source(publisher).is_none() || !kind.starts_with(OUR_TYPES) => {
            Broken::Foreign { kind: kind.to_owned(), publisher: publisher.to_owned() }
        }
        _ => Broken::Envelope(cause),
    }
}

/// The structured JSON form, borrowed for writing.
#[derive(Serialize)]
struct Written<'a> {
    specversion: &'static str,
    id: Uuid,
    source: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    subject: &'a str,
    time: Time,
    datacontenttype: &'static str,
    sequence: String,
    partitionkey: &'a str,
    recordedtime: Time,
    #[serde(skip_serializing_if = "Option::is_none")]
    traceparent: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<&'a str>,
    data: &'a RawValue,
}

/// The longest text that an attribute may be.
const ATTRIBUTE_BYTES: usize = 1024;

/// What stands in an event as read, in whatever form; attributes that we do not use are ignored.
#[derive(Deserialize)]
pub(crate) struct Read {
    pub(crate) specversion: String,
    pub(crate) id: Uuid,
    pub(crate) source: String,
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) subject: String,
    pub(crate) time: Time,
    pub(crate) sequence: String,
    pub(crate) partitionkey: String,
    pub(crate) recordedtime: Time,
    pub(crate) traceparent: Option<String>,
    pub(crate) position: Option<String>,
    pub(crate) data: Box<RawValue>,
}

impl Read {
    /// The event, or what is wrong with its envelope.
    pub(crate) fn event(self) -> Result<Event, String> {
        if self.specversion != "1.0" {
            return Err(format!("specversion must be 1.0, it is {}", self.specversion));
        }
        let version = self.sequence.parse::<i64>().ok().filter(|version| *version > 0);
        let version = version.ok_or_else(|| format!("sequence must be a positive number, it is `{}`", self.sequence))?;
        for (attribute, text) in
            [("source", &self.source), ("type", &self.kind), ("subject", &self.subject), ("partitionkey", &self.partitionkey)]
        {
            // What could not be kept as a stream's name is the name of none.
            if text.len() > ATTRIBUTE_BYTES || text.contains('\0') {
                return Err(format!("{attribute} must have at most {ATTRIBUTE_BYTES} bytes, none of them 0"));
            }
        }
        Ok(Event {
            id: self.id,
            source: self.source,
            kind: self.kind,
            subject: self.subject,
            time: self.time,
            version,
            recorded_at: self.recordedtime,
            partition_key: self.partitionkey,
            traceparent: self.traceparent,
            position: self.position,
            data: self.data,
        })
    }
}

impl Serialize for Event {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Written {
            specversion: "1.0",
            id: self.id,
            source: &self.source,
            kind: &self.kind,
            subject: &self.subject,
            time: self.time,
            datacontenttype: "application/json",
            sequence: self.version.to_string(),
            partitionkey: &self.partition_key,
            recordedtime: self.recorded_at,
            traceparent: self.traceparent.as_deref(),
            position: self.position.as_deref(),
            data: &self.data,
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Read::deserialize(deserializer)?.event().map_err(serde::de::Error::custom)
    }
}
