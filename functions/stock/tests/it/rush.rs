//! Many at once, over two instances of Stock on one database: nothing is sold twice, nobody deadlocks, and nobody suffers for another.
//!
//! docs/faults.md says how each promise was seen to fail.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures::future::join_all;
use postgres::Database;
use serde_json::{Value, json};
use testkit::dice::{self, Dice};
use testkit::{Answer, Http, Program, Server, TestDatabase};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::fixture::product_server;

/// How long orders come in opposite order, unless `GUDANG_SECONDS` says otherwise.
const OPPOSITE_SECONDS: u64 = 15;

/// Two instances on one database.
struct Pair {
    _instances: [Program; 2],
    https: [Http; 2],
}

impl Pair {
    /// Starts both, with products that have so many units each.
    async fn open(database: &str, skus: &[&str], units: u64) -> Self {
        let product = product_server(skus.iter().map(|&sku| sku.to_owned())).await;
        let database = database.to_owned();
        let start = move || {
            let environment = [("DATABASE_URL", database.as_str()), ("PRODUCT_URL", &product), ("STOCK_LANES", "2")];
            let start = || Program::start(env!("CARGO_BIN_EXE_stock"), &environment);
            [start(), start()]
        };
        let instances = tokio::task::spawn_blocking(start).await.unwrap();
        let pair = Self { https: instances.each_ref().map(Program::http), _instances: instances };
        for sku in skus {
            pair.https[0].post("/v1/stock-changes", &json!({"sku": sku, "type": "RESTOCK", "quantity": units})).await.expect(201);
        }
        pair
    }

    /// The one for the `n`th caller.
    fn http(&self, n: usize) -> Http {
        self.https[n % 2].clone()
    }

    async fn level(&self, sku: &str) -> Value {
        self.https[1].get(&format!("/v1/stock/{sku}")).await.expect(200).json()
    }

    async fn balances(&self) {
        let books = self.https[0].get("/v1/books").await.expect(200).json();
        assert_eq!(books["drifts"], json!([]));
    }
}

fn sale(sku: &str) -> Value {
    json!({"sku": sku, "type": "SALE", "quantity": 1})
}

