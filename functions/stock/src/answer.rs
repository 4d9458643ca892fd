//! The answers of the ledger as bytes, made once: what is stored under the key is what the first caller reads.

use fault::{Kind, Problem};
use postgres::keys::Answer;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use contract::{Change, Location, ProductId, Reference, Sku, Time};
use uuid::Uuid;

use crate::order::{Hold, Judged, Reservation, State};

/// What became of a batch.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct BatchAnswer {
    /// Lines recorded.
    pub accepted: usize,
    /// Lines refused.
    pub rejected: usize,
    /// One for each line, in order.
    pub results: Vec<BatchResult>,
}

/// What became of one line of a batch.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct BatchResult {
    /// The line's place, from 0.
    pub index: usize,
    /// Recorded or not.
    pub status: LineStatus,
    /// The change, when recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub change: Option<Change>,
    /// Why not, when refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Problem>,
}

/// Whether a line was recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum LineStatus {
    /// Recorded.
    Accepted,
    /// Refused.
    Rejected,
}

/// A reservation as it is answered.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct ReservationAnswer {
    /// Its id.
    pub id: Uuid,
    /// How far it has come.
    pub status: ReservationStatus,
    /// What it holds, or held.
    pub lines: Vec<ReservationLine>,
    /// The shop's own number.
    pub reference: Option<Reference>,
    /// When it lapses, or would have.
    pub expires_at: Time,
    /// When it was made.
    pub created_at: Time,
    /// When it was confirmed, released or lapsed.
    pub resolved_at: Option<Time>,
    /// The sales that it became, once it is confirmed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changes: Option<Vec<Change>>,
}

/// One line of a reservation.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct ReservationLine {
    /// Whose stock.
    pub product_id: ProductId,
    /// Its SKU.
    pub sku: Sku,
    /// Where.
    pub location: Location,
    /// Units held.
    pub quantity: i64,
}

/// How far a reservation has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ReservationStatus {
    /// Its units are held.
    Active,
    /// Its units were sold, all or a part.
    Confirmed,
    /// Its units were let go.
    Released,
    /// Its time passed.
    Expired,
}

impl ReservationAnswer {
    /// Shows a reservation as it stands at `now`.
    pub fn of(reservation: &Reservation, now: Time, changes: Option<Vec<Change>>) -> Self {
        let (status, resolved_at) = match reservation.state {
            State::Active if reservation.has_expired(now) => (ReservationStatus::Expired, Some(reservation.expires_at)),
            State::Active => (ReservationStatus::Active, None),
            State::Confirmed => (ReservationStatus::Confirmed, reservation.resolved_at),
            State::Released => (ReservationStatus::Released, reservation.resolved_at),
        };
        let line = |hold: &Hold| ReservationLine {
            product_id: hold.stream.product_id,
            sku: hold.sku.clone(),
            location: hold.stream.location.clone(),
            quantity: hold.quantity,
        };
        let Reservation { id, reference, expires_at, created_at, .. } = reservation.clone();
        let lines = reservation.lines.iter().map(line).collect();
        Self { id, status, lines, reference, expires_at, created_at, resolved_at, changes }
    }
}

/// Both halves of a transfer.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct TransferAnswer {
    /// The transfer's id, which is that of its leaving half.
    pub id: Uuid,
    /// What left, then what arrived.
    pub changes: [Change; 2],
}

/// The answer to one change.
pub fn single(judged: Judged) -> Answer {
    match judged {
        Ok(change) => json(201, &change),
        Err(problem) => refused(&problem),
    }
}

/// The answer to a row of an import. One that was recorded needs no words: the ledger has it, and nobody asks for them.
pub fn import_row(judged: Judged) -> Answer {
    match judged {
        Ok(_) => Answer { status: 201, ..nothing() },
        Err(problem) => refused(&problem),
    }
}

/// The answer to a batch that was recorded, as far as its lines go.
pub fn batch(judged: Vec<Judged>) -> Answer {
    json(200, &results(judged))
}

/// The answer to an atomic batch of which a line was refused: the lines at fault say why, the others that they fell with them.
pub fn rejected_batch(judged: Vec<Judged>) -> Answer {
    let fell = || Problem::new(Kind::Conflict, "batch_rejected", "another line of the batch was refused");
    let answer = results(judged.into_iter().map(|line| Err(line.err().unwrap_or_else(fell))).collect());
    let detail = "a line was refused, so nothing was recorded; `results` says which and why";
    let problem = Problem::new(Kind::Conflict, "batch_rejected", detail).with("accepted", 0).with("rejected", answer.results.len());
    json(409, &problem.with("results", serde_json::to_value(&answer.results).unwrap_or_default()))
}

/// The answer to a transfer.
pub fn transfer(id: Uuid, changes: [Change; 2]) -> Answer {
    json(201, &TransferAnswer { id, changes })
}

/// The answer to a reservation that was made.
pub fn reserved(reservation: &ReservationAnswer) -> Answer {
    Answer { location: Some(format!("/v1/reservations/{}", reservation.id)), ..json(201, reservation) }
}

/// The answer to a step of a reservation.
pub fn reservation(reservation: &ReservationAnswer) -> Answer {
    json(200, reservation)
}

/// The answer that says no.
pub fn refused(problem: &Problem) -> Answer {
    json(problem.status, problem)
}

/// The answer that nobody reads.
pub fn nothing() -> Answer {
    Answer { status: 204, body: None, location: None, etag: None }
}

fn results(judged: Vec<Judged>) -> BatchAnswer {
    let accepted = judged.iter().filter(|line| line.is_ok()).count();
    let rejected = judged.len() - accepted;
    let result = |(index, line): (usize, Judged)| match line {
        Ok(change) => BatchResult { index, status: LineStatus::Accepted, change: Some(change), error: None },
        Err(problem) => BatchResult { index, status: LineStatus::Rejected, change: None, error: Some(problem) },
    };
    BatchAnswer { accepted, rejected, results: judged.into_iter().enumerate().map(result).collect() }
}

fn json(status: u16, value: &impl Serialize) -> Answer {
    // Strings, numbers and maps with string keys: it always can be written.
    Answer { status, body: Some(serde_json::to_vec(value).unwrap_or_default()), location: None, etag: None }
}
