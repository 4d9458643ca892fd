//! What a Knative source does: takes from the topics what is really there and pushes it to each service that consumes it, in every mode of
//! CloudEvents over HTTP. What is answered 503 comes again, as what Kafka carries does.

use std::sync::Arc;
use std::time::Duration;

use bus::kafka::{self, Settings, consume};
use bus::{Away, Handler, Incoming};
use contract::{Event, Topic};
use futures::future::BoxFuture;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::{Client, RequestBuilder};
use testkit::{Kafka, Service, eventually};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// How many events one request brings at most.
const TOGETHER: usize = 50;
const PATIENCE: Duration = Duration::from_mins(1);

/// Who consumes what.
pub(crate) const CONSUMERS: [(Service, &str, &[Topic]); 4] = [
    (Service::Product, "pump-product", &[Topic::StockChanges]),
    (Service::Stock, "pump-stock", &[Topic::ProductEvents]),
    (Service::Notification, "pump-notification", &[Topic::ProductEvents, Topic::StockChanges]),
    (Service::Analytics, "pump-analytics", &[Topic::ProductEvents, Topic::StockChanges]),
];

/// Pushes until it is stopped.
pub(crate) struct Pump {
    stop: CancellationToken,
    hands: Vec<JoinHandle<()>>,
}

impl Pump {
    /// Pushes what is on the topics of `kafka` to the services at `url`.
    pub(crate) async fn start<'a>(kafka: &Kafka, url: impl Fn(Service) -> &'a str) -> Self {
        let settings = Settings::new(kafka.servers(), 6, Vec::new()).expect("usable");
        eventually("the topics", PATIENCE, async || kafka::prepare(&settings, Vec::new()).await.ok()).await;
        let stop = CancellationToken::new();
        let hands = CONSUMERS.map(|(service, group, topics)| {
            let courier = Courier { group, topics, url: format!("{}/", url(service)), client: Client::new() };
            let (settings, stop) = (settings.clone(), stop.clone());
            tokio::spawn(async move { consume(&settings, group, Arc::new(courier), stop).await })
        });
        Self { stop, hands: hands.into() }
    }

    /// Ends it.
    pub(crate) fn stop(self) {
        self.stop.cancel();
        tokio::runtime::Handle::current().block_on(async {
            for hand in self.hands {
                hand.await.expect("it pushed to the end");
            }
        });
    }
}

/// Brings one service what it consumes.
struct Courier {
    group: &'static str,
    topics: &'static [Topic],
    url: String,
    client: Client,
}

impl Courier {
    /// A request that brings these events: one of them in binary or structured mode, several as a batch.
    fn request(&self, events: &[&Event]) -> RequestBuilder {
        let request = self.client.post(&self.url);
        let media = |media: &'static str| ("content-type", media);
        match events {
            [event] if event.version % 2 == 0 => {
                let request = event.attributes().into_iter().fold(request, |request, (name, value)| {
                    request.header(format!("ce-{name}"), utf8_percent_encode(&value, NON_ALPHANUMERIC).to_string())
                });
                let (name, value) = media(Event::CONTENT_TYPE);
                request.header(name, value).body(event.data.get().to_owned())
            }
            [event] => {
                let (name, value) = media("application/cloudevents+json");
                request.header(name, value).body(serde_json::to_vec(event).expect("JSON"))
            }
            events => {
                let (name, value) = media("application/cloudevents-batch+json");
                request.header(name, value).body(serde_json::to_vec(events).expect("JSON"))
            }
        }
    }
}

impl Handler for Courier {
    fn group(&self) -> &str {
        self.group
    }

    fn topics(&self) -> &[Topic] {
        self.topics
    }

    fn handle<'a>(&'a self, batch: &'a [Incoming]) -> BoxFuture<'a, Result<(), Away>> {
        Box::pin(async move {
            let events: Vec<&Event> = batch.iter().filter_map(Incoming::event).collect();
            for events in events.chunks(TOGETHER) {
                let answer = self.request(events).send().await.map_err(|error| Away(Box::new(error)))?;
                match answer.status().as_u16() {
                    204 => {}
                    503 => return Err(Away("not now".into())),
                    status => panic!("{status} of {}: {:?}", self.url, answer.text().await),
                }
            }
            Ok(())
        })
    }
}
