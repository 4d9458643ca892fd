//! Group commit: while one transaction flushes, requests queue; the next transaction takes them all.
//!
//! A hot row is limited by how often its lock is released, which is once a flush. Sharing one flush among all who wait lifts that limit
//! without giving up durability, and an idle service adds no delay, because there is no timer. The lane knows nothing of stock: it hands
//! batches to whoever commits them, and answers to callers.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{mpsc, oneshot};

/// Lines that may wait for a lane; beyond them callers are turned away at once.
const QUEUE_LINES: usize = 16_384;
/// Bytes that may wait for a lane, likewise.
const QUEUE_BYTES: usize = 16 << 20;
/// Lines in one transaction. A request that is larger goes alone.
const BATCH_LINES: usize = 1024;

/// What a request weighs while it waits.
pub trait Request {
    /// Lines to be written.
    fn lines(&self) -> usize;
    /// Bytes held in memory, roughly.
    fn bytes(&self) -> usize;
    /// What it needs for itself.
    fn claims(&self, claim: &mut dyn FnMut(u64));
}

/// Why no answer came. Neither says that the request was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LaneError {
    /// The queue is full. Nothing happened; try again later.
    #[error("too many changes are waiting, try again later")]
    Overloaded,
    /// The lane has stopped. The request may have been recorded: ask again with the same idempotency key.
    #[error("the outcome is unknown, ask again with the same idempotency key")]
    OutcomeUnknown,
}

struct Waiting<Q, A> {
    request: Q,
    caller: oneshot::Sender<A>,
    lines: usize,
    bytes: usize,
}

/// What waits in a lane.
#[derive(Debug, Default)]
struct Load {
    lines: AtomicUsize,
    bytes: AtomicUsize,
}

impl Load {
    /// Makes room, or says that there is none. A queue that is empty takes anything, so that no size is refused for ever.
    fn enter(&self, lines: usize, bytes: usize) -> bool {
        let lines_before = self.lines.fetch_add(lines, Ordering::AcqRel);
        let bytes_before = self.bytes.fetch_add(bytes, Ordering::AcqRel);
        let fits = lines_before + lines <= QUEUE_LINES && bytes_before + bytes <= QUEUE_BYTES;
        if fits || lines_before == 0 {
            return true;
        }
        self.leave(lines, bytes);
        false
    }

    fn leave(&self, lines: usize, bytes: usize) {
        self.lines.fetch_sub(lines, Ordering::AcqRel);
        self.bytes.fetch_sub(bytes, Ordering::AcqRel);
    }
}

/// The sending half of a lane. Cheap to clone.
#[derive(Debug)]
pub struct Lane<Q, A> {
    queue: mpsc::UnboundedSender<Waiting<Q, A>>,
    load: Arc<Load>,
}

impl<Q, A> Clone for Lane<Q, A> {
    fn clone(&self) -> Self {
        Self { queue: self.queue.clone(), load: Arc::clone(&self.load) }
    }
}

impl<Q: Request, A> Lane<Q, A> {
    /// Queues `request` and waits for its answer.
    ///
    /// A caller that goes away does not take its request back: it is committed with its batch all the same.
    pub async fn submit(&self, request: Q) -> Result<A, LaneError> {
        self.enqueue(request)?.answer().await
    }

    /// Queues `request` now; its answer can be waited for later. Requests of one caller are committed in the order in which they were queued.
    pub fn enqueue(&self, request: Q) -> Result<Pending<A>, LaneError> {
        let (lines, bytes) = (request.lines(), request.bytes());
        if !self.load.enter(lines, bytes) {
            return Err(LaneError::Overloaded);
        }
        let (caller, answer) = oneshot::channel();
        if self.queue.send(Waiting { request, caller, lines, bytes }).is_err() {
            self.load.leave(lines, bytes);
            return Err(LaneError::OutcomeUnknown);
        }
        Ok(Pending(answer))
    }
}

/// The answer to a request that is queued.
#[derive(Debug)]
pub struct Pending<A>(oneshot::Receiver<A>);

impl<A> Pending<A> {
    /// Waits for it.
    pub async fn answer(self) -> Result<A, LaneError> {
        self.0.await.map_err(|_| LaneError::OutcomeUnknown)
    }
}

