//! What callers and committers are promised, one story each.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::mpsc;
use tokio::task::yield_now;

use super::schedule::QUEUE_LINES;
use super::*;

struct Lines(usize);

impl Request for Lines {
    fn lines(&self) -> usize {
        self.0
    }
    fn bytes(&self) -> usize {
        100 * self.0
    }
    fn claims(&self, claim: &mut dyn FnMut(u64)) {
        claim(0);
    }
}

/// Tells how many requests were in each batch.
struct Sizes(mpsc::UnboundedSender<usize>);

impl Commit<Lines, usize> for Sizes {
    async fn commit(&mut self, batch: Vec<Lines>) -> Vec<usize> {
        self.0.send(batch.len()).expect("the test listens");
        yield_now().await; // the flush: others run and queue
        batch.into_iter().map(|lines| lines.0).collect()
    }
}

/// Lanes whose loops run.
fn running<C: Commit<Lines, usize> + 'static>(committers: Vec<C>) -> Lane<Lines, usize> {
    let (lane, loops) = lanes(committers);
    for drive in loops {
        tokio::spawn(drive);
    }
    lane
}

#[tokio::test(flavor = "current_thread")]
async fn what_queues_during_a_flush_shares_the_next_one() {
    let (sizes, mut seen) = mpsc::unbounded_channel();
    let lane = running(vec![Sizes(sizes)]);
    let first = lane.submit(Lines(1));
    let rest = async { tokio::join!(lane.submit(Lines(2)), lane.submit(Lines(3)), lane.submit(Lines(4))) };
    let (first, rest) = tokio::join!(first, async {
        yield_now().await;
        rest.await
    });
    assert_eq!((first, rest), (Ok(1), (Ok(2), Ok(3), Ok(4))));
    assert_eq!((seen.recv().await, seen.recv().await), (Some(1), Some(3)));
}

#[tokio::test(flavor = "current_thread")]
async fn a_request_beyond_the_bound_of_a_batch_goes_alone() {
    let (sizes, mut seen) = mpsc::unbounded_channel();
    let lane = running(vec![Sizes(sizes)]);
    let answers = tokio::join!(lane.submit(Lines(1)), lane.submit(Lines(5000)), lane.submit(Lines(1)));
    assert_eq!(answers, (Ok(1), Ok(5000), Ok(1)));
    assert_eq!((seen.recv().await, seen.recv().await, seen.recv().await), (Some(1), Some(1), Some(1)));
}

#[tokio::test(flavor = "current_thread")]
async fn a_full_queue_turns_away_at_once_and_an_empty_one_takes_anything() {
    let (sizes, mut seen) = mpsc::unbounded_channel();
    let (lane, mut loops) = lanes(vec![Sizes(sizes)]);
    let first = lane.enqueue(Lines(QUEUE_LINES - 1)).expect("the queue is empty");
    assert_eq!(lane.enqueue(Lines(2)).err(), Some(LaneError::Overloaded));
    assert_eq!((lane.is_full(), lane.admit()), (false, Ok(())));
    let second = lane.enqueue(Lines(1)).expect("one line has room");
    assert_eq!((lane.is_full(), lane.admit()), (true, Err(LaneError::Overloaded)));
    tokio::spawn(loops.remove(0));
    assert_eq!((first.answer().await, second.answer().await), (Ok(QUEUE_LINES - 1), Ok(1)));
    assert_eq!((lane.is_full(), lane.submit(Lines(2 * QUEUE_LINES)).await), (false, Ok(2 * QUEUE_LINES)));
    assert_eq!((seen.recv().await, seen.recv().await, seen.recv().await), (Some(1), Some(1), Some(1)));
}

