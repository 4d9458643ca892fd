//! `gudang import`: files as people have them.

use serde_json::json;
use std::io::Write;
use std::path::PathBuf;
use testkit::Service;

use crate::said::Said;
use crate::world::World;

struct Files(tempfile::TempDir);

impl Files {
    fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }
}

fn import(world: &World, what: &str, file: &std::path::Path, more: &[&str]) -> Said {
    world.run(&[&["import", what, file.to_str().unwrap()], more].concat())
}

pub(super) async fn a_file_is_taken_row_by_row_and_what_is_refused_is_named_with_its_line(world: &World) {
    let files = Files(tempfile::tempdir().unwrap());
    let products = files.write(
        "products.csv",
        "\u{feff}sku,Title,category\r\n1,\"One, the \"\"first\"\"\",Things\r\n2,,Things\r\n3,Three,Things\r\n".as_bytes(),
    );

    let said = import(world, "products", &products, &[]).expect(1);
    assert!(said.err.contains("`Title`") && said.err.contains("--map"), "{said:?}");
    let said = import(world, "products", &products, &["--map", "name=Title", "--currency", "EUR"]).expect(1);
    assert!(said.err.contains("products.csv, line 3: "), "{said:?}");
    assert!(said.out.contains("2 created, 0 updated, 0 unchanged, 1 refused"), "{said:?}");
    let one = world.http(Service::Product).get("/v1/products/1").await.expect(200).json();
    assert_eq!((&one["name"], &one["currency"]), (&json!("One, the \"first\""), &json!("EUR")));
    let said = import(world, "products", &products, &["--map", "name=Title", "--currency", "EUR"]).expect(1);
    assert!(said.out.contains("0 created, 0 updated, 2 unchanged, 1 refused"), "{said:?}");

    // More than one chunk, compressed; a row in the middle that cannot be.
    let mut rows = String::new();
    for n in 1..=4_500 {
        rows += &if n == 3_000 { "{\"sku\":\"1\",\"type\":\"SALE\",\"quantity\":0}\n".to_owned() } else { change(n) };
    }
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(rows.as_bytes()).unwrap();
    let whole = encoder.finish().unwrap();
    let changes = files.write("changes.ndjson.gz", &whole);
    for _ in 0..2 {
        // The second time changes nothing: rows are known by the file's content.
        let said = import(world, "stock-changes", &changes, &[]).expect(1);
        assert!(said.err.contains("changes.ndjson.gz, line 3000: "), "{said:?}");
        assert!(said.out.contains("4,499 recorded, 1 refused"), "{said:?}");
        let stock = world.http(Service::Stock).get("/v1/stock/1").await.expect(200).json();
        assert_eq!((&stock["version"], &stock["on_hand"]), (&json!(4_499), &json!(4_499)));
    }

    let broken = files.write("broken.ndjson.gz", &whole[..whole.len() / 2]);
    let said = import(world, "stock-changes", &broken, &[]).expect(1);
    assert!(said.err.contains("broken.ndjson.gz") && said.err.contains("cut off"), "{said:?}");
    let stock = world.http(Service::Stock).get("/v1/stock/1").await.expect(200).json();
    assert_eq!(stock["version"], json!(4_499), "nothing of a broken file is sent");
    world.sees(Service::Product, "/v1/products/1", |product| product["stock"]["on_hand"] == 4_499).await;
}

fn change(n: usize) -> String {
    format!("{{\"sku\":\"1\",\"type\":\"RESTOCK\",\"quantity\":1,\"reference\":\"r{n}\"}}\n")
}
