//! A stream of stock as Stock would publish it, and a stand-in for Stock that gives the events again for repair.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Query, State};
use axum::routing::get;
use contract::event::kind;
use contract::{Category, ChangeType, Currency, Event, Location, MinStock, Name, ProductId, Sku, StockEvent, StockStream, Time};
use jiff::{Span, Timestamp};
use serde::Deserialize;
use serde_json::value::to_raw_value;
use serde_json::{Value, json};
use uuid::Uuid;

/// The five types of a stock stream, which all drive the machine alike.
const KINDS: [&str; 5] =
    [kind::STOCK_CHANGED, kind::STOCK_RESERVED, kind::STOCK_THRESHOLD_CHANGED, kind::STOCK_RELEASED, kind::STOCK_EXPIRED];

/// One product at one location.
pub(crate) struct Stream {
    pub(crate) product: ProductId,
    pub(crate) sku: Sku,
    pub(crate) location: Location,
    pub(crate) version: i64,
}

impl Stream {
    pub(crate) fn new(sku: &str) -> Self {
        let sku = Sku::parse(sku).expect("a SKU");
        Self { product: ProductId(Uuid::now_v7()), sku, location: Location::default(), version: 0 }
    }

    pub(crate) fn name(&self) -> String {
        StockStream { product_id: self.product, location: self.location.clone() }.to_string()
    }

    /// When a version was recorded: a second after the one before.
    pub(crate) fn recorded_at(version: i64) -> Time {
        let start: Timestamp = "2026-01-01T00:00:00Z".parse().expect("a time");
        Time::new(start + Span::new().seconds(version))
    }

    /// The next event, which leaves this much available; its type goes round.
    pub(crate) fn next(&mut self, available: i64, min_stock: i64) -> Event {
        self.version += 1;
        let kind = KINDS[self.version as usize % KINDS.len()];
        let row = StockEvent {
            id: (kind == kind::STOCK_CHANGED).then(Uuid::now_v7),
            product_id: self.product,
            sku: self.sku.clone(),
            location: self.location.clone(),
            kind: (kind == kind::STOCK_CHANGED).then_some(ChangeType::Count),
            quantity: (kind == kind::STOCK_CHANGED).then_some(1),
            delta: 0,
            on_hand: available.max(0),
            reserved: available.max(0) - available,
            available,
            version: self.version,
            unit_price: None,
            reason: None,
            reference: None,
            occurred_at: Self::recorded_at(self.version),
            recorded_at: Self::recorded_at(self.version),
            min_stock: MinStock::new(min_stock).expect("a threshold"),
            name: Name::parse("Regency cakestand").expect("a name"),
            category: Category::parse("Giftware").expect("a category"),
            price: None,
            currency: "GBP".parse::<Currency>().expect("a currency"),
        };
        self.event("/gudang/stock", kind, &self.name(), self.version, to_raw_value(&row).expect("JSON"))
    }

    /// Events that leave these levels, one after the other.
    pub(crate) fn levels(&mut self, min_stock: i64, levels: &[i64]) -> Vec<Event> {
        levels.iter().map(|available| self.next(*available, min_stock)).collect()
    }

    /// What Product publishes of this product at a version of its own.
    pub(crate) fn product_event(&self, version: i64, min_stock: i64, status: &str) -> Event {
        let data = json!({
            "id": self.product, "sku": self.sku, "name": "Regency cakestand", "category": "Giftware", "description": null, "price": null,
            "currency": "GBP", "min_stock": min_stock, "attributes": {}, "status": status, "version": version,
            "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z",
        });
        let data = to_raw_value(&data).expect("JSON");
        self.event("/gudang/product", kind::PRODUCT_UPDATED, &self.product.to_string(), version, data)
    }

    fn event(&self, source: &str, kind: &str, subject: &str, version: i64, data: Box<serde_json::value::RawValue>) -> Event {
        Event {
            id: Event::id_of(source, subject, version),
            source: source.to_owned(),
            kind: kind.to_owned(),
            subject: subject.to_owned(),
            time: Self::recorded_at(version),
            version,
            recorded_at: Self::recorded_at(version),
            partition_key: self.product.to_string(),
            traceparent: None,
            position: None,
            data,
        }
    }
}

/// Stock's journal route, for repair.
#[derive(Clone, Default)]
pub(crate) struct Stock {
    events: Arc<Mutex<Vec<Event>>>,
}

#[derive(Deserialize)]
struct Asked {
    stream: String,
    after: i64,
    limit: usize,
}

impl Stock {
    /// Serves `events`; gives its base URL.
    pub(crate) async fn serve(events: Vec<Event>) -> String {
        let stock = Self { events: Arc::new(Mutex::new(events)) };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let routes = Router::new().route("/v1/journal", get(journal)).with_state(stock);
        tokio::spawn(async move { axum::serve(listener, routes).await });
        url
    }
}

async fn journal(State(stock): State<Stock>, Query(asked): Query<Asked>) -> axum::Json<Value> {
    let events = stock.events.lock().expect("a lock");
    let wanted = events.iter().filter(|event| event.subject == asked.stream && event.version > asked.after);
    let items: Vec<&Event> = wanted.take(asked.limit).collect();
    axum::Json(json!({ "items": items, "next_cursor": null }))
}
