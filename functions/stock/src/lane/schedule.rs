//! Who goes next: group commit for any number of lanes, as a state machine that can be read and tested without anything running.
//!
//! Requests wait in one queue. A lane that is free takes all that may go, up to [`BATCH_LINES`], and commits them as one batch; whatever
//! comes meanwhile waits for the next free lane. So a batch is as large as what came while the one before was flushed, an idle service adds no
//! delay, and there is no timer.
//!
//! Two lanes that meet on one row would only wait for each other. So a request *claims* what it will touch, and for each of its claims it
//! *follows* the last request before it that has the same. It may go when all that it follows are done, or are in the very batch that takes it.
//! The rest is consequence:
//!
//! - No claim is in two lanes at once, and on each claim the order is that of arrival.
//! - Of those that may go the oldest goes first, and the oldest of all follows nothing but what is in flight already: nobody starves.
//! - What may not go costs nothing while it waits: it is looked at when one that it follows is taken or done. A request costs two look-ups
//!   for each claim and its turn in a heap, however many wait.
//!
//! Claims are numbers, usually hashes. Two things that share a number by chance are merely not flushed side by side.
//!
//! It knows no lock, no clock, no waiting, and nothing of stock.

use std::cmp::Reverse;
use std::collections::binary_heap::PeekMut;
use std::collections::{BinaryHeap, HashMap};

use slab::Slab;

use super::LaneError;

/// Lines that may wait; beyond them callers are turned away at once.
pub(super) const QUEUE_LINES: usize = 16_384;
/// Bytes that may wait, likewise.
pub(super) const QUEUE_BYTES: usize = 16 << 20;
/// Lines in one batch. A request that is larger goes alone.
pub(super) const BATCH_LINES: usize = 1024;

/// What a request adds to the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) lines: usize,
    pub(super) bytes: usize,
}

/// A request, from its arrival until its batch is done.
struct Entry<T> {
    /// Its number in the order of arrival.
    arrival: u64,
    size: Size,
    claims: Vec<u64>,
    /// What a lane is handed; None from then on.
    waiting: Option<T>,
    /// How many it follows that are not done, counted once for each claim.
    follows: usize,
    /// Who follows it: for each of its claims the next request that has it too.
    followers: Vec<usize>,
}

/// Requests that may go, the oldest first: arrival, then the place among the entries.
type Turns = BinaryHeap<Reverse<(u64, usize)>>;

/// What a lane is doing.
enum Doing {
    /// It found nothing to take, and waits to be called.
    Sleeping,
    /// It is about to take: it has just begun, was called, or is done with a batch.
    Coming,
    /// It commits these entries.
    Committing(Vec<usize>),
    /// It has ended.
    Gone,
}

/// The queue, and what every lane is doing. `T` is what a lane is handed for each request.
pub(super) struct Schedule<T> {
    entries: Slab<Entry<T>>,
    /// For each claim the last request that has it and is not done: whom the next one follows.
    last: HashMap<u64, usize>,
    /// All that wait and follow nobody.
    ready: Turns,
    lanes: Vec<Doing>,
    arrivals: u64,
    /// How many requests wait.
    waiting: usize,
    /// What they add up to.
    queued: Size,
    closed: bool,
}

impl<T> Schedule<T> {
    /// An empty queue for so many lanes.
    pub(super) fn new(lanes: usize) -> Self {
        Self {
            entries: Slab::new(),
            last: HashMap::new(),
            ready: Turns::new(),
            lanes: (0..lanes).map(|_| Doing::Coming).collect(),
            arrivals: 0,
            waiting: 0,
            queued: Size { lines: 0, bytes: 0 },
            closed: lanes == 0,
        }
    }

