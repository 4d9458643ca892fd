//! `gudang smoke`: one sale, from the order to the report, through services that run somewhere. It says how far it got and what failed.
//!
//! Each run has a product of its own, of which a little comes, a unit is sold for nothing, and the rest is written off; then the product is
//! archived. So runs do not meet, and none changes what a shop has earned or has on its shelves. It knows nothing but the API.

use std::fmt::Display;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use clap::Args;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::sleep;
use uuid::Uuid;

use crate::client::{NoAnswer, Services, query};
use crate::config::Urls;
use crate::table;

/// Between two questions.
const ASK_AGAIN: Duration = Duration::from_millis(250);
/// Where the products of all runs are found.
const CATEGORY: &str = "Smoke test";
/// What comes, and what is left when one unit of it was sold.
const DELIVERED: i64 = 2;
const LEFT: i64 = DELIVERED - 1;

/// `gudang smoke`.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Seconds that services may take to answer, and again to hear of the sale: a worker that sleeps has to be woken first
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3600))]
    patience_seconds: u64,
    #[command(flatten)]
    urls: Urls,
}

/// One run.
struct Run {
    services: Services,
    patience: Duration,
    sku: String,
}

/// A product, as far as it matters here.
#[derive(Deserialize)]
struct Product {
    stock: Stock,
}

#[derive(Deserialize)]
struct Stock {
    on_hand: i64,
}

/// A report of sales, as far as it matters here.
#[derive(Deserialize)]
struct Sales {
    items: Vec<Interval>,
}

#[derive(Deserialize)]
struct Interval {
    units_sold: i64,
}

/// Runs the command.
pub(crate) async fn run(options: Options) -> anyhow::Result<ExitCode> {
    let services = Services::new(&options.urls)?;
    let run = Run { services, patience: Duration::from_secs(options.patience_seconds), sku: format!("smoke-{}", Uuid::now_v7()) };
    run.step("all four services answer", run.answer()).await?;
    run.step(&format!("{} is a product", run.sku), run.make_product()).await?;
    let sold = run.sell().await;
    // Whatever came of it, the shop is left as it was; but what failed first is what is told.
    let left = run.leave().await;
    sold?;
    left.context("the sale got to the report, but what was left of it could not be cleared away")?;
    table::line("a sale gets from the order to the report")?;
    Ok(ExitCode::SUCCESS)
}

impl Run {
    /// Takes a step and says that it was taken, and how long it took.
    async fn step<T>(&self, done: &str, step: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
        let begun = Instant::now();
        let taken = step.await?;
        table::line(&format!("{done} ({} ms)", begun.elapsed().as_millis()))?;
        Ok(taken)
    }

    async fn sell(&self) -> anyhow::Result<()> {
        let come_and_sold = format!("{DELIVERED} units came, one was sold");
        self.step(&come_and_sold, async {
            self.change("RESTOCK", DELIVERED).await?;
            let left = self.change("SALE", 1).await?;
            ensure!(left["on_hand"] == LEFT, "Stock Change says that {} are left of {DELIVERED} when one was sold", left["on_hand"]);
            Ok(())
        })
        .await?;
        self.step("Analytics reports the sale", self.in_report()).await?;
        self.step("Product knows what is left", self.in_product()).await
    }

    /// Waits until everybody answers.
    async fn answer(&self) -> anyhow::Result<()> {
        let begun = Instant::now();
        while let Err(error) = self.services.answer().await {
            if begun.elapsed() > self.patience {
                return Err(error).with_context(|| self.waited("not everybody answered"));
            }
            sleep(ASK_AGAIN).await;
        }
        Ok(())
    }

    async fn make_product(&self) -> anyhow::Result<()> {
        let product = json!({"sku": self.sku, "name": "Smoke test, not for sale", "category": CATEGORY, "price": "0.00"});
        let _: Value = self.services.product.post("/v1/products", JSON, Some(&self.key("product")), bytes(&product)).await?;
        Ok(())
    }

    /// Has stock move, once however often it is sent. It costs nothing, so that no revenue is reported.
    async fn change(&self, kind: &str, quantity: i64) -> Result<Value, NoAnswer> {
        let change = json!({"sku": self.sku, "type": kind, "quantity": quantity, "unit_price": "0.00", "reference": "smoke test"});
        self.services.stock.post("/v1/stock-changes", JSON, Some(&self.key(kind)), bytes(&change)).await
    }

    async fn in_report(&self) -> anyhow::Result<()> {
        let path = format!("/v1/reports/sales{}", query(&[("interval", Some("day")), ("product", Some(&self.sku))]));
        let begun = Instant::now();
        loop {
            let Sales { items } = self.services.analytics.json(&path).await?;
            match items.iter().map(|interval| interval.units_sold).sum() {
                1_i64 => return Ok(()),
                0 if begun.elapsed() < self.patience => sleep(ASK_AGAIN).await,
                0 => bail!(self.not_heard("Analytics does not report the sale")),
                more => bail!("Analytics reports {more} units of the one that was sold"),
            }
        }
    }

    async fn in_product(&self) -> anyhow::Result<()> {
        let begun = Instant::now();
        loop {
            let Product { stock } = self.services.product.json(&format!("/v1/products/{}", self.sku)).await?;
            if stock.on_hand == LEFT {
                return Ok(());
            }
            ensure!(begun.elapsed() < self.patience, self.not_heard(&format!("Product says that {} are left, not {LEFT}", stock.on_hand)));
            sleep(ASK_AGAIN).await;
        }
    }

    /// Clears the shelf and archives the product.
    async fn leave(&self) -> anyhow::Result<()> {
        self.change("COUNT", 0).await?;
        Ok(self.services.product.remove(&format!("/v1/products/{}", self.sku)).await?)
    }

    fn key(&self, step: &str) -> String {
        format!("{}-{step}", self.sku)
    }

    fn waited(&self, what: impl Display) -> String {
        format!("{what} within {} s", self.patience.as_secs())
    }

    fn not_heard(&self, what: &str) -> String {
        let look = "is its worker running, and is Kafka there? Its log and `gudang dead-letters list` say more";
        format!("{}, although Stock Change recorded it: {look}", self.waited(what))
    }
}

const JSON: &str = "application/json";

fn bytes(body: &Value) -> Vec<u8> {
    body.to_string().into_bytes()
}
