//! `gudang dead-letters`: events that a service could not apply, and the way to apply them after all.

use std::process::ExitCode;

use anyhow::bail;
use clap::{Args, Subcommand};
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use crate::client::{NoAnswer, Service, Services, query};
use crate::config::Urls;
use crate::table::{self, table};

/// What to do with them.
#[derive(Debug, Subcommand)]
pub(crate) enum What {
    /// List the dead letters of all services, newest first
    List {
        /// Those that were settled since, too
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        urls: Urls,
    },
    /// Show one, with the event as it came
    Show {
        /// Its id
        id: Uuid,
        #[command(flatten)]
        urls: Urls,
    },
    /// Apply events again, and then what followed them, in order
    Retry(Retry),
}

/// `gudang dead-letters retry`.
#[derive(Debug, Args)]
pub(crate) struct Retry {
    /// The letter's id
    #[arg(required_unless_present = "all")]
    id: Option<Uuid>,
    /// Every letter that waits, in every service
    #[arg(long, conflicts_with = "id")]
    all: bool,
    #[command(flatten)]
    urls: Urls,
}

#[derive(Deserialize)]
struct Page {
    items: Vec<Letter>,
    next_cursor: Option<String>,
}

#[derive(Deserialize)]
struct Letter {
    id: Uuid,
    stream: Option<String>,
    version: Option<i64>,
    reason: String,
    error: String,
    created_at: String,
    resolved_at: Option<String>,
}

#[derive(Deserialize)]
struct Retried {
    resolved: bool,
    version: Option<i64>,
    error: Option<String>,
}

/// Does it.
pub(crate) async fn run(what: What) -> anyhow::Result<ExitCode> {
    match what {
        What::List { all, urls } => list(&Services::new(&urls)?, all).await,
        What::Show { id, urls } => show(&Services::new(&urls)?, id).await,
        What::Retry(retry) => again(&Services::new(&retry.urls)?, retry.id).await,
    }
}

async fn list(services: &Services, all: bool) -> anyhow::Result<ExitCode> {
    let mut rows = Vec::new();
    for service in services.all() {
        for letter in letters(service).await?.into_iter().filter(|letter| all || letter.resolved_at.is_none()) {
            let state = if letter.resolved_at.is_some() { "settled" } else { "waits" };
            rows.push(vec![
                service.name.to_owned(),
                letter.id.to_string(),
                letter.stream.unwrap_or_default(),
                letter.version.map_or(String::new(), |version| version.to_string()),
                letter.reason,
                letter.error,
                letter.created_at,
                state.to_owned(),
            ]);
        }
    }
    let columns = ["service", "id", "stream", ">version", "reason", "error", "since", "state"];
    let shown = if rows.is_empty() { "there are no dead letters".to_owned() } else { table(&columns, rows) };
    table::line(&shown)?;
    Ok(ExitCode::SUCCESS)
}

async fn show(services: &Services, id: Uuid) -> anyhow::Result<ExitCode> {
    let (_, letter) = find(services, id).await?;
    table::line(&serde_json::to_string_pretty(&letter)?)?;
    Ok(ExitCode::SUCCESS)
}

async fn again(services: &Services, id: Option<Uuid>) -> anyhow::Result<ExitCode> {
    let mut waiting = Vec::new();
    match id {
        Some(id) => waiting.push((find(services, id).await?.0, id)),
        None => {
            for service in services.all() {
                let letters = letters(service).await?;
                waiting.extend(letters.into_iter().filter(|letter| letter.resolved_at.is_none()).map(|letter| (service, letter.id)));
            }
        }
    }
    let mut failed = false;
    for (service, id) in waiting {
        let told = match service.step::<Retried>(&format!("/v1/dead-letters/{id}/retry")).await {
            Ok(Retried { resolved: true, version, .. }) => {
                version.map_or("settled".to_owned(), |version| format!("settled, its stream stands at version {version}"))
            }
            Ok(Retried { error, .. }) => {
                failed = true;
                format!("fails again: {}", error.unwrap_or_default())
            }
            Err(NoAnswer::Refused { problem, .. }) => {
                failed = true;
                problem.detail.clone()
            }
            Err(error) => return Err(error.into()),
        };
        table::line(&format!("{} {id}: {told}", service.name))?;
    }
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Every letter of a service, newest first.
async fn letters(service: &Service) -> Result<Vec<Letter>, NoAnswer> {
    let (mut letters, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let page: Page =
            service.json(&format!("/v1/dead-letters{}", query(&[("limit", Some("500")), ("cursor", cursor.as_deref())]))).await?;
        letters.extend(page.items);
        cursor = page.next_cursor;
        if cursor.is_none() {
            return Ok(letters);
        }
    }
}

async fn find(services: &Services, id: Uuid) -> anyhow::Result<(&Service, Value)> {
    for service in services.all() {
        match service.json(&format!("/v1/dead-letters/{id}")).await {
            Err(NoAnswer::Refused { problem, .. }) if problem.status == 404 => {}
            letter => return Ok((service, letter?)),
        }
    }
    bail!("no service has a dead letter {id}")
}
