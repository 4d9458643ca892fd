//! What events do in Notification: the machine of each stream moves, alerts are raised and resolved, products are copied.
//!
//! One transaction a batch, which is the fence's: lock the watches, fold the machine in memory, write everything. It knows no channel but
//! by name, and nothing is sent here.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use contract::event::{Payload, kind};
use contract::{Delivery, DeliveryStatus, Notification, NotificationKind, Product, StockEvent, Time};
use futures::future::BoxFuture;
use host::Bell;
use journal::append::{Entry, append};
use journal::{Applied, Effect, Journal};
use postgres::{DatabaseError, Transaction};
use uuid::Uuid;

use crate::rule::{Happening, Level};
use crate::store::watch::{self, Watched};

/// The effect of events, with whom it wakes.
pub(crate) struct Alerts {
    /// The channels that each alert goes to.
    pub(crate) channels: Vec<&'static str>,
    /// Before the first attempt.
    pub(crate) first_wait: Duration,
    /// Woken when there may be something to publish.
    pub(crate) journal: Arc<Journal>,
    /// Rung when there may be something to deliver.
    pub(crate) bell: Bell,
}

impl Effect for Alerts {
    fn apply<'a>(&'a self, transaction: &'a Transaction<'_>, rows: &'a [Applied<'a>]) -> BoxFuture<'a, Result<(), DatabaseError>> {
        Box::pin(async move {
            let products = newest_products(rows);
            if !products.is_empty() {
                watch::keep_products(transaction, &products).await?;
            }
            self.watch(transaction, rows).await
        })
    }

    fn committed(&self, _: &[Applied<'_>]) {
        self.journal.wake();
        self.bell.ring();
    }
}

/// Something that happened to a stream at a row.
struct Happened<'a> {
    stream: &'a str,
    row: &'a StockEvent,
    episode: i64,
    what: Happening,
}

/// A row of the journal to be.
struct Line<'a> {
    stream: &'a str,
    version: i64,
    kind: &'static str,
    occurred_at: Time,
    recorded_at: Time,
    notification: Notification,
}

impl Alerts {
    async fn watch(&self, transaction: &Transaction<'_>, rows: &[Applied<'_>]) -> Result<(), DatabaseError> {
        let mut streams: Vec<&str> =
            rows.iter().filter(|row| matches!(row.payload, Payload::Stock(_))).map(|row| row.event.subject.as_str()).collect();
        streams.sort_unstable();
        streams.dedup();
        if streams.is_empty() {
            return Ok(());
        }
        let mut watches = watch::lock(transaction, &streams).await?;
        let happened = fold(rows, &mut watches);
        if !happened.is_empty() {
            self.tell(transaction, &happened, &mut watches).await?;
        }
        watch::write(transaction, &streams, &watches).await
    }

    /// Writes what happened: notifications, their deliveries, and the journal.
    async fn tell<'a>(
        &self,
        transaction: &Transaction<'_>,
        happened: &[Happened<'a>],
        watches: &mut HashMap<&'a str, Watched>,
    ) -> Result<(), DatabaseError> {
        let now = watch::now(transaction).await?;
        let closing = || happened.iter().filter(|event| matches!(event.what, Happening::Closed | Happening::ClosedBackInStock));
        let streams: Vec<&str> = closing().map(|event| event.stream).collect();
        let episodes: Vec<i64> = closing().map(|event| event.episode).collect();
        let open = if streams.is_empty() { HashMap::new() } else { watch::of_episodes(transaction, &streams, &episodes).await? };
        let first_attempt_at = now.timestamp().checked_add(self.first_wait).map_or(now, Time::new);
        let mut told = Told { watches, open, now, deliveries: pending(&self.channels, first_attempt_at), lines: Vec::new() };
        for event in happened {
            told.take(event);
        }
        let lines = told.lines;
        let of_kind = |kind: &'static str| lines.iter().filter(move |line| line.kind == kind);
        let raised: Vec<(&str, &Notification)> = of_kind(kind::NOTIFICATION_RAISED).map(|line| (line.stream, &line.notification)).collect();
        let resolved: Vec<(Uuid, Time)> =
            of_kind(kind::NOTIFICATION_RESOLVED).map(|line| (line.notification.id, line.occurred_at)).collect();
        if !raised.is_empty() {
            watch::raise(transaction, &raised, &self.channels, first_attempt_at).await?;
        }
        if !resolved.is_empty() {
            watch::resolve(transaction, &resolved).await?;
        }
        for kind in NotificationKind::ALL {
            let count = raised.iter().filter(|(_, notification)| notification.kind == kind).count() as u64;
            if count > 0 {
                metrics::counter!("gudang_notifications_total", "kind" => kind.as_str()).increment(count);
            }
        }
        append(transaction, &lines.iter().map(Line::entry).collect::<Vec<_>>()).await
    }
}

