//! A shop that makes events as Product and Stock would.

use std::collections::HashMap;

use contract::event::kind;
use contract::{
    Category, ChangeType, Currency, Event, Location, MinStock, Money, Name, Product, ProductId, ProductStatus, Sku, StockEvent,
    StockStream, Time, Topic,
};
use serde_json::value::RawValue;
use uuid::Uuid;

pub(crate) fn time(text: &str) -> Time {
    Time::parse(text).unwrap()
}

/// A movement that is about to be recorded: `product 1, SALE of 1 at default, 2010-12-01T12:00:00Z, priced 2.00 GBP` unless said otherwise.
#[derive(Debug, Clone)]
pub(crate) struct Movement {
    pub(crate) product: u32,
    pub(crate) location: &'static str,
    pub(crate) kind: ChangeType,
    pub(crate) quantity: i64,
    pub(crate) unit_price: Option<&'static str>,
    pub(crate) price: Option<&'static str>,
    pub(crate) currency: &'static str,
    pub(crate) at: Time,
}

impl Default for Movement {
    fn default() -> Self {
        Self {
            product: 1,
            location: "default",
            kind: ChangeType::Sale,
            quantity: 1,
            unit_price: None,
            price: Some("2.00"),
            currency: "GBP",
            at: time("2010-12-01T12:00:00Z"),
        }
    }
}

/// Gives versions, stream by stream.
#[derive(Debug, Default)]
pub(crate) struct Shop {
    versions: HashMap<String, i64>,
}

pub(crate) fn product_id(product: u32) -> ProductId {
    ProductId(Uuid::from_u128(0x0198_c9f2_7a4e_7c33_9a51_0000_0000_0000 + u128::from(product)))
}

pub(crate) fn stream(product: u32, location: &str) -> String {
    StockStream { product_id: product_id(product), location: Location::parse(location).unwrap() }.to_string()
}

/// `SKU-007`: in the order of the numbers.
pub(crate) fn sku(product: u32) -> String {
    format!("SKU-{product:03}")
}

impl Shop {
    /// A movement, recorded.
    pub(crate) fn moved(&mut self, movement: &Movement) -> Event {
        let row = self.row(movement);
        envelope(Topic::StockChanges, kind::STOCK_CHANGED, row.stream().to_string(), row.version, row.occurred_at, row.product_id, &row)
    }

    /// A row that is no movement.
    pub(crate) fn threshold(&mut self, product: u32) -> Event {
        let mut row = self.row(&Movement { product, ..Movement::default() });
        (row.id, row.kind, row.quantity) = (None, None, None);
        envelope(
            Topic::StockChanges,
            kind::STOCK_THRESHOLD_CHANGED,
            row.stream().to_string(),
            row.version,
            row.occurred_at,
            row.product_id,
            &row,
        )
    }

    fn row(&mut self, movement: &Movement) -> StockEvent {
        let money = |text: Option<&str>| text.map(|text| Money::parse(text).unwrap());
        let version = self.versions.entry(stream(movement.product, movement.location)).or_default();
        *version += 1;
        StockEvent {
            id: Some(Uuid::from_u128(1)),
            product_id: product_id(movement.product),
            sku: Sku::parse(&sku(movement.product)).unwrap(),
            location: Location::parse(movement.location).unwrap(),
            kind: Some(movement.kind),
            quantity: Some(movement.quantity),
            delta: movement.quantity,
            on_hand: 1,
            reserved: 0,
            available: 1,
            version: *version,
            unit_price: money(movement.unit_price),
            reason: None,
            reference: None,
            occurred_at: movement.at,
            recorded_at: time("2026-01-01T00:00:00Z"),
            min_stock: MinStock::NONE,
            name: Name::parse("as Stock knew it").unwrap(),
            category: Category::parse("Giftware").unwrap(),
            price: money(movement.price),
            currency: Currency::parse(movement.currency).unwrap(),
        }
    }
}

/// A product event at a version.
pub(crate) fn product_event(product: u32, version: i64, name: &str, category: &str) -> Event {
    let at = time("2026-01-01T00:00:00Z");
    let product = Product {
        id: product_id(product),
        sku: Sku::parse(&sku(product)).unwrap(),
        name: Name::parse(name).unwrap(),
        category: Category::parse(category).unwrap(),
        description: None,
        price: None,
        currency: Currency::parse("GBP").unwrap(),
        min_stock: "10".parse().unwrap(),
        attributes: std::collections::BTreeMap::new(),
        status: ProductStatus::Active,
        version,
        created_at: at,
        updated_at: at,
        stock: None,
    };
    let kind = if version == 1 { kind::PRODUCT_CREATED } else { kind::PRODUCT_UPDATED };
    envelope(Topic::ProductEvents, kind, product.id.to_string(), version, at, product.id, &product)
}

fn envelope(topic: Topic, kind: &str, subject: String, version: i64, at: Time, product: ProductId, data: &impl serde::Serialize) -> Event {
    Event {
        id: Event::id_of(topic.source(), &subject, version),
        source: topic.source().to_owned(),
        kind: kind.to_owned(),
        subject,
        time: at,
        version,
        recorded_at: time("2026-01-01T00:00:00Z"),
        partition_key: product.to_string(),
        traceparent: None,
        position: None,
        data: RawValue::from_string(serde_json::to_string(data).unwrap()).unwrap(),
    }
}
