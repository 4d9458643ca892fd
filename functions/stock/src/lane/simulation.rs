//! The hand-off, simulated: clients that ask, wait or leave, lanes that commit for a while, panic or are dropped, in an order that a seed chooses.
//!
//! All tasks share one thread, and a task is polled only when it was woken. So a lost wake-up shows at once: nobody can run, and somebody has not
//! ended. What tasks share they change in steps under one lock, and after any step of a lane other tasks may run before it goes on, as they
//! could on threads: so every order of steps can come up. It knows the schedule's bounds, and nothing of its inside.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::panic::resume_unwind;
use std::rc::Rc;
use std::sync::MutexGuard;
use std::task::{Context, Wake};
use std::time::Duration;

use futures::future::{BoxFuture, join_all};
use testkit::dice::{self, Dice};
use tokio::task::yield_now;

use super::schedule::{BATCH_LINES, QUEUE_LINES};
use super::*;

/// Runs of the simulation, with one, two and three lanes by turns.
const RUNS: u64 = 1500;
const CLIENTS: u64 = 12;
const REQUESTS: u64 = 12;

/// A request, known by its number.
#[derive(Debug)]
struct Asked {
    number: usize,
    lines: usize,
    claims: Vec<u64>,
}

impl Asked {
    /// Mostly small; often of what many want; now and then the same thing twice.
    fn throw(dice: &mut Dice) -> Self {
        let lines = match dice.below(16) {
            0 => 1025 + dice.below(3000),
            1..4 => 200 + dice.below(825),
            _ => 1 + dice.below(3),
        };
        let claims = (0..dice.below(4)).map(|_| if dice.once_in(3) { 0 } else { dice.below(8) }).collect();
        Self { number: 0, lines: lines as usize, claims }
    }
}

impl Request for Asked {
    fn lines(&self) -> usize {
        self.lines
    }
    fn bytes(&self) -> usize {
        100
    }
    fn claims(&self, claim: &mut dyn FnMut(u64)) {
        self.claims.iter().copied().for_each(claim);
    }
}

/// How far a request has come that was let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Waits,
    InFlight,
    Committed,
    /// Its batch never came to an end.
    Broken,
}

/// What has happened, and what of it should not have.
#[derive(Default)]
struct Record {
    wrong: Vec<String>,
    /// Of requests by number; those that were turned away have none.
    fates: Vec<Option<Fate>>,
    waiting: BTreeMap<usize, Vec<u64>>,
    waiting_lines: usize,
    /// For each claim the numbers that have it, in the order in which they were let in, and how many of them were taken.
    queues: HashMap<u64, (Vec<usize>, usize)>,
    /// Which lane holds a claim.
    holders: HashMap<u64, usize>,
    /// Lanes that commit.
    busy: HashSet<usize>,
    batches: Vec<Vec<usize>>,
    turned_away: usize,
    left: usize,
}

impl Record {
    fn must(&mut self, holds: bool, otherwise: impl FnOnce() -> String) {
        if !holds {
            self.wrong.push(otherwise());
        }
    }

    fn begin(&mut self, lane: usize, batch: &[Asked]) {
        let lines: usize = batch.iter().map(|asked| asked.lines).sum();
        self.must(lines <= BATCH_LINES || batch.len() == 1, || format!("{} requests with {lines} lines in one batch", batch.len()));
        for Asked { number, lines, claims } in batch {
            let before = self.fates[*number].replace(Fate::InFlight);
            self.must(before == Some(Fate::Waits), || format!("request {number} was taken when it was {before:?}"));
            self.waiting.remove(number);
            self.waiting_lines -= lines;
            for claim in claims {
                let holder = *self.holders.entry(*claim).or_insert(lane);
                self.must(holder == lane, || format!("claim {claim} of request {number} is in lanes {holder} and {lane}"));
            }
            for claim in once_each(claims) {
                let (queue, taken) = self.queues.entry(claim).or_default();
                let next = queue.get(*taken).copied();
                *taken += 1;
                self.must(next == Some(*number), || format!("request {number} was taken instead of {next:?}, by claim {claim}"));
            }
        }
        self.busy.insert(lane);
        self.batches.push(batch.iter().map(|asked| asked.number).collect());
    }

