//! The schedule against a naive model, which looks through its whole queue at every turn. The two must do the same at every step, and what
//! they do is held against the promises one by one, in case both are wrong.

use std::collections::HashSet;

use proptest::prelude::*;

use super::LaneError;
use super::schedule::{BATCH_LINES, QUEUE_BYTES, QUEUE_LINES, Schedule, Size};

/// A request, known by its number in the order in which it was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Asked {
    number: usize,
    size: Size,
    claims: Vec<u64>,
}

impl Asked {
    fn shares_with(&self, others: &[Asked]) -> bool {
        others.iter().any(|other| other.claims.iter().any(|claim| self.claims.contains(claim)))
    }
}

/// The rules in their plainest form.
struct Model {
    queue: Vec<Asked>,
    in_flight: Vec<Vec<Asked>>,
}

impl Model {
    fn enqueue(&mut self, asked: Asked) -> bool {
        let lines: usize = self.queue.iter().map(|waiting| waiting.size.lines).sum();
        let bytes: usize = self.queue.iter().map(|waiting| waiting.size.bytes).sum();
        let fits = lines + asked.size.lines <= QUEUE_LINES && bytes + asked.size.bytes <= QUEUE_BYTES;
        let let_in = fits || self.queue.is_empty();
        if let_in {
            self.queue.push(asked);
        }
        let_in
    }

    fn take(&mut self, lane: usize) -> Vec<Asked> {
        let mut kept_off: HashSet<u64> = self.in_flight.iter().flatten().flat_map(|asked| asked.claims.clone()).collect();
        let (mut batch, mut stay, mut lines) = (Vec::new(), Vec::new(), 0);
        let mut queue = std::mem::take(&mut self.queue).into_iter();
        for asked in queue.by_ref() {
            if asked.claims.iter().any(|claim| kept_off.contains(claim)) {
                kept_off.extend(&asked.claims);
                stay.push(asked);
            } else if lines + asked.size.lines > BATCH_LINES && lines > 0 {
                stay.push(asked);
                break;
            } else {
                lines += asked.size.lines;
                batch.push(asked);
            }
        }
        self.queue = stay.into_iter().chain(queue).collect();
        self.in_flight[lane].clone_from(&batch);
        batch
    }
}

/// What happens next.
#[derive(Debug, Clone)]
enum Step {
    Ask(Size, Vec<u64>),
    Take(usize),
    Done(usize),
}

const LANES: usize = 3;

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let lines = prop_oneof![20 => 1_usize..4, 6 => 100_usize..700, 2 => 1020_usize..1030, 1 => 5_000_usize..20_000];
    let bytes = prop_oneof![20 => 100_usize..2000, 1 => (1_usize << 20)..(18 << 20)];
    let claims = proptest::collection::vec(prop_oneof![0_u64..3, 0_u64..12], 0..4);
    let ask = (lines, bytes, claims).prop_map(|(lines, bytes, claims)| Step::Ask(Size { lines, bytes }, claims));
    let step = prop_oneof![4 => ask, 2 => (0..LANES).prop_map(Step::Take), 2 => (0..LANES).prop_map(Step::Done)];
    proptest::collection::vec(step, 0..200)
}

/// The schedule and its model side by side, with what has been seen of them.
struct Both {
    schedule: Schedule<usize>,
    model: Model,
    asked: Vec<Asked>,
    let_in: Vec<usize>,
    taken: Vec<usize>,
}

impl Both {
    fn new() -> Self {
        let model = Model { queue: Vec::new(), in_flight: vec![Vec::new(); LANES] };
        Self { schedule: Schedule::new(LANES), model, asked: Vec::new(), let_in: Vec::new(), taken: Vec::new() }
    }

    fn ask(&mut self, size: Size, claims: Vec<u64>) {
        let asked = Asked { number: self.asked.len(), size, claims };
        self.asked.push(asked.clone());
        let let_in = self.schedule.enqueue(asked.number, size, asked.claims.clone());
        if self.model.enqueue(asked.clone()) {
            assert_eq!(let_in, Ok(()), "there was room");
            self.let_in.push(asked.number);
        } else {
            assert_eq!(let_in, Err(LaneError::Overloaded), "there was no room");
        }
    }

