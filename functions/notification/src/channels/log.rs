//! The channel that is always there: one line an alert in the service's own log.

use contract::NotificationKind;
use futures::future::BoxFuture;

use super::{Channel, Message, Outcome, TEST};

/// A line costs next to nothing, so many are claimed and settled together.
const AT_ONCE: usize = 500;

/// The log.
pub(crate) struct Log;

impl Channel for Log {
    fn name(&self) -> &'static str {
        "log"
    }

    fn target(&self) -> String {
        "the log of this service".to_owned()
    }

    fn at_once(&self) -> usize {
        AT_ONCE
    }

    fn send<'a>(&'a self, message: &'a Message) -> BoxFuture<'a, Outcome> {
        let notification = &message.notification;
        let what = match notification.kind {
            _ if message.kind == TEST => "this is a test",
            NotificationKind::LowStock => "stock is low",
            NotificationKind::OutOfStock => "out of stock",
            NotificationKind::BackInStock => "back in stock",
        };
        tracing::info!(
            notification.id = %notification.id,
            product.sku = %notification.sku,
            stock.location = %notification.location,
            stock.available = notification.available,
            product.min_stock = notification.min_stock.get(),
            notification.episode = notification.episode,
            "{what}"
        );
        Box::pin(std::future::ready(Ok(None)))
    }
}
