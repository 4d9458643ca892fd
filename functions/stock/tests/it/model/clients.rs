//! Clients of two instances of Stock, all at the same time, and an order that explains every answer they got.
//!
//! Each history has products of its own, so several go on at once and share the lanes. The seed gives what the clients ask and how long they
//! pause; when they meet is the machine's affair.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::Value;
use testkit::Http;
use testkit::dice::{self, Dice};
use tokio::task::JoinSet;

use super::ask::{Kind, Move, Op, Part, Place, What};
use super::expect::Answered;
use super::linear::{Done, first_contradiction, is_linearizable};
use super::names::Names;
use super::products::Products;
use crate::fixture::{Stock, stock};

const HISTORIES: u64 = 200;
/// Histories at the same time.
const AT_ONCE: usize = 6;
const CLIENTS: u64 = 8;
/// Operations of one client.
const LENGTH: usize = 10;
/// One history in so many is long.
const LONG_ONE_IN: u64 = 50;
/// Operations of one client in a long one: a thousand in all.
const LONG: usize = 125;
/// One history in so many has reservations that last a second, and takes longer.
const LAPSING_ONE_IN: u64 = 8;
/// Between two sweeps.
const SWEEP: Duration = Duration::from_millis(30);
/// What a reservation's end by the database's clock may seem to differ from that by ours: it is the same clock, looked at at another moment.
const CLOCK: Duration = Duration::from_millis(2);

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whatever_happens_at_once_has_an_order_that_explains_every_answer() {
    let seed = dice::seed();
    println!("seed {seed} (build with GUDANG_SEED={seed} to have the same requests)");
    let stock = Arc::new(stock().await);
    let other = Arc::new(stock.another().await);
    let sweeping = tokio::spawn(sweep(Arc::clone(&other)));
    let (mut running, mut histories) = (JoinSet::new(), Vec::new());
    for number in 0..HISTORIES {
        if running.len() == AT_ONCE {
            histories.push(running.join_next().await.unwrap().unwrap());
        }
        running.spawn(history(Arc::clone(&stock), Arc::clone(&other), seed, number));
    }
    histories.extend(running.join_all().await);
    sweeping.abort();
    let found: Vec<&str> = histories.iter().filter_map(|history| history.contradiction.as_deref()).collect();
    let shortest = found.iter().min_by_key(|said| said.len());
    assert!(found.is_empty(), "seed {seed}, {} of {HISTORIES} histories have no order, the shortest is {}", found.len(), shortest.unwrap());
    let operations: usize = histories.iter().map(|history| history.operations).sum();
    let at_once = histories.iter().map(|history| history.at_once).sum::<f64>() / HISTORIES as f64;
    println!("{operations} operations in {HISTORIES} histories, of each on average {at_once:.1} at the same time");
    stock.balances().await;
}

/// What a history came to.
struct Judged {
    operations: usize,
    /// How many of its operations were under way at the same time, on average over the time in which any was.
    at_once: f64,
    /// What has no order in it.
    contradiction: Option<String>,
}

/// Sweeps all the time. Whether it has come by makes no answer another one.
async fn sweep(stock: Arc<Stock>) {
    loop {
        // The first one goes on to compare books, which the stand-in for Product does not keep.
        let _ = stock.function.periodic.tick().await;
        tokio::time::sleep(SWEEP).await;
    }
}

/// Runs one history and looks for an order.
async fn history(stock: Arc<Stock>, other: Arc<Stock>, seed: u64, number: u64) -> Judged {
    let mut dice = Dice::new(seed, number);
    let lapsing = number.is_multiple_of(LAPSING_ONE_IN);
    let (names, products_of) = (Names::new(&number.to_string()), Products::default());
    let shop = Arc::new(Shop { names, products: products_of, stock, other, started: Instant::now(), origin: Timestamp::now() });
    let products = 1 + dice.below(3) as usize;
    let mut done = shop.open(products, &mut dice).await;
    let length = if number % LONG_ONE_IN == 1 { LONG } else { LENGTH };
    let clients: Vec<Vec<(Duration, Op)>> = throw(&mut dice, products, length, lapsing);
    let clients: Vec<_> =
        clients.into_iter().enumerate().map(|(client, ops)| tokio::spawn(Arc::clone(&shop).client(client, ops))).collect();
    for client in clients {
        done.extend(client.await.unwrap());
    }
    for product in 0..products {
        done.extend(shop.ask(0, What::Level { product }.into()).await);
    }
    if lapsing {
        done.extend(shop.lapses(&done));
    }
    let contradiction = tokio::task::block_in_place(|| (!is_linearizable(&done)).then(|| first_contradiction(&done)));
    let contradiction = too_late(&done).or_else(|| {
        contradiction.map(|contradiction| {
            let lines: Vec<String> = contradiction.iter().map(|done| format!("  {done:?}")).collect();
            format!("history {number}, {} of its {} operations:\n{}", lines.len(), done.len(), lines.join("\n"))
        })
    });
    Judged { operations: done.len(), at_once: at_once(&done), contradiction }
}

