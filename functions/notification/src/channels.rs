//! Channels: where alerts go. A channel takes one message at a time and says what became of it; when to try again is not its business.

mod address;
pub(crate) mod email;
pub(crate) mod log;
pub(crate) mod webhook;

use std::sync::Arc;

use contract::{Location, MinStock, Name, Notification, NotificationKind, ProductId, Sku, Time};
use futures::future::BoxFuture;
use uuid::Uuid;

/// A way to reach people or programs.
pub(crate) trait Channel: Send + Sync + 'static {
    /// Its name in the API and in the tables.
    fn name(&self) -> &'static str;

    /// Where it leads, for people. Shows no secret.
    fn target(&self) -> String;

    /// Messages that it takes at once.
    fn at_once(&self) -> usize;

    /// Tries once. It ends by itself within the configured time, and may be dropped at any await.
    fn send<'a>(&'a self, message: &'a Message) -> BoxFuture<'a, Outcome>;
}

/// What is sent.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    /// The same for every attempt of one notification on one channel, so that a receiver can tell what it has seen.
    pub(crate) id: Uuid,
    /// What sort of message it is: the CloudEvents type of an alert, or [`TEST`].
    pub(crate) kind: &'static str,
    /// What it says.
    pub(crate) notification: Notification,
}

/// The type of a message that only shows whether a channel works.
pub(crate) const TEST: &str = "gudang.notification.test.v1";

/// An attempt that did not work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failed {
    /// For people.
    pub(crate) error: String,
    /// The HTTP status that was answered, where one was.
    pub(crate) http_status: Option<u16>,
    /// Whether trying again is of no use.
    pub(crate) is_final: bool,
}

/// What became of an attempt: the HTTP status of one that worked, where there is one.
pub(crate) type Outcome = Result<Option<u16>, Failed>;

/// The channels in use, by name.
pub(crate) type Channels = Arc<[Arc<dyn Channel>]>;

impl Message {
    /// Makes the message of a notification for a channel.
    pub(crate) fn of(notification: Notification, channel: &str) -> Self {
        let name = format!("/gudang/notification/{}/{channel}", notification.id);
        let kind = contract::event::kind::NOTIFICATION_RAISED;
        Self { id: Uuid::new_v5(&Uuid::NAMESPACE_URL, name.as_bytes()), kind, notification }
    }

    /// Makes a message that looks like an alert of a product that nobody has.
    pub(crate) fn test() -> Self {
        let notification = Notification {
            id: Uuid::now_v7(),
            kind: NotificationKind::LowStock,
            product_id: ProductId(Uuid::nil()),
            sku: Sku::trusted("TEST"),
            name: Name::trusted("A test of this channel, no product is low"),
            location: Location::default(),
            episode: 1,
            available: 1,
            min_stock: MinStock::NONE,
            raised_at: Time::new(jiff::Timestamp::now()),
            resolved_at: None,
            acknowledged_at: None,
            deliveries: Vec::new(),
        };
        Self { id: Uuid::now_v7(), kind: TEST, notification }
    }
}