    /// Lets a request in, or turns it away. An empty queue takes anything, so that no size is refused for ever.
    pub(super) fn enqueue(&mut self, request: T, size: Size, claims: Vec<u64>) -> Result<(), LaneError> {
        if self.closed {
            return Err(LaneError::OutcomeUnknown);
        }
        let queued = Size { lines: self.queued.lines + size.lines, bytes: self.queued.bytes + size.bytes };
        if self.waiting > 0 && (queued.lines > QUEUE_LINES || queued.bytes > QUEUE_BYTES) {
            return Err(LaneError::Overloaded);
        }
        (self.queued, self.waiting) = (queued, self.waiting + 1);
        self.arrivals += 1;
        let (arrival, place) = (self.arrivals, self.entries.vacant_key());
        let mut follows = 0;
        for &claim in &claims {
            // A request may claim a thing twice; it does not follow itself.
            if let Some(before) = self.last.insert(claim, place).filter(|before| *before != place) {
                self.entries[before].followers.push(place);
                follows += 1;
            }
        }
        self.entries.insert(Entry { arrival, size, claims, waiting: Some(request), follows, followers: Vec::new() });
        if follows == 0 {
            self.ready.push(Reverse((arrival, place)));
        }
        Ok(())
    }

    /// Hands `lane` the next batch, in the order of arrival. None if nothing may go: then the lane sleeps until it is called.
    pub(super) fn take(&mut self, lane: usize) -> Option<Vec<T>> {
        let (mut places, mut batch, mut lines) = (Vec::new(), Vec::new(), 0);
        // Who may go with this batch and with no other, because all that it still follows are in it.
        let mut along = Turns::new();
        loop {
            let turns = if along.peek() > self.ready.peek() { &mut along } else { &mut self.ready };
            let Some(oldest) = turns.peek_mut() else { break };
            let Reverse((_, place)) = *oldest;
            let size = self.entries[place].size;
            if lines + size.lines > BATCH_LINES && !places.is_empty() {
                break;
            }
            PeekMut::pop(oldest);
            lines += size.lines;
            self.waiting -= 1;
            self.queued = Size { lines: self.queued.lines - size.lines, bytes: self.queued.bytes - size.bytes };
            batch.extend(self.entries[place].waiting.take());
            places.push(place);
            let_go(&mut self.entries, place, &mut along);
        }
        // Who did not fit in waits for this batch to be done, as for any other.
        for &place in &places {
            each_follower(&mut self.entries, place, |_, follower| follower.follows += 1);
        }
        self.lanes[lane] = if places.is_empty() { Doing::Sleeping } else { Doing::Committing(places) };
        (!batch.is_empty()).then_some(batch)
    }

    /// The batch of `lane`, if it has one, is done: who followed it may go, and the lane is about to take again.
    pub(super) fn done(&mut self, lane: usize) {
        let Doing::Committing(places) = std::mem::replace(&mut self.lanes[lane], Doing::Coming) else { return };
        for place in places {
            let_go(&mut self.entries, place, &mut self.ready);
            for claim in self.entries.remove(place).claims {
                if self.last.get(&claim) == Some(&place) {
                    self.last.remove(&claim);
                }
            }
        }
    }

    /// The lane that must be called now, if any: a request may go and no lane is coming, or everything is over and the lane may end.
    ///
    /// To be asked after every step. One lane at a time is enough: it takes what it can, and then this is asked again.
    pub(super) fn call(&mut self) -> Option<usize> {
        let nobody_comes = !self.lanes.iter().any(|lane| matches!(lane, Doing::Coming));
        if !self.is_over() && (self.ready.is_empty() || !nobody_comes) {
            return None;
        }
        let lane = self.lanes.iter().position(|lane| matches!(lane, Doing::Sleeping))?;
        self.lanes[lane] = Doing::Coming;
        Some(lane)
    }

    /// No more requests will come.
    pub(super) fn close(&mut self) {
        self.closed = true;
    }

    /// Whether no request waits and none will come.
    pub(super) fn is_over(&self) -> bool {
        self.closed && self.waiting == 0
    }

    /// `lane` ends, in the middle of a batch or not. If it was the last one, nobody will ever take what waits: it is given back.
    pub(super) fn retire(&mut self, lane: usize) -> Vec<T> {
        self.done(lane);
        self.lanes[lane] = Doing::Gone;
        if !self.lanes.iter().all(|lane| matches!(lane, Doing::Gone)) {
            return Vec::new();
        }
        let left = std::mem::replace(self, Self::new(0));
        left.entries.into_iter().filter_map(|(_, entry)| entry.waiting).collect()
    }

