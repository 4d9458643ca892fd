//! What an import says of the rows that failed.

use fault::Problem;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Errors that are told one by one; the rest is only counted.
const TOLD: usize = 1000;

/// The rows that failed. A service's answer flattens it beside its own counts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Report {
    /// How many failed.
    pub failed: u64,
    /// The first 1,000 of them.
    pub errors: Vec<LineError>,
}

/// Why one row failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LineError {
    /// The 1-based line of the body where the row begins.
    pub line: u64,
    /// Stable, for programs: that of the field at fault, else that of the problem.
    pub code: String,
    /// For people.
    pub detail: String,
}

impl Report {
    /// Counts a row that failed, and tells why if it is among the first.
    pub fn add(&mut self, line: u64, problem: &Problem) {
        self.failed += 1;
        if self.errors.len() < TOLD {
            let code = match problem.errors.as_slice() {
                [error] => error.code.clone(),
                _ => problem.code.to_string(),
            };
            self.errors.push(LineError { line, code, detail: problem.detail.clone() });
        }
    }
}