/// Makes durable what a lane hands it.
pub trait Commit<Q, A>: Send {
    /// Commits one batch and returns one answer for each request, in order.
    fn commit(&mut self, batch: Vec<Q>) -> impl Future<Output = Vec<A>> + Send;
}

/// Makes a lane and the loop that drives it; the loop ends when every [`Lane`] is dropped and the queue is empty.
pub fn lane<Q: Request + Send, A: Send>(mut committer: impl Commit<Q, A>) -> (Lane<Q, A>, impl Future<Output = ()> + Send) {
    let (queue, mut waiting) = mpsc::unbounded_channel::<Waiting<Q, A>>();
    let load = Arc::new(Load::default());
    let entered = Arc::clone(&load);
    let drive = async move {
        let mut held_back = None;
        loop {
            let first = match held_back.take() {
                Some(first) => first,
                None => match waiting.recv().await {
                    Some(first) => first,
                    None => return,
                },
            };
            let mut lines = first.lines;
            let mut batch = vec![first];
            while lines < BATCH_LINES {
                let Ok(next) = waiting.try_recv() else { break };
                if lines + next.lines > BATCH_LINES {
                    held_back = Some(next);
                    break;
                }
                lines += next.lines;
                batch.push(next);
            }
            let bytes = batch.iter().map(|waiting| waiting.bytes).sum();
            let (requests, callers): (Vec<_>, Vec<_>) = batch.into_iter().map(|waiting| (waiting.request, waiting.caller)).unzip();
            let answers = committer.commit(requests).await;
            entered.leave(lines, bytes);
            for (caller, answer) in callers.into_iter().zip(answers) {
                // A caller that went away is not an error: its request is recorded.
                let _ = caller.send(answer);
            }
        }
    };
    (Lane { queue, load }, drive)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Lines(usize);

    impl Request for Lines {
        fn lines(&self) -> usize {
            self.0
        }
        fn bytes(&self) -> usize {
            100 * self.0
        }
        fn claims(&self, _: &mut dyn FnMut(u64)) {}
    }

    struct Sizes(mpsc::UnboundedSender<usize>);

    impl Commit<Lines, usize> for Sizes {
        async fn commit(&mut self, batch: Vec<Lines>) -> Vec<usize> {
            self.0.send(batch.len()).expect("the test listens");
            tokio::task::yield_now().await; // the flush: others run and queue
            batch.into_iter().map(|lines| lines.0).collect()
        }
    }

    #[tokio::test(flavor = "current_thread")]
    async fn what_queues_during_a_flush_shares_the_next_one() {
        let (sizes, mut seen) = mpsc::unbounded_channel();
        let (lane, drive) = lane(Sizes(sizes));
        tokio::spawn(drive);
        let first = lane.submit(Lines(1));
        let rest = async { tokio::join!(lane.submit(Lines(2)), lane.submit(Lines(3)), lane.submit(Lines(4))) };
        let (first, rest) = tokio::join!(first, async {
            tokio::task::yield_now().await;
            rest.await
        });
        assert_eq!((first, rest), (Ok(1), (Ok(2), Ok(3), Ok(4))));
        assert_eq!((seen.recv().await, seen.recv().await), (Some(1), Some(3)));
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_request_beyond_the_bound_of_a_batch_goes_alone() {
        let (sizes, mut seen) = mpsc::unbounded_channel();
        let (lane, drive) = lane(Sizes(sizes));
        let submitted = async { tokio::join!(lane.submit(Lines(1)), lane.submit(Lines(5000)), lane.submit(Lines(1))) };
        let driven = async {
            tokio::select! { () = drive => {}, answers = submitted => assert_eq!(answers, (Ok(1), Ok(5000), Ok(1))) }
        };
        driven.await;
        assert_eq!((seen.recv().await, seen.recv().await, seen.recv().await), (Some(1), Some(1), Some(1)));
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_full_queue_turns_away_at_once() {
        let (sizes, _seen) = mpsc::unbounded_channel();
        let (lane, _idle) = lane(Sizes(sizes));
        let full = async { tokio::join!(lane.submit(Lines(QUEUE_LINES)), lane.submit(Lines(1))) };
        let turned_away = tokio::select! {
            biased;
            _ = full => unreachable!("nobody drives the lane"),
            () = tokio::task::yield_now() => lane.submit(Lines(1)).await,
        };
        assert_eq!(turned_away, Err(LaneError::Overloaded));
    }
}
