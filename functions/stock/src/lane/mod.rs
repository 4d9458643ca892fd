//! Group commit: while one transaction flushes, requests queue; the next transaction takes them all.
//!
//! A hot row is limited by how often its lock is released, which is once a flush. Sharing one flush among all who wait lifts that limit
//! without giving up durability. One or more lanes empty one queue; which request goes when is decided by `schedule`, a pure state machine,
//! and here is all there is of concurrency: a lock around it that nobody keeps while waiting, one step at a time, and after each
//! step the lane that is needed now is woken. It knows nothing of stock: it hands batches to whoever commits them, and answers to callers.

mod schedule;

#[cfg(test)]
mod model;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;

use std::future::{Future, poll_fn};
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Poll, Waker};

use futures::FutureExt;
use metrics::{Counter, Gauge};
use tokio::sync::oneshot;

use schedule::{Schedule, Size};

/// What a lane must know of a request.
pub trait Request {
    /// Lines to be written, at least one.
    fn lines(&self) -> usize;
    /// Bytes held in memory, roughly.
    fn bytes(&self) -> usize;
    /// Says what it will touch, each thing as a number that is the same for all who touch it. Requests that claim the same thing are committed
    /// in the order in which they were queued, and never in two lanes at once.
    fn claims(&self, claim: &mut dyn FnMut(u64));
}

/// Makes durable what a lane hands it.
pub trait Commit<Q, A>: Send {
    /// Commits one batch and returns one answer for each request, in order.
    ///
    /// Should it panic, the callers of this batch are told that the outcome is unknown, and the next batch is handed to the same committer. So it
    /// must not rely on what an earlier call left half done: a connection, say, is put back only after it was used to the end.
    fn commit(&mut self, batch: Vec<Q>) -> impl Future<Output = Vec<A>> + Send;
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

/// A request and the caller who waits for its answer.
struct Waiting<Q, A> {
    request: Q,
    caller: oneshot::Sender<A>,
}

/// What callers and lanes share.
struct Shared<Q, A> {
    state: Mutex<State<Q, A>>,
    /// Whether the queue was full after the last step, to be seen without the lock.
    full: AtomicBool,
    /// Where there is one lane only, nothing is ever in flight elsewhere, and claims need not be asked for.
    one_lane: bool,
    meters: OnceLock<Meters>,
}

struct State<Q, A> {
    schedule: Schedule<Waiting<Q, A>>,
    /// How each lane that sleeps is woken.
    sleepers: Vec<Option<Waker>>,
}

/// Handles of metrics, had at the first request: lanes may begin before metrics do.
struct Meters {
    waiting_lines: Gauge,
    shed: Counter,
}

impl Meters {
    fn new() -> Self {
        metrics::describe_gauge!("gudang_lane_waiting_lines", "lines that wait for a lane");
        metrics::describe_counter!("gudang_lane_shed_total", "requests turned away because too much was waiting");
        Self { waiting_lines: metrics::gauge!("gudang_lane_waiting_lines"), shed: metrics::counter!("gudang_lane_shed_total") }
    }
}

impl<Q, A> Shared<Q, A> {
    /// Takes one step and wakes the lane that is needed after it. Whatever changes is changed here.
    fn step<R>(&self, step: impl FnOnce(&mut State<Q, A>) -> R) -> R {
        let (result, called) = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            let result = step(&mut state);
            let called = state.schedule.call();
            self.full.store(state.schedule.is_full(), Ordering::Relaxed);
            if let Some(meters) = self.meters.get() {
                meters.waiting_lines.set(state.schedule.queued().lines as f64);
            }
            (result, called.and_then(|lane| state.sleepers[lane].take()))
        };
        called.into_iter().for_each(Waker::wake);
        // Here other threads may come in between. In the simulation other tasks do.
        #[cfg(test)]
        simulation::interrupt();
        result
    }
}

/// The sending half of the lanes. Cheap to clone; when the last clone is dropped, the lanes empty the queue and end.
pub struct Lane<Q, A>(Arc<Entrance<Q, A>>);

/// What the clones of a [`Lane`] share, and no lane does: it is dropped with the last of them.
struct Entrance<Q, A>(Arc<Shared<Q, A>>);

impl<Q, A> Drop for Entrance<Q, A> {
    fn drop(&mut self) {
        self.0.step(|state| state.schedule.close());
    }
}

impl<Q, A> Clone for Lane<Q, A> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<Q: Request, A> Lane<Q, A> {
    /// Queues `request` and waits for its answer.
    ///
    /// A caller that goes away does not take its request back: it is committed with its batch all the same.
    pub async fn submit(&self, request: Q) -> Result<A, LaneError> {
        self.enqueue(request)?.answer().await
    }

