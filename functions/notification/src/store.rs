//! All of Notification's SQL: here what is read; below, watches and alerts, deliveries, the steps of people, and the books.
//!
//! It knows no rule, no route and no channel.

pub(crate) mod books;
pub(crate) mod delivery;
pub(crate) mod step;
pub(crate) mod watch;

use std::collections::HashMap;

use contract::{Delivery, DeliveryStatus, Location, MinStock, Name, Notification, NotificationKind, ProductId, ProductRef, Sku, Time};
use deadpool_postgres::GenericClient;
use jiff::Timestamp;
use postgres::DatabaseError;
use serde::Serialize;
use tokio_postgres::Row;
use utoipa::ToSchema;
use uuid::Uuid;

/// What [`notification`] reads.
macro_rules! notification_columns {
    () => {
        "n.id, n.kind, n.product_id, n.sku, n.name, n.location, n.episode, n.available, n.min_stock, n.raised_at, n.resolved_at, \
         n.acknowledged_at, n.stream"
    };
}
pub(crate) use notification_columns;

/// Plan: one primary-key look-up an id. The inner query is fenced (OFFSET 0), so that it never becomes a join that reads the table whole.
const BY_IDS: &str = concat!(
    "SELECT n.* FROM unnest($1::uuid[]) i (id) CROSS JOIN LATERAL (SELECT ",
    notification_columns!(),
    " FROM notification n WHERE n.id = i.id OFFSET 0) n"
);

/// Plan: one primary-key range a notification, fenced likewise.
const DELIVERIES: &str = "SELECT d.* FROM unnest($1::uuid[]) i (id) CROSS JOIN LATERAL ( \
         SELECT notification_id, channel, status, attempts, next_attempt_at, last_error FROM delivery \
         WHERE notification_id = i.id ORDER BY channel OFFSET 0) d";

/// Plan: one primary-key range.
const ATTEMPTS: &str = "SELECT channel, at, error, http_status FROM delivery_attempt WHERE notification_id = $1 ORDER BY channel, number";

/// What a list is narrowed to.
#[derive(Debug)]
pub(crate) struct Filter {
    pub(crate) product: Option<ProductRef>,
    pub(crate) kind: Option<NotificationKind>,
    pub(crate) open: Option<bool>,
}

/// One attempt to deliver a notification on one channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Attempt {
    /// When it began.
    pub(crate) at: Time,
    /// What went wrong; null when the channel took it.
    pub(crate) error: Option<String>,
    /// The HTTP status that was answered, where one was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) status: Option<i32>,
}

/// The page of notifications behind `after`, newest first.
///
/// Plan: `notification_newest`, `notification_newest_open` or `notification_of_product`, from the cursor on, up to the limit; what is not
/// asked for does not stand in the statement, so that each has its own plan.
pub(crate) async fn list(
    client: &impl GenericClient,
    filter: &Filter,
    after: Option<(Time, Uuid)>,
    rows: i64,
) -> Result<Vec<Notification>, DatabaseError> {
    let product = match &filter.product {
        None => "$1::text IS NULL",
        Some(ProductRef::Id(_)) => "n.product_id = $1::text::uuid",
        Some(ProductRef::Sku(_)) => "n.product_id = (SELECT p.id FROM product p WHERE p.sku = $1::text LIMIT 1)",
    };
    let kind = if filter.kind.is_some() { "n.kind = $2::text" } else { "$2::text IS NULL" };
    let state = match filter.open {
        None => "",
        Some(true) => "AND n.resolved_at IS NULL",
        Some(false) => "AND n.resolved_at IS NOT NULL",
    };
    let behind =
        if after.is_some() { "(n.raised_at, n.id) < ($3::timestamptz, $4::uuid)" } else { "$3::timestamptz IS NULL AND $4::uuid IS NULL" };
    let sql = format!(
        "SELECT {} FROM notification n WHERE {product} AND {kind} {state} AND {behind} ORDER BY n.raised_at DESC, n.id DESC LIMIT $5",
        notification_columns!()
    );
    let product = filter.product.as_ref().map(ToString::to_string);
    let kind = filter.kind.map(NotificationKind::as_str);
    let (raised_at, id) = (after.map(|(time, _)| time.timestamp()), after.map(|(_, id)| id));
    let found = postgres::query(client, &sql, &[&product, &kind, &raised_at, &id, &rows]).await?;
    with_deliveries(client, found.iter().map(notification).collect()).await
}

