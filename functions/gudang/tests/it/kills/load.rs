//! Mixed load: clients that each send one request after another, and send again, with the same key, whatever had no answer.
//!
//! They remember every request with its answer, and that is all that the proof believes. They know the API and nothing behind it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testkit::{Answer, Gudang, Http, Service};

use crate::dice::Dice;

/// Many, so that a stream's last event is often one that came shortly before a kill, with nothing behind it that would tell of its loss.
pub(super) const PRODUCTS: u64 = 400;
/// Rows of an import.
const IMPORT_ROWS: u64 = 250;
/// Lines of a batch, at most.
const BATCH_LINES: u64 = 12;
/// How long a service may be away.
const AWAY: Duration = Duration::from_mins(2);
/// Before a request is sent again.
const PAUSE: Duration = Duration::from_millis(25);

/// What a client sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// One change a request.
    Singles,
    /// Batches, atomic and independent in turn.
    Batches,
    /// Imports.
    Imports,
    /// Changes of products: another name and another threshold each time.
    Patches,
}

/// Everybody who sends. Several who patch, because Product's transactions overlap, and Stock writes the thresholds beside the movements.
pub(super) const CLIENTS: [Role; 9] =
    [Role::Singles, Role::Singles, Role::Singles, Role::Batches, Role::Imports, Role::Patches, Role::Patches, Role::Patches, Role::Patches];

/// A request under a key.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) role: Role,
    pub(super) key: String,
    method: &'static str,
    path: String,
    media: &'static str,
    body: String,
    /// The `reference` of each line, one that no other line has.
    pub(super) references: Vec<String>,
}

/// A request and what it was answered, once for all.
#[derive(Debug)]
pub(super) struct Settled {
    pub(super) request: Request,
    pub(super) answer: Answer,
    /// How often it was sent.
    pub(super) tries: u32,
}

/// What the clients share.
#[derive(Debug, Clone)]
pub(super) struct Floor {
    product: Http,
    stock: Http,
    /// Set when nothing new is to be begun.
    pub(super) closing: Arc<AtomicBool>,
    /// Requests answered so far.
    pub(super) answered: Arc<AtomicU64>,
}

impl Floor {
    /// Opens the shop: its products are there, nothing has moved.
    pub(super) async fn open(gudang: &Gudang) -> Self {
        let (product, stock) = (gudang.http(Service::Product), gudang.http(Service::Stock));
        let products = lines((0..PRODUCTS).map(created));
        let headers = [("content-type", "application/x-ndjson")];
        let imported = product.send("POST", "/v1/products/import", &headers, products).await.expect(200).json();
        assert_eq!(imported["created"], json!(PRODUCTS), "{imported}");
        Self { product, stock, closing: Arc::default(), answered: Arc::default() }
    }

    fn of(&self, role: Role) -> &Http {
        if role == Role::Patches { &self.product } else { &self.stock }
    }

    /// Sends a request once more.
    pub(super) async fn again(&self, request: &Request) -> Answer {
        settle(self.of(request.role), request).await.0
    }
}

/// Product `n` as it is made. Every other one has a price, and none changes it: so a sale's worth follows from the sale.
fn created(n: u64) -> Value {
    let mut product = json!({"sku": sku(n), "name": format!("Thing {n}"), "category": "Things", "min_stock": n % 12});
    if let Some(cents) = price_cents(&sku(n)) {
        product["price"] = json!(money(cents));
    }
    product
}

fn sku(n: u64) -> String {
    format!("thing {n}")
}

/// The price of a product, by its SKU.
pub(super) fn price_cents(sku: &str) -> Option<i64> {
    let n: i64 = sku.strip_prefix("thing ").and_then(|n| n.parse().ok()).expect("one of our SKUs");
    (n % 2 == 0).then_some(n * 10 + 5)
}

fn money(cents: i64) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}