/// Feeds the machines, in the order of the rows; says what happened.
fn fold<'a>(rows: &'a [Applied<'_>], watches: &mut HashMap<&'a str, Watched>) -> Vec<Happened<'a>> {
    let mut happened = Vec::new();
    for applied in rows {
        let Payload::Stock(row) = &applied.payload else { continue };
        let stream = applied.event.subject.as_str();
        let Some(watched) = watches.get_mut(stream) else { continue };
        watched.level = Level { available: row.available, min_stock: row.min_stock.get() };
        let (watch, what) = watched.watch.observe(watched.level);
        watched.watch = watch;
        if what != Happening::Nothing {
            happened.push(Happened { stream, row, episode: watch.episode, what });
        }
    }
    happened
}

/// The second pass: from what happened to notifications and journal rows.
struct Told<'w, 'a> {
    watches: &'w mut HashMap<&'a str, Watched>,
    /// The notifications of each stream's open episode.
    open: HashMap<String, Vec<Notification>>,
    now: Time,
    deliveries: Vec<Delivery>,
    lines: Vec<Line<'a>>,
}

impl<'a> Told<'_, 'a> {
    fn take(&mut self, event: &Happened<'a>) {
        match event.what {
            Happening::Nothing => {}
            Happening::Raised(kind) => {
                let notification = self.notification(event, kind);
                self.line(event, kind::NOTIFICATION_RAISED, notification.clone());
                self.open.entry(event.stream.to_owned()).or_default().push(notification);
            }
            Happening::Closed => self.resolve(event),
            Happening::ClosedBackInStock => {
                self.resolve(event);
                let mut notification = self.notification(event, NotificationKind::BackInStock);
                notification.resolved_at = Some(notification.raised_at);
                self.line(event, kind::NOTIFICATION_RAISED, notification);
            }
        }
    }

    fn resolve(&mut self, event: &Happened<'a>) {
        for mut notification in self.open.remove(event.stream).unwrap_or_default() {
            notification.resolved_at = Some(event.row.recorded_at);
            self.line(event, kind::NOTIFICATION_RESOLVED, notification);
        }
    }

    /// Raised at the time at which Stock recorded the row, not at the time at which it arrived here: so what an episode says of itself is
    /// the same whenever and however often its stream is replayed.
    fn notification(&self, event: &Happened<'_>, kind: NotificationKind) -> Notification {
        let row = event.row;
        Notification {
            id: Uuid::now_v7(),
            kind,
            product_id: row.product_id,
            sku: row.sku.clone(),
            name: row.name.clone(),
            location: row.location.clone(),
            episode: event.episode,
            available: row.available,
            min_stock: row.min_stock,
            raised_at: row.recorded_at,
            resolved_at: None,
            acknowledged_at: None,
            deliveries: self.deliveries.clone(),
        }
    }

    /// Adds a line to the journal of the event's stream, at the stream's next version.
    fn line(&mut self, event: &Happened<'a>, kind: &'static str, notification: Notification) {
        let Some(watched) = self.watches.get_mut(event.stream) else { return };
        watched.journal_version += 1;
        watched.journal_recorded_at = watched.journal_recorded_at.max(self.now);
        self.lines.push(Line {
            stream: event.stream,
            version: watched.journal_version,
            kind,
            occurred_at: event.row.recorded_at,
            recorded_at: watched.journal_recorded_at,
            notification,
        });
    }
}

impl Line<'_> {
    fn entry(&self) -> Entry<'_, Notification> {
        Entry {
            stream: self.stream,
            version: self.version,
            kind: self.kind,
            partition_key: self.notification.product_id.to_string(),
            occurred_at: self.occurred_at,
            recorded_at: self.recorded_at,
            data: &self.notification,
        }
    }
}

fn pending(channels: &[&str], first_attempt_at: Time) -> Vec<Delivery> {
    let delivery = |channel: &&str| Delivery {
        channel: (*channel).to_owned(),
        status: DeliveryStatus::Pending,
        attempts: 0,
        next_attempt_at: Some(first_attempt_at),
        last_error: None,
    };
    channels.iter().map(delivery).collect()
}

/// The newest event of each product in the batch, by id: one row each may be written in a statement.
fn newest_products<'a>(rows: &'a [Applied<'_>]) -> Vec<&'a Product> {
    let mut newest: HashMap<Uuid, &Product> = HashMap::new();
    for applied in rows {
        if let Payload::Product(product) = &applied.payload {
            let kept = newest.entry(product.id.0).or_insert(product);
            if kept.version < product.version {
                *kept = product;
            }
        }
    }
    let mut products: Vec<&Product> = newest.into_values().collect();
    products.sort_unstable_by_key(|product| product.id);
    products
}