/// Notifications by id, in no order; unknown ones are absent.
pub(crate) async fn find(client: &impl GenericClient, ids: &[Uuid]) -> Result<Vec<Notification>, DatabaseError> {
    let found = postgres::query(client, BY_IDS, &[&ids]).await?;
    with_deliveries(client, found.iter().map(notification).collect()).await
}

/// Every attempt of a notification's deliveries, by channel, oldest first.
pub(crate) async fn attempts(client: &impl GenericClient, id: Uuid) -> Result<HashMap<String, Vec<Attempt>>, DatabaseError> {
    let mut attempts: HashMap<String, Vec<Attempt>> = HashMap::new();
    for row in postgres::query(client, ATTEMPTS, &[&id]).await? {
        let attempt = Attempt { at: Time::new(row.get(1)), error: row.get(2), status: row.get(3) };
        attempts.entry(row.get(0)).or_default().push(attempt);
    }
    Ok(attempts)
}

/// Adds their deliveries to notifications.
async fn with_deliveries(client: &impl GenericClient, mut notifications: Vec<Notification>) -> Result<Vec<Notification>, DatabaseError> {
    if notifications.is_empty() {
        return Ok(notifications);
    }
    let ids: Vec<Uuid> = notifications.iter().map(|notification| notification.id).collect();
    let mut deliveries: HashMap<Uuid, Vec<Delivery>> = HashMap::new();
    for row in postgres::query(client, DELIVERIES, &[&ids]).await? {
        deliveries.entry(row.get(0)).or_default().push(delivery(&row));
    }
    for notification in &mut notifications {
        notification.deliveries = deliveries.remove(&notification.id).unwrap_or_default();
    }
    Ok(notifications)
}

/// Reads a row of [`notification_columns`]. What stands in the own tables was checked when it came, or is held by a constraint.
fn notification(row: &Row) -> Notification {
    let text = |column: usize| row.get::<_, &str>(column);
    Notification {
        id: row.get(0),
        kind: NotificationKind::parse(text(1)).unwrap_or(NotificationKind::LowStock),
        product_id: ProductId(row.get(2)),
        sku: Sku::trusted(text(3)),
        name: Name::trusted(text(4)),
        location: Location::trusted(text(5)),
        episode: row.get(6),
        available: row.get(7),
        min_stock: MinStock::new(row.get(8)).unwrap_or(MinStock::NONE),
        raised_at: Time::new(row.get(9)),
        resolved_at: row.get::<_, Option<Timestamp>>(10).map(Time::new),
        acknowledged_at: row.get::<_, Option<Timestamp>>(11).map(Time::new),
        deliveries: Vec::new(),
    }
}

fn delivery(row: &Row) -> Delivery {
    Delivery {
        channel: row.get(1),
        status: match row.get::<_, &str>(2) {
            "delivered" => DeliveryStatus::Delivered,
            "dead" => DeliveryStatus::Dead,
            _ => DeliveryStatus::Pending,
        },
        attempts: row.get(3),
        next_attempt_at: row.get::<_, Option<Timestamp>>(4).map(Time::new),
        last_error: row.get(5),
    }
}

/// The word for a status in the table.
pub(crate) fn status_word(status: DeliveryStatus) -> &'static str {
    match status {
        DeliveryStatus::Pending => "pending",
        DeliveryStatus::Delivered => "delivered",
        DeliveryStatus::Dead => "dead",
    }
}
