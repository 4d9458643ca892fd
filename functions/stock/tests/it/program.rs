//! The program: it migrates, serves, says where, and stops cleanly when it is told to.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use testkit::{Http, TestDatabase};

const STOCK: &str = env!("CARGO_BIN_EXE_stock");
/// What the contract allows an orderly stop.
const STOP: Duration = Duration::from_secs(15);

fn program(database: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(STOCK);
    command.args(arguments).env("DATABASE_URL", database).env("PORT", "0").env("LISTEN", "127.0.0.1").env_remove("PRODUCT_URL");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Starts it, and waits until it says where it listens.
fn start(database: &str) -> (Child, String) {
    let mut child = program(database, &[]).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    let url = line.trim_end().strip_prefix("stock listens on ").unwrap_or_else(|| panic!("{line:?}"));
    (child, url.to_owned())
}

fn stop(child: Child, signal: Signal) -> (Duration, Output) {
    kill_process(Pid::from_child(&child), signal).unwrap();
    let begun = Instant::now();
    let output = child.wait_with_output().unwrap();
    (begun.elapsed(), output)
}

#[tokio::test]
async fn the_program_says_where_it_listens_and_stops_when_it_is_told_to() {
    let database = TestDatabase::create().await;
    for signal in [Signal::TERM, Signal::INT] {
        let (child, url) = start(database.url());
        let http = Http::new(&url);
        http.get("/readyz").await.expect(200);
        let unknown = json!({"sku": "nobody's", "type": "SALE", "quantity": 1});
        http.post("/v1/stock-changes", &unknown).await.expect(503);
        let (took, output) = tokio::task::spawn_blocking(move || stop(child, signal)).await.unwrap();
        assert!(output.status.success() && took < STOP, "{took:?}: {output:?}");
    }
}

#[tokio::test]
async fn migrate_makes_the_tables_and_ends() {
    let database = TestDatabase::create().await;
    let output = program(database.url(), &["migrate"]).output().unwrap();
    assert!(output.status.success() && output.stdout.is_empty(), "{output:?}");
    let levels = database.database().get().await.unwrap().query_one("SELECT count(*) FROM level", &[]).await.unwrap();
    assert_eq!(levels.get::<_, i64>(0), 0);
}

#[test]
fn a_database_that_is_away_is_an_error_that_says_so() {
    let output = program("postgresql://gudang:secret@127.0.0.1:1/stock", &[]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("Stock's database") && !said.contains("secret"), "{said}");
}
