//! The AsyncAPI 3.0 document of the events: what stands on each topic, made of the types that are written and read here.
//!
//! It is for whoever listens with a client of Kafka and knows nothing of this code. Examples are the goldens. It sends nothing.

use serde_json::{Map, Value, json};
use utoipa::ToSchema;
use utoipa::openapi::{RefOr, Schema};

use crate::event::{Broken, kind};
use crate::{Event, Notification, Product, StockEvent, Topic};

/// The version of AsyncAPI that the document speaks.
const VERSION: &str = "3.0.0";
/// Version of the binding for Kafka.
const BINDING: &str = "0.5.0";
/// What an attribute of a CloudEvent is called among the headers of a message.
const PREFIX: &str = "ce_";
/// A product's id as regular expressions see it.
const UUID: &str = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}";

/// A type of event.
struct Message {
    kind: &'static str,
    topic: Topic,
    summary: &'static str,
    /// Fields that its payload always has, beside those that all of its kin have.
    always: &'static [&'static str],
    golden: &'static str,
}

macro_rules! message {
    ($kind:ident, $name:literal, $topic:ident, $summary:literal, $always:expr) => {
        Message {
            kind: kind::$kind,
            topic: Topic::$topic,
            summary: $summary,
            always: $always,
            golden: include_str!(concat!("../golden/", $name, ".json")),
        }
    };
}

const MOVEMENT: &[&str] = &["id", "type", "quantity"];
const HOLD: &[&str] = &["quantity"];

/// Every type, in the contract's order.
const MESSAGES: [Message; 12] = [
    message!(PRODUCT_CREATED, "gudang.product.created.v1", ProductEvents, "A product was added.", &[]),
    message!(PRODUCT_UPDATED, "gudang.product.updated.v1", ProductEvents, "A product was changed.", &[]),
    message!(PRODUCT_ARCHIVED, "gudang.product.archived.v1", ProductEvents, "A product was taken off.", &[]),
    message!(PRODUCT_RESTORED, "gudang.product.restored.v1", ProductEvents, "A product came back.", &[]),
    message!(STOCK_CHANGED, "gudang.stock.changed.v1", StockChanges, "Units moved.", MOVEMENT),
    message!(
        STOCK_THRESHOLD_CHANGED,
        "gudang.stock.threshold-changed.v1",
        StockChanges,
        "Another minimum is in force, 0 while the product is archived.",
        &[]
    ),
    message!(STOCK_RESERVED, "gudang.stock.reserved.v1", StockChanges, "Units were promised.", HOLD),
    message!(STOCK_RELEASED, "gudang.stock.released.v1", StockChanges, "A promise was let go.", HOLD),
    message!(STOCK_EXPIRED, "gudang.stock.expired.v1", StockChanges, "A promise lapsed.", HOLD),
    message!(NOTIFICATION_RAISED, "gudang.notification.raised.v1", Notifications, "An alert was raised.", &[]),
    message!(NOTIFICATION_RESOLVED, "gudang.notification.resolved.v1", Notifications, "An alert's episode closed.", &[]),
    message!(NOTIFICATION_ACKNOWLEDGED, "gudang.notification.acknowledged.v1", Notifications, "Somebody has seen an alert.", &[]),
];

/// A topic, as people are told of it.
struct Channel {
    topic: Topic,
    title: &'static str,
    description: &'static str,
    policy: &'static str,
    producer: &'static str,
    consumers: &'static [&'static str],
}

const CHANNELS: [Channel; 3] = [
    Channel {
        topic: Topic::ProductEvents,
        title: "Products",
        description: "Each message carries the whole product, so the newest of a key is enough: of two, the one with the higher \
                      `ce_sequence` is newer.",
        policy: "compact",
        producer: "product",
        consumers: &["stock", "notification", "analytics"],
    },
    Channel {
        topic: Topic::StockChanges,
        title: "Stock",
        description: "Every row of every stock stream, a product at a location, with the product as it was known when the row was \
                      recorded. Along a stream (`ce_subject`) `ce_sequence` has no gap; what comes twice has the number that it had.",
        policy: "delete",
        producer: "stock",
        consumers: &["product", "notification", "analytics"],
    },
    Channel {
        topic: Topic::Notifications,
        title: "Notifications",
        description: "What became of alerts.",
        policy: "delete",
        producer: "notification",
        consumers: &[],
    },
];

