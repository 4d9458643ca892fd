//! The products that load sells: named apart from anybody's own, made at Product and restocked where that is needed.
//!
//! It tells where they stand before and after a run, as the API says it.

use std::fmt::Write;
use std::sync::Arc;

use anyhow::{Context, bail, ensure};
use serde::Deserialize;
use tokio::task::JoinSet;

use super::Spread;
use super::wire::{Host, Wire};
use crate::client::{Service, Services};

/// Questions at once.
const ASKED_AT_ONCE: usize = 8;
/// Rows of one import.
const ROWS: usize = 2_000;
/// Units that a product may need in a second: more than anybody sells.
const UNITS_A_SECOND: i64 = 250_000;
/// Units after a restock.
const PLENTY: i64 = 1_000_000_000;

/// Where a product stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(crate) struct Level {
    pub(crate) on_hand: i64,
    pub(crate) version: i64,
}

/// Products that are ready to be sold.
#[derive(Debug)]
pub(crate) struct Shelf {
    skus: Vec<String>,
    levels: Vec<Level>,
}

/// What an import answers, as far as it matters here.
#[derive(Deserialize)]
struct Imported {
    failed: u64,
    errors: Vec<Refused>,
}

#[derive(Deserialize)]
struct Refused {
    code: String,
    detail: String,
}

/// The SKUs, all of one length.
pub(crate) fn skus(spread: Spread, products: u32) -> Vec<String> {
    match spread {
        Spread::Hot => vec!["load-hot".to_owned()],
        Spread::Uniform => (0..products).map(|number| format!("load-{number:05}")).collect(),
    }
}

impl Shelf {
    /// Makes the products that Stock does not know, and restocks those that might sell out within `seconds`.
    pub(crate) async fn ready(services: &Services, host: &Host, skus: Vec<String>, seconds: u32) -> anyhow::Result<Self> {
        let before = levels(host, &skus).await?;
        let unknown: Vec<&String> = skus.iter().zip(&before).filter(|(_, level)| level.is_none()).map(|(sku, _)| sku).collect();
        for chunk in unknown.chunks(ROWS) {
            let rows = rows(chunk, |sku| format!(r#"{{"sku":"{sku}","name":"Load {sku}","category":"Load","min_stock":0}}"#));
            import(&services.product, "/v1/products/import", rows).await.context("the products to sell cannot be made")?;
        }
        let needed = i64::from(seconds) * UNITS_A_SECOND;
        let units = |level: &Option<Level>| level.map_or(0, |level| level.on_hand);
        let low: Vec<(&String, i64)> = skus.iter().zip(before.iter().map(units)).filter(|(_, units)| *units < needed).collect();
        for chunk in low.chunks(ROWS) {
            let rows = rows(chunk, |(sku, units)| format!(r#"{{"sku":"{sku}","type":"RESTOCK","quantity":{}}}"#, PLENTY - units));
            import(&services.stock, "/v1/stock-changes/import", rows).await.context("the products to sell cannot be restocked")?;
        }
        let levels = if low.is_empty() { before } else { levels(host, &skus).await? };
        let missing = || format!("Stock Change does not know {} that was just restocked", skus[0]);
        let levels = levels.into_iter().collect::<Option<Vec<_>>>().with_context(missing)?;
        Ok(Self { skus, levels })
    }

    pub(crate) fn levels(&self) -> &[Level] {
        &self.levels
    }

    pub(crate) fn into_skus(self) -> Vec<String> {
        self.skus
    }
}

/// Where the products stand now; none for one that Stock does not know.
pub(crate) async fn levels(host: &Host, skus: &[String]) -> anyhow::Result<Vec<Option<Level>>> {
    let host = Arc::new(host.clone());
    let mut questions = JoinSet::new();
    let share = skus.len().div_ceil(ASKED_AT_ONCE).max(1);
    for (number, share) in skus.chunks(share).enumerate() {
        let (host, share) = (Arc::clone(&host), share.to_vec());
        questions.spawn(async move { anyhow::Ok((number, ask(&host, &share).await?)) });
    }
    let mut shares = Vec::new();
    while let Some(answered) = questions.join_next().await {
        shares.push(answered??);
    }
    shares.sort_unstable_by_key(|(number, _)| *number);
    Ok(shares.into_iter().flat_map(|(_, levels)| levels).collect())
}

async fn ask(host: &Host, skus: &[String]) -> anyhow::Result<Vec<Option<Level>>> {
    let mut wire = Wire::open(host).await?;
    let mut levels = Vec::with_capacity(skus.len());
    for sku in skus {
        let request = format!("GET {}/v1/stock/{sku} HTTP/1.1\r\nhost: {}\r\n\r\n", host.prefix, host.name);
        let answer = wire.ask(request.as_bytes()).await?;
        levels.push(match answer.status {
            200 => Some(serde_json::from_slice(answer.body)?),
            404 => None,
            status => bail!("GET /v1/stock/{sku} was answered with {status}: {}", String::from_utf8_lossy(answer.body)),
        });
    }
    Ok(levels)
}

fn rows<T>(of: &[T], row: impl Fn(&T) -> String) -> String {
    of.iter().fold(String::new(), |mut rows, one| {
        // Writing to a text cannot fail.
        let _ = writeln!(rows, "{}", row(one));
        rows
    })
}

async fn import(service: &Service, path: &str, rows: String) -> anyhow::Result<()> {
    let Imported { failed, errors } = service.post(path, "application/x-ndjson", None, rows.into_bytes()).await?;
    let first = errors.first().map(|refused| format!(": {}: {}", refused.code, refused.detail)).unwrap_or_default();
    ensure!(failed == 0, "{failed} rows were refused{first}");
    Ok(())
}
