//! Clients that each send one keyed request after another, and send again, with the same key, whatever had no answer.
//!
//! They remember every request with its answer, and that is all that the proof believes. They know the API and nothing behind it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testkit::dice::Dice;
use testkit::{Answer, Http};

/// Few, so that requests of one batch meet.
pub(super) const PRODUCTS: u64 = 6;
/// Lines of a batch, at most.
const BATCH_LINES: u64 = 8;
/// How long a service may be away.
const AWAY: Duration = Duration::from_mins(1);
/// Before a request is sent again.
const PAUSE: Duration = Duration::from_millis(25);

/// What a client sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// One change a request.
    Singles,
    /// Batches, atomic and independent in turn.
    Batches,
    /// Transfers from one location to the other.
    Transfers,
    /// Reservations, and what becomes of them.
    Reservations,
    /// One change a request, without a key: so it is sent once, whatever is answered.
    Once,
}

/// Everybody who sends.
pub(super) const CLIENTS: [Role; 9] = [
    Role::Singles,
    Role::Singles,
    Role::Once,
    Role::Once,
    Role::Batches,
    Role::Batches,
    Role::Transfers,
    Role::Reservations,
    Role::Reservations,
];

/// A request, mostly under a key.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) key: String,
    /// Whether the key is sent.
    pub(super) keyed: bool,
    pub(super) path: String,
    body: String,
}

/// A request and what it was answered, once for all.
#[derive(Debug)]
pub(super) struct Settled {
    pub(super) request: Request,
    pub(super) answer: Answer,
    /// How often it was sent and had no answer at all.
    pub(super) broken: u32,
    /// The codes of answers that said "not now", and when they came.
    pub(super) turned_away: Vec<(String, jiff::Timestamp)>,
}

/// What the clients share.
#[derive(Debug, Clone)]
pub(super) struct Floor {
    pub(super) stock: Http,
    /// Set when nothing new is to be begun.
    pub(super) closing: Arc<AtomicBool>,
    /// References of changes that nobody knows the fate of, and why.
    pub(super) unknown: Arc<Mutex<Vec<(String, String)>>>,
}

impl Floor {
    /// Opens the shop with something on every shelf.
    pub(super) async fn open(stock: Http) -> Self {
        for n in 0..PRODUCTS {
            stock.post("/v1/stock-changes", &json!({"sku": sku(n), "type": "RESTOCK", "quantity": 20})).await.expect(201);
        }
        Self { stock, closing: Arc::default(), unknown: Arc::default() }
    }
}

/// The SKU of product `n`.
pub(super) fn sku(n: u64) -> String {
    format!("thing {n}")
}

/// How the requests fared, in words.
pub(super) fn summary(floor: &Floor, settled: &[Settled]) -> String {
    let count = |what: fn(&&Settled) -> bool| settled.iter().filter(what).count();
    let broken = count(|settled| settled.broken > 0);
    let replayed = count(|settled| settled.is_replay());
    let refused = count(|settled| settled.answer.status == 503);
    let mut codes: BTreeMap<&str, usize> = BTreeMap::new();
    for (code, _) in settled.iter().flat_map(|settled| &settled.turned_away) {
        *codes.entry(code).or_default() += 1;
    }
    let (all, unknown) = (settled.len(), floor.unknown.lock().unwrap().len());
    format!(
        "{all} requests: {broken} had no answer at first, {replayed} had been carried out before, turned away: {codes:?}; \
         of those without a key {refused} were turned away and {unknown} have an unknown fate"
    )
}

impl Settled {
    /// Whether the answer says that the request had been carried out before.
    pub(super) fn is_replay(&self) -> bool {
        self.answer.header("idempotent-replayed") == "true"
    }
}

/// Sends until the shop closes; then everything that was begun has its answer.
pub(super) async fn client(role: Role, number: u64, mut dice: Dice, floor: Floor) -> Vec<Settled> {
    let (mut settled, mut held) = (Vec::new(), None);
    for n in 0.. {
        if floor.closing.load(Ordering::Relaxed) {
            break;
        }
        let request = role.request(&mut dice, &format!("{number}-{n}"), held.take());
        if role == Role::Once {
            settled.extend(once(&floor, request).await);
            continue;
        }
        let done = settle(&floor.stock, request).await;
        // A reservation is held until it is confirmed, released or found expired.
        held = Some(done.answer.json()).filter(|answer| answer["status"] == "active");
        settled.push(done);
    }
    settled
}

/// Sends a request once.
pub(super) async fn send(stock: &Http, request: &Request) -> Result<Answer, String> {
    let headers = [("content-type", "application/json"), ("idempotency-key", request.key.as_str())];
    let headers = if request.keyed { &headers[..] } else { &headers[..1] };
    stock.try_send("POST", &request.path, headers, request.body.clone()).await.map_err(|error| format!("{error:?}"))
}