/// The topic of what could not be handled.
const DEAD_LETTERS: &str = "dead-letters";
/// Who may put something there: whoever consumes.
const CONSUMERS: [&str; 4] = ["product", "stock", "notification", "analytics"];

/// The document. An error is a golden that is no event.
pub fn document() -> Result<Value, Broken> {
    let mut channels = Map::new();
    let mut operations = Map::new();
    for channel in &CHANNELS {
        let name = channel.topic.name();
        channels.insert(name.to_owned(), channel.written());
        operations.insert(format!("{}.send.{name}", channel.producer), operation("send", channel.producer, name));
        for consumer in channel.consumers {
            operations.insert(format!("{consumer}.receive.{name}"), operation("receive", consumer, name));
        }
    }
    channels.insert(DEAD_LETTERS.to_owned(), dead_letters());
    for consumer in CONSUMERS {
        operations.insert(format!("{consumer}.send.{DEAD_LETTERS}"), operation("send", consumer, DEAD_LETTERS));
    }
    let mut messages = Map::new();
    for message in &MESSAGES {
        messages.insert(message.kind.to_owned(), message.written()?);
    }
    messages.insert("dead-letter".to_owned(), dead_letter());
    Ok(json!({
        "asyncapi": VERSION,
        "info": {
            "title": "Gudang events",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "CloudEvents 1.0 in the binary mode of their binding for Kafka. A type, once released, only gains optional fields: \
                            let be what you do not know. Delivery is at least once, and in order for each key.",
            "license": {"name": env!("CARGO_PKG_LICENSE")},
        },
        "defaultContentType": Event::CONTENT_TYPE,
        "channels": channels,
        "operations": operations,
        "components": {"messages": messages, "schemas": schemas()},
    }))
}

impl Channel {
    fn written(&self) -> Value {
        let kinds = MESSAGES.iter().filter(|message| message.topic == self.topic).map(|message| message.kind);
        let messages: Map<String, Value> = kinds.map(|kind| (kind.to_owned(), message_ref(kind))).collect();
        json!({
            "address": self.topic.name(),
            "title": self.title,
            "description": self.description,
            "messages": messages,
            "bindings": {"kafka": {"topicConfiguration": {"cleanup.policy": [self.policy]}, "bindingVersion": BINDING}},
        })
    }
}

impl Message {
    fn written(&self) -> Result<Value, Broken> {
        let golden = Event::from_json(self.golden.as_bytes())?;
        let attributes = golden.attributes().into_iter().map(|(name, value)| (format!("{PREFIX}{name}"), Value::from(value)));
        let content_type = ("content-type".to_owned(), Value::from(Event::CONTENT_TYPE));
        let headers: Map<String, Value> = std::iter::once(content_type).chain(attributes).collect();
        let data: Value = serde_json::from_str(golden.data.get()).map_err(|cause| Broken::Envelope(cause.to_string()))?;
        Ok(json!({
            "name": self.kind,
            "title": self.summary,
            "contentType": Event::CONTENT_TYPE,
            "headers": self.headers(),
            "payload": self.payload(),
            "bindings": {"kafka": {
                "key": {"type": "string", "format": "uuid", "description": "the product's id, as text"},
                "bindingVersion": BINDING,
            }},
            "examples": [{"name": "golden", "headers": headers, "payload": data}],
        }))
    }

    fn headers(&self) -> Value {
        let subject = match self.topic {
            Topic::ProductEvents => json!({"type": "string", "pattern": format!("^{UUID}$"), "description": "the product's id"}),
            Topic::StockChanges | Topic::Notifications => {
                json!({"type": "string", "pattern": format!("^{UUID}@."), "description": "`<product id>@<location>`"})
            }
        };
        json!({
            "type": "object",
            "allOf": [schema_ref("EventHeaders")],
            "properties": {
                "ce_type": {"type": "string", "const": self.kind},
                "ce_source": {"type": "string", "const": self.topic.source()},
                "ce_subject": subject,
            },
        })
    }

    fn payload(&self) -> Value {
        let data = match self.topic {
            Topic::ProductEvents => Product::name(),
            Topic::StockChanges => StockEvent::name(),
            Topic::Notifications => Notification::name(),
        };
        match self.always {
            [] => schema_ref(&data),
            always => json!({"allOf": [schema_ref(&data), {"type": "object", "required": always}]}),
        }
    }
}