    /// Queues `request` now; its answer can be waited for later. Of two requests that claim the same thing the one that was queued first is
    /// committed first.
    pub fn enqueue(&self, request: Q) -> Result<Pending<A>, LaneError> {
        let Entrance(shared) = &*self.0;
        let meters = shared.meters.get_or_init(Meters::new);
        let size = Size { lines: request.lines(), bytes: request.bytes() };
        let mut claims = Vec::new();
        if !shared.one_lane {
            request.claims(&mut |claim| claims.push(claim));
        }
        let (caller, answer) = oneshot::channel();
        let let_in = shared.step(|state| state.schedule.enqueue(Waiting { request, caller }, size, claims));
        if let_in == Err(LaneError::Overloaded) {
            meters.shed.increment(1);
        }
        let_in.map(|()| Pending(answer))
    }

    /// Turns away, and counts, whoever would be turned away for certain, before anything is spent on reading a body. Takes no lock.
    pub fn admit(&self) -> Result<(), LaneError> {
        if !self.is_full() {
            return Ok(());
        }
        self.0.0.meters.get_or_init(Meters::new).shed.increment(1);
        Err(LaneError::Overloaded)
    }

    /// Whether the queue has no room for any request, however small.
    pub fn is_full(&self) -> bool {
        self.0.0.full.load(Ordering::Relaxed)
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

/// Makes one lane for each committer, all of them on one queue, and the loops that drive them. A loop ends when every [`Lane`] is dropped and
/// the queue is empty.
///
/// A loop that is dropped before takes the batch that it is committing with it, and its callers are told that the outcome is unknown; the other
/// lanes go on. With the last loop everybody who waits is told so, and whoever comes later.
pub fn lanes<Q, A, C>(committers: Vec<C>) -> (Lane<Q, A>, Vec<impl Future<Output = ()> + Send>)
where
    Q: Request + Send,
    A: Send,
    C: Commit<Q, A>,
{
    let lanes = committers.len();
    let state = State { schedule: Schedule::new(lanes), sleepers: vec![None; lanes] };
    let shared = Arc::new(Shared { state: Mutex::new(state), full: AtomicBool::new(false), one_lane: lanes == 1, meters: OnceLock::new() });
    let seat = |lane| Seat { shared: Arc::clone(&shared), lane };
    let loops = committers.into_iter().enumerate().map(|(lane, committer)| drive(seat(lane), committer)).collect();
    (Lane(Arc::new(Entrance(shared))), loops)
}

/// Takes what may go, commits it, answers, and again.
async fn drive<Q, A, C>(seat: Seat<Q, A>, mut committer: C)
where
    Q: Request + Send,
    A: Send,
    C: Commit<Q, A>,
{
    while let Some(batch) = seat.turn().await {
        let (requests, callers): (Vec<_>, Vec<_>) = batch.into_iter().map(|waiting| (waiting.request, waiting.caller)).unzip();
        let committed = AssertUnwindSafe(async { committer.commit(requests).await }).catch_unwind().await;
        let answers = committed.unwrap_or_else(|_| {
            tracing::error!(lane.number = seat.lane, lane.requests = callers.len(), "committing a batch panicked, its outcome is unknown");
            Vec::new()
        });
        for (caller, answer) in callers.into_iter().zip(answers) {
            // A caller that went away is not an error: its request is recorded.
            let _ = caller.send(answer);
        }
    }
}

/// A lane's place in the schedule, given up when its loop ends, however it ends.
struct Seat<Q, A> {
    shared: Arc<Shared<Q, A>>,
    lane: usize,
}

impl<Q, A> Seat<Q, A> {
    /// Waits for the next batch; None when there will be none. The batch before is done.
    async fn turn(&self) -> Option<Vec<Waiting<Q, A>>> {
        let turn = |waker: &Waker| {
            self.shared.step(|state| {
                state.schedule.done(self.lane);
                let batch = state.schedule.take(self.lane);
                if batch.is_none() && !state.schedule.is_over() {
                    state.sleepers[self.lane] = Some(waker.clone());
                    return Poll::Pending;
                }
                Poll::Ready(batch)
            })
        };
        poll_fn(|context| turn(context.waker())).await
    }
}

impl<Q, A> Drop for Seat<Q, A> {
    fn drop(&mut self) {
        // What is left is dropped outside of the lock: that tells its callers.
        let _left = self.shared.step(|state| state.schedule.retire(self.lane));
    }
}
