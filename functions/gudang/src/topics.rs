//! `gudang topics`: makes the topics that are missing, and what each consumer group begins with. Again, it does nothing.
//!
//! It knows who consumes what, as the contract says it; the services know the same of themselves and need no such command.

use std::process::ExitCode;

use bus::kafka::{self, Audience};
use contract::Topic::{ProductEvents, StockChanges};

use crate::config::Topics;
use crate::table;

/// What is logged unless something else is asked for.
const LOG: &str = "warn";

/// Runs the command.
pub(crate) async fn run(options: Topics) -> anyhow::Result<ExitCode> {
    options.log.start(LOG);
    let made = kafka::prepare(&options.settings()?, audiences()).await?;
    table::line(&match made.as_slice() {
        [] => "every topic is there".to_owned(),
        made => format!("made {}", made.join(", ")),
    })?;
    Ok(ExitCode::SUCCESS)
}

fn audiences() -> Vec<Audience> {
    let both = [ProductEvents, StockChanges];
    let consumers: [(&str, &[contract::Topic]); 4] =
        [("product", &[StockChanges]), ("stock", &[ProductEvents]), ("notification", &both), ("analytics", &both)];
    consumers.map(|(service, topics)| Audience { group: format!("gudang-{service}"), topics: topics.to_vec() }).into()
}
