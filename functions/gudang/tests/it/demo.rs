//! `gudang demo` on a part of the real file: the same figures however often and however interrupted, and nothing from a bad file.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testkit::{Gudang, Service};

use crate::said::{GUDANG, Said};

/// The first `rows` rows of the file that the project carries.
fn part(home: &Path, rows: usize) -> PathBuf {
    let carried = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/online-retail/online-retail-2010-12-to-2011-08.csv.gz");
    let mut text = String::new();
    flate2::read::GzDecoder::new(std::fs::File::open(carried).unwrap()).read_to_string(&mut text).unwrap();
    let part: String = text.split_inclusive('\n').take(rows + 1).collect();
    let path = home.join(format!("first-{rows}.csv"));
    std::fs::write(&path, part).unwrap();
    path
}

fn demo(gudang: &Gudang, file: &Path) -> Said {
    Said::by(gudang.command(&["demo", "--json", "--data"]).arg(file))
}

/// What must be the same after every run.
fn figures(summary: &Value) -> Value {
    json!([summary["rows"], summary["changes"], summary["best_sellers"], summary["alerts"]])
}

#[tokio::test]
async fn it_ends_with_the_same_figures_when_run_twice_and_when_killed_in_between() {
    let home = tempfile::tempdir().unwrap();
    let file = part(home.path(), 30_000);
    let undisturbed = Gudang::start(GUDANG);
    let first = demo(&undisturbed, &file).expect(0).json();
    assert_eq!(first["rows"], json!(30_000));
    assert!(first["seconds"].as_f64().unwrap() > 0.0 && first["changes_per_second"].as_f64().unwrap() > 0.0, "{first}");
    let report = undisturbed.http(Service::Analytics).get("/v1/reports/best-sellers").await.expect(200).json();
    assert_eq!(first["best_sellers"], report);
    assert_eq!(figures(&demo(&undisturbed, &file).expect(0).json()), figures(&first));
    Said::to(&undisturbed, &["audit"]).expect(0);

    // Killed while it runs and started again: the demo goes on by itself.
    let mut killed = Gudang::start(GUDANG);
    let mut running = killed.command(&["demo", "--json", "--data"]);
    let running = running.arg(&file).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    some_changes(&killed).await;
    killed.kill();
    killed.restart();
    let said = ended(running).expect(0);
    assert_eq!(without_ids(figures(&said.json())), without_ids(figures(&first)));
    Said::to(&killed, &["audit"]).expect(0);
}

/// Waits until the first changes are recorded.
async fn some_changes(gudang: &Gudang) {
    testkit::eventually("the first changes", Duration::from_secs(30), async || {
        let page = gudang.http(Service::Stock).get("/v1/stock-changes?limit=1").await.expect(200).json();
        (!page["items"].as_array().unwrap().is_empty()).then_some(())
    })
    .await;
}

fn ended(mut child: Child) -> Said {
    let begun = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if begun.elapsed() > Duration::from_mins(2) {
            child.kill().unwrap();
            panic!("the demo still runs");
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Said::of(child.wait_with_output().unwrap())
}

/// Two shops give two ids to the same product.
fn without_ids(mut figures: Value) -> Value {
    for item in figures[2]["items"].as_array_mut().unwrap() {
        item.as_object_mut().unwrap().remove("product_id");
    }
    figures
}

#[tokio::test]
async fn a_bad_file_is_refused_whole_and_a_second_shop_is_not_put_on_top_of_a_first() {
    let home = tempfile::tempdir().unwrap();
    let gudang = Gudang::start(GUDANG);
    let good = part(home.path(), 100);
    let text = std::fs::read_to_string(&good).unwrap();
    let bad = home.path().join("bad.csv");
    for (bytes, said_of_it) in [
        (text.replacen("Quantity,", "", 1), "line 1: there is no column `Quantity`"),
        (text.replacen(",6,2010", ",six,2010", 1), "line 2: `Quantity` is `six`"),
        (String::new(), "empty"),
    ] {
        std::fs::write(&bad, bytes).unwrap();
        let said = demo(&gudang, &bad).expect(1);
        assert!(said.err.contains("bad.csv") && said.err.contains(said_of_it), "{said_of_it}: {said:?}");
    }
    let products = gudang.http(Service::Product).get("/v1/products").await.expect(200).json();
    assert_eq!(products["items"], json!([]), "nothing is sent of a file that is not good");

    demo(&gudang, &good).expect(0);
    let changes = gudang.http(Service::Analytics).get("/v1/books?account=versions").await.expect(200).json();
    let said = demo(&gudang, &part(home.path(), 5_000)).expect(1);
    assert!(said.err.contains("the shop is loaded already"), "{said:?}");
    assert_eq!(gudang.http(Service::Analytics).get("/v1/books?account=versions").await.expect(200).json(), changes);
}
