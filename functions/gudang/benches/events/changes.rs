//! What is sold here, over HTTP: one unit of one product after the other.

use std::fmt::Write;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::ensure;
use jiff::Timestamp;
use serde_json::{Value, json};
use testkit::Program;
use uuid::Uuid;

use crate::place::HOW_MANY;
use crate::steady::{Ask, Pace};
use crate::wire;

/// Changes a second where it is about delay and not about the most that can be done.
const RATE: u32 = 1_000;
const CONNECTIONS: u32 = 64;
/// Neighbours in time are no neighbours in the table.
const STRIDE: u32 = 3_571;
/// Between two sales of a product in its past.
const BETWEEN_SALES: Duration = Duration::from_hours(13);
/// Units that a product gets at first.
const PLENTY: u32 = 1_000_000;

/// A thousand changes a second.
pub(crate) fn pace(seconds: u32) -> Pace {
    Pace { rate: RATE, connections: CONNECTIONS, seconds }
}

/// The SKU of a product.
pub(crate) fn sku(number: u32) -> String {
    format!("load-{number:05}")
}

/// Where a program listens.
pub(crate) fn address(program: &Program) -> anyhow::Result<SocketAddr> {
    Ok(program.url().trim_start_matches("http://").parse()?)
}

/// Sends rows to be imported, one for each product.
pub(crate) async fn import(program: &Program, path: &str, row: impl Fn(u32) -> Value) -> anyhow::Result<()> {
    let mut rows = String::new();
    for number in 0..HOW_MANY {
        writeln!(rows, "{}", row(number))?;
    }
    let answer = program.http().send("POST", path, &[("content-type", "application/x-ndjson")], rows).await;
    ensure!(answer.status == 200 && answer.json()["failed"] == 0, "{path} was answered with {}", answer.text());
    Ok(())
}

/// Puts plenty of everything on the shelves: version 1 of each product.
pub(crate) async fn restock(stock: &Program) -> anyhow::Result<()> {
    import(stock, "/v1/stock-changes/import", |number| json!({"sku": sku(number), "type": "RESTOCK", "quantity": PLENTY})).await
}

/// A past of so many changes for each product, the products taking turns: a restock and sales of one unit, nearly two a day, as those of the
/// demo's shop.
pub(crate) async fn past(stock: &Program, changes: u32) -> anyhow::Result<()> {
    restock(stock).await?;
    let day_one: Timestamp = "2025-01-01T00:00:00Z".parse()?;
    for change in 2..=changes {
        let told = day_one + BETWEEN_SALES * change;
        let sale = |number| {
            json!({
                "sku": sku(number), "type": "SALE", "quantity": 1, "unit_price": "2.55", "reference": format!("order-{change}"),
                "occurred_at": told.to_string(),
            })
        };
        import(stock, "/v1/stock-changes/import", sale).await?;
    }
    Ok(())
}

/// Sells.
pub(crate) struct Sell;

impl Ask for Sell {
    type Kept = ();

    fn request(&self, address: SocketAddr, turn: u32) -> Vec<u8> {
        let sku = sku(turn.wrapping_mul(STRIDE) % HOW_MANY);
        let body = format!(r#"{{"sku":"{sku}","type":"SALE","quantity":1,"unit_price":"2.55","reference":"order-{turn}"}}"#);
        let headers = format!("content-type: application/json\r\nidempotency-key: {}\r\n", Uuid::now_v7());
        wire::request(address, "POST /v1/stock-changes", &headers, &body)
    }

    fn kept(&self, _: u32, status: u16, body: &[u8]) -> anyhow::Result<()> {
        ensure!(status == 201, "answered {status}: {}", String::from_utf8_lossy(body));
        Ok(())
    }
}
