//! Holds that end at the very moment of their confirmation, with nobody sweeping, and by the database's clock alone.

use std::path::PathBuf;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use testkit::dice::{self, Dice};
use testkit::{Answer, Http, Program, TestDatabase};

use crate::fixture::{Stock, product_server, stock};

/// Holds that are confirmed in the last moment.
const HOLDS: u64 = 60;
/// Units of each product, all of them held.
const UNITS: i64 = 5;
/// How far around the end the confirmations and sales are sent: as many within 1 ms as within 2 and 4, and so on up to 2 to the power of this.
const AROUND: u64 = 9;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_hold_that_ends_while_it_is_confirmed_is_sold_once_and_never_stuck() {
    let seed = dice::seed();
    println!("seed {seed} (build with GUDANG_SEED={seed} to have the same moments)");
    let stock = stock().await;
    let other = stock.another().await;
    let races = (0..HOLDS).map(|number| {
        stock.only_at_product(&format!("race {number}"));
        tokio::spawn(race(Dice::new(seed, number), number, stock.http.clone(), other.http.clone()))
    });
    let mut confirmed = 0;
    for race in races.collect::<Vec<_>>() {
        confirmed += u64::from(race.await.unwrap());
    }
    println!("{confirmed} of {HOLDS} were confirmed, the others had expired");
    assert!((1..HOLDS).contains(&confirmed), "the moment was not met: {confirmed} of {HOLDS} were confirmed");
    for number in 0..HOLDS {
        history_is_told(&stock, &format!("race {number}")).await;
    }
    stock.balances().await;
}

fn sale(sku: &str) -> Value {
    json!({"sku": sku, "type": "SALE", "quantity": UNITS})
}

async fn wait_until(time: Timestamp) {
    let left = Duration::try_from(time.duration_since(Timestamp::now())).unwrap_or_default();
    tokio::time::sleep(left).await;
}

fn time(value: &Value) -> Timestamp {
    value.as_str().unwrap().parse().unwrap()
}

/// A hold of everything, and around its end a confirmation at one instance and a sale at the other. Says whether it was confirmed.
async fn race(mut dice: Dice, number: u64, here: Http, there: Http) -> bool {
    let sku = format!("race {number}");
    here.post("/v1/stock-changes", &json!({"sku": sku, "type": "RESTOCK", "quantity": UNITS})).await.expect(201);
    let body = json!({"lines": [{"sku": sku, "quantity": UNITS}], "ttl_seconds": 1});
    let held = here.post("/v1/reservations", &body).await.expect(201).json();
    let ends = time(&held["expires_at"]);
    let confirm = format!("/v1/reservations/{}/confirm", held["id"].as_str().unwrap());
    let mut moment = || {
        let around = 1000 << dice.below(AROUND + 1);
        ends + SignedDuration::from_micros(dice.below(2 * around) as i64 - around as i64)
    };
    let (confirm_at, sell_at) = (moment(), moment());
    let sell_body = sale(&sku);
    let confirming = async {
        wait_until(confirm_at).await;
        here.post(&confirm, &json!({})).await
    };
    let selling = async {
        wait_until(sell_at).await;
        there.post("/v1/stock-changes", &sell_body).await
    };
    let (confirmed, sold): (Answer, Answer) = tokio::join!(confirming, selling);
    let answered = Timestamp::now();
    assert!(matches!((confirmed.status, sold.status), (200, 409) | (409, 201 | 409)), "{} {}", confirmed.text(), sold.text());
    let (confirmation, sold_change) = (confirmed.json(), sold.json());
    if confirmed.status == 200 {
        assert!(time(&confirmation["resolved_at"]) < ends, "confirmed after its time: {confirmation}");
    } else {
        assert_eq!(confirmation["code"], "reservation_expired");
        assert!(answered >= ends, "expired before its time: {confirmation}");
    }
    if sold.status == 201 {
        assert!(time(&sold_change["recorded_at"]) >= ends, "sold while it was promised: {sold_change}");
        assert_eq!(sold_change["reserved"], 0);
    }
    // Nobody sweeps, and yet what nobody bought can be bought.
    wait_until(ends).await;
    let last = here.post("/v1/stock-changes", &sell_body).await;
    let bought_before = confirmed.status == 200 || sold.status == 201;
    assert_eq!(last.status, if bought_before { 409 } else { 201 }, "{}", last.text());
    confirmed.status == 200
}

