//! What the model says the ledger holds, and what is read from it: stock as it was, and lists of movements.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::ask::{Filter, LOCATIONS, Place};
use super::expect::differs;

/// Something that happened to a stream.
#[derive(Debug, Clone)]
pub(super) enum Entry {
    /// A row.
    Row(Row),
    /// A hold's time passed. Its row comes before the next one that is not a threshold's; when exactly, the contract leaves open.
    Lapsed(Row),
    /// Every hold that has lapsed has its row.
    Swept,
}

/// A row of a stream.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) place: Place,
    /// The type of its event, between `gudang.stock.` and `.v1`.
    pub(super) event: &'static str,
    /// The kind of movement, where it is one.
    pub(super) kind: Option<&'static str>,
    pub(super) quantity: Option<i64>,
    pub(super) delta: i64,
    pub(super) delta_reserved: i64,
    /// The threshold in force.
    pub(super) min_stock: i64,
    /// When the hold that lapsed was to end, by the database; filled in by whoever knows.
    pub(super) ended: Option<Timestamp>,
    /// What the model says that the change says, where it is a movement.
    pub(super) said: Value,
    /// The change as Stock tells it.
    pub(super) change: Option<Value>,
}

/// Everything that happened, in order.
#[derive(Debug, Default)]
pub(super) struct Log {
    pub(super) entries: Vec<Entry>,
}

impl Log {
    /// The rows that are movements, oldest first.
    pub(super) fn movements(&self) -> impl DoubleEndedIterator<Item = &Row> {
        self.entries.iter().filter_map(|entry| match entry {
            Entry::Row(row) if row.kind.is_some() => Some(row),
            _ => None,
        })
    }

    /// Takes the changes as Stock tells them into the rows behind `known`.
    pub(super) fn note(&mut self, known: usize, changes: Vec<Value>) -> Result<(), String> {
        let rows = self.entries.iter_mut().skip(known).filter_map(|entry| match entry {
            Entry::Row(row) if row.kind.is_some() => Some(row),
            _ => None,
        });
        let mut changes = changes.into_iter();
        for row in rows {
            let change = changes.next().ok_or("a change is missing in the answer")?;
            if let Some(difference) = differs(&row.said, &change, "change") {
                return Err(difference);
            }
            row.change = Some(change);
        }
        if changes.next().is_some() { Err("there is a change too many in the answer".to_owned()) } else { Ok(()) }
    }

    /// The stock of a product as it was: the sum of what had occurred by then, by location; nothing where that is nothing.
    pub(super) fn as_of(&self, product: usize, time: Timestamp) -> Vec<(&'static str, i64)> {
        let sum = |location: usize| {
            let place = Place { product, location };
            self.movements().filter(|row| row.place == place && occurred(row) <= time).map(|row| row.delta).sum::<i64>()
        };
        LOCATIONS.iter().enumerate().map(|(location, name)| (*name, sum(location))).filter(|(_, units)| *units != 0).collect()
    }

    /// The movements that pass a filter, newest recorded first, as their callers were answered.
    pub(super) fn listed(&self, filter: &Filter, start: Timestamp) -> Value {
        let second = |seconds: i64| start + jiff::SignedDuration::from_secs(seconds);
        let reference = filter.reference.map(|reference| format!("r{reference}"));
        let passes = |row: &&Row| {
            filter.product.is_none_or(|product| row.place.product == product)
                && filter.location.is_none_or(|location| row.place.location == location)
                && filter.kind.is_none_or(|kind| row.kind == Some(kind))
                && reference.as_deref().is_none_or(|reference| row.change.as_ref().is_some_and(|change| change["reference"] == reference))
                && filter.from.is_none_or(|from| occurred(row) >= second(from))
                && filter.to.is_none_or(|to| occurred(row) < second(to))
        };
        json!({"items": self.movements().rev().filter(passes).filter_map(|row| row.change.clone()).collect::<Vec<_>>()})
    }
}

/// When a movement occurred, as its caller was answered.
pub(super) fn occurred(row: &Row) -> Timestamp {
    let said = row.change.as_ref().and_then(|change| change["occurred_at"].as_str());
    said.and_then(|time| time.parse().ok()).unwrap_or(Timestamp::MAX)
}