fn operation(action: &str, service: &str, channel: &str) -> Value {
    let mut operation = json!({
        "action": action,
        "channel": {"$ref": format!("#/channels/{channel}")},
        "tags": [{"name": service}],
    });
    if action == "receive" {
        let group = json!({"type": "string", "enum": [format!("gudang-{service}")]});
        operation["bindings"] = json!({"kafka": {"groupId": group, "bindingVersion": BINDING}});
    }
    operation
}

fn dead_letters() -> Value {
    json!({
        "address": DEAD_LETTERS,
        "title": "Dead letters",
        "description": "What a consumer could not handle, as it came; one for each consumer that could not. For people: the consumer's \
                        own table has it too, and `gudang dead-letters retry` applies it after all.",
        "messages": {"dead-letter": message_ref("dead-letter")},
        "bindings": {"kafka": {"topicConfiguration": {"cleanup.policy": ["delete"]}, "bindingVersion": BINDING}},
    })
}

fn dead_letter() -> Value {
    let text = |description: &str| json!({"type": "string", "description": description});
    let number = |description: &str| json!({"type": "string", "pattern": "^[0-9]+$", "description": description});
    json!({
        "name": "dead-letter",
        "title": "A message that a consumer could not handle.",
        "headers": {
            "type": "object",
            "description": "The headers that the message came with, and these.",
            "required": ["x-error", "x-consumer"],
            "properties": {
                "x-error": text("why it could not be handled"),
                "x-consumer": text("the consumer group that could not handle it"),
                "x-topic": text("the topic that it came from"),
                "x-partition": number("the partition that it came from"),
                "x-offset": number("the offset that it came from"),
            },
        },
        "payload": {"description": "Whatever the message carried."},
        "bindings": {"kafka": {
            "key": {"type": "string", "description": "the key that the message came with, if it had one"},
            "bindingVersion": BINDING,
        }},
    })
}

/// What all events have among their headers.
fn event_headers() -> Value {
    let text = |description: &str| json!({"type": "string", "description": description});
    let is = |value: &str| json!({"type": "string", "const": value});
    let shaped = |shape: &str, value: &str, description: &str| json!({"type": "string", shape: value, "description": description});
    json!({
        "type": "object",
        "required": ["content-type", "ce_specversion", "ce_id", "ce_source", "ce_type", "ce_subject", "ce_time", "ce_sequence",
            "ce_partitionkey", "ce_recordedtime"],
        "properties": {
            "content-type": is(Event::CONTENT_TYPE),
            "ce_specversion": is("1.0"),
            "ce_id": shaped("format", "uuid", "the same for the same event, however often it is sent"),
            "ce_source": text("who published it"),
            "ce_type": text("what happened"),
            "ce_subject": text("the stream to which it belongs"),
            "ce_time": shaped("format", "date-time", "when it happened"),
            "ce_sequence": shaped("pattern", "^[1-9][0-9]*$", "the stream's version, from 1 and without gaps"),
            "ce_partitionkey": shaped("format", "uuid", "the product's id, which is the message's key too"),
            "ce_recordedtime": shaped("format", "date-time", "when it was recorded; rises along a stream"),
            "ce_traceparent": shaped("pattern", "^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}", "W3C trace context of the request behind it"),
        },
    })
}

/// The types of the payloads, and all that they are made of. A product in an event has no stock.
fn schemas() -> Map<String, Value> {
    let mut types = Vec::new();
    add::<Product>(&mut types);
    add::<StockEvent>(&mut types);
    add::<Notification>(&mut types);
    let mut schemas: Map<String, Value> = types.into_iter().map(|(name, schema)| (name, json!(schema))).collect();
    if let Some(properties) = schemas.get_mut(&*Product::name()).and_then(|product| product["properties"].as_object_mut()) {
        properties.remove("stock");
    }
    for of_stock in ["ProductStock", "StockStatus"] {
        schemas.remove(of_stock);
    }
    schemas.insert("EventHeaders".to_owned(), event_headers());
    schemas
}

fn add<T: ToSchema>(types: &mut Vec<(String, RefOr<Schema>)>) {
    types.push((T::name().into_owned(), T::schema()));
    T::schemas(types);
}

fn message_ref(name: &str) -> Value {
    json!({"$ref": format!("#/components/messages/{name}")})
}

fn schema_ref(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}