fn at_once(history: &[Done]) -> f64 {
    let mut times: Vec<(Duration, Duration)> = history.iter().map(|done| (done.asked, done.answered)).collect();
    times.sort_unstable();
    let (mut each, mut any, mut until) = (Duration::ZERO, Duration::ZERO, Duration::ZERO);
    for (asked, answered) in times {
        each += answered.saturating_sub(asked);
        any += answered.saturating_sub(asked.max(until));
        until = until.max(answered);
    }
    each.as_secs_f64() / any.as_secs_f64()
}

/// What the clients ask, each in its order, with the pause before it.
fn throw(dice: &mut Dice, products: usize, length: usize, lapsing: bool) -> Vec<Vec<(Duration, Op)>> {
    let mut clients = vec![Vec::new(); CLIENTS as usize];
    let mut thrown = Thrown { products, ttl: if lapsing { 1 } else { 3600 }, reservations: 0, keyed: Vec::new() };
    let pause = if lapsing { 300_000 } else { 1500 };
    for _ in 0..length {
        for (client, ops) in clients.iter_mut().enumerate() {
            // Copies of a product come one after the other, as its events do.
            let op = if client == 0 && dice.once_in(8) { thrown.copy(dice) } else { thrown.op(dice) };
            ops.push((Duration::from_micros(dice.below(pause)), op));
        }
    }
    clients
}

struct Thrown {
    products: usize,
    ttl: i64,
    reservations: usize,
    keyed: Vec<Op>,
}

impl Thrown {
    fn op(&mut self, dice: &mut Dice) -> Op {
        if !self.keyed.is_empty() && dice.once_in(16) {
            let latest = self.keyed.len() - 1;
            return self.keyed[latest - dice.below((latest + 1).min(3) as u64) as usize].clone();
        }
        let what = self.what(dice);
        let writes = !matches!(what, What::Level { .. } | What::Reservation { .. });
        let key = (writes && dice.once_in(6)).then_some(self.keyed.len());
        let op = Op { what, key };
        if key.is_some() {
            self.keyed.push(op.clone());
        }
        op
    }

    fn copy(&self, dice: &mut Dice) -> Op {
        let product = self.place(dice).product;
        What::Hear { product, min_stock: dice.below(8) as i64, archived: dice.once_in(3) }.into()
    }

    fn what(&mut self, dice: &mut Dice) -> What {
        let place = self.place(dice);
        let units = |dice: &mut Dice, most: u64| 1 + dice.below(most) as i64;
        match dice.below(100) {
            0..28 => What::Change(Move::of(place, Kind::Sale, units(dice, 4))),
            28..38 => What::Change(Move::of(place, Kind::Restock, units(dice, 6))),
            38..43 => What::Change(Move::of(place, Kind::Count, dice.below(9) as i64)),
            43..46 => What::Change(Move::of(place, Kind::WriteOff, units(dice, 3))),
            46..56 => {
                let (first, second) = (Move::of(place, Kind::Sale, units(dice, 3)), self.place(dice));
                let kind = if dice.once_in(2) { Kind::Sale } else { Kind::Restock };
                What::Batch { atomic: !dice.once_in(5), lines: vec![first, Move::of(second, kind, units(dice, 3))] }
            }
            56..59 => What::Transfer { product: place.product, from: place.location, to: 3 - place.location, units: units(dice, 3) },
            59..71 => {
                let lines = [Part { place, units: units(dice, 3) }, Part { place: self.place(dice), units: units(dice, 2) }];
                let lines = lines[dice.below(2) as usize..].to_vec();
                self.reservations += 1;
                What::Reserve { number: self.reservations - 1, lines, ttl: self.ttl }
            }
            71..80 if self.reservations > 0 => What::Confirm { number: self.recent(dice), part: None },
            80..84 if self.reservations > 0 => What::Release { number: self.recent(dice) },
            84..88 if self.reservations > 0 => What::Reservation { number: self.recent(dice) },
            _ => What::Level { product: place.product },
        }
    }

