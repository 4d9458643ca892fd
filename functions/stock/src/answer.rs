//! The answers of the ledger as bytes, made once: what is stored under the key is what the first caller reads.

use fault::{Kind, Problem};
use postgres::keys::Answer;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use contract::Change;

use crate::order::{Form, Judged};

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

/// Writes the answer for the lines of an order.
pub fn answer(form: Form, judged: Vec<Judged>) -> Answer {
    match form {
        Form::Single => single(judged),
        Form::ImportRow => import_row(judged),
        Form::IndependentBatch => json(200, &results(judged)),
        Form::AtomicBatch if judged.iter().all(Result::is_ok) => json(200, &results(judged)),
        Form::AtomicBatch => {
            let detail = "a line was refused, so nothing was recorded; `results` says which and why";
            let rejected = Problem::new(Kind::Conflict, "batch_rejected", detail);
            let answer = results(judged);
            let with = |name: &str, problem: Problem, value| problem.with(name, serde_json::to_value(value).unwrap_or_default());
            let problem = with("accepted", rejected, serde_json::json!(0));
            let problem = with("rejected", problem, serde_json::json!(answer.results.len()));
            json(409, &with("results", problem, serde_json::to_value(&answer.results).unwrap_or_default()))
        }
    }
}

/// The problem of a line that was fine in an atomic batch that was not.
pub fn rejected_with_others() -> Problem {
    Problem::new(Kind::Conflict, "batch_rejected", "another line of the batch was refused")
}

fn single(judged: Vec<Judged>) -> Answer {
    match judged.into_iter().next() {
        Some(Ok(change)) => json(201, &change),
        Some(Err(problem)) => json(problem.status, &problem),
        None => json(500, &Problem::internal()),
    }
}

/// A row that was recorded needs no words: the ledger has it, and nobody asks for them.
fn import_row(judged: Vec<Judged>) -> Answer {
    match judged.into_iter().next() {
        Some(Err(problem)) => json(problem.status, &problem),
        _ => Answer { status: 201, body: None, location: None, etag: None },
    }
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
