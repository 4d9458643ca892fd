//! `gudang import`: a file of one's own, CSV or NDJSON, streamed in chunks to the service's import, each refusal told with the file's line.
//!
//! It judges no row, the service does. What it adds is the cut into chunks ([`records`]), other column names ([`columns`]) and patience.

mod columns;
mod records;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use contract::Currency;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::client::{Service, Services};
use crate::config::Urls;
use crate::file::{FileError, Input};
use crate::progress::Progress;
use crate::table::{self, thousands};
use columns::{Columns, Rewriting};
use records::Chunks;

/// What is in the file.
#[derive(Debug, Subcommand)]
pub(crate) enum What {
    /// Products: added, or updated where the SKU is known
    Products(Options),
    /// Stock changes, recorded once however often the same file is sent within 7 days
    StockChanges(Options),
}

/// `gudang import`.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// CSV with a header row, or NDJSON; .gz too
    file: PathBuf,
    /// Take a field from a column of another name
    #[arg(long, value_name = "FIELD=COLUMN")]
    map: Vec<columns::Mapping>,
    /// Leave a column out
    #[arg(long, value_name = "COLUMN")]
    ignore: Vec<String>,
    /// Products only: currency of the rows that name none [default: the service's]
    #[arg(long)]
    currency: Option<Currency>,
    /// How the file is written [default: seen by its first character]
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Idempotency key of this import [default for stock changes: made of the file's content]
    #[arg(long)]
    key: Option<String>,
    #[command(flatten)]
    urls: Urls,
}

/// How a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// RFC 4180 with a header row
    Csv,
    /// A JSON object a line
    Ndjson,
}

/// What an import answers, with the counts of either service.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Imported {
    created: u64,
    updated: u64,
    unchanged: u64,
    accepted: u64,
    failed: u64,
    errors: Vec<LineError>,
}

#[derive(Debug, Deserialize)]
struct LineError {
    line: u64,
    code: String,
    detail: String,
}

/// Imports a file.
pub(crate) async fn run(what: What) -> anyhow::Result<ExitCode> {
    let (options, fields, path) = match &what {
        What::Products(options) => (options, columns::PRODUCTS, "/v1/products/import"),
        What::StockChanges(options) => (options, columns::STOCK_CHANGES, "/v1/stock-changes/import"),
    };
    let services = Services::new(&options.urls)?;
    let service = match &what {
        What::Products(_) => services.product,
        What::StockChanges(_) => services.stock,
    };
    service.get("/readyz", "*/*").await?;
    let key = match (&what, &options.key) {
        (_, Some(key)) => Some(key.clone()),
        // A product that was changed since is meant to be what the file says: nothing to remember.
        (What::Products(_), None) => None,
        (What::StockChanges(_), None) => Some(content_key(&options.file)?),
    };
    let columns = Columns { fields, map: &options.map, ignore: &options.ignore };
    let currency = options.currency.filter(|_| matches!(what, What::Products(_)));
    let total = send(&service, path, options, Rewriting { columns, currency }, key.as_deref()).await?;
    table::line(&summary(&what, &total))?;
    Ok(if total.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn send(service: &Service, path: &str, options: &Options, rewriting: Rewriting<'_>, key: Option<&str>) -> anyhow::Result<Imported> {
    let input = Input::open(&options.file)?;
    let progress = Progress::of_bytes("import", input.size);
    let mut chunks = Chunks::open(input, options.format, rewriting)?;
    let mut total = Imported::default();
    while let Some(chunk) = chunks.next()? {
        let key = key.map(|key| format!("{key}-{}", chunk.number));
        for (line, why) in &chunk.unsendable {
            progress.note(&format!("{}, line {line}: {why}", options.file.display()));
        }
        total.failed += chunk.unsendable.len() as u64;
        let media = chunk.media();
        let (body, lines) = chunk.into_parts();
        let answer: Imported = service.post(path, media, key.as_deref(), body).await?;
        tell(&options.file, &answer, &lines, &progress);
        total.add(&answer);
        progress.reach(chunks.taken());
    }
    progress.done();
    Ok(total)
}

/// Says which rows were refused, with the file's own lines.
fn tell(file: &Path, answer: &Imported, lines: &records::Lines, progress: &Progress) {
    for error in &answer.errors {
        progress.note(&format!("{}, line {}: {}: {}", file.display(), lines.of_file(error.line), error.code, error.detail));
    }
    if answer.failed > answer.errors.len() as u64 {
        progress.note(&format!("... and {} more of these rows", answer.failed - answer.errors.len() as u64));
    }
}

impl Imported {
    fn add(&mut self, more: &Self) {
        self.created += more.created;
        self.updated += more.updated;
        self.unchanged += more.unchanged;
        self.accepted += more.accepted;
        self.failed += more.failed;
    }
}

fn summary(what: &What, total: &Imported) -> String {
    let failed = thousands(total.failed);
    match what {
        What::Products(_) => {
            let (created, updated, unchanged) = (thousands(total.created), thousands(total.updated), thousands(total.unchanged));
            format!("products: {created} created, {updated} updated, {unchanged} unchanged, {failed} refused")
        }
        What::StockChanges(_) => format!("stock changes: {} recorded, {failed} refused", thousands(total.accepted)),
    }
}

/// A key that the same content always has.
fn content_key(file: &Path) -> Result<String, FileError> {
    let mut input = Input::open(file)?;
    let (mut digest, mut line) = (Sha256::new(), Vec::new());
    while input.line(&mut line)? {
        digest.update(&line);
        line.clear();
    }
    Ok(format!("import-{}", hex::encode(&digest.finalize()[..16])))
}
