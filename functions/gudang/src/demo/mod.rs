//! `gudang demo`: a real shop's months in half a minute, through the same HTTP API that everybody uses.
//!
//! It may be run again, also after a kill: the same file ends with the same figures.

mod layout;
mod loaded;
mod plan;
mod send;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::Args;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use crate::catch_up::{self, CatchUp};
use crate::client::Services;
use crate::config::{self, Urls};
use crate::file::Input;
use crate::progress::Progress;
use crate::report::{self, BestSellers};
use crate::table;
use plan::Plan;

/// The file that the project carries, seen from its root.
const CARRIED: &str = "examples/online-retail/online-retail-2010-12-to-2011-08.csv.gz";
/// How long consumers may stand still before the demo gives up.
const STANDSTILL: Duration = Duration::from_mins(2);
/// How long Stock may take to hear of the products. It also asks when it meets one that it does not know, so this is no condition.
const PRODUCTS: Duration = Duration::from_secs(30);

/// `gudang demo`.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// A file in the UCI Online Retail layout, plain or .gz [default: the one in examples/online-retail]
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    /// Print the summary as one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    urls: Urls,
}

/// What came of it.
#[derive(serde::Serialize)]
struct Summary {
    rows: u64,
    changes: u64,
    seconds: f64,
    changes_per_second: f64,
    best_sellers: Box<RawValue>,
    alerts: u64,
}

/// Replays a file.
pub(crate) async fn run(options: Options) -> anyhow::Result<ExitCode> {
    let begun = Instant::now();
    let path = options.data.map_or_else(carried, Ok)?;
    let services = Services::new(&options.urls)?;
    services.answer().await?;
    let (plan, identity) = planned(&path)?;
    loaded::refuse_if_loaded(&services.stock, &plan).await?;

    let products = Progress::new("products", plan.products.len() as u64);
    send::products(&services.product, &plan, &identity).await?;
    products.done();
    catch_up::products(&services, PRODUCTS).await?;

    let changes = Progress::new("stock changes", plan.changes.len() as u64);
    send::changes(&services.stock, &plan, &identity, &changes).await?;
    changes.done();
    if let CatchUp::Behind(who) = catch_up::changes(&services, STANDSTILL).await? {
        bail!("everything was sent and recorded, but {who} after {} s without progress; `gudang audit` says more", STANDSTILL.as_secs());
    }
    let seconds = begun.elapsed().as_secs_f64();
    let summary = Summary {
        rows: plan.rows,
        changes: plan.changes.len() as u64,
        seconds: (seconds * 1000.0).round() / 1000.0,
        changes_per_second: (plan.changes.len() as f64 / seconds).round(),
        best_sellers: services.analytics.json("/v1/reports/best-sellers").await?,
        alerts: alerts(&services).await?,
    };
    if options.json {
        table::line(&serde_json::to_string(&summary)?)?;
    } else {
        table::write(told(&summary)?.as_bytes())?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The plan of a file, and the name that its content gives it: compressed or not, the same rows have the same keys.
fn planned(path: &Path) -> anyhow::Result<(Plan, String)> {
    let bytes = Input::open(path)?.whole()?;
    let plan = plan::plan(&bytes).with_context(|| path.display().to_string())?;
    let identity = hex::encode(&Sha256::digest(&bytes)[..16]);
    Ok((plan, identity))
}

/// Finds the file that the project carries: from the working directory upwards, else beside the build that this program lies in.
fn carried() -> anyhow::Result<PathBuf> {
    let found = config::workspaces().map(|workspace| workspace.join(CARRIED)).find(|path| path.is_file());
    found.with_context(|| format!("{CARRIED} is not here: run this in the project's directory, or name a file with --data FILE"))
}

/// Notifications of all kinds, from the books: listing them would take many pages.
async fn alerts(services: &Services) -> anyhow::Result<u64> {
    let books = services.notification.books(Some("alerts"), None).await?;
    let account = books.accounts.get("alerts").context("Notification keeps no account `alerts`")?;
    let place = account.sums.iter().position(|sum| sum == "notifications");
    let total = place.and_then(|place| account.totals.get(place)).context("Notification's account `alerts` has no sum `notifications`")?;
    Ok(total.parse()?)
}

/// The summary for people.
fn told(summary: &Summary) -> anyhow::Result<String> {
    let best: BestSellers = serde_json::from_str(summary.best_sellers.get())?;
    Ok(format!(
        "{} rows read, {} stock changes recorded, reported and checked for alerts in {:.1} s: {} a second.\n\n\
         Best sellers by units:\n{}\n\n{} alerts were raised; `gudang report best-sellers --by revenue` and `gudang audit` say more.\n",
        table::thousands(summary.rows),
        table::thousands(summary.changes),
        summary.seconds,
        table::thousands(summary.changes_per_second as u64),
        report::best_sellers_table(&best),
        table::thousands(summary.alerts),
    ))
}
