//! A notification as it is shown alone: with every attempt to deliver it. It knows no SQL and no route.

use std::collections::HashMap;

use contract::{Delivery, Location, MinStock, Name, Notification, NotificationKind, ProductId, Sku, Time};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::store::Attempt;

/// One notification on one channel, with its history.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeliveryDetail {
    #[serde(flatten)]
    delivery: Delivery,
    /// Every attempt, oldest first.
    attempt_log: Vec<Attempt>,
}

/// A notification with every delivery attempt; the fields of a notification, in its order.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NotificationDetail {
    /// The notification's own id.
    id: Uuid,
    /// What it says.
    kind: NotificationKind,
    /// Of which product.
    product_id: ProductId,
    /// Its SKU.
    sku: Sku,
    /// Its name when it was raised.
    name: Name,
    /// Where.
    location: Location,
    /// The episode's number in its stream, from 1.
    episode: i64,
    /// Units available when it was raised.
    available: i64,
    /// The threshold when it was raised.
    min_stock: MinStock,
    /// When it was raised.
    raised_at: Time,
    /// When its episode closed; null while open.
    resolved_at: Option<Time>,
    /// When somebody said "seen"; null before.
    acknowledged_at: Option<Time>,
    /// One for each channel.
    deliveries: Vec<DeliveryDetail>,
}

impl NotificationDetail {
    /// Joins a notification and the attempts of its deliveries, by channel.
    pub(crate) fn of(notification: Notification, mut attempts: HashMap<String, Vec<Attempt>>) -> Self {
        // Taken apart by name, so that a field that the contract gains is not forgotten here.
        let Notification {
            id,
            kind,
            product_id,
            sku,
            name,
            location,
            episode,
            available,
            min_stock,
            raised_at,
            resolved_at,
            acknowledged_at,
            deliveries,
        } = notification;
        let mut with_log = |delivery: Delivery| {
            let attempt_log = attempts.remove(&delivery.channel).unwrap_or_default();
            DeliveryDetail { delivery, attempt_log }
        };
        let deliveries = deliveries.into_iter().map(&mut with_log).collect();
        Self {
            id,
            kind,
            product_id,
            sku,
            name,
            location,
            episode,
            available,
            min_stock,
            raised_at,
            resolved_at,
            acknowledged_at,
            deliveries,
        }
    }
}