    /// Whether not even the smallest request would be let in.
    pub(super) fn is_full(&self) -> bool {
        self.queued.lines >= QUEUE_LINES || self.queued.bytes >= QUEUE_BYTES
    }

    /// What waits; what is being committed does not count.
    pub(super) fn queued(&self) -> Size {
        self.queued
    }

    /// Whether nothing is kept any more, neither of what waited nor of what was committed.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.last.is_empty() && self.ready.is_empty() && self.waiting == 0
    }
}

/// Nobody has to wait for the entry at `place` any more: followers that follow nobody else have their turn among `turns`.
fn let_go<T>(entries: &mut Slab<Entry<T>>, place: usize, turns: &mut Turns) {
    each_follower(entries, place, |at, follower| {
        follower.follows -= 1;
        if follower.follows == 0 {
            turns.push(Reverse((follower.arrival, at)));
        }
    });
}

/// Visits the followers of the entry at `place` that wait. Those that do not are in the same batch, where the order is right already.
fn each_follower<T>(entries: &mut Slab<Entry<T>>, place: usize, mut visit: impl FnMut(usize, &mut Entry<T>)) {
    let followers = std::mem::take(&mut entries[place].followers);
    for &at in &followers {
        let follower = &mut entries[at];
        if follower.waiting.is_some() {
            visit(at, follower);
        }
    }
    entries[place].followers = followers;
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: Size = Size { lines: 1, bytes: 100 };
    const MUG: u64 = 1;
    const JAR: u64 = 2;
    const LID: u64 = 3;

    fn asked(schedule: &mut Schedule<&'static str>, request: &'static str, claims: &[u64]) {
        assert_eq!(schedule.enqueue(request, SMALL, claims.to_vec()), Ok(()));
    }

    #[test]
    fn what_is_in_flight_in_one_lane_stays_behind_and_keeps_its_followers_behind() {
        let mut schedule = Schedule::new(2);
        asked(&mut schedule, "mug", &[MUG]);
        assert_eq!(schedule.take(0), Some(vec!["mug"]));
        asked(&mut schedule, "mug and jar", &[MUG, JAR]);
        asked(&mut schedule, "jar", &[JAR]);
        asked(&mut schedule, "lid", &[LID]);
        assert_eq!(schedule.take(1), Some(vec!["lid"]), "a jar that went now would overtake");
        schedule.done(0);
        assert_eq!(schedule.take(0), Some(vec!["mug and jar", "jar"]), "in one batch the order is kept");
    }

    #[test]
    fn what_did_not_fit_waits_for_the_batch_that_it_follows() {
        let mut schedule = Schedule::new(2);
        asked(&mut schedule, "first", &[MUG]);
        assert_eq!(schedule.enqueue("large", Size { lines: BATCH_LINES, ..SMALL }, vec![MUG]), Ok(()));
        asked(&mut schedule, "last", &[MUG, JAR]);
        assert_eq!((schedule.take(0), schedule.take(1)), (Some(vec!["first"]), None));
        schedule.done(0);
        assert_eq!((schedule.take(0), schedule.take(1)), (Some(vec!["large"]), None));
        schedule.done(0);
        assert_eq!(schedule.take(1), Some(vec!["last"]));
    }

    #[test]
    fn one_lane_is_called_at_a_time_and_the_second_only_for_what_the_first_left() {
        let mut schedule = Schedule::new(2);
        assert_eq!((schedule.take(0), schedule.take(1), schedule.call()), (None, None, None));
        asked(&mut schedule, "mug", &[MUG]);
        assert_eq!(schedule.call(), Some(0));
        asked(&mut schedule, "jar", &[JAR]);
        assert_eq!(schedule.call(), None, "the one that comes takes both");
        assert_eq!(schedule.take(0), Some(vec!["mug", "jar"]));
        asked(&mut schedule, "mug again", &[MUG]);
        assert_eq!(schedule.call(), None, "nothing that the other one may take");
        asked(&mut schedule, "lid", &[LID]);
        assert_eq!((schedule.call(), schedule.take(1)), (Some(1), Some(vec!["lid"])));
    }
}