    /// North or south.
    fn place(&self, dice: &mut Dice) -> Place {
        Place { product: dice.below(self.products as u64) as usize, location: 1 + dice.below(2) as usize }
    }

    /// One that other clients make or have made around the same time.
    fn recent(&self, dice: &mut Dice) -> usize {
        self.reservations - 1 - dice.below(self.reservations.min(6) as u64) as usize
    }
}

/// What the clients of one history share.
struct Shop {
    names: Names,
    products: Products,
    stock: Arc<Stock>,
    other: Arc<Stock>,
    started: Instant,
    /// The same moment by the clock on the wall.
    origin: Timestamp,
}

impl Shop {
    /// Products with something on their shelves, before anybody else comes.
    async fn open(&self, products: usize, dice: &mut Dice) -> Vec<Done> {
        let mut done = Vec::new();
        for product in 0..products {
            done.extend(self.ask(0, What::Introduce { product }.into()).await);
            for location in 1..3 {
                let opening = Move::of(Place { product, location }, Kind::Restock, 1 + dice.below(10) as i64);
                done.extend(self.ask(0, What::Change(opening).into()).await);
            }
        }
        done
    }

    async fn client(self: Arc<Self>, client: usize, ops: Vec<(Duration, Op)>) -> Vec<Done> {
        let mut done = Vec::new();
        for (pause, op) in ops {
            tokio::time::sleep(pause).await;
            done.extend(self.ask(client, op).await);
        }
        done
    }

    /// Asks one of the two instances. What names a reservation that nobody has been told of cannot be asked yet.
    async fn ask(&self, client: usize, op: Op) -> Option<Done> {
        if let What::Confirm { number, .. } | What::Release { number } | What::Reservation { number } = op.what {
            self.names.made(number)?;
        }
        let http: &Http = if client.is_multiple_of(2) { &self.stock.http } else { &self.other.http };
        let asked = self.started.elapsed();
        let answer = match op.what {
            What::Introduce { product } => {
                self.products.introduce(&self.stock, &self.names, product);
                nothing()
            }
            What::Hear { product, min_stock, archived } => {
                self.products.hear(&self.stock, product, min_stock, archived).await;
                nothing()
            }
            _ => self.names.ask(http, &op).await?.1,
        };
        Some(self.done(client, asked, op, answer))
    }

    fn done(&self, client: usize, asked: Duration, op: Op, answer: Answered) -> Done {
        Done { client, asked, answered: self.started.elapsed(), op, answer: Some(answer) }
    }

    /// The time of each reservation comes by itself, once. Those who read see it come by the clock. What was decided before is committed a moment
    /// later, and comes before it all the same: that moment is no longer than the longest answer took.
    fn lapses(&self, done: &[Done]) -> Vec<Done> {
        let commit = done.iter().map(|done| done.answered.saturating_sub(done.asked)).max().unwrap_or_default();
        let ends = done.iter().filter_map(|done| {
            let What::Reserve { number, .. } = done.op.what else { return None };
            let answer = done.answer.as_ref().filter(|answer| answer.status == 201 && !answer.replayed)?;
            let ends: Timestamp = answer.body["expires_at"].as_str()?.parse().ok()?;
            Some((number, Duration::try_from(ends.duration_since(self.origin)).ok()?))
        });
        let each = ends.flat_map(|(number, ends)| [(What::Seen { number }, ends, CLOCK), (What::Lapse { number }, ends, CLOCK + commit)]);
        let nobody = |(client, (what, ends, late)): (usize, (What, Duration, Duration))| Done {
            client,
            asked: ends.saturating_sub(CLOCK),
            answered: ends + late,
            op: what.into(),
            answer: Some(nothing()),
        };
        (CLIENTS as usize..).zip(each).map(nobody).collect()
    }
}

/// Every confirmation was decided before the reservation's time by the database's clock.
fn too_late(history: &[Done]) -> Option<String> {
    let late = |done: &&Done| {
        let confirmed = done.answer.as_ref().filter(|answer| matches!(done.op.what, What::Confirm { .. }) && answer.status == 200);
        let time = |answer: &Answered, name: &str| answer.body[name].as_str()?.parse::<Timestamp>().ok();
        confirmed.is_some_and(|answer| time(answer, "resolved_at") >= time(answer, "expires_at"))
    };
    history.iter().find(late).map(|done| format!("confirmed too late: {done:?}"))
}

fn nothing() -> Answered {
    Answered { status: 0, body: Value::Null, replayed: false }
}