/// Sends until the shop closes; then everything that was begun has its answer.
pub(super) async fn client(role: Role, number: u64, mut dice: Dice, floor: Floor) -> Vec<Settled> {
    let mut settled = Vec::new();
    while !floor.closing.load(Ordering::Relaxed) {
        let request = role.request(&mut dice, &format!("{number}-{}", settled.len()));
        let (answer, tries) = settle(floor.of(role), &request).await;
        settled.push(Settled { request, answer, tries });
        floor.answered.fetch_add(1, Ordering::Relaxed);
        // Imports and batches bring many lines: so that they are not all there is.
        match role {
            Role::Imports => tokio::time::sleep(Duration::from_millis(150)).await,
            Role::Batches => tokio::time::sleep(Duration::from_millis(10)).await,
            Role::Singles | Role::Patches => {}
        }
    }
    settled
}

/// Sends until there is an answer; one that says "not now" is none.
async fn settle(http: &Http, request: &Request) -> (Answer, u32) {
    let headers = [("content-type", request.media), ("idempotency-key", request.key.as_str())];
    let begun = Instant::now();
    for tries in 1.. {
        let said = match http.try_send(request.method, &request.path, &headers, request.body.clone()).await {
            Ok(answer) if !matches!(answer.status, 429 | 503) => return (answer, tries),
            Ok(answer) => answer.text(),
            Err(error) => format!("{error:?}"),
        };
        assert!(begun.elapsed() < AWAY, "no answer to {} within {AWAY:?}: {said}", request.key);
        tokio::time::sleep(PAUSE).await;
    }
    unreachable!("it is sent until it is answered");
}

impl Role {
    fn request(self, dice: &mut Dice, key: &str) -> Request {
        let json = "application/json";
        let (method, path, media, body, lines) = match self {
            Self::Singles => {
                let line = line(dice, &reference(key, 1));
                ("POST", "/v1/stock-changes".to_owned(), json, line.to_string(), 1)
            }
            Self::Batches => {
                let lines = 1 + dice.below(BATCH_LINES);
                let mode = if dice.once_in(2) { "atomic" } else { "independent" };
                let changes: Vec<Value> = (1..=lines).map(|n| line(dice, &reference(key, n))).collect();
                let body = json!({"mode": mode, "changes": changes}).to_string();
                ("POST", "/v1/stock-changes/batch".to_owned(), json, body, lines)
            }
            Self::Imports => {
                let body = lines((1..=IMPORT_ROWS).map(|n| line(dice, &reference(key, n))));
                ("POST", "/v1/stock-changes/import".to_owned(), "application/x-ndjson", body, IMPORT_ROWS)
            }
            Self::Patches => {
                let path = format!("/v1/products/thing%20{}", dice.below(PRODUCTS));
                // Named after its key, so it always changes something, and shows which request it was.
                ("PATCH", path, json, json!({"name": key, "min_stock": dice.below(12)}).to_string(), 0)
            }
        };
        let references = (1..=lines).map(|n| reference(key, n)).collect();
        Request { role: self, key: key.to_owned(), method, path, media, body, references }
    }
}

/// Newline-delimited JSON.
fn lines(rows: impl Iterator<Item = Value>) -> String {
    rows.map(|row| row.to_string() + "\n").collect()
}

fn reference(key: &str, line: u64) -> String {
    format!("{key}/{line}")
}

/// A change of few units, so that shelves go empty and are filled, and alerts come and go.
fn line(dice: &mut Dice, reference: &str) -> Value {
    let (kind, quantity) = match dice.below(20) {
        0..8 => ("SALE", 1 + dice.below(6)),
        8..14 => ("RESTOCK", 1 + dice.below(9)),
        14..16 => ("RETURN", 1 + dice.below(3)),
        16..18 => ("WRITE_OFF", 1 + dice.below(6)),
        _ => ("COUNT", dice.below(15)),
    };
    let location = if dice.once_in(4) { "back room" } else { "default" };
    let product = sku(dice.below(PRODUCTS));
    let mut line = json!({"sku": product, "type": kind, "quantity": quantity, "location": location, "reference": reference});
    if dice.once_in(2) {
        line["unit_price"] = json!(money(dice.below(2_000).cast_signed()));
    }
    if dice.once_in(2) {
        let (month, day, hour) = (1 + dice.below(3), 1 + dice.below(28), dice.below(24));
        line["occurred_at"] = json!(format!("2025-{month:02}-{day:02}T{hour:02}:30:00Z"));
    }
    line
}