    /// A request that waits, though none of its claims is in flight and it is the next one for each.
    fn may_go(&self) -> Option<usize> {
        let free = |number: usize, claim: &u64| {
            let next = self.queues.get(claim).and_then(|(queue, taken)| queue.get(*taken));
            next == Some(&number) && !self.holders.contains_key(claim)
        };
        let mut waiting = self.waiting.iter();
        waiting.find(|(number, claims)| claims.iter().all(|claim| free(**number, claim))).map(|(number, _)| *number)
    }
}

fn once_each(claims: &[u64]) -> Vec<u64> {
    let mut claims = claims.to_vec();
    claims.sort_unstable();
    claims.dedup();
    claims
}

/// What befalls the lanes of a run, and what can be asked of it.
#[derive(Clone, Copy)]
struct Weather {
    lanes: usize,
    /// Commits panic now and then.
    panics: bool,
    /// How many loops are dropped.
    dropped: usize,
    /// Nobody is interrupted, and what waits is known to the line.
    exact: bool,
}

#[derive(Clone)]
struct World {
    weather: Weather,
    record: Arc<Mutex<Record>>,
}

impl World {
    fn new(weather: Weather) -> Self {
        Self { weather, record: Arc::default() }
    }

    fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a request and writes it down, both at once, so that the order of one is the order of the other.
    fn enqueue(&self, lane: &Lane<Asked, usize>, mut asked: Asked) -> Option<(usize, Pending<usize>)> {
        let mut record = self.record();
        let (number, lines, claims) = (record.fates.len(), asked.lines, once_each(&asked.claims));
        asked.number = number;
        let room = record.waiting_lines == 0 || record.waiting_lines + lines <= QUEUE_LINES;
        if self.weather.exact {
            let full = record.waiting_lines >= QUEUE_LINES;
            record.must(self.all_dropped() || lane.is_full() == full, || format!("full is not {full}"));
        }
        match lane.enqueue(asked) {
            Ok(pending) => {
                record.must(room || !self.weather.exact, || format!("request {number} was let in where it had no room"));
                record.fates.push(Some(Fate::Waits));
                record.waiting_lines += lines;
                for &claim in &claims {
                    record.queues.entry(claim).or_default().0.push(number);
                }
                record.waiting.insert(number, claims);
                Some((number, pending))
            }
            Err(error) => {
                let right = if error == LaneError::Overloaded { !room || !self.weather.exact } else { self.all_dropped() };
                record.must(right, || format!("request {number} was turned away with {error:?}"));
                record.fates.push(None);
                record.turned_away += 1;
                None
            }
        }
    }

    fn all_dropped(&self) -> bool {
        self.weather.dropped == self.weather.lanes
    }

    fn answered(&self, number: usize, answer: Result<usize, LaneError>) {
        let mut record = self.record();
        let fate = record.fates[number];
        let right = match answer {
            Ok(of) => of == number && fate == Some(Fate::Committed),
            Err(LaneError::OutcomeUnknown) => fate == Some(Fate::Broken) || fate == Some(Fate::Waits) && self.all_dropped(),
            Err(LaneError::Overloaded) => false,
        };
        record.must(right, || format!("request {number} was answered {answer:?} when it was {fate:?}"));
    }

    /// What must be true when everybody has ended.
    fn judge(&self) {
        let mut record = self.record();
        for number in 0..record.fates.len() {
            let fate = record.fates[number];
            let right = match fate {
                None | Some(Fate::Committed) => true,
                Some(Fate::Broken) => self.weather.panics || self.weather.dropped > 0,
                Some(Fate::Waits) => self.all_dropped(),
                Some(Fate::InFlight) => false,
            };
            record.must(right, || format!("request {number} is {fate:?} in the end"));
        }
        assert!(record.wrong.is_empty(), "{}", record.wrong.join("\n"));
    }
}