/// Sends a request that must not be sent again. Nothing is settled where nobody can say what became of it.
async fn once(floor: &Floor, request: Request) -> Option<Settled> {
    let why = match send(&floor.stock, &request).await {
        Ok(answer) if answer.status == 503 && answer.json()["code"] == "outcome_unknown" => "outcome_unknown".to_owned(),
        Ok(answer) => {
            if answer.status == 503 {
                tokio::time::sleep(PAUSE).await;
            }
            return Some(Settled { request, answer, broken: 0, turned_away: Vec::new() });
        }
        Err(error) => error,
    };
    floor.unknown.lock().unwrap().push((format!("{}/1", request.key), why));
    tokio::time::sleep(PAUSE).await;
    None
}

/// Sends until there is an answer; one that says "not now" is none.
async fn settle(stock: &Http, request: Request) -> Settled {
    let (begun, mut broken, mut turned_away) = (Instant::now(), 0, Vec::new());
    loop {
        let said = match send(stock, &request).await {
            Ok(answer) if answer.status != 503 => return Settled { request, answer, broken, turned_away },
            Ok(answer) => {
                turned_away.push((answer.json()["code"].as_str().unwrap_or_default().to_owned(), jiff::Timestamp::now()));
                answer.text()
            }
            Err(error) => {
                broken += 1;
                error
            }
        };
        assert!(begun.elapsed() < AWAY, "no answer to {} within {AWAY:?}: {said}", request.key);
        tokio::time::sleep(PAUSE).await;
    }
}

impl Role {
    /// The next request of a client that holds `held`.
    fn request(self, dice: &mut Dice, number: &str, held: Option<Value>) -> Request {
        let key = if self == Self::Once { format!("once {number}") } else { number.to_owned() };
        let reference = |line: u64| format!("{key}/{line}");
        let (path, body) = match (self, held) {
            (Self::Singles | Self::Once, _) => ("/v1/stock-changes".to_owned(), line(dice, &reference(1))),
            (Self::Batches, _) => {
                let mode = if dice.once_in(2) { "atomic" } else { "independent" };
                let changes: Vec<Value> = (0..=dice.below(BATCH_LINES)).map(|n| line(dice, &reference(n + 1))).collect();
                ("/v1/stock-changes/batch".to_owned(), json!({"mode": mode, "changes": changes}))
            }
            (Self::Transfers, _) => {
                let (from, to) = if dice.once_in(2) { ("default", "back room") } else { ("back room", "default") };
                let (sku, quantity) = (sku(dice.below(PRODUCTS)), 1 + dice.below(3));
                let transfer = json!({"sku": sku, "from": from, "to": to, "quantity": quantity, "reference": reference(1)});
                ("/v1/transfers".to_owned(), transfer)
            }
            (Self::Reservations, None) => {
                let lines: Vec<Value> =
                    (0..=dice.below(3)).map(|_| json!({"sku": sku(dice.below(PRODUCTS)), "quantity": 1 + dice.below(3)})).collect();
                let ttl_seconds = if dice.once_in(5) { 1 } else { 900 };
                ("/v1/reservations".to_owned(), json!({"lines": lines, "ttl_seconds": ttl_seconds, "reference": reference(1)}))
            }
            (Self::Reservations, Some(held)) => step(dice, &held),
        };
        Request { key, keyed: self != Self::Once, path, body: body.to_string() }
    }
}

/// What may become of a reservation.
fn step(dice: &mut Dice, held: &Value) -> (String, Value) {
    let (step, body) = match dice.below(5) {
        0 => ("release", json!({})),
        1 => ("extend", json!({"ttl_seconds": 1 + dice.below(60)})),
        2 => ("confirm", json!({"lines": [{"sku": held["lines"][0]["sku"], "quantity": 1}]})),
        _ => ("confirm", json!({})),
    };
    (format!("/v1/reservations/{}/{step}", held["id"].as_str().unwrap()), body)
}

/// A change of few units, so that shelves go empty and are filled.
fn line(dice: &mut Dice, reference: &str) -> Value {
    let (kind, quantity) = match dice.below(20) {
        0..10 => ("SALE", 1 + dice.below(6)),
        10..15 => ("RESTOCK", 1 + dice.below(9)),
        15..17 => ("RETURN", 1 + dice.below(3)),
        17..19 => ("WRITE_OFF", 1 + dice.below(6)),
        _ => ("COUNT", dice.below(15)),
    };
    let location = if dice.once_in(4) { "back room" } else { "default" };
    json!({"sku": sku(dice.below(PRODUCTS)), "type": kind, "quantity": quantity, "location": location, "reference": reference})
}
