//! `gudang reindex`: a new search index beside the one that answers, while changes go on; then it answers instead.
//!
//! It works on Product's database and on Elasticsearch themselves, as a migration does. Interrupted at any time it has changed nothing that
//! anybody sees; run again, it begins anew.

use std::process::ExitCode;

use postgres::Settings;
use product::{IndexSettings, Progress as Filled};

use crate::config::Reindex;
use crate::progress::Progress;
use crate::table::{self, thousands};

/// What is logged unless something else is asked for.
const LOG: &str = "warn";
/// Connections to the database: one thing is done at a time.
const POOL: usize = 2;

/// Runs the command.
pub(crate) async fn run(options: Reindex) -> anyhow::Result<ExitCode> {
    options.log.start(LOG);
    let url = options.product_database_url.reveal().to_owned();
    let database = Settings { url, pool_size: POOL, application_name: "gudang-reindex".to_owned() };
    let (mut shown, mut done) = (None, 0);
    product::reindex(&database, &IndexSettings::new(options.elasticsearch_url), |filled: Filled| {
        done = filled.done;
        shown.get_or_insert_with(|| Progress::new("products", filled.of)).reach(done);
    })
    .await?;
    shown.iter().for_each(Progress::done);
    table::line(&format!("a new search index answers, with {} products", thousands(done)))?;
    Ok(ExitCode::SUCCESS)
}