#[tokio::test(flavor = "current_thread")]
async fn a_caller_who_leaves_takes_nothing_back() {
    let (sizes, mut seen) = mpsc::unbounded_channel();
    let lane = running(vec![Sizes(sizes)]);
    drop(lane.enqueue(Lines(1)).expect("there is room"));
    assert_eq!(lane.submit(Lines(2)).await, Ok(2));
    assert_eq!(seen.recv().await, Some(2), "both were in the batch");
}

#[tokio::test(flavor = "current_thread")]
async fn loops_end_when_everything_that_was_queued_is_answered() {
    let (sizes, _seen) = mpsc::unbounded_channel();
    let (lane, loops) = lanes(vec![Sizes(sizes.clone()), Sizes(sizes)]);
    let pending: Vec<_> = (0..10).map(|_| lane.enqueue(Lines(1000)).expect("there is room")).collect();
    drop(lane.clone());
    drop(lane);
    futures::future::join_all(loops).await;
    for answer in pending {
        assert_eq!(answer.answer().now_or_never(), Some(Ok(1000)));
    }
}

/// Panics at every request of 13 lines, and answers requests of 7 lines with too little.
struct Fragile;

impl Commit<Lines, usize> for Fragile {
    async fn commit(&mut self, batch: Vec<Lines>) -> Vec<usize> {
        yield_now().await;
        if batch.iter().any(|lines| lines.0 == 13) {
            // Like a panic, but without a message among those of the tests.
            std::panic::resume_unwind(Box::new("seeded"));
        }
        batch.into_iter().map(|lines| lines.0).filter(|lines| *lines != 7).collect()
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_panic_costs_its_own_batch_the_answers_and_nobody_else_anything() {
    let lane = running(vec![Fragile, Fragile]);
    let doomed = lane.enqueue(Lines(13)).expect("there is room");
    yield_now().await;
    // Behind the same claim: they wait for the batch that panics, and must not wait for ever.
    let behind = tokio::join!(lane.submit(Lines(1)), lane.submit(Lines(2)));
    assert_eq!((doomed.answer().await, behind), (Err(LaneError::OutcomeUnknown), (Ok(1), Ok(2))));
    assert_eq!(lane.submit(Lines(13)).await, Err(LaneError::OutcomeUnknown));
    assert_eq!(lane.submit(Lines(3)).await, Ok(3), "both lanes are still there");
}

#[tokio::test(flavor = "current_thread")]
async fn a_committer_that_forgets_an_answer_leaves_nobody_waiting() {
    let lane = running(vec![Fragile]);
    assert_eq!(lane.submit(Lines(7)).await, Err(LaneError::OutcomeUnknown));
}

#[tokio::test(flavor = "current_thread")]
async fn when_the_last_loop_is_gone_everybody_is_told() {
    let (lane, loops) = lanes(vec![Fragile, Fragile]);
    let waiting = lane.enqueue(Lines(1)).expect("there is room");
    drop(loops);
    assert_eq!(waiting.answer().await, Err(LaneError::OutcomeUnknown));
    assert_eq!(lane.submit(Lines(1)).await, Err(LaneError::OutcomeUnknown));
}

/// Counts how often it is asked for its claims.
struct Counted<'a>(&'a AtomicUsize);

impl Request for Counted<'_> {
    fn lines(&self) -> usize {
        1
    }
    fn bytes(&self) -> usize {
        1
    }
    fn claims(&self, _: &mut dyn FnMut(u64)) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl<'a> Commit<Counted<'a>, ()> for () {
    async fn commit(&mut self, batch: Vec<Counted<'a>>) -> Vec<()> {
        vec![(); batch.len()]
    }
}

#[test]
fn one_lane_alone_does_not_pay_for_claims() {
    let asked = AtomicUsize::new(0);
    for (committers, claims_asked) in [(vec![()], 0), (vec![(), ()], 1)] {
        let (lane, _loops) = lanes(committers);
        lane.enqueue(Counted(&asked)).expect("there is room");
        assert_eq!(asked.swap(0, Ordering::Relaxed), claims_asked);
    }
}
