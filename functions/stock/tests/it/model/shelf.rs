//! Stock as one clerk with one book would keep it: the contract, operation after operation, with nothing at the same time.
//!
//! Written from the contract alone and sharing no code with the service. It knows no HTTP, no database and no clock: that a hold's time has
//! come is told to it. Where the contract leaves the row of a lapsed hold a choice of moments, versions are a range.

mod promises;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::ask::{Kind, LOCATIONS, Move, Op, Place, SKUS, What};
use super::expect::{Expected, within};
use super::log::{Entry, Log, Row};
use promises::Reservation;

/// Everything that an answer depends on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct Shelf {
    products: BTreeMap<usize, Product>,
    levels: BTreeMap<Place, Level>,
    reservations: Arc<BTreeMap<usize, Reservation>>,
    /// By key, and the row of an import from 1, else 0.
    answered: Arc<BTreeMap<(usize, usize), (What, Expected)>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Product {
    min_stock: i64,
    archived: bool,
}

impl Product {
    fn threshold(&self) -> i64 {
        if self.archived { 0 } else { self.min_stock }
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
struct Level {
    on_hand: i64,
    /// Without the holds that have lapsed.
    reserved: i64,
    /// The rows that there must be.
    version: i64,
    /// Holds that have lapsed and may have their row or not.
    lapsed: i64,
}

impl Level {
    fn available(&self) -> i64 {
        self.on_hand - self.reserved
    }
}

/// What a row does.
#[derive(Clone, Copy)]
struct Stroke {
    place: Place,
    event: &'static str,
    kind: Option<&'static str>,
    quantity: Option<i64>,
    delta: i64,
    delta_reserved: i64,
}

impl Shelf {
    /// Does what is asked and says what the answer is.
    pub(super) fn apply(&mut self, op: &Op, log: &mut Log) -> Expected {
        match &op.what {
            What::Import { csv, lines } => self.import(op.key, *csv, lines, log),
            what => self.under(op.key.map(|key| (key, 0)), what, |shelf| shelf.judge(what, log)),
        }
    }

    /// What was answered under the key before, or else what is judged now.
    fn under(&mut self, key: Option<(usize, usize)>, what: &What, judge: impl FnOnce(&mut Self) -> Expected) -> Expected {
        match key.and_then(|key| self.answered.get(&key)) {
            Some((answered, expected)) if answered == what => return Expected { replayed: true, ..expected.clone() },
            Some(_) => return Expected::problem(422, "idempotency_key_mismatch"),
            None => {}
        }
        let expected = judge(self);
        if let Some(key) = key.filter(|_| matches!(expected.status, 200..300 | 409)) {
            Arc::make_mut(&mut self.answered).insert(key, (what.clone(), expected.clone()));
        }
        expected
    }

    fn judge(&mut self, what: &What, log: &mut Log) -> Expected {
        let judged = match what {
            What::Introduce { product } => {
                self.products.insert(*product, Product { min_stock: 10, archived: false });
                Ok(Expected::nothing())
            }
            What::Hear { product, min_stock, archived } => {
                self.hear(*product, Product { min_stock: *min_stock, archived: *archived }, log);
                Ok(Expected::nothing())
            }
            What::Change(asked) => self.movement(asked, log).map(|change| Expected::new(201, change)),
            What::Batch { atomic: true, lines } => Ok(self.atomic(lines, log)),
            What::Batch { atomic: false, lines } => Ok(self.independent(lines, log)),
            What::Transfer { product, from, to, units } => {
                self.whole(log, |shelf, log| shelf.transfer(*product, [*from, *to], *units, log))
            }
            What::Reserve { number, lines, .. } => self.whole(log, |shelf, log| shelf.reserve(*number, lines, log)),
            What::Confirm { number, part } => self.whole(log, |shelf, log| shelf.confirm(*number, part.as_deref(), log)),
            What::Release { number } => self.release(*number, log),
            What::Extend { number, .. } => self.extend(*number),
            What::Age { number, .. } | What::Lapse { number } => {
                self.lapse(*number, log);
                Ok(Expected::nothing())
            }
            What::Seen { number } => {
                self.seen(*number);
                Ok(Expected::nothing())
            }
            What::Tick => {
                self.sweep(log);
                Ok(Expected::nothing())
            }
            What::Reservation { number } => self.reservation(*number),
            What::Level { product } => self.known(*product).map(|()| Expected::new(200, self.stock(*product, None))),
            What::Levels { status, location, .. } => Ok(self.listed(*status, *location)),
            // What is read from the rows is the log's affair; the rows of an import have keys of their own.
            What::AsOf { .. } | What::Movements(_) | What::Import { .. } => Ok(Expected::new(200, json!({}))),
        };
        judged.unwrap_or_else(|refused| refused)
    }

    /// Does all of something, or nothing of it.
    fn whole(&mut self, log: &mut Log, deed: impl FnOnce(&mut Self, &mut Log) -> Result<Expected, Expected>) -> Result<Expected, Expected> {
        let (before, rows) = (self.clone(), log.entries.len());
        let done = deed(self, log);
        if done.is_err() {
            *self = before;
            log.entries.truncate(rows);
        }
        done
    }

    fn known(&self, product: usize) -> Result<(), Expected> {
        if self.products.contains_key(&product) { Ok(()) } else { Err(Expected::problem(404, "product_not_found")) }
    }

    /// The newest copy is in force, and every stream that has moved hears of a threshold that is another now.
    fn hear(&mut self, product: usize, copy: Product, log: &mut Log) {
        let before = self.products.insert(product, copy);
        if before.is_some_and(|before| before.threshold() == copy.threshold()) {
            return;
        }
        for (place, level) in self.levels.iter_mut().filter(|(place, level)| place.product == product && level.version > 0) {
            level.version += 1;
            let stroke = Stroke { place: *place, event: "threshold-changed", kind: None, quantity: None, delta: 0, delta_reserved: 0 };
            log.entries.push(Entry::Row(row(stroke, copy.threshold())));
        }
    }

    /// Promises are checked, facts are recorded.
    fn movement(&mut self, asked: &Move, log: &mut Log) -> Result<Value, Expected> {
        self.known(asked.place.product)?;
        if matches!(asked.kind, Kind::Sale | Kind::Restock) {
            self.on_sale(asked.place.product)?;
        }
        let level = self.level(asked.place);
        let delta = match asked.kind {
            Kind::Sale => -limited(asked.units, level.available())?,
            Kind::WriteOff => -limited(asked.units, level.on_hand)?,
            Kind::Restock | Kind::Return => asked.units,
            Kind::Count => asked.units - level.on_hand,
        };
        let reference = asked.reference.map(|reference| format!("r{reference}"));
        let price = asked.price.map(|price| format!("0.{price:02}"));
        let told = json!({"reference": reference, "unit_price": price});
        Ok(self.moved(asked.place, asked.kind.word(), asked.units, [delta, 0], told, log))
    }

    fn atomic(&mut self, lines: &[Move], log: &mut Log) -> Expected {
        let mut judged = Vec::new();
        let done = self.whole(log, |shelf, log| {
            judged = lines.iter().map(|line| shelf.movement(line, log)).collect();
            if judged.iter().all(Result::is_ok) { Ok(Expected::nothing()) } else { Err(Expected::nothing()) }
        });
        if done.is_ok() {
            return Expected::new(200, results(&judged));
        }
        let with_others = || Expected::problem(409, "batch_rejected");
        let refused: Vec<_> = judged.into_iter().map(|line| Err(line.err().unwrap_or_else(with_others))).collect();
        let mut body = results(&refused);
        body["code"] = json!("batch_rejected");
        Expected::new(409, body)
    }

    fn independent(&mut self, lines: &[Move], log: &mut Log) -> Expected {
        let judged: Vec<_> = lines.iter().map(|line| self.movement(line, log)).collect();
        Expected::new(200, results(&judged))
    }

    /// Each row by itself and under a key of its own. The changes are not answered.
    fn import(&mut self, key: Option<usize>, csv: bool, lines: &[Move], log: &mut Log) -> Expected {
        let mut errors = Vec::new();
        for (row, line) in (1..).zip(lines) {
            let judge = |shelf: &mut Self| shelf.movement(line, log).map_or_else(|refused| refused, |change| Expected::new(201, change));
            let judged = self.under(key.map(|key| (key, row)), &What::Import { csv, lines: vec![line.clone()] }, judge);
            if judged.status != 201 {
                errors.push(json!({"line": row + usize::from(csv), "code": judged.body["code"]}));
            }
        }
        Expected::new(200, json!({"accepted": lines.len() - errors.len(), "failed": errors.len(), "errors": errors}))
    }

    fn transfer(&mut self, product: usize, [from, to]: [usize; 2], units: i64, log: &mut Log) -> Result<Expected, Expected> {
        self.known(product)?;
        let [from, to] = [from, to].map(|location| Place { product, location });
        limited(units, self.level(from).available())?;
        let out = self.moved(from, "TRANSFER_OUT", units, [-units, 0], json!({}), log);
        let into = self.moved(to, "TRANSFER_IN", units, [units, 0], json!({}), log);
        Ok(Expected::new(201, json!({"changes": [out, into]})))
    }

    fn on_sale(&self, product: usize) -> Result<(), Expected> {
        let archived = self.products.get(&product).is_some_and(|product| product.archived);
        if archived { Err(Expected::problem(409, "product_archived")) } else { Ok(()) }
    }

    fn level(&self, place: Place) -> Level {
        self.levels.get(&place).cloned().unwrap_or_default()
    }

    /// Records a movement, of which `told` is known besides, and says what its caller reads.
    fn moved(&mut self, place: Place, kind: &'static str, quantity: i64, deltas: [i64; 2], told: Value, log: &mut Log) -> Value {
        let [delta, delta_reserved] = deltas;
        let stroke = Stroke { place, event: "changed", kind: Some(kind), quantity: Some(quantity), delta, delta_reserved };
        let level = self.record(stroke, log);
        let mut change = json!({
            "sku": SKUS[place.product], "location": LOCATIONS[place.location], "product_id": format!("the id of {}", SKUS[place.product]),
            "type": kind, "quantity": quantity, "delta": delta, "on_hand": level.on_hand, "reserved": level.reserved,
            "available": level.available(), "version": level.version, "reason": null,
        });
        if let (Value::Object(change), Value::Object(told)) = (&mut change, told) {
            change.extend(told);
        }
        if let Some(Entry::Row(row)) = log.entries.last_mut() {
            row.said = change.clone();
        }
        change
    }

    /// Writes a row; those of the holds that have lapsed stand before it.
    fn record(&mut self, stroke: Stroke, log: &mut Log) -> Level {
        let threshold = self.products.get(&stroke.place.product).map_or(0, Product::threshold);
        let level = self.levels.entry(stroke.place).or_default();
        level.version += std::mem::take(&mut level.lapsed) + 1;
        level.on_hand += stroke.delta;
        level.reserved += stroke.delta_reserved;
        log.entries.push(Entry::Row(row(stroke, threshold)));
        level.clone()
    }

    /// Every hold that has lapsed has its row now.
    fn sweep(&mut self, log: &mut Log) {
        self.levels.values_mut().for_each(|level| level.version += std::mem::take(&mut level.lapsed));
        log.entries.push(Entry::Swept);
    }

    /// The stock of a product, at one location or over all.
    fn stock(&self, product: usize, location: Option<usize>) -> Value {
        let here = |place: &Place| place.product == product && location.is_none_or(|location| place.location == location);
        let as_read =
            |(place, level): (&Place, &Level)| (*place, Level { reserved: level.reserved - self.seen_to_lapse(*place), ..level.clone() });
        let levels: Vec<_> = self.levels.iter().filter(|(place, level)| here(place) && level.version > 0).map(as_read).collect();
        let sum = |of: fn(&Level) -> i64| levels.iter().map(|(_, level)| of(level)).sum::<i64>();
        let (on_hand, reserved) = (sum(|level| level.on_hand), sum(|level| level.reserved));
        let versions = |version: i64, lapsed: i64| within(version, version + lapsed);
        let threshold = self.products.get(&product).map_or(0, Product::threshold);
        let location = |(place, level): &(Place, Level)| {
            json!({
                "location": LOCATIONS[place.location], "on_hand": level.on_hand, "reserved": level.reserved,
                "available": level.available(), "version": versions(level.version, level.lapsed),
            })
        };
        json!({
            "product_id": format!("the id of {}", SKUS[product]), "sku": SKUS[product], "on_hand": on_hand, "reserved": reserved,
            "available": on_hand - reserved, "min_stock": threshold, "status": status(on_hand - reserved, threshold),
            "version": versions(sum(|level| level.version), sum(|level| level.lapsed)),
            "locations": levels.iter().map(location).collect::<Vec<_>>(),
        })
    }

    fn listed(&self, status: Option<&str>, location: Option<usize>) -> Expected {
        let stocks = self.products.keys().map(|product| self.stock(*product, location));
        let here = |stock: &Value| location.is_none() || stock["locations"] != json!([]);
        let items: Vec<_> = stocks.filter(|stock| here(stock) && status.is_none_or(|status| stock["status"] == json!(status))).collect();
        Expected::new(200, json!({"items": items, "next_cursor": null}))
    }
}

fn status(available: i64, threshold: i64) -> &'static str {
    match available {
        ..=0 => "out",
        available if available < threshold => "low",
        _ => "ok",
    }
}

/// `units`, unless that is more than there is.
fn limited(units: i64, available: i64) -> Result<i64, Expected> {
    if units > available {
        return Err(Expected::new(409, json!({"code": "insufficient_stock", "requested": units, "available": available})));
    }
    Ok(units)
}

/// What a batch answers.
fn results(judged: &[Result<Value, Expected>]) -> Value {
    let result = |(index, line): (usize, &Result<Value, Expected>)| match line {
        Ok(change) => json!({"index": index, "status": "accepted", "change": change}),
        Err(refused) => {
            let mut error = refused.body.clone();
            error["status"] = json!(refused.status);
            json!({"index": index, "status": "rejected", "error": error})
        }
    };
    let accepted = judged.iter().filter(|line| line.is_ok()).count();
    let results: Vec<Value> = judged.iter().enumerate().map(result).collect();
    json!({"accepted": accepted, "rejected": judged.len() - accepted, "results": results})
}

fn row(stroke: Stroke, min_stock: i64) -> Row {
    let Stroke { place, event, kind, quantity, delta, delta_reserved } = stroke;
    Row { place, event, kind, quantity, delta, delta_reserved, min_stock, ended: None, said: Value::Null, change: None }
}
