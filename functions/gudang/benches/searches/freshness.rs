//! How soon a change can be found in Elasticsearch: names are changed at a steady rate, and each new one is searched for until it is found.

use std::time::{Duration, Instant};

use anyhow::ensure;
use serde_json::{Value, json};
use testkit::Http;
use tokio::task::JoinSet;
use tokio::time::sleep;
use uuid::Uuid;

use crate::comparison::{Aim, Claim, Comparison, Figures, of};
use crate::place::Place;
use crate::quantile::quantile_ms;

/// Changes a second.
const RATE: u32 = 10;
/// Between two looks.
const LOOK: Duration = Duration::from_millis(25);
const PATIENCE: Duration = Duration::from_secs(20);

const P50: &str = "a name changed until it is found: p50 ms";
const P99: &str = "a name changed until it is found: p99 ms";

/// Freshness.
pub(crate) const FRESHNESS: Comparison<Place> = Comparison {
    name: "freshness",
    measure: |place| {
        place.calm()?;
        let took = place.block_on(changes(&place.index_http(), place.skus(), place.seconds))?;
        Ok(Figures::from([(P50, quantile_ms(took.iter().copied(), 0.5)), (P99, quantile_ms(took.iter().copied(), 0.99))]))
    },
    claims: &[Claim { says: "change to searchable: p99 ms", figure: |figures| of(figures, P99), aim: Aim::AtMost(2_000.0) }],
};

async fn changes(product: &Http, skus: impl Iterator<Item = &str>, seconds: u32) -> anyhow::Result<Vec<Duration>> {
    let mut changes = JoinSet::new();
    for sku in skus.take((RATE * seconds) as usize) {
        let (product, sku) = (product.clone(), sku.to_owned());
        changes.spawn(async move { change(&product, &sku).await });
        sleep(Duration::from_secs(1) / RATE).await;
    }
    let mut took = Vec::new();
    while let Some(change) = changes.join_next().await {
        took.push(change??);
    }
    Ok(took)
}

/// Changes one name and looks for it, from the answer on.
async fn change(product: &Http, sku: &str) -> anyhow::Result<Duration> {
    let word = format!("zz{}", Uuid::new_v4().simple());
    let body = json!({"name": format!("HEART {word}")}).to_string();
    let path = format!("/v1/products/{sku}");
    let answer = product.try_send("PATCH", &path, &[("content-type", "application/merge-patch+json")], body).await?;
    ensure!(answer.status == 200, "PATCH {path} was answered with {}", answer.text());
    let changed = Instant::now();
    loop {
        let found: Value = product.get(&format!("/v1/products/search?q={word}")).await.json();
        ensure!(found["degraded"] != true, "the index did not answer");
        if found["items"][0]["product"]["sku"] == sku {
            return Ok(changed.elapsed());
        }
        ensure!(changed.elapsed() < PATIENCE, "{word} was not found in time");
        sleep(LOOK).await;
    }
}
