//! The program `product` as three processes over one Redis and a Kafka: two serve and consume no events (`ROLE=api`), one does nothing else
//! (`ROLE=worker`). Whatever is read was true a second ago, and what a process has acknowledged itself is true at once.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bus::kafka::{Producer, Settings};
use contract::Topic;
use serde_json::{Value, json};
use testkit::{Http, Kafka, Program, Redis, TestDatabase, eventually};

use crate::stock::level;

/// A debug build and a broker on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);
/// What a process may be behind what was acknowledged.
const BOUND: Duration = Duration::from_secs(1);
/// Between the moment when an event can be seen in the database and the one when it counts as handled: then everybody has been told.
const HANDLED: Duration = Duration::from_secs(1);
/// Rounds of changes: some ten seconds.
const ROUNDS: i64 = 59;

/// From when on, by which process before, and the least versions of product and stock.
type Bound = (Instant, Option<usize>, [i64; 2]);

/// What must be shown by whom, and from when on.
#[derive(Default)]
struct Acknowledged(Mutex<Vec<Bound>>);

impl Acknowledged {
    /// By everybody at `from`, by the process `own` right now.
    fn add(&self, from: Instant, own: Option<usize>, versions: [i64; 2]) {
        self.0.lock().unwrap().push((from, own, versions));
    }

    /// The least that process `own` may show to who begins to read now: the product's version and the stock's.
    fn least(&self, own: usize, now: Instant) -> [i64; 2] {
        let all = self.0.lock().unwrap();
        let binding = all.iter().filter(|(from, by, _)| *from <= now || *by == Some(own));
        binding.fold([0, 0], |[major, minor], (_, _, least)| [major.max(least[0]), minor.max(least[1])])
    }
}

async fn versions(http: &Http, path: &str) -> [i64; 2] {
    let answer = http.get(path).await.expect(200);
    let (major, minor) = answer.header("etag").trim_matches('"').split_once('-').unwrap();
    [major.parse().unwrap(), minor.parse().unwrap()]
}

/// Reads by both names until it is over; gives how often.
async fn read(http: Http, own: usize, product: &Value, acknowledged: &Acknowledged, over: &AtomicBool) -> u64 {
    let paths = ["id", "sku"].map(|name| format!("/v1/products/{}", product[name].as_str().unwrap()));
    let mut reads = 0;
    while !over.load(Ordering::SeqCst) {
        for path in &paths {
            let least = acknowledged.least(own, Instant::now());
            let shown = versions(&http, path).await;
            assert!(shown[0] >= least[0] && shown[1] >= least[1], "process {own} shows {shown:?}, {least:?} was acknowledged");
            reads += 1;
        }
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
    reads
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_that_consume_no_events_show_nothing_older_than_a_second() {
    let (mut redis, kafka) = tokio::task::block_in_place(|| (Redis::start(), Kafka::start()));
    let database = TestDatabase::create().await;
    let start = |role: &'static str| {
        let variables = [
            ("DATABASE_URL", database.url()),
            ("REDIS_URL", &redis.url()),
            ("KAFKA_BOOTSTRAP_SERVERS", kafka.servers()),
            ("KAFKA_TOPIC_PARTITIONS", "1"),
            ("STOCK_URL", "http://127.0.0.1:1"),
            ("ROLE", role),
        ];
        tokio::task::block_in_place(|| Program::start(env!("CARGO_BIN_EXE_product"), &variables))
    };
    let (mut apis, mut worker) = ([start("api"), start("api")], start("worker"));
    let [one, two] = apis.each_ref().map(Program::http);
    let new = json!({"sku": "mug", "name": "mug", "category": "Kitchen"});
    let product = one.post("/v1/products", &new).await.expect(201).json();
    let outlet = Producer::new(&Settings::new(kafka.servers(), 1, Vec::new()).unwrap()).unwrap().outlet(Topic::StockChanges);
    let client = database.database().get().await.unwrap();
    let (acknowledged, over) = (Acknowledged::default(), AtomicBool::new(false));
    let change = async {
        for n in 1..=ROUNDS {
            match n {
                15 => drop(redis.command(&["FLUSHALL"])),
                25 => redis.hang(),
                32 => redis.go_on(),
                40 => tokio::task::block_in_place(|| redis.stop()),
                48 => tokio::task::block_in_place(|| redis.restart()),
                _ => {}
            }
            let own = (n % 2) as usize;
            let http = [&one, &two][own];
            let patch = json!({"name": format!("mug {n}")}).to_string();
            let media = [("content-type", "application/merge-patch+json")];
            let answer = http.send("PATCH", "/v1/products/mug", &media, patch).await.expect(200);
            acknowledged.add(Instant::now() + BOUND, Some(own), [answer.json()["version"].as_i64().unwrap(), 0]);
            let event = level(&product, "default", n, 10 * n, 0);
            outlet.deliver(&[event.event().unwrap().clone()]).await.unwrap();
            eventually("the worker has it", PATIENCE, async || {
                let row = client.query_opt("SELECT version FROM product_stock", &[]).await.unwrap()?;
                (row.get::<_, i64>(0) >= n).then_some(())
            })
            .await;
            acknowledged.add(Instant::now() + HANDLED + BOUND, None, [0, n]);
            tokio::time::sleep(Duration::from_millis(60)).await;
        }
        // Long enough that everything must be shown.
        tokio::time::sleep(HANDLED + BOUND * 2).await;
        over.store(true, Ordering::SeqCst);
    };
    let reads = tokio::join!(
        change,
        read(one.clone(), 0, &product, &acknowledged, &over),
        read(one.clone(), 0, &product, &acknowledged, &over),
        read(two.clone(), 1, &product, &acknowledged, &over),
        read(two.clone(), 1, &product, &acknowledged, &over),
    );
    let least = reads.1.min(reads.2).min(reads.3).min(reads.4);
    assert!(least > 200, "too little happened: {reads:?}");
    for http in [&one, &two] {
        assert_eq!(versions(http, "/v1/products/mug").await, [ROUNDS + 1, ROUNDS]);
    }
    tokio::task::block_in_place(|| {
        worker.stop();
        apis.iter_mut().for_each(Program::stop);
    });
}
