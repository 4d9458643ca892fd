//! Runs a history against Stock, one operation after the other, and the model beside it: the first difference ends it.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::ask::{Filter, Moment, Op, What};
use super::expect::{Answered, Expected};
use super::log::{Entry, Log};
use super::names::Names;
use super::products::Products;
use super::shelf::Shelf;
use super::{books, log};
use crate::fixture::Stock;

/// Where a history and the model part.
#[derive(Debug)]
pub(super) struct Difference {
    /// The operation's place, from 0; the number of operations for what is wrong at the end.
    pub(super) step: usize,
    pub(super) said: String,
}

/// A history under way.
pub(super) struct Run<'a> {
    pub(super) stock: &'a Stock,
    pub(super) names: Names,
    pub(super) shelf: Shelf,
    pub(super) log: Log,
    products: Products,
    first_answers: BTreeMap<usize, bytes::Bytes>,
}

/// Runs `ops` under names of its own, and balances the books at the end.
pub(super) async fn run(stock: &Stock, history: &str, ops: &[Op]) -> Result<(), Difference> {
    let (names, shelf, log) = (Names::new(history), Shelf::default(), Log::default());
    let mut run = Run { stock, names, shelf, log, products: Products::default(), first_answers: BTreeMap::new() };
    for (step, op) in ops.iter().enumerate() {
        run.step(op).await.map_err(|said| Difference { step, said })?;
    }
    books::balance(&mut run).await.map_err(|said| Difference { step: ops.len(), said })
}

