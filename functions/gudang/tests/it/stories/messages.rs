//! Every event that the stories have caused, held against the AsyncAPI document: as the journals tell it, and as it stands on the topics.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex};

use bus::kafka::{Settings, consume};
use bus::{Away, Handler, Incoming, Message};
use contract::{Event, Topic};
use futures::future::BoxFuture;
use jsonschema::Validator;
use serde_json::{Value, json};
use testkit::{Http, Service, eventually};
use tokio_util::sync::CancellationToken;

use crate::world::{PATIENCE, World};

const DOCUMENT: &str = include_str!("../../../../../docs/asyncapi.json");
const TOPICS: [Topic; 3] = [Topic::ProductEvents, Topic::StockChanges, Topic::Notifications];

/// What the document says of each type.
struct Promised {
    document: Value,
    validators: HashMap<(String, &'static str), Validator>,
}

impl Promised {
    fn read() -> Self {
        Self { document: serde_json::from_str(DOCUMENT).expect("JSON"), validators: HashMap::new() }
    }

    /// Stops at a message that is not as promised, or has fields that the document does not name.
    fn check(&mut self, kind: &str, part: &'static str, instance: &Value) {
        let document = &self.document;
        let validator = self.validators.entry((kind.to_owned(), part)).or_insert_with(|| {
            let mut schema = document["components"]["messages"][kind][part].clone();
            assert!(schema.is_object(), "the document does not know {kind}");
            let mut schemas = document["components"]["schemas"].clone();
            for named in schemas.as_object_mut().expect("schemas").values_mut().filter(|named| named["properties"].is_object()) {
                named["additionalProperties"] = json!(false);
            }
            schema["components"] = json!({"schemas": schemas});
            jsonschema::options().should_validate_formats(true).build(&schema).expect("a schema")
        });
        if let Err(error) = validator.validate(instance) {
            panic!("{kind}: {part}: {}: {error}, in {instance:#}", error.instance_path());
        }
    }

    fn kinds(&self) -> BTreeSet<&str> {
        let messages = self.document["components"]["messages"].as_object().expect("messages");
        messages.keys().map(String::as_str).filter(|kind| *kind != "dead-letter").collect()
    }
}

/// Tells it.
pub(super) async fn every_event_is_as_the_document_says(world: &World) {
    let mut promised = Promised::read();
    let mut kinds = BTreeSet::new();
    let mut told: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for (service, topic) in [Service::Product, Service::Stock, Service::Notification].into_iter().zip(TOPICS) {
        for event in journal(&world.http(service)).await {
            let kind = event["type"].as_str().expect("a type");
            assert!(promised.document["channels"][topic.name()]["messages"][kind].is_object(), "{kind} on {}", topic.name());
            promised.check(kind, "payload", &event["data"]);
            kinds.insert(kind.to_owned());
            told.entry(topic.name()).or_default().insert(event["id"].to_string());
        }
    }
    assert_eq!(kinds.iter().map(String::as_str).collect::<BTreeSet<_>>(), promised.kinds(), "the stories cause an event of each type");

    let Some(servers) = world.servers() else { return };
    let heard = Arc::new(Heard::default());
    let settings = Settings::new(servers.kafka.servers(), 1, Vec::new()).expect("usable");
    let stop = CancellationToken::new();
    let listening = tokio::spawn({
        let (heard, stop) = (Arc::clone(&heard) as Arc<dyn Handler>, stop.clone());
        async move { consume(&settings, "everything", heard, stop).await }
    });
    let all: usize = told.values().map(BTreeSet::len).sum();
    eventually("every event is on its topic", PATIENCE, async || (heard.0.lock().expect("a lock").len() >= all).then_some(())).await;
    stop.cancel();
    listening.await.expect("it ends");
    let mut carried: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for (id, (event, message)) in heard.0.lock().expect("a lock").iter() {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("UTF-8");
        let headers: Value = message.headers.iter().map(|(name, value)| (name.clone(), json!(text(value)))).collect();
        promised.check(&event.kind, "headers", &headers);
        promised.check(&event.kind, "payload", &serde_json::from_slice(&message.bytes).expect("JSON"));
        let product = event.subject.split('@').next().expect("a product");
        assert_eq!(message.key.as_deref(), Some(product.as_bytes()), "{event:?}");
        let origin = message.origin.as_ref().expect("a broker carried it");
        let topic = TOPICS.into_iter().find(|known| known.name() == &*origin.topic).expect("a topic of ours");
        carried.entry(topic.name()).or_default().insert(json!(id).to_string());
    }
    assert!(carried == told, "the topics carry what the journals have");
}

/// Every event of a journal.
async fn journal(http: &Http) -> Vec<Value> {
    let (mut events, mut after) = (Vec::new(), String::new());
    loop {
        let mut page = http.get(&format!("/v1/journal?limit=500{after}")).await.expect(200).json();
        events.append(page["items"].as_array_mut().expect("items"));
        let Some(cursor) = page["next_cursor"].as_str() else { return events };
        after = format!("&after={cursor}");
    }
}

/// What came, by id: some of it may come twice.
#[derive(Default)]
struct Heard(Mutex<HashMap<String, (Event, Message)>>);

impl Handler for Heard {
    fn group(&self) -> &'static str {
        "everything"
    }

    fn topics(&self) -> &[Topic] {
        &TOPICS
    }

    fn handle<'a>(&'a self, batch: &'a [Incoming]) -> BoxFuture<'a, Result<(), Away>> {
        let mut heard = self.0.lock().expect("a lock");
        for incoming in batch {
            let Incoming::Carried(event, message) = incoming else { panic!("no event: {incoming:?}") };
            heard.insert(event.id.to_string(), (event.clone(), message.clone()));
        }
        Box::pin(async { Ok(()) })
    }
}