/// Everything was sold once, and the hold ended once, before its units went to somebody else.
async fn history_is_told(stock: &Stock, sku: &str) {
    let level = stock.http.get(&format!("/v1/stock/{}", sku.replace(' ', "%20"))).await.expect(200).json();
    assert_eq!((&level["on_hand"], &level["reserved"]), (&json!(0), &json!(0)), "{level}");
    let stream = format!("{}@default", level["product_id"].as_str().unwrap());
    let journal = stock.http.get(&format!("/v1/journal?stream={stream}")).await.expect(200).json();
    let events = journal["items"].as_array().unwrap();
    let kinds: Vec<&str> = events.iter().map(|event| event["type"].as_str().unwrap().split('.').nth(2).unwrap()).collect();
    let sold = kinds == ["changed", "reserved", "changed"];
    let lapsed = kinds == ["changed", "reserved", "expired", "changed"] && time(&events[2]["time"]) <= time(&events[3]["recordedtime"]);
    assert!(sold || lapsed, "{kinds:?}");
}

#[tokio::test]
async fn the_clock_of_the_program_does_not_matter() {
    for (number, clock) in ["+10m", "-10m"].into_iter().enumerate() {
        let database = TestDatabase::create().await;
        let product = product_server(["A".to_owned()]).await;
        let library = libfaketime();
        let environment = [
            ("DATABASE_URL", database.url()),
            ("PRODUCT_URL", &product),
            ("LD_PRELOAD", library.to_str().unwrap()),
            ("FAKETIME", clock),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
        ];
        let program = Program::start(env!("CARGO_BIN_EXE_stock"), &environment);
        let http = program.http();
        http.post("/v1/stock-changes", &json!({"sku": "A", "type": "RESTOCK", "quantity": UNITS})).await.expect(201);
        let hold = async |ttl_seconds: i64| {
            http.post("/v1/reservations", &json!({"lines": [{"sku": "A", "quantity": UNITS}], "ttl_seconds": ttl_seconds}))
                .await
                .expect(201)
                .json()
        };
        let step = async |held: &Value, step: &str| {
            http.send("POST", &format!("/v1/reservations/{}/{step}", held["id"].as_str().unwrap()), &[], "").await
        };
        let long = hold(300).await;
        http.post("/v1/stock-changes", &sale("A")).await.expect(409);
        assert_eq!(http.get("/v1/stock/A").await.expect(200).json()["available"], 0, "clock {clock}: five minutes are not over");
        step(&long, "release").await.expect(200);
        let short = hold(1).await;
        let off = time(&short["expires_at"]).duration_since(Timestamp::now());
        assert!(off.abs() < SignedDuration::from_secs(60), "clock {clock}: it counts from the program's own time, {off}");
        wait_until(time(&short["expires_at"])).await;
        assert_eq!(http.get("/v1/stock/A").await.expect(200).json()["available"], UNITS, "clock {clock}: the second is over");
        assert_eq!(step(&short, "confirm").await.expect(409).json()["code"], "reservation_expired");
        http.post("/v1/stock-changes", &sale("A")).await.expect(201);
        // The program does live in another time: what it is told of now lies too far ahead, or not far enough.
        let ahead = Timestamp::now() + SignedDuration::from_mins(6);
        let told = json!({"sku": "A", "type": "RESTOCK", "quantity": 1, "occurred_at": ahead.to_string()});
        http.post("/v1/stock-changes", &told).await.expect(if number == 0 { 201 } else { 422 });
    }
}

/// A library that gives a program another time.
fn libfaketime() -> PathBuf {
    let systems = std::fs::read_dir("/usr/lib").unwrap().map(|system| system.unwrap().path().join("faketime/libfaketime.so.1"));
    systems
        .into_iter()
        .find(|library| library.exists())
        .unwrap_or_else(|| panic!("libfaketime is missing: scripts/setup.sh test installs it"))
}