/// Asks for this and that, several things at once; sometimes waits, sometimes leaves.
async fn client(world: World, lane: Lane<Asked, usize>, mut dice: Dice) {
    let mut held = Vec::new();
    for _ in 0..REQUESTS {
        if let Some((number, pending)) = world.enqueue(&lane, Asked::throw(&mut dice)) {
            match dice.below(8) {
                // Leaves, at once or after one look.
                0 => world.record().left += 1,
                1 => match pending.answer().now_or_never() {
                    Some(answer) => world.answered(number, answer),
                    None => world.record().left += 1,
                },
                2..6 => held.push((number, pending)),
                _ => world.answered(number, pending.answer().await),
            }
        }
        for _ in 0..dice.below(4) {
            yield_now().await;
        }
    }
    drop(lane);
    for (number, pending) in held {
        world.answered(number, pending.answer().await);
    }
}

/// Takes its time to commit.
struct Disk {
    world: World,
    lane: usize,
    dice: Dice,
}

impl Commit<Asked, usize> for Disk {
    async fn commit(&mut self, batch: Vec<Asked>) -> Vec<usize> {
        self.world.record().begin(self.lane, &batch);
        let numbers = batch.iter().map(|asked| asked.number).collect();
        let mut flush = Flush { world: &self.world, lane: self.lane, numbers, fate: Fate::Broken };
        for _ in 0..self.dice.below(12) {
            yield_now().await;
        }
        if self.world.weather.panics && self.dice.once_in(8) {
            // A panic without its message among those of the tests.
            resume_unwind(Box::new("seeded"));
        }
        flush.fate = Fate::Committed;
        flush.numbers.clone()
    }
}

/// A batch in flight; broken, if it does not come to its end.
struct Flush<'a> {
    world: &'a World,
    lane: usize,
    numbers: Vec<usize>,
    fate: Fate,
}

impl Drop for Flush<'_> {
    fn drop(&mut self) {
        let mut record = self.world.record();
        record.busy.remove(&self.lane);
        record.holders.retain(|_, holder| *holder != self.lane);
        for &number in &self.numbers {
            record.fates[number] = Some(self.fate);
        }
    }
}

/// The loops of the lanes, then the clients.
fn tasks(world: &World, seed: u64, run: u64) -> Vec<BoxFuture<'static, ()>> {
    let dice = |number: u64| Dice::new(seed, 1000 * run + number);
    let disk = |lane| Disk { world: world.clone(), lane, dice: dice(lane as u64) };
    let (lane, loops) = lanes((0..world.weather.lanes).map(disk).collect());
    let clients = (0..CLIENTS).map(|number| client(world.clone(), lane.clone(), dice(100 + number)).boxed());
    loops.into_iter().map(FutureExt::boxed).chain(clients).collect()
}

#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Tasks on one thread, polled as `dice` fall. The lanes are the first of them.
struct Stage {
    world: World,
    /// None when it has ended; borrowed while it runs.
    tasks: Vec<RefCell<Option<BoxFuture<'static, ()>>>>,
    woken: Vec<Arc<Woken>>,
    dice: RefCell<Dice>,
    /// How many tasks are interrupted.
    depth: Cell<u64>,
}

thread_local! {
    static STAGE: RefCell<Option<Rc<Stage>>> = const { RefCell::new(None) };
}

/// Another thread could come in now: lets other tasks run, in a simulation that has interruptions.
pub(super) fn interrupt() {
    // A thread that ends has no stage any more.
    if let Ok(Some(stage)) = STAGE.try_with(|stage| stage.borrow().clone()) {
        stage.interrupt();
    }
}

impl Stage {
    fn throw(&self, bound: usize) -> usize {
        self.dice.borrow_mut().below(bound as u64) as usize
    }

    /// The tasks that can run, and do not yet.
    fn able(&self) -> Vec<usize> {
        let able = |at: &usize| self.woken[*at].0.load(Ordering::Relaxed) && self.tasks[*at].try_borrow().is_ok_and(|task| task.is_some());
        (0..self.tasks.len()).filter(able).collect()
    }

    fn poll(&self, at: usize) {
        self.woken[at].0.store(false, Ordering::Relaxed);
        let waker = Waker::from(Arc::clone(&self.woken[at]));
        let mut task = self.tasks[at].borrow_mut();
        if task.as_mut().is_some_and(|task| task.as_mut().poll(&mut Context::from_waker(&waker)).is_ready()) {
            *task = None;
        }
    }