/// Sends everything at once, in turn to one instance and to the other.
async fn at_once(pair: &Pair, path: &'static str, requests: impl IntoIterator<Item = (String, Value)>) -> Vec<Answer> {
    let sent = requests.into_iter().enumerate().map(|(n, (key, body))| {
        let http = pair.http(n);
        tokio::spawn(async move { http.post_keyed(path, &key, &body).await })
    });
    join_all(sent.collect::<Vec<_>>()).await.into_iter().map(Result::unwrap).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_hundred_buyers_of_a_hundred_units_get_exactly_a_hundred() {
    let database = TestDatabase::create().await;
    let pair = Pair::open(database.url(), &["A"], 100).await;
    let answers = at_once(&pair, "/v1/stock-changes", (0..500).map(|n| (format!("buyer {n}"), sale("A")))).await;
    let (sold, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 201);
    let versions: BTreeSet<i64> = sold.iter().map(|answer| answer.json()["version"].as_i64().unwrap()).collect();
    assert_eq!((sold.len(), versions), (100, (2..=101).collect()), "version 1 brought the hundred");
    for answer in refused {
        let problem = answer.clone().expect(409).json();
        assert_eq!((&problem["code"], &problem["available"]), (&json!("insufficient_stock"), &json!(0)));
    }
    let level = pair.level("A").await;
    assert_eq!((&level["on_hand"], &level["version"]), (&json!(0), &json!(101)));
    pair.balances().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_unit_sells_once() {
    let database = TestDatabase::create().await;
    let skus: Vec<String> = (0..25).map(|n| format!("last {n}")).collect();
    let pair = Pair::open(database.url(), &skus.iter().map(String::as_str).collect::<Vec<_>>(), 1).await;
    let buyers = skus.iter().flat_map(|sku| (0..4).map(move |n| (format!("{sku}: buyer {n}"), sale(sku))));
    let answers = at_once(&pair, "/v1/stock-changes", buyers).await;
    for (sku, answers) in skus.iter().zip(answers.chunks(4)) {
        let mut statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [201, 409, 409, 409], "{sku}");
        assert_eq!(pair.level(sku).await["on_hand"], json!(0), "{sku}");
    }
    pair.balances().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn orders_of_two_products_in_opposite_order_never_deadlock() {
    const SKUS: [&str; 8] = ["A", "B", "C", "D", "E", "F", "G", "H"];
    const UNITS: u64 = 100_000_000;
    let seconds = std::env::var("GUDANG_SECONDS").map_or(OPPOSITE_SECONDS, |seconds| seconds.parse().unwrap());
    let seed = dice::seed();
    println!("seed {seed}");
    let server = Server::start(&["stock"]).await;
    let pair = Pair::open(&server.url("stock"), &SKUS, UNITS).await;
    let until = Instant::now() + Duration::from_secs(seconds);
    let connections = (0..64).map(|n| {
        let (http, mut dice) = (pair.http(n), Dice::new(seed, n as u64));
        tokio::spawn(async move {
            let mut orders = 0;
            while Instant::now() < until {
                let first = dice.below(8) as usize;
                let second = (first + 1 + dice.below(7) as usize) % 8;
                http.post("/v1/stock-changes/batch", &json!({"changes": [sale(SKUS[first]), sale(SKUS[second])]})).await.expect(200);
                orders += 1;
            }
            orders
        })
    });
    let orders: u64 = join_all(connections.collect::<Vec<_>>()).await.into_iter().map(Result::unwrap).sum();
    println!("{orders} orders in {seconds} s");
    let mut left = 0;
    for sku in SKUS {
        left += pair.level(sku).await["on_hand"].as_u64().unwrap();
    }
    assert_eq!(left, 8 * UNITS - 2 * orders);
    pair.balances().await;
    let settings = postgres::Settings { url: server.url("stock"), pool_size: 1, application_name: "test".to_owned() };
    let deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
    let counted: i64 = Database::new(&settings).unwrap().get().await.unwrap().query_one(deadlocks, &[]).await.unwrap().get(0);
    let log = server.log();
    let logged: Vec<&str> = log.lines().filter(|line| line.contains("deadlock")).collect();
    assert_eq!((counted, logged), (0, Vec::new()));
}

/// What an answer says, but for what belongs to the single message.
fn said(answer: &Answer) -> (u16, Vec<(String, String)>, String) {
    let own = ["date", "x-request-id", "idempotent-replayed"];
    let headers = answer.headers.iter().filter(|(name, _)| !own.contains(&name.as_str()));
    let mut headers: Vec<_> = headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect();
    headers.sort();
    (answer.status, headers, answer.text())
}

fn replays(answers: &[Answer]) -> usize {
    answers.iter().filter(|answer| answer.header("idempotent-replayed") == "true").count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_at_once_with_one_key_have_one_effect_and_the_same_answer() {
    let database = TestDatabase::create().await;
    let pair = Pair::open(database.url(), &["A", "B"], 10).await;
    let too_many = json!({"sku": "A", "type": "SALE", "quantity": 50});
    let order = json!({"changes": [sale("A"), sale("B")]});
    let cases = [("/v1/stock-changes", 201, sale("A")), ("/v1/stock-changes", 409, too_many), ("/v1/stock-changes/batch", 200, order)];
    for (path, status, body) in cases {
        let key = format!("{path} {status}");
        let answers = at_once(&pair, path, vec![(key, body); 100]).await;
        assert_eq!((answers[0].status, replays(&answers)), (status, 99), "{path}");
        for answer in &answers {
            assert_eq!(said(answer), said(&answers[0]));
        }
    }
    assert_eq!((&pair.level("A").await["on_hand"], &pair.level("B").await["on_hand"]), (&json!(8), &json!(9)));
    pair.balances().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_requests_that_share_a_key_at_once_one_is_a_mismatch() {
    let database = TestDatabase::create().await;
    let pair = Pair::open(database.url(), &["A", "B"], 1000).await;
    let mut recorded = 0;
    for round in 0..10 {
        // Over different levels, so that no lock lets one wait for the other.
        let requests = (0..40).map(|n| (format!("round {round}"), sale(if n % 4 < 2 { "A" } else { "B" })));
        let answers = at_once(&pair, "/v1/stock-changes", requests).await;
        let (recorded_now, mismatched): (Vec<Answer>, Vec<Answer>) = answers.into_iter().partition(|answer| answer.status == 201);
        assert_eq!((recorded_now.len(), replays(&recorded_now)), (20, 19), "round {round}");
        for answer in mismatched {
            assert_eq!(answer.expect(422).json()["code"], "idempotency_key_mismatch");
        }
        recorded += 1;
    }
    let left = |level: Value| level["on_hand"].as_i64().unwrap();
    assert_eq!(left(pair.level("A").await) + left(pair.level("B").await), 2000 - recorded);
    pair.balances().await;
}

/// Writes so slowly that two instances are in the middle of it at the same time.
const SLOW: &str = "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.3); RETURN NULL; END $$; \
     CREATE TRIGGER slow AFTER INSERT ON ledger FOR EACH STATEMENT EXECUTE FUNCTION slow()";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_two_instances_write_at_the_same_moment_counts_once() {
    let database = TestDatabase::create().await;
    let pair = Pair::open(database.url(), &["A", "B"], 10).await;
    database.database().get().await.unwrap().batch_execute(SLOW).await.unwrap();
    let requests = ["A", "B"].map(|sku| ("one key".to_owned(), sale(sku)));
    let mut answers = at_once(&pair, "/v1/stock-changes", requests).await;
    answers.sort_by_key(|answer| answer.status);
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    assert_eq!(statuses, [201, 422]);
    assert_eq!(answers[1].json()["code"], "idempotency_key_mismatch");
    let left = |level: Value| level["on_hand"].as_i64().unwrap();
    assert_eq!(left(pair.level("A").await) + left(pair.level("B").await), 19);
    pair.balances().await;
}

/// Sends a sale under a key and hangs up, with the answer or without it.
async fn hang_up(http: &Http, key: &str, after: Duration) {
    let address = http.base().strip_prefix("http://").unwrap();
    let body = sale("A").to_string();
    let head =
        format!("POST /v1/stock-changes HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\nidempotency-key: {key}\r\n");
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(format!("{head}content-length: {}\r\n\r\n{body}", body.len()).as_bytes()).await.unwrap();
    tokio::time::sleep(after).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_who_hang_up_take_nobody_with_them_and_can_ask_what_became_of_it() {
    let database = TestDatabase::create().await;
    let pair = Pair::open(database.url(), &["A"], 1_000_000).await;
    let seed = dice::seed();
    println!("seed {seed}");
    let over = Arc::new(AtomicBool::new(false));
    let patient = (0..16).map(|n| {
        let (http, over) = (pair.http(n), Arc::clone(&over));
        tokio::spawn(async move {
            let mut sold = 0;
            while !over.load(Ordering::Relaxed) {
                http.post("/v1/stock-changes", &sale("A")).await.expect(201);
                sold += 1;
            }
            sold
        })
    });
    let patient: Vec<_> = patient.collect();
    let mut dice = Dice::new(seed, 0);
    for group in 0..20 {
        let leaving = (0..50).map(|n| (pair.http(n), format!("left {group}-{n}"), Duration::from_micros(dice.below(6_000))));
        let leaving = leaving.map(|(http, key, after)| tokio::spawn(async move { hang_up(&http, &key, after).await }));
        join_all(leaving.collect::<Vec<_>>()).await.into_iter().for_each(Result::unwrap);
    }
    over.store(true, Ordering::Relaxed);
    let sold: i64 = join_all(patient).await.into_iter().map(Result::unwrap).sum();

    let keys = || (0..20).flat_map(|group| (0..50).map(move |n| (format!("left {group}-{n}"), sale("A"))));
    let asked = at_once(&pair, "/v1/stock-changes", keys()).await;
    println!("{sold} sold to those who stayed; of 1000 who left, {} had bought", replays(&asked));
    assert!(replays(&asked) > 0, "nobody left a request behind that was carried out");
    let again = at_once(&pair, "/v1/stock-changes", keys()).await;
    for (first, again) in asked.into_iter().zip(again) {
        assert_eq!(said(&first.expect(201)), said(&again));
    }
    assert_eq!(pair.level("A").await["on_hand"], json!(1_000_000 - sold - 1000));
    pair.balances().await;
}

/// A database that cannot take one particular row, whatever the reason.
const POISON: &str = "CREATE FUNCTION choke() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
         IF NEW.reference = 'poison' THEN RAISE EXCEPTION 'choked on %', NEW.reference; END IF; RETURN NEW; END $$; \
     CREATE TRIGGER choke BEFORE INSERT ON ledger FOR EACH ROW EXECUTE FUNCTION choke()";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_batch_with_one_poisoned_request_only_that_one_fails() {
    const SKUS: [&str; 4] = ["A", "B", "C", "D"];
    let database = TestDatabase::create().await;
    let pair = Pair::open(database.url(), &SKUS, 1000).await;
    let pool = database.database();
    let connection = pool.get().await.unwrap();
    connection.batch_execute(POISON).await.unwrap();
    let change = |round: usize, n: usize, poisoned: usize| {
        let reference = if n == poisoned { "poison".to_owned() } else { format!("{round}-{n}") };
        (format!("{round}-{n}"), json!({"sku": SKUS[n % 4], "type": "SALE", "quantity": 1, "reference": reference}))
    };
    // All to one instance, while every level is locked: what comes meanwhile is one batch.
    for (round, poisoned) in [0, 100, 255].into_iter().enumerate() {
        connection.batch_execute("BEGIN; SELECT FROM level FOR UPDATE").await.unwrap();
        let sent = (0..256).map(|n| {
            let (http, (key, body)) = (pair.http(0), change(round, n, poisoned));
            tokio::spawn(async move { http.post_keyed("/v1/stock-changes", &key, &body).await })
        });
        let sent: Vec<_> = sent.collect();
        tokio::time::sleep(Duration::from_millis(500)).await;
        connection.batch_execute("COMMIT").await.unwrap();
        let answers: Vec<Answer> = join_all(sent).await.into_iter().map(Result::unwrap).collect();
        let failed: Vec<usize> = (0..256).filter(|&n| answers[n].status != 201).collect();
        assert_eq!(failed, [poisoned]);
        let problem = answers[poisoned].clone().expect(500);
        assert!(problem.json()["code"] == "internal" && !problem.text().contains("choke"), "{}", problem.text());
    }
    connection.batch_execute("DROP TRIGGER choke ON ledger").await.unwrap();
    let (key, body) = change(0, 0, 0);
    let again = pair.http(0).post_keyed("/v1/stock-changes", &key, &body).await.expect(201);
    assert_eq!(again.header("idempotent-replayed"), "", "a failure is not stored");
    let recorded = "SELECT count(*), count(DISTINCT reference) FROM ledger WHERE kind = 'SALE'";
    let recorded = connection.query_one(recorded, &[]).await.unwrap();
    assert_eq!((recorded.get::<_, i64>(0), recorded.get::<_, i64>(1)), (3 * 255 + 1, 3 * 255 + 1));
    pair.balances().await;
}
