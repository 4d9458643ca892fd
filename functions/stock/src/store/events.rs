//! The ledger read as events: what the relay publishes and the journal's route shows.

use contract::event::kind;
use contract::{
    Category, ChangeType, Currency, Event, Location, MinStock, Money, Name, ProductId, Reason, Reference, Sku, StockEvent, Time, Topic,
};
use journal::Table;
use postgres::DatabaseError;
use serde_json::value::to_raw_value;
use tokio_postgres::Row;

/// The ledger as a journal. The joins are look-ups by primary key, a page at a time.
pub const TABLE: Table = Table {
    from: "ledger j JOIN level l ON l.id = j.level_id JOIN product p ON p.product_id = l.product_id \
           JOIN product_version v ON v.product_id = l.product_id AND v.version = j.product_version",
    columns: "j.id, l.product_id, p.sku, l.location, j.kind::text, j.change_id, j.quantity, j.delta, j.on_hand, j.reserved, j.version, \
              j.unit_price, j.reason, j.reference, j.occurred_at, j.recorded_at, v.name, v.category, v.price, v.currency, \
              CASE WHEN v.archived THEN 0 ELSE v.min_stock END, j.delta_reserved",
    bytes: "1000",
    of_stream: "j.level_id = (SELECT id FROM level WHERE product_id::text || '@' || location = $1 \
                AND product_id = CASE WHEN $1 ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}@' THEN left($1, 36)::uuid END)",
    event,
};

/// The event of one ledger row.
fn event(row: &Row) -> Result<Event, DatabaseError> {
    let product_id = ProductId(row.get(1));
    let location = Location::trusted(row.get(3));
    let word: &str = row.get(4);
    let movement = ChangeType::parse(word);
    let (on_hand, reserved): (i64, i64) = (row.get(8), row.get(9));
    let held: i64 = row.get(21);
    let row_event = StockEvent {
        id: row.get(5),
        product_id,
        sku: Sku::trusted(row.get(2)),
        location,
        kind: movement,
        quantity: row.get::<_, Option<i64>>(6).or((held != 0).then_some(held.abs())),
        delta: row.get(7),
        on_hand,
        reserved,
        available: on_hand - reserved,
        version: row.get(10),
        unit_price: row.get::<_, Option<_>>(11).map(Money::trusted),
        reason: row.get::<_, Option<&str>>(12).map(Reason::trusted),
        reference: row.get::<_, Option<&str>>(13).map(Reference::trusted),
        occurred_at: Time::new(row.get(14)),
        recorded_at: Time::new(row.get(15)),
        min_stock: MinStock::new(row.get(20)).unwrap_or(MinStock::NONE),
        name: Name::trusted(row.get(16)),
        category: Category::trusted(row.get(17)),
        price: row.get::<_, Option<_>>(18).map(Money::trusted),
        currency: Currency::trusted(row.get(19)),
    };
    let subject = row_event.stream().to_string();
    let source = Topic::StockChanges.source();
    Ok(Event {
        id: Event::id_of(source, &subject, row_event.version),
        source: source.to_owned(),
        kind: type_of(word, movement).to_owned(),
        subject,
        time: row_event.occurred_at,
        version: row_event.version,
        recorded_at: row_event.recorded_at,
        partition_key: product_id.to_string(),
        traceparent: None,
        position: None,
        data: to_raw_value(&row_event).map_err(DatabaseError::codec)?,
    })
}

/// The event type of a kind of row.
fn type_of(word: &str, movement: Option<ChangeType>) -> &'static str {
    match (word, movement) {
        (_, Some(_)) => kind::STOCK_CHANGED,
        ("RESERVED", _) => kind::STOCK_RESERVED,
        ("RELEASED", _) => kind::STOCK_RELEASED,
        ("EXPIRED", _) => kind::STOCK_EXPIRED,
        _ => kind::STOCK_THRESHOLD_CHANGED,
    }
}