    fn take(&mut self, lane: usize) {
        let elsewhere = self.model.in_flight.concat();
        let expected = self.model.take(lane);
        let numbers = self.schedule.take(lane).unwrap_or_default();
        assert_eq!(numbers, expected.iter().map(|asked| asked.number).collect::<Vec<_>>(), "the batch of the naive model");
        let batch: Vec<&Asked> = numbers.iter().map(|number| &self.asked[*number]).collect();
        let lines: usize = batch.iter().map(|asked| asked.size.lines).sum();
        assert!(lines <= BATCH_LINES || batch.len() == 1, "{} requests with {lines} lines are too much", batch.len());
        for asked in batch {
            assert!(!asked.shares_with(&elsewhere), "a claim of {asked:?} is in flight in another lane");
            let older = self.model.queue.iter().filter(|waiting| waiting.number < asked.number);
            assert!(
                !asked.shares_with(&older.cloned().collect::<Vec<_>>()),
                "{asked:?} has overtaken an older request with the same claim"
            );
        }
        // Whatever keeps the oldest from going is in flight, and nothing younger can join that: so the oldest goes when that is done.
        if let Some(oldest) = self.model.queue.first().filter(|oldest| numbers.iter().any(|number| *number > oldest.number)) {
            assert!(oldest.shares_with(&elsewhere), "{oldest:?} was overtaken without a reason");
        }
        self.taken.extend(numbers);
    }

    fn done(&mut self, lane: usize) {
        self.schedule.done(lane);
        self.model.in_flight[lane].clear();
    }

    /// Whether `lane` may take.
    fn is_free(&self, lane: usize) -> bool {
        self.model.in_flight[lane].is_empty()
    }

    fn bounds_are_exact(&self) {
        let sum = |of: fn(&Size) -> usize| self.model.queue.iter().map(|waiting| of(&waiting.size)).sum::<usize>();
        let (lines, bytes) = (sum(|size| size.lines), sum(|size| size.bytes));
        assert_eq!(self.schedule.queued(), Size { lines, bytes });
        assert_eq!(self.schedule.is_full(), lines >= QUEUE_LINES || bytes >= QUEUE_BYTES);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(3000) })]

    #[test]
    fn batches_are_those_of_a_naive_queue_and_nothing_is_lost_or_starves(steps in steps()) {
        let mut both = Both::new();
        for step in steps {
            match step {
                Step::Ask(size, claims) => both.ask(size, claims),
                Step::Take(lane) if both.is_free(lane) => both.take(lane),
                Step::Take(_) => {}
                Step::Done(lane) => both.done(lane),
            }
            both.bounds_are_exact();
        }
        for lane in 0..LANES {
            both.done(lane);
        }
        while !both.model.queue.is_empty() {
            let before = both.taken.len();
            both.take(0);
            prop_assert!(both.taken.len() > before, "a free lane takes something while anything waits");
            both.done(0);
        }
        both.taken.sort_unstable();
        prop_assert_eq!(&both.taken, &both.let_in, "what was let in is taken once");
        prop_assert!(both.schedule.is_empty(), "nothing is kept of what is done");
    }

    /// The lanes as their loops behave: each takes when it is called, and again when it is done.
    #[test]
    fn while_a_request_may_go_a_lane_is_coming_or_all_are_committing(steps in steps()) {
        let mut schedule = Schedule::new(LANES);
        let (mut coming, mut committing): (HashSet<usize>, HashSet<usize>) = ((0..LANES).collect(), HashSet::new());
        let mut may_go = Both::new();
        for step in steps {
            match step {
                Step::Ask(size, claims) => {
                    let _ = schedule.enqueue((), size, claims.clone());
                    may_go.ask(size, claims);
                }
                Step::Take(lane) if coming.remove(&lane) => {
                    let batch = schedule.take(lane);
                    may_go.take(lane);
                    if batch.is_some() {
                        committing.insert(lane);
                    }
                }
                Step::Done(lane) if committing.remove(&lane) => {
                    schedule.done(lane);
                    may_go.done(lane);
                    coming.insert(lane);
                }
                Step::Take(_) | Step::Done(_) => {}
            }
            let called = schedule.call();
            if let Some(lane) = called {
                prop_assert!(coming.is_empty(), "nobody is called while another is coming");
                prop_assert!(!committing.contains(&lane), "nobody is called while he commits");
                coming.insert(lane);
            }
            prop_assert_eq!(schedule.call(), None, "one is called at a time");
            let sleeping = coming.len() + committing.len() < LANES;
            if sleeping && coming.is_empty() {
                let free = (0..LANES).find(|lane| may_go.is_free(*lane)).expect("one sleeps");
                let mut model = Model { queue: may_go.model.queue.clone(), in_flight: may_go.model.in_flight.clone() };
                prop_assert!(model.take(free).is_empty(), "a request may go and nobody comes");
            }
        }
    }
}
