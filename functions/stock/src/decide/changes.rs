//! Orders that move units: one change, a batch, a row of an import, a transfer.
//!
//! Pure. It says which lines stand or fall together, and leaves each line's judgement to the desk.

use fault::Problem;
use postgres::keys::Answer;

use super::desk::Desk;
use crate::answer;
use crate::order::{Judged, Line};

/// One change: the change, or the refusal.
pub(super) fn single(desk: &mut Desk, line: &Line) -> Answer {
    answer::single(desk.movement(line))
}

/// A row of an import.
pub(super) fn import_row(desk: &mut Desk, line: &Line) -> Answer {
    answer::import_row(desk.movement(line))
}

/// Each line by itself.
pub(super) fn independent(desk: &mut Desk, lines: &[Result<Line, Problem>]) -> Answer {
    let mark = desk.mark();
    let judged = each(desk, lines);
    if !judged.iter().any(is_ours) {
        return answer::batch(judged);
    }
    desk.take_back(mark);
    answer::refused(&Problem::internal())
}

/// All lines or none.
pub(super) fn atomic(desk: &mut Desk, lines: &[Result<Line, Problem>]) -> Answer {
    let mark = desk.mark();
    let judged = each(desk, lines);
    if judged.iter().all(Result::is_ok) {
        return answer::batch(judged);
    }
    desk.take_back(mark);
    if judged.iter().any(is_ours) { answer::refused(&Problem::internal()) } else { answer::rejected_batch(judged) }
}

/// Whether a line failed through a fault of ours: that is no judgement, and nothing of the order stands.
fn is_ours(judged: &Judged) -> bool {
    judged.as_ref().is_err_and(|problem| problem.status >= 500)
}

/// Both halves or none.
pub(super) fn transfer(desk: &mut Desk, out: &Line, into: &Line) -> Answer {
    let mark = desk.mark();
    match desk.movement(out).and_then(|left| Ok([left, desk.movement(into)?])) {
        Ok(changes) => answer::transfer(out.id, changes),
        Err(problem) => {
            desk.take_back(mark);
            answer::refused(&problem)
        }
    }
}

fn each(desk: &mut Desk, lines: &[Result<Line, Problem>]) -> Vec<Judged> {
    lines.iter().map(|line| line.as_ref().map_err(Clone::clone).and_then(|line| desk.movement(line))).collect()
}
