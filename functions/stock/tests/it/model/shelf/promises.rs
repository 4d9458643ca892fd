//! What the clerk promises: reservations, from their making to their end.
//!
//! Like the rest of the model it is told when a hold's time has come.

use std::sync::Arc;

use serde_json::{Value, json};

use super::super::ask::{LOCATIONS, Part, Place, SKUS};
use super::super::expect::Expected;
use super::super::log::{Entry, Log};
use super::{Shelf, Stroke, limited, row};

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Reservation {
    lines: Vec<Part>,
    status: Status,
    /// Its time has come for those who read, if not yet for those who decide.
    seen: bool,
    /// What it was sold by.
    changes: Vec<Value>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Status {
    Active,
    Confirmed,
    Released,
    Expired,
}

impl Status {
    fn word(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Confirmed => "confirmed",
            Self::Released => "released",
            Self::Expired => "expired",
        }
    }
}

impl Shelf {
    /// All lines or none, each seeing what the one before left.
    pub(super) fn reserve(&mut self, number: usize, lines: &[Part], log: &mut Log) -> Result<Expected, Expected> {
        lines.iter().try_for_each(|line| self.known(line.place.product))?;
        for line in lines {
            self.on_sale(line.place.product)?;
            limited(line.units, self.level(line.place).available())?;
            self.promise("reserved", *line, line.units, log);
        }
        Arc::make_mut(&mut self.reservations)
            .insert(number, Reservation { lines: lines.to_vec(), status: Status::Active, seen: false, changes: Vec::new() });
        Ok(Expected::new(201, self.shown(number)))
    }

    /// Sells what was promised, or a part of it; the rest is released. Line by line, the sale first.
    pub(super) fn confirm(&mut self, number: usize, part: Option<&[Part]>, log: &mut Log) -> Result<Expected, Expected> {
        let lines = self.standing(number)?;
        let mut wanted: Option<Vec<Part>> = part.map(<[Part]>::to_vec);
        let mut changes = Vec::new();
        for line in lines {
            let sold = match wanted.as_mut().map(|parts| parts.iter_mut().find(|part| part.place == line.place)) {
                None => line.units,
                Some(None) => 0,
                Some(Some(part)) => {
                    let sold = part.units.min(line.units);
                    part.units -= sold;
                    sold
                }
            };
            if sold > 0 {
                limited(sold, self.level(line.place).on_hand)?;
                changes.push(self.moved(line.place, "SALE", sold, [-sold, -sold], json!({}), log));
            }
            if sold < line.units {
                self.promise("released", line, sold - line.units, log);
            }
        }
        Ok(Expected::new(200, self.resolved(number, Status::Confirmed, changes)))
    }

    pub(super) fn release(&mut self, number: usize, log: &mut Log) -> Result<Expected, Expected> {
        for line in self.standing(number)? {
            self.promise("released", line, -line.units, log);
        }
        Ok(Expected::new(200, self.resolved(number, Status::Released, Vec::new())))
    }

    pub(super) fn extend(&self, number: usize) -> Result<Expected, Expected> {
        self.standing(number)?;
        Ok(Expected::new(200, self.shown(number)))
    }

    pub(super) fn reservation(&self, number: usize) -> Result<Expected, Expected> {
        let reservation = self.reservations.get(&number).ok_or_else(|| Expected::problem(404, "reservation_not_found"))?;
        let mut shown = self.shown(number);
        if reservation.seen && reservation.status == Status::Active {
            shown = json!({"id": shown["id"], "status": Status::Expired.word(), "lines": shown["lines"]});
        }
        Ok(Expected::new(200, shown))
    }

    /// The reservation's time has come for those who read.
    pub(super) fn seen(&mut self, number: usize) {
        if let Some(reservation) = Arc::make_mut(&mut self.reservations).get_mut(&number) {
            reservation.seen = true;
        }
    }

    /// Units of a place that are held for those who decide, and are not for those who read.
    pub(super) fn seen_to_lapse(&self, place: Place) -> i64 {
        let seen = self.reservations.values().filter(|reservation| reservation.seen && reservation.status == Status::Active);
        seen.flat_map(|reservation| &reservation.lines).filter(|line| line.place == place).map(|line| line.units).sum()
    }

    /// The reservation's time has come, if it still stood.
    pub(super) fn lapse(&mut self, number: usize, log: &mut Log) {
        let Some(reservation) =
            Arc::make_mut(&mut self.reservations).get_mut(&number).filter(|reservation| reservation.status == Status::Active)
        else {
            return;
        };
        reservation.status = Status::Expired;
        for line in reservation.lines.clone() {
            let level = self.levels.entry(line.place).or_default();
            level.reserved -= line.units;
            level.lapsed += 1;
            let row =
                row(promised("expired", line, -line.units), self.products.get(&line.place.product).map_or(0, super::Product::threshold));
            log.entries.push(Entry::Lapsed(row));
        }
    }

    /// The lines of a reservation that can still be decided about.
    fn standing(&self, number: usize) -> Result<Vec<Part>, Expected> {
        let reservation = self.reservations.get(&number).ok_or_else(|| Expected::problem(404, "reservation_not_found"))?;
        match reservation.status {
            Status::Active => Ok(reservation.lines.clone()),
            Status::Expired => Err(Expected::problem(409, "reservation_expired")),
            Status::Confirmed | Status::Released => Err(Expected::problem(409, "reservation_resolved")),
        }
    }

    fn resolved(&mut self, number: usize, status: Status, changes: Vec<Value>) -> Value {
        if let Some(reservation) = Arc::make_mut(&mut self.reservations).get_mut(&number) {
            (reservation.status, reservation.changes) = (status, changes);
        }
        self.shown(number)
    }

    fn promise(&mut self, event: &'static str, line: Part, delta_reserved: i64, log: &mut Log) {
        self.record(promised(event, line, delta_reserved), log);
    }

    fn shown(&self, number: usize) -> Value {
        let Some(Reservation { lines, status, changes, .. }) = self.reservations.get(&number) else { return Value::Null };
        let line = |line: &Part| {
            let (sku, location) = (SKUS[line.place.product], LOCATIONS[line.place.location]);
            json!({"product_id": format!("the id of {sku}"), "sku": sku, "location": location, "quantity": line.units})
        };
        let lines: Vec<Value> = lines.iter().map(line).collect();
        let mut shown =
            json!({"id": format!("reservation {number}"), "status": status.word(), "lines": lines, "reference": format!("v{number}")});
        match status {
            Status::Active => shown["resolved_at"] = Value::Null,
            Status::Confirmed => shown["changes"] = json!(changes),
            Status::Released | Status::Expired => {}
        }
        shown
    }
}

fn promised(event: &'static str, line: Part, delta_reserved: i64) -> Stroke {
    Stroke { place: line.place, event, kind: None, quantity: Some(delta_reserved.abs()), delta: 0, delta_reserved }
}
