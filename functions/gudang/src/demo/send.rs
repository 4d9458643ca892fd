//! Sends a plan: products first, then stock changes in chunks whose cut and keys follow from the file alone.
//!
//! Lanes run side by side, and a product belongs to one lane, so its rows arrive in file order. Whatever was sent before, even by a process that
//! was killed, is recognised by its keys and not counted again. It knows no file and no report.

use contract::{ChangeType, Money, Name, Quantity, Reference, Sku, Time, bucket_of};
use serde::{Deserialize, Serialize};

use super::plan::{CATEGORY, CURRENCY, Change, MIN_STOCK, Plan};
use crate::client::{NoAnswer, Service};
use crate::progress::Progress;

/// Chunks in flight at once. Part of the keys: another number would make other chunks.
pub(super) const LANES: usize = 4;
/// Changes of one chunk.
const CHUNK: usize = 4_000;
/// Refused rows that are told one by one.
const TOLD: usize = 10;

const NDJSON: &str = "application/x-ndjson";

/// The plan was not taken whole.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SendError {
    /// A service went away, or does not take it at all.
    #[error("{0}; run the same command again, nothing is counted twice")]
    NoAnswer(NoAnswer),
    /// Rows were refused, which does not happen on an untouched shop.
    #[error(
        "{count} rows of {what} were refused; the first:\n{told}\nwas this stock changed by somebody else? A fresh data directory helps"
    )]
    Refused {
        /// Products or stock changes.
        what: &'static str,
        /// How many.
        count: u64,
        /// Why, a line each.
        told: String,
    },
    /// A row cannot be written as JSON.
    #[error("a row cannot be written")]
    Unwritable(#[from] serde_json::Error),
}

impl From<NoAnswer> for SendError {
    /// Not as a source: the message says all of it already.
    fn from(error: NoAnswer) -> Self {
        Self::NoAnswer(error)
    }
}

#[derive(Serialize)]
struct ProductRow<'a> {
    sku: &'a Sku,
    name: &'a Name,
    category: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    price: Option<Money>,
    currency: &'static str,
    min_stock: i64,
}

#[derive(Serialize)]
struct ChangeRow<'a> {
    sku: &'a Sku,
    #[serde(rename = "type")]
    kind: ChangeType,
    quantity: Quantity,
    #[serde(skip_serializing_if = "Option::is_none")]
    unit_price: Option<Money>,
    reference: &'a Reference,
    occurred_at: Time,
}

/// What an import answers.
#[derive(Deserialize)]
struct Imported {
    failed: u64,
    errors: Vec<LineError>,
}

#[derive(Deserialize)]
struct LineError {
    line: usize,
    code: String,
    detail: String,
}

/// Sends the products.
pub(super) async fn products(service: &Service, plan: &Plan, identity: &str) -> Result<(), SendError> {
    let rows = plan.products.iter().map(|product| ProductRow {
        sku: &product.sku,
        name: &product.name,
        category: CATEGORY,
        price: product.price,
        currency: CURRENCY,
        min_stock: MIN_STOCK,
    });
    let answer: Imported = service.post("/v1/products/import", NDJSON, Some(&format!("demo-{identity}-products")), lines(rows)?).await?;
    let source =
        |line: usize| plan.products.get(line.saturating_sub(1)).map_or(String::new(), |product| format!("product {}", product.sku));
    accepted("products", &answer, source)
}

/// Sends the stock changes.
pub(super) async fn changes(service: &Service, plan: &Plan, identity: &str, progress: &Progress) -> Result<(), SendError> {
    let lanes = lanes(plan);
    let sent =
        lanes.iter().enumerate().map(|(number, changes)| lane(service, plan, changes, format!("demo-{identity}-{number}"), progress));
    futures::future::try_join_all(sent).await.map(|_| ())
}

/// Deals the changes to lanes, by product.
pub(super) fn lanes(plan: &Plan) -> Vec<Vec<&Change>> {
    let of_product: Vec<usize> = plan.products.iter().map(|product| usize::from(bucket_of(product.sku.as_str())) % LANES).collect();
    let mut lanes = vec![Vec::new(); LANES];
    for change in &plan.changes {
        lanes[of_product[change.product]].push(change);
    }
    lanes
}

/// Sends one lane, chunk after chunk: a chunk is begun when the one before is recorded.
async fn lane(service: &Service, plan: &Plan, changes: &[&Change], key: String, progress: &Progress) -> Result<(), SendError> {
    for (number, chunk) in changes.chunks(CHUNK).enumerate() {
        let rows = chunk.iter().map(|change| ChangeRow {
            sku: &plan.products[change.product].sku,
            kind: change.kind,
            quantity: change.quantity,
            unit_price: change.unit_price,
            reference: &change.reference,
            occurred_at: change.occurred_at,
        });
        let answer: Imported = service.post("/v1/stock-changes/import", NDJSON, Some(&format!("{key}-{number}")), lines(rows)?).await?;
        let source =
            |line: usize| chunk.get(line.saturating_sub(1)).map_or(String::new(), |change| format!("line {} of the file", change.line));
        accepted("stock changes", &answer, source)?;
        progress.advance(chunk.len() as u64);
    }
    Ok(())
}

fn lines(rows: impl Iterator<Item = impl Serialize>) -> Result<Vec<u8>, serde_json::Error> {
    let mut body = Vec::new();
    for row in rows {
        serde_json::to_writer(&mut body, &row)?;
        body.push(b'\n');
    }
    Ok(body)
}

fn accepted(what: &'static str, answer: &Imported, source: impl Fn(usize) -> String) -> Result<(), SendError> {
    if answer.failed == 0 {
        return Ok(());
    }
    let told = answer.errors.iter().take(TOLD).map(|error| format!("  {}: {}: {}", source(error.line), error.code, error.detail));
    Err(SendError::Refused { what, count: answer.failed, told: told.collect::<Vec<_>>().join("\n") })
}
