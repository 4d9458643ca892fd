//! `gudang up`: it starts, says where it is, stops in order, finds everything again, and says clearly why it does not start.

use std::net::TcpListener;
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use testkit::{Gudang, Service, TestDatabase};

use crate::said::{GUDANG, Said};

#[tokio::test]
async fn it_stops_in_order_and_finds_everything_again() {
    let mut gudang = Gudang::start(GUDANG);
    let product = json!({"sku": "red shirt XL", "name": "Shirt", "category": "Clothes", "price": "12.50"});
    let created = gudang.http(Service::Product).post("/v1/products", &product).await.expect(201).json();

    // A second one on the same data is told who has it.
    let mut second = Command::new(GUDANG);
    second.args(["up", "--product-port=0", "--stock-port=0", "--notification-port=0", "--analytics-port=0", "--data-dir"]);
    let said = Said::by(second.arg(gudang.data_dir())).expect(1);
    assert!(said.err.contains(&format!("already running, pid {}", gudang.pid())), "{said:?}");
    assert_eq!(said.out, "");

    gudang.stop();
    gudang.restart();
    let found = gudang.http(Service::Product).get("/v1/products/red%20shirt%20XL").await.expect(200).json();
    assert_eq!(found["id"], created["id"]);

    // A kill is no more than a stop without manners.
    gudang.kill();
    gudang.restart();
    gudang.http(Service::Product).get("/v1/products/red%20shirt%20XL").await.expect(200);
    let status = gudang.stop_by(Signal::INT);
    assert!(status.success(), "{status}");
}

#[test]
fn a_port_that_is_taken_is_named_with_the_setting_that_chooses_it() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("an address").port();
    let home = tempfile::tempdir().expect("a directory");
    let mut command = Command::new(GUDANG);
    command.args(["up", "--product-port=0", "--notification-port=0", "--analytics-port=0", "--data-dir"]).arg(home.path().join("data"));
    let said = Said::by(command.env("STOCK_PORT", port.to_string())).expect(1);
    assert!(said.err.contains("stock cannot listen on") && said.err.contains("STOCK_PORT"), "{said:?}");
    assert!(!home.path().join("data").exists(), "nothing is begun in vain");
}

#[test]
fn it_says_so_when_its_database_is_gone() {
    let mut gudang = Gudang::start(GUDANG);
    let postmaster = std::fs::read_to_string(gudang.data_dir().join("postgres/postmaster.pid")).expect("the server's pid file");
    let pid = postmaster.lines().next().and_then(|pid| Pid::from_raw(pid.parse().ok()?)).expect("a pid");
    kill_process(pid, Signal::QUIT).expect("a signal");
    let status = gudang.ended(Duration::from_secs(10));
    assert_eq!(status.code(), Some(1));
    assert!(gudang.log().contains("PostgreSQL has stopped"), "{}", gudang.log());
    gudang.restart();
    gudang.stop();
}

#[tokio::test]
async fn databases_that_are_given_replace_the_private_server() {
    let (product, stock) = (TestDatabase::create().await, TestDatabase::create().await);
    let (notification, analytics) = (TestDatabase::create().await, TestDatabase::create().await);
    let mut gudang = Gudang::start_with(
        GUDANG,
        &[
            ("PRODUCT_DATABASE_URL", product.url()),
            ("STOCK_DATABASE_URL", stock.url()),
            ("NOTIFICATION_DATABASE_URL", notification.url()),
            ("ANALYTICS_DATABASE_URL", analytics.url()),
        ],
    );
    assert!(!gudang.data_dir().exists());
    gudang.http(Service::Stock).get("/readyz").await.expect(200);
    gudang.stop();
}

#[test]
fn settings_that_cannot_be_used_are_errors_that_name_them() {
    let up = |variable: &str, value: &str| Said::by(Command::new(GUDANG).arg("up").env(variable, value));
    for (variable, value, code) in [
        ("PRODUCT_PORT", "eighty", 2),
        ("CURRENCY", "euro", 2),
        ("NOTIFY_TIMEOUT_SECONDS", "0", 2),
        ("NOTIFY_WEBHOOK_SECRET", "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD", 1),
    ] {
        let said = up(variable, value).expect(code);
        assert!(said.err.contains(variable), "{said:?}");
    }
}

#[test]
fn a_warm_start_is_quick() {
    let mut gudang = Gudang::start(GUDANG);
    gudang.stop();
    let begun = Instant::now();
    gudang.restart();
    // 2 s are promised of the release build on a quiet machine; this one shares its machine with other tests.
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    gudang.stop();
}
