//! Whether answers that were given at the same time have an order that explains them all.
//!
//! The order must respect real time: what was answered before something else was asked comes first. Each answer must then be the one that the
//! model gives in that order, figure by figure. No version is trusted: they are figures of the answers like all others.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use todc_utils::linearizability::WGLChecker;
use todc_utils::linearizability::history::{Action, History};
use todc_utils::specifications::Specification;

use super::ask::{Op, What};
use super::expect::Answered;
use super::log::Log;
use super::shelf::Shelf;

/// For making a contradiction shorter.
const PATIENCE: Duration = Duration::from_secs(20);

/// An operation, what it was answered, and when, from the history's start.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Done {
    /// Who asked; nobody asks twice at the same time.
    pub(super) client: usize,
    pub(super) asked: Duration,
    pub(super) answered: Duration,
    pub(super) op: Op,
    /// None is of no interest: any would do.
    pub(super) answer: Option<Answered>,
}

impl fmt::Debug for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { client, asked, answered, op, answer } = self;
        let key = op.key.map_or(String::new(), |key| format!(" under key {key}"));
        write!(f, "client {client} from {asked:?} to ")?;
        match answer {
            None => write!(f, "later: {:?}{key}", op.what),
            Some(Answered { status, body, replayed }) => {
                let replayed = if *replayed { " (replayed)" } else { "" };
                write!(f, "{answered:?}: {:?}{key}\n    {status} {}{replayed}", op.what, brief(body))
            }
        }
    }
}

/// What a person who looks for a contradiction does not need.
const NOISE: [&str; 9] = ["id", "product_id", "occurred_at", "recorded_at", "created_at", "reason", "unit_price", "detail", "title"];

/// An answer without what only makes it longer.
fn brief(body: &Value) -> Value {
    match body {
        Value::Object(fields) => {
            let told = fields.iter().filter(|(name, value)| !NOISE.contains(&name.as_str()) && !value.is_null());
            Value::Object(told.map(|(name, value)| (name.clone(), brief(value))).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(brief).collect()),
        other => other.clone(),
    }
}

impl Done {
    /// Whether nothing can depend on it: a read, a repetition, or a refusal under no key.
    fn is_idle(&self) -> bool {
        let idle = |answer: &Answered| answer.replayed || answer.status >= 400 && self.op.key.is_none();
        self.answer.as_ref().is_some_and(idle) || matches!(self.op.what, What::Level { .. } | What::Reservation { .. })
    }
}

/// The model as the checker takes it.
struct Clerk;

impl Specification for Clerk {
    type State = Shelf;
    type Operation = Arc<Done>;

    fn init() -> Shelf {
        Shelf::default()
    }

    fn apply(done: &Arc<Done>, before: &Shelf) -> (bool, Shelf) {
        let mut after = before.clone();
        let expected = after.apply(&done.op, &mut Log::default());
        let differs = done.answer.as_ref().is_some_and(|answer| expected.differs(answer).is_some());
        if differs { (false, before.clone()) } else { (true, after) }
    }
}

/// Whether there is such an order.
pub(super) fn is_linearizable(history: &[Done]) -> bool {
    if history.is_empty() {
        return true;
    }
    let each = || history.iter().cloned().map(Arc::new);
    let asked = each().map(|done| (done.asked, false, done.client, Action::Call(done)));
    let answered = each().map(|done| (done.answered, true, done.client, Action::Response(done)));
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
    let end = ends.partition_point(|end| is_linearizable(&until(history, *end)));
    let Some(end) = ends.get(end) else { return history.to_vec() };
    let mut contradiction = until(history, *end);
    contradiction.sort_by_key(|done| done.asked);
    let (begun, mut place) = (Instant::now(), 0);
    while place < contradiction.len() && begun.elapsed() < PATIENCE {
        let done = contradiction.remove(place);
        if !done.is_idle() || is_linearizable(&contradiction) {
            contradiction.insert(place, done);
            place += 1;
        }
    }
    contradiction
}

/// A history as it stood at a moment. What was under way then may have happened or not: it may take any answer, and so come last as well.
fn until(history: &[Done], end: Duration) -> Vec<Done> {
    let begun = history.iter().filter(|done| done.asked <= end);
    let as_known =
        |done: &Done| if done.answered <= end { done.clone() } else { Done { answered: Duration::MAX, answer: None, ..done.clone() } };
    begun.map(as_known).collect()
}
