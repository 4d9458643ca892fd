//! `gudang audit`: proves the books over HTTP, as anybody could who may only read.
//!
//! Every service says what it keeps of each stream ([`contract::Books`]), and what it can prove of itself. Here they are compared: first digests,
//! then, where they differ, stream by stream and at one version, so that a change on its way is no drift. It knows no database.

mod compare;
mod look;

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use contract::{BookAccount, Books};
use serde::{Deserialize, Serialize};

use crate::catch_up;
use crate::client::{NoAnswer, Services};
use crate::config::Urls;
use crate::table::{self, grouped};
use compare::{PAIRS, Side};

/// How long consumers may take to catch up before what they lack is a drift.
const CATCH_UP: Duration = Duration::from_secs(30);
/// The exit code when a service is out of reach, so that nothing was proved either way.
const OUT_OF_REACH: u8 = 2;

/// `gudang audit`.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Print the drifts as one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    urls: Urls,
}

/// Two accounts of one thing that differ, or what a service found wrong in its own tables.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct Drift {
    /// Whose books are wrong, as far as one can tell: the consumer's.
    service: String,
    /// The account; absent for what a service found by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<String>,
    /// The stream; absent for what a service found by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    stream: Option<String>,
    /// What the service that owns the account says.
    #[serde(skip_serializing_if = "Option::is_none")]
    expected: Option<String>,
    /// What this service says.
    #[serde(skip_serializing_if = "Option::is_none")]
    found: Option<String>,
    /// All of it in a sentence.
    detail: String,
}

/// What a program reads.
#[derive(Serialize)]
struct Report<'a> {
    drifts: &'a [Drift],
}

/// What the search index has otherwise than the database.
#[derive(Deserialize)]
struct IndexDrifts {
    drifts: Vec<String>,
}

/// What Redis has otherwise than Product's database.
#[derive(Deserialize)]
struct CacheDrifts {
    /// How many products it has; none where it is not used.
    products: Option<u64>,
    drifts: Vec<String>,
}

/// The books of all services, in [`Services::all`]'s order.
type AllBooks = [Books; 4];

/// Proves the books.
pub(crate) async fn run(options: Options) -> anyhow::Result<ExitCode> {
    let services = Services::new(&options.urls)?;
    let proved = match prove(&services).await {
        Ok(proved) => proved,
        Err(error) => {
            eprintln!("gudang: nothing was proved: {error}");
            return Ok(ExitCode::from(OUT_OF_REACH));
        }
    };
    if options.json {
        table::line(&serde_json::to_string(&Report { drifts: &proved.outcome.drifts })?)?;
    } else {
        table::write(told(&proved).as_bytes())?;
    }
    Ok(if proved.outcome.drifts.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What was compared, and what came of it.
struct Proved {
    books: AllBooks,
    cached: Option<u64>,
    outcome: look::Outcome,
}

async fn prove(services: &Services) -> Result<Proved, NoAnswer> {
    let mut books = whole(services).await?;
    if PAIRS.iter().any(|pair| !pair.agrees(&books)) {
        // Somebody may only be late. Whoever is as far as Stock and differs all the same is not, so this seldom takes long.
        let waited = catch_up::everybody(services, CATCH_UP).await?;
        if waited {
            books = whole(services).await?;
        }
    }
    let mut outcome = look::into_differences(services, &books).await?;
    let own = books.iter().flat_map(|books| books.drifts.iter().map(|drift| Drift::own(&books.service, drift)));
    outcome.drifts.extend(own);
    // Redis and the search index are compared by Product itself, where they are configured.
    let cache: CacheDrifts = services.product.json("/v1/cache/drifts").await?;
    let index: IndexDrifts = services.product.json("/v1/search/drifts").await?;
    outcome.drifts.extend(cache.drifts.iter().chain(&index.drifts).map(|drift| Drift::own(Side::Product.service(), drift)));
    outcome.drifts.sort();
    Ok(Proved { books, cached: cache.products, outcome })
}

async fn whole(services: &Services) -> Result<AllBooks, NoAnswer> {
    let [product, stock, notification, analytics] = services.all().map(|service| service.books(None, None));
    let (product, stock, notification, analytics) = futures::try_join!(product, stock, notification, analytics)?;
    Ok([product, stock, notification, analytics])
}

impl Drift {
    fn own(service: &str, detail: &str) -> Self {
        let detail = format!("{service}: {detail}");
        Self { service: service.to_owned(), account: None, stream: None, expected: None, found: None, detail }
    }
}

/// What a person reads: what was compared, then every drift.
fn told(Proved { books, cached, outcome }: &Proved) -> String {
    let total = |side: Side, account: &str, sum: &str| {
        let account = books[side as usize].accounts.get(account);
        grouped(&account.and_then(|account| sum_of(account, sum)).unwrap_or_else(|| "0".to_owned()))
    };
    let mut lines = vec![format!(
        "compared: {} products, {} stock streams, {} changes; {} units on hand, {} units sold for {}; {} notifications",
        total(Side::Product, "products", "streams"),
        total(Side::Stock, "stock", "streams"),
        total(Side::Stock, "versions", "version"),
        total(Side::Stock, "stock", "on_hand"),
        total(Side::Stock, "sales", "units_sold"),
        total(Side::Stock, "sales", "revenue"),
        total(Side::Notification, "alerts", "notifications"),
    )];
    if let Some(cached) = cached {
        lines.push(format!("and {} products in Redis", grouped(&cached.to_string())));
    }
    if outcome.moving > 0 {
        lines.push(format!("{} streams changed all the while and could not be caught at one version; ask again", outcome.moving));
    }
    lines.extend(outcome.drifts.iter().map(|drift| format!("drift: {}", drift.detail)));
    lines.push(match outcome.drifts.len() {
        0 => "the books balance".to_owned(),
        1 => "1 drift".to_owned(),
        several => format!("{several} drifts"),
    });
    lines.join("\n") + "\n"
}

/// A total of an account: its streams, its versions added up, or one of its sums.
fn sum_of(account: &BookAccount, sum: &str) -> Option<String> {
    match sum {
        "streams" => Some(account.streams.to_string()),
        "version" => Some(account.version.to_string()),
        _ => account.sums.iter().position(|name| name == sum).and_then(|place| account.totals.get(place).cloned()),
    }
}
