//! Orders that promise units, and what becomes of promises.
//!
//! Pure. A hold is judged by the time at which the locks were had: from `expires_at` on it is gone, whoever has noticed.

use std::collections::{BTreeMap, HashMap};

use contract::{Change, Quantity, StockStream, Time};
use fault::{FieldError, Kind, Problem};
use jiff::SignedDuration;
use postgres::keys::Answer;
use uuid::Uuid;

use super::desk::{Desk, Ending};
use crate::answer::{self, ReservationAnswer};
use crate::order::{Hold, Lapsed, Line, Reservation, Reserve, State, Step};
use crate::rule::Movement;

/// A reservation that was made.
#[derive(Debug)]
pub struct Kept {
    /// As it is.
    pub reservation: Reservation,
    /// The level of each line, in order.
    pub levels: Vec<i64>,
}

/// A hold that its level counts no more.
#[derive(Debug, Clone, Copy)]
pub struct Ended {
    /// Its reservation.
    pub reservation: Uuid,
    /// Its place in it.
    pub line: i32,
    /// The version of the SALE that it became.
    pub sale_version: Option<i64>,
}

/// The reservations of a batch while it is decided.
pub(super) struct Book {
    reservations: HashMap<Uuid, Reservation>,
    kept: Vec<Kept>,
    /// In the order of ids, which is that of the writes.
    settled: BTreeMap<Uuid, Reservation>,
    ended: Vec<Ended>,
}

impl Book {
    pub(super) fn new(reservations: HashMap<Uuid, Reservation>) -> Self {
        Self { reservations, kept: Vec::new(), settled: BTreeMap::new(), ended: Vec::new() }
    }

    /// What was made, what changed, and which holds are over.
    pub(super) fn close(self) -> (Vec<Kept>, Vec<Reservation>, Vec<Ended>) {
        (self.kept, self.settled.into_values().collect(), self.ended)
    }

    /// A hold's time has passed: its level counts it no more.
    pub(super) fn expire(&mut self, desk: &mut Desk, lapsed: &Lapsed) {
        let ending = Ending::Expired(lapsed.expires_at);
        if desk.let_go(&lapsed.stream, lapsed.quantity, ending, lapsed.reference.as_ref()).is_ok() {
            self.ended.push(Ended { reservation: lapsed.reservation, line: lapsed.line, sale_version: None });
        }
    }

    /// Holds all lines or none.
    pub(super) fn reserve(&mut self, desk: &mut Desk, asked: &Reserve) -> Answer {
        let mark = desk.mark();
        let Some(expires_at) = after(desk.now(), asked.ttl) else { return answer::refused(&Problem::internal()) };
        let mut levels = Vec::with_capacity(asked.lines.len());
        let mut refusals = Vec::new();
        for (place, promise) in asked.lines.iter().enumerate() {
            match desk.hold(&promise.stream, promise.quantity, expires_at, asked.reference.as_ref()) {
                Ok(level) => levels.push(level),
                Err(problem) => refusals.push((place, problem)),
            }
        }
        if !refusals.is_empty() {
            desk.take_back(mark);
            return answer::refused(&together(&refusals));
        }
        let hold = |(line, promise): (usize, &crate::order::Promise)| Hold {
            line: line as i32,
            stream: promise.stream.clone(),
            sku: promise.sku.clone(),
            quantity: promise.quantity.get(),
        };
        let reservation = Reservation {
            id: asked.id,
            reference: asked.reference.clone(),
            created_at: desk.now(),
            expires_at,
            state: State::Active,
            resolved_at: None,
            swept: false,
            lines: asked.lines.iter().enumerate().map(hold).collect(),
        };
        let answer = answer::reserved(&ReservationAnswer::of(&reservation, desk.now(), None));
        self.kept.push(Kept { reservation, levels });
        answer
    }

    /// Takes a step with a reservation that stands.
    pub(super) fn resolve(&mut self, desk: &mut Desk, id: Uuid, step: &Step) -> Answer {
        let Some(mut reservation) = self.reservations.get(&id).cloned() else { return answer::refused(&Problem::internal()) };
        if let Err(problem) = stands(&reservation, desk.now()) {
            return answer::refused(&problem);
        }
        let mark = desk.mark();
        let holds_over = self.ended.len();
        let taken = match step {
            Step::Confirm(part) => self.confirm(desk, &mut reservation, part.as_deref()).map(Some),
            Step::Release => self.release(desk, &mut reservation).map(|()| None),
            Step::Extend(ttl) => extend(desk, &mut reservation, *ttl).map(|()| None),
        };
        match taken {
            Ok(changes) => {
                let answer = answer::reservation(&ReservationAnswer::of(&reservation, desk.now(), changes));
                self.settled.insert(id, reservation.clone());
                self.reservations.insert(id, reservation);
                answer
            }
            Err(problem) => {
                desk.take_back(mark);
                self.ended.truncate(holds_over);
                answer::refused(&problem)
            }
        }
    }

