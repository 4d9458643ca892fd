//! The outcome of a run, for people and for programs.

use serde::Serialize;

use super::Options;
use super::account::{Account, Second, milliseconds};
use crate::table::{self, thousands};

/// What is shown.
pub(crate) struct Shown<'a> {
    pub(crate) options: &'a Options,
    pub(crate) account: &'a Account,
    /// From the first request to the last answer.
    pub(crate) seconds: f64,
    /// Requests whose time came and that no connection was free for.
    pub(crate) unsent: u64,
}

/// One object.
#[derive(Serialize)]
pub(crate) struct Object<'a> {
    product: &'static str,
    connections: u32,
    batch: u32,
    rate: Option<u32>,
    seconds: f64,
    requests: u64,
    changes: u64,
    changes_per_second: f64,
    p50_ms: f64,
    p99_ms: f64,
    max_ms: f64,
    refused: u64,
    turned_away: u64,
    turned_away_p99_ms: f64,
    unsent: u64,
    errors: u64,
    error_examples: &'a [String],
    by_second: &'a [Second],
}

impl Shown<'_> {
    fn per_second(&self) -> f64 {
        (self.account.changes as f64 / self.seconds).round()
    }

    /// For programs.
    pub(crate) fn object(&self) -> Object<'_> {
        let Self { options, account, seconds, unsent } = *self;
        Object {
            product: options.product.name(),
            connections: options.connections,
            batch: options.batch,
            rate: options.rate,
            seconds: (seconds * 1000.0).round() / 1000.0,
            requests: account.requests,
            changes: account.changes,
            changes_per_second: self.per_second(),
            p50_ms: milliseconds(&account.answered_us, 0.5),
            p99_ms: milliseconds(&account.answered_us, 0.99),
            max_ms: milliseconds(&account.answered_us, 1.0),
            refused: account.refused,
            turned_away: account.turned_away,
            turned_away_p99_ms: milliseconds(&account.turned_away_us, 0.99),
            unsent,
            errors: account.errors,
            error_examples: &account.words,
            by_second: &account.by_second,
        }
    }

    /// For people.
    pub(crate) fn table(&self) -> String {
        let Self { account, seconds, unsent, .. } = *self;
        let latency = |quantile| format!("{:.2} ms", milliseconds(&account.answered_us, quantile));
        let mut rows = vec![
            ("changes a second", thousands(self.per_second() as u64)),
            ("p50", latency(0.5)),
            ("p99", latency(0.99)),
            ("slowest", latency(1.0)),
            ("changes", thousands(account.changes)),
            ("requests", thousands(account.requests)),
            ("seconds", format!("{seconds:.1}")),
            ("refused (409)", thousands(account.refused)),
            ("turned away (503)", thousands(account.turned_away)),
            ("errors", thousands(account.errors)),
        ];
        if self.options.rate.is_some() {
            rows.insert(rows.len() - 1, ("never sent", thousands(unsent)));
        }
        let lines = rows.into_iter().map(|(what, value)| vec![what.to_owned(), value]);
        let words = account.words.iter().map(|words| format!("\n{words}"));
        table::table(&[self.options.product.name(), ">"], lines) + &words.collect::<String>()
    }
}
