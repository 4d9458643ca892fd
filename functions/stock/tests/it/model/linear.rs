//! Whether answers that were given at the same time have an order that explains them all.
//!
//! The order must respect real time: what was answered before something else was asked comes first. Each answer must then be the one that the
//! model gives in that order, figure by figure. No version is trusted: they are figures of the answers like all others.

use std::fmt;
use std::time::Duration;

use todc_utils::linearizability::WGLChecker;
use todc_utils::linearizability::history::{Action, History};
use todc_utils::specifications::Specification;

use super::ask::{Op, What};
use super::expect::Answered;
use super::log::Log;
use super::shelf::Shelf;

/// An operation, what it was answered, and when, from the history's start.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Done {
    /// Who asked; nobody asks twice at the same time.
    pub(super) client: usize,
    pub(super) asked: Duration,
    pub(super) answered: Duration,
    pub(super) op: Op,
    pub(super) answer: Answered,
}

impl fmt::Debug for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { client, asked, answered, op, answer } = self;
        let key = op.key.map_or(String::new(), |key| format!(" under key {key}"));
        let replayed = if answer.replayed { " (replayed)" } else { "" };
        write!(f, "client {client} from {asked:?} to {answered:?}: {:?}{key}\n    {} {}{replayed}", op.what, answer.status, answer.body)
    }
}

impl Done {
    /// Whether nothing can depend on it: a read, a repetition, or a refusal under no key.
    fn is_idle(&self) -> bool {
        let refused = self.answer.status >= 400 && self.op.key.is_none();
        refused || self.answer.replayed || matches!(self.op.what, What::Level { .. } | What::Reservation { .. })
    }
}

/// The model as the checker takes it.
struct Clerk;

impl Specification for Clerk {
    type State = Shelf;
    type Operation = Done;

    fn init() -> Shelf {
        Shelf::default()
    }

    fn apply(done: &Done, before: &Shelf) -> (bool, Shelf) {
        let mut after = before.clone();
        let expected = after.apply(&done.op, &mut Log::default());
        if expected.differs(&done.answer).is_none() { (true, after) } else { (false, before.clone()) }
    }
}

/// Whether there is such an order.
pub(super) fn is_linearizable(history: &[Done]) -> bool {
    if history.is_empty() {
        return true;
    }
    let asked = history.iter().map(|done| (done.asked, false, done.client, Action::Call(done.clone())));
    let answered = history.iter().map(|done| (done.answered, true, done.client, Action::Response(done.clone())));
    let mut actions: Vec<_> = asked.chain(answered).collect();
    // What happened in the same instant happened at the same time.
    actions.sort_by_key(|(when, is_answer, client, _)| (*when, *is_answer, *client));
    let actions = actions.into_iter().map(|(_, _, client, action)| (client, action)).collect();
    WGLChecker::<Clerk>::is_linearizable(History::from_actions(actions))
}

/// The first moment by which a history has no order any more, and of what was asked until then only what it takes.
pub(super) fn first_contradiction(history: &[Done]) -> Vec<Done> {
    let mut ends: Vec<Duration> = history.iter().map(|done| done.answered).collect();
    ends.sort_unstable();
    let Some(end) = ends.into_iter().find(|end| !explained(&until(history, *end), *end)) else { return history.to_vec() };
    let mut contradiction = until(history, end);
    contradiction.sort_by_key(|done| done.asked);
    let mut place = 0;
    while place < contradiction.len() {
        let done = contradiction.remove(place);
        if !done.is_idle() || explained(&contradiction, end) {
            contradiction.insert(place, done);
            place += 1;
        }
    }
    contradiction
}

fn until(history: &[Done], end: Duration) -> Vec<Done> {
    history.iter().filter(|done| done.asked <= end && (done.answered <= end || !done.is_idle())).cloned().collect()
}

/// Whether what was answered by `end` has an order, with any of what was still under way by then, or none of it.
fn explained(history: &[Done], end: Duration) -> bool {
    let (over, under_way): (Vec<_>, Vec<_>) = history.iter().cloned().partition(|done| done.answered <= end);
    (0..1_u32 << under_way.len()).any(|chosen| {
        let chosen = under_way.iter().enumerate().filter(|(place, _)| chosen & (1 << place) != 0).map(|(_, done)| done.clone());
        is_linearizable(&over.iter().cloned().chain(chosen).collect::<Vec<_>>())
    })
}