    /// Sells what was promised, or a part of it; the rest is let go.
    fn confirm(
        &mut self,
        desk: &mut Desk,
        reservation: &mut Reservation,
        part: Option<&[(StockStream, i64)]>,
    ) -> Result<Vec<Change>, Problem> {
        let mut part: Option<HashMap<&StockStream, i64>> = part.map(|part| part.iter().map(|(stream, units)| (stream, *units)).collect());
        let mut changes = Vec::with_capacity(reservation.lines.len());
        for hold in reservation.lines.iter() {
            let sold = match &mut part {
                None => hold.quantity,
                Some(part) => part.get_mut(&hold.stream).map_or(0, |wanted| {
                    let sold = hold.quantity.min(*wanted);
                    *wanted -= sold;
                    sold
                }),
            };
            let mut sale_version = None;
            if let Ok(units) = Quantity::new(sold) {
                let change = desk.movement(&sale(reservation, hold, units)).map_err(|problem| at_line(hold.line as usize, problem))?;
                sale_version = Some(change.version);
                changes.push(change);
            }
            if hold.quantity > sold {
                desk.let_go(&hold.stream, hold.quantity - sold, Ending::Released, reservation.reference.as_ref())?;
            }
            self.ended.push(Ended { reservation: reservation.id, line: hold.line, sale_version });
        }
        (reservation.state, reservation.resolved_at) = (State::Confirmed, Some(desk.now()));
        Ok(changes)
    }

    fn release(&mut self, desk: &mut Desk, reservation: &mut Reservation) -> Result<(), Problem> {
        for hold in reservation.lines.iter() {
            desk.let_go(&hold.stream, hold.quantity, Ending::Released, reservation.reference.as_ref())?;
            self.ended.push(Ended { reservation: reservation.id, line: hold.line, sale_version: None });
        }
        (reservation.state, reservation.resolved_at) = (State::Released, Some(desk.now()));
        Ok(())
    }
}

fn extend(desk: &mut Desk, reservation: &mut Reservation, ttl: SignedDuration) -> Result<(), Problem> {
    reservation.expires_at = after(desk.now(), ttl).ok_or_else(Problem::internal)?;
    reservation.lines.iter().try_for_each(|hold| desk.lasts(&hold.stream, reservation.expires_at))
}

/// Whether there is still something to decide about it.
fn stands(reservation: &Reservation, now: Time) -> Result<(), Problem> {
    match reservation.state {
        State::Active if reservation.has_expired(now) => {
            let detail = format!("the reservation expired at {}; make a new one", reservation.expires_at);
            Err(Problem::new(Kind::Conflict, "reservation_expired", detail))
        }
        State::Active => Ok(()),
        State::Confirmed => Err(Problem::new(Kind::Conflict, "reservation_resolved", "the reservation was confirmed before")),
        State::Released => Err(Problem::new(Kind::Conflict, "reservation_resolved", "the reservation was released before")),
    }
}

/// The sale of a hold. Its id follows from the hold, so an attempt that is repeated records the same change.
fn sale(reservation: &Reservation, hold: &Hold, units: Quantity) -> Line {
    Line {
        id: Uuid::new_v5(&reservation.id, &hold.line.to_be_bytes()),
        stream: hold.stream.clone(),
        sku: hold.sku.clone(),
        movement: Movement::Confirmed(units),
        unit_price: None,
        reason: None,
        reference: reservation.reference.clone(),
        occurred_at: None,
    }
}

/// A refusal with the place of the line that was refused.
fn at_line(place: usize, problem: Problem) -> Problem {
    together(&[(place, problem)])
}

/// The first refusal, with the place of every line that was refused.
fn together(refusals: &[(usize, Problem)]) -> Problem {
    let mut problem = refusals.first().map_or_else(Problem::internal, |(_, problem)| problem.clone());
    problem.errors.extend(refusals.iter().map(|(place, problem)| FieldError {
        field: format!("lines[{place}].quantity"),
        code: problem.code.to_string(),
        detail: problem.detail.clone(),
    }));
    problem
}

fn after(now: Time, ttl: SignedDuration) -> Option<Time> {
    now.timestamp().checked_add(ttl).ok().map(Time::new)
}