impl Run<'_> {
    pub(super) async fn step(&mut self, op: &Op) -> Result<(), String> {
        if let What::AsOf { product, at } = op.what {
            return self.as_of(product, at).await;
        }
        let known = self.log.entries.len();
        let mut expected = self.shelf.apply(op, &mut self.log);
        if let What::Movements(filter) = &op.what {
            expected.body = self.log.listed(filter, self.names.start);
        }
        let Some((answer, answered)) = self.names.ask(&self.stock.http, op).await else { return self.happen(&op.what, known).await };
        let request = self.names.request(&op.what).map(|request| request.to_string());
        let at =
            |said: String| format!("{said}\n  asked: {}\n  answered: {} {}", request.unwrap_or_default(), answer.status, answer.text());
        let told = match op.what {
            What::Reservation { .. } | What::Levels { .. } | What::Movements(_) => Vec::new(),
            What::Import { .. } => self.imported(known).await,
            _ if answered.replayed => Vec::new(),
            _ => changes(&answered.body),
        };
        self.checked(op, &expected, &answered, &answer.body).and_then(|()| self.log.note(known, told)).map_err(at)?;
        if let What::Reserve { number, ttl: 1, .. } | What::Extend { number, ttl: 1 } = op.what
            && answered.status < 300
            && !answered.replayed
        {
            self.outlive(number, &answered.body, known).await;
        }
        Ok(())
    }

    fn checked(&mut self, op: &Op, expected: &Expected, answered: &Answered, body: &bytes::Bytes) -> Result<(), String> {
        if let Some(difference) = expected.differs(answered) {
            return Err(difference);
        }
        let Some(key) = op.key else { return Ok(()) };
        if !answered.replayed {
            if matches!(answered.status, 200..300 | 409) && !matches!(op.what, What::Import { .. }) {
                self.first_answers.insert(key, body.clone());
            }
            return Ok(());
        }
        if self.first_answers.get(&key) == Some(body) { Ok(()) } else { Err("a replay answers other bytes".to_owned()) }
    }

    /// The changes of an import, which does not answer them: the latest of the list.
    async fn imported(&self, known: usize) -> Vec<Value> {
        let rows = self.log.entries[known..].iter().filter(|entry| matches!(entry, Entry::Row(row) if row.kind.is_some())).count();
        let all = What::Movements(Filter { limit: 500, ..Filter::default() });
        let listed = self.names.ask(&self.stock.http, &all.into()).await.map(|(_, listed)| listed.body["items"].clone());
        let listed = listed.as_ref().and_then(Value::as_array).cloned().unwrap_or_default();
        listed.into_iter().take(rows).rev().collect()
    }

    /// What happens without a request.
    async fn happen(&mut self, what: &What, known: usize) -> Result<(), String> {
        match *what {
            What::Introduce { product } => {
                self.products.introduce(self.stock, &self.names, product);
                self.stock.level(&self.names.sku(product)).await;
            }
            What::Hear { product, min_stock, archived } => self.products.hear(self.stock, product, min_stock, archived).await,
            What::Age { number, seconds } => {
                if let Some(ended) = age(self.stock, &self.names, number, seconds).await {
                    self.ended(known, ended);
                }
            }
            What::Tick => {
                // The first one goes on to compare books, which the stand-in for Product does not keep.
                let periodic = &self.stock.function.periodic;
                let first = periodic.tick().await;
                if first.is_err() {
                    periodic.tick().await.map_err(|error| format!("a tick failed: {error}"))?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Waits until the reservation that was answered has lapsed by its own clock.
    async fn outlive(&mut self, number: usize, reservation: &Value, known: usize) {
        let ends: Timestamp = reservation["expires_at"].as_str().unwrap().parse().unwrap();
        while Timestamp::now() <= ends {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        self.shelf.apply(&What::Lapse { number }.into(), &mut self.log);
        self.ended(known, ends);
    }

    /// The holds that lapsed behind `known` did so at `ended`.
    fn ended(&mut self, known: usize, ended: Timestamp) {
        for entry in self.log.entries.iter_mut().skip(known) {
            if let Entry::Lapsed(row) = entry {
                row.ended = Some(ended);
            }
        }
    }

    async fn as_of(&mut self, product: usize, at: Moment) -> Result<(), String> {
        let time = match at {
            Moment::Second(seconds) => self.names.second(seconds),
            Moment::Movement(number, later) => {
                let times: Vec<Timestamp> = self.log.movements().map(log::occurred).collect();
                let Some(time) = times.get(number % times.len().max(1)) else { return Ok(()) };
                *time + jiff::SignedDuration::from_micros(later)
            }
        };
        let answer = self.stock.http.get(&format!("/v1/stock/{}?as_of={time}", self.names.sku(product))).await;
        let body = answer.json();
        if self.names.product(product).is_none() {
            return if answer.status == 404 { Ok(()) } else { Err(format!("404 expected, it was {}", answer.text())) };
        }
        let expected: Vec<_> = self.log.as_of(product, time).into_iter().map(|(location, units)| (location.to_owned(), units)).collect();
        let bare = |location: &str| location.rsplit('-').next().unwrap_or_default().to_owned();
        let level = |level: &Value| (bare(level["location"].as_str().unwrap_or_default()), level["on_hand"].as_i64().unwrap_or_default());
        let levels = body["locations"].as_array().into_iter().flatten().map(level);
        let levels: Vec<_> = levels.filter(|(_, units)| *units != 0).collect();
        let sum: i64 = expected.iter().map(|(_, units)| units).sum();
        let nulls = ["reserved", "available", "version", "status"].iter().all(|field| body[field].is_null());
        if levels == expected && body["on_hand"].as_i64() == Some(sum) && nulls {
            return Ok(());
        }
        Err(format!("as of {time}: {expected:?} expected, it was {}", answer.text()))
    }
}

/// The changes that an answer tells of.
fn changes(body: &Value) -> Vec<Value> {
    if let Some(changes) = body["changes"].as_array() {
        return changes.clone();
    }
    if let Some(results) = body["results"].as_array() {
        return results.iter().map(|result| result["change"].clone()).filter(|change| !change.is_null()).collect();
    }
    if body["delta"].is_number() { vec![body.clone()] } else { Vec::new() }
}

/// Locks the levels first, as everybody does.
const LOCK: &str = "SELECT id FROM level WHERE id IN (SELECT level_id FROM hold WHERE reservation_id = $1) ORDER BY id FOR NO KEY UPDATE";
const AGE: &str = "WITH r AS (UPDATE reservation SET expires_at = date_trunc('milliseconds', clock_timestamp()) - $2::float8 * interval '1 second' \
         WHERE id = $1 AND state = 'ACTIVE' AND expires_at > clock_timestamp() RETURNING id, expires_at), \
     h AS (UPDATE hold SET expires_at = r.expires_at FROM r WHERE reservation_id = r.id RETURNING level_id), \
     l AS (UPDATE level SET next_expiry = least(next_expiry, r.expires_at) FROM r WHERE level.id IN (SELECT level_id FROM h)) \
     SELECT expires_at FROM r";

/// Moves the end of a reservation that stands into the past; says to when.
async fn age(stock: &Stock, names: &Names, number: usize, seconds: u32) -> Option<Timestamp> {
    let id = names.made(number)?;
    let mut client = stock.function.database.get().await.unwrap();
    let transaction = client.transaction().await.unwrap();
    transaction.query(LOCK, &[&id]).await.unwrap();
    let ended = transaction.query_opt(AGE, &[&id, &f64::from(seconds)]).await.unwrap();
    transaction.commit().await.unwrap();
    ended.map(|row| row.get(0))
}