    fn interrupt(&self) {
        // Whoever writes something down is let alone.
        if self.world.weather.exact || self.depth.get() > 2 || self.world.record.try_lock().is_err() {
            return;
        }
        self.depth.set(self.depth.get() + 1);
        for _ in 0..self.throw(4) {
            let able = self.able();
            if !able.is_empty() {
                self.poll(able[self.throw(able.len())]);
            }
        }
        self.depth.set(self.depth.get() - 1);
    }

    /// Runs until nobody can; then everybody must have ended. No lane may sleep, with none on the way, while a request may go.
    fn run(&self, mut to_drop: Vec<usize>) {
        loop {
            let able = self.able();
            let idle = |lane: &usize| self.tasks[*lane].borrow().is_some() && !self.world.record().busy.contains(lane);
            let idle: Vec<usize> = (0..self.world.weather.lanes).filter(idle).collect();
            if !idle.is_empty() && !idle.iter().any(|lane| able.contains(lane)) {
                let forgotten = self.world.record().may_go();
                assert!(forgotten.is_none(), "request {forgotten:?} may go, and lanes {idle:?} sleep");
            }
            if !to_drop.is_empty() && (able.is_empty() || self.throw(60) == 0) {
                to_drop.pop().into_iter().for_each(|at| *self.tasks[at].borrow_mut() = None);
            } else if able.is_empty() {
                break;
            } else {
                self.poll(able[self.throw(able.len())]);
            }
        }
        let stuck: Vec<usize> = (0..self.tasks.len()).filter(|at| self.tasks[*at].borrow().is_some()).collect();
        assert!(stuck.is_empty(), "nobody can run, and these tasks have not ended: {stuck:?}");
    }
}

fn simulate(seed: u64, run: u64) -> World {
    let mut dice = Dice::new(seed, 1000 * run + 999);
    let lanes = 1 + (run % 3) as usize;
    let dropped = if dice.once_in(4) { 1 + dice.below(lanes as u64) as usize } else { 0 };
    let world = World::new(Weather { lanes, panics: dice.once_in(3), dropped, exact: dice.once_in(2) });
    let tasks: Vec<_> = tasks(&world, seed, run).into_iter().map(|task| RefCell::new(Some(task))).collect();
    let woken = tasks.iter().map(|_| Arc::new(Woken(AtomicBool::new(true)))).collect();
    let stage = Rc::new(Stage { world: world.clone(), tasks, woken, dice: RefCell::new(dice), depth: Cell::new(0) });
    STAGE.set(Some(Rc::clone(&stage)));
    stage.run((0..dropped).collect());
    STAGE.set(None);
    world.judge();
    world
}

/// Says what is to be said before a test fails.
struct OnFailure(String);

impl Drop for OnFailure {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.0);
        }
    }
}

fn replay(seed: u64, run: u64) -> OnFailure {
    OnFailure(format!("seed {seed}, run {run} (build with GUDANG_SEED={seed} to have the same runs)"))
}

#[test]
fn everyone_is_answered_once_and_claims_keep_apart_and_in_order() {
    let seed = dice::seed();
    let (mut turned_away, mut left, mut shared) = (0, 0, 0);
    for run in 0..RUNS {
        let _replay = replay(seed, run);
        let world = simulate(seed, run);
        let record = world.record();
        turned_away += record.turned_away;
        left += record.left;
        shared += record.batches.iter().filter(|batch| batch.len() > 1).count();
    }
    // A simulation in which nothing happens would prove nothing.
    assert!(turned_away > 1000 && left > 1000 && shared > 1000, "{turned_away} turned away, {left} left, {shared} shared a batch");
}

#[test]
fn a_seed_replays_the_same_batches() {
    let seed = dice::seed();
    for run in 0..12 {
        let _replay = replay(seed, run);
        assert_eq!(simulate(seed, run).record().batches, simulate(seed, run).record().batches);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn on_threads_too() {
    let seed = dice::seed();
    for run in 0..300 {
        let _replay = replay(seed, run);
        let world = World::new(Weather { lanes: 1 + (run % 3) as usize, panics: run % 5 == 0, dropped: 0, exact: false });
        let running = join_all(tasks(&world, seed, run).into_iter().map(tokio::spawn));
        let ended = tokio::time::timeout(Duration::from_secs(30), running).await.expect("everybody ends");
        assert!(ended.iter().all(Result::is_ok), "every task ends well");
        world.judge();
    }
}
