//! Configuration: everything that the environment or a flag can say, one struct per concern, read once at the start.
//!
//! A value that cannot be used is an error that names it. Nothing else in this program reads the environment.

#![expect(clippy::struct_field_names, reason = "a field is named as its variable and its flag")]

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;

use anyhow::Context;
use bus::kafka::Settings;
use clap::{Args, Parser, Subcommand};
use contract::Currency;
use host::Broker;
use host::flags::{Kafka, Log, Secret};
use notification::flags::Notify;
use product::{ElasticsearchUrl, RedisUrl};

use crate::{audit, demo, import, letters, load, report, scale, smoke};

/// An inventory platform: products, stock that cannot be oversold, alerts, and reports.
#[derive(Debug, Parser)]
#[command(name = "gudang", version, max_term_width = 120)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run all four services in this process, with a PostgreSQL of their own
    Up(Box<Up>),
    /// Replay eight months of a real shop's sales through the services
    Demo(demo::Options),
    /// Send a file of products or stock changes to its service
    #[command(subcommand)]
    Import(import::What),
    /// Show a report as a table, or as the service's own JSON or CSV
    #[command(subcommand)]
    Report(report::What),
    /// Prove the books: compare what the four services say of every stream
    Audit(audit::Options),
    /// Look at events that could not be applied, and apply them again
    #[command(subcommand)]
    DeadLetters(letters::What),
    /// Make the topics of Kafka that are missing, and the first offsets of the consumer groups
    Topics(Topics),
    /// Build a new search index beside the one that answers, and then have it answer
    Reindex(Reindex),
    /// Send one sale through all services and see it arrive: a first look at an installation
    Smoke(smoke::Options),
    /// Put load on Stock: rate, latency, errors
    Load(load::Options),
    /// Show how the workers of a cluster are scaled, and pause or resume that
    Scale(scale::Options),
}

/// `gudang up`.
#[derive(Debug, Args)]
pub(crate) struct Up {
    /// Where the private PostgreSQL keeps its data
    #[arg(long, default_value = ".gudang")]
    pub(crate) data_dir: PathBuf,
    #[command(flatten)]
    pub(crate) listen: Listen,
    #[command(flatten)]
    pub(crate) databases: Databases,
    /// ISO 4217 code of prices that name none
    #[arg(long, env, default_value = "USD")]
    pub(crate) currency: Currency,
    #[command(flatten)]
    pub(crate) notify: Notify,
    #[command(flatten)]
    pub(crate) kafka: Kafka,
    /// Redis, where processes share what they have read of products; absent: the memory alone
    #[arg(long, env, hide_env_values = true)]
    pub(crate) redis_url: Option<RedisUrl>,
    /// Elasticsearch, which then answers searches; absent: the database does
    #[arg(long, env, hide_env_values = true)]
    pub(crate) elasticsearch_url: Option<ElasticsearchUrl>,
    #[command(flatten)]
    pub(crate) log: Log,
}

impl Up {
    /// The cluster that carries events, if there is one.
    pub(crate) fn broker(&self) -> anyhow::Result<Option<Broker>> {
        let settings = kafka(&self.kafka)?;
        Ok(settings.map(|settings| Broker::new(settings, None)).transpose()?)
    }
}

/// `gudang topics`.
#[derive(Debug, Args)]
pub(crate) struct Topics {
    #[command(flatten)]
    kafka: Kafka,
    #[command(flatten)]
    pub(crate) log: Log,
}

impl Topics {
    /// The cluster whose topics are meant.
    pub(crate) fn settings(&self) -> anyhow::Result<Settings> {
        kafka(&self.kafka)?.context("KAFKA_BOOTSTRAP_SERVERS must say where Kafka is")
    }
}

/// The cluster of Kafka that flags and the environment name, if they do.
pub(crate) fn kafka(flags: &Kafka) -> anyhow::Result<Option<Settings>> {
    Ok(flags.settings(std::env::vars_os())?)
}

/// `gudang reindex`.
#[derive(Debug, Args)]
pub(crate) struct Reindex {
    /// PostgreSQL URL of Product's database
    #[arg(long, env, hide_env_values = true)]
    pub(crate) product_database_url: Secret,
    /// Elasticsearch
    #[arg(long, env, hide_env_values = true)]
    pub(crate) elasticsearch_url: ElasticsearchUrl,
    #[command(flatten)]
    pub(crate) log: Log,
}

/// Where the services listen.
#[derive(Debug, Args)]
pub(crate) struct Listen {
    /// Address that the four services listen on
    #[arg(long, env, default_value = "127.0.0.1")]
    pub(crate) listen: IpAddr,
    /// Port of Product; 0 takes any that is free
    #[arg(long, env, default_value_t = 8082)]
    pub(crate) product_port: u16,
    /// Port of Stock Change
    #[arg(long, env, default_value_t = 8083)]
    pub(crate) stock_port: u16,
    /// Port of Notification
    #[arg(long, env, default_value_t = 8084)]
    pub(crate) notification_port: u16,
    /// Port of Analytics
    #[arg(long, env, default_value_t = 8085)]
    pub(crate) analytics_port: u16,
}

/// Databases of one's own, instead of the private PostgreSQL.
#[derive(Debug, Args)]
pub(crate) struct Databases {
    /// PostgreSQL URL of Product's database; absent: in the private server
    #[arg(long, env, hide_env_values = true)]
    pub(crate) product_database_url: Option<Secret>,
    /// PostgreSQL URL of Stock Change's database; absent: in the private server
    #[arg(long, env, hide_env_values = true)]
    pub(crate) stock_database_url: Option<Secret>,
    /// PostgreSQL URL of Notification's database; absent: in the private server
    #[arg(long, env, hide_env_values = true)]
    pub(crate) notification_database_url: Option<Secret>,
    /// PostgreSQL URL of Analytics' database; absent: in the private server
    #[arg(long, env, hide_env_values = true)]
    pub(crate) analytics_database_url: Option<Secret>,
}

/// Where the commands find the services.
#[derive(Debug, Clone, Args)]
pub(crate) struct Urls {
    /// Base URL of Product
    #[arg(long, env, default_value = "http://127.0.0.1:8082", help_heading = "Services")]
    pub(crate) product_url: BaseUrl,
    /// Base URL of Stock Change
    #[arg(long, env, default_value = "http://127.0.0.1:8083", help_heading = "Services")]
    pub(crate) stock_url: BaseUrl,
    /// Base URL of Notification
    #[arg(long, env, default_value = "http://127.0.0.1:8084", help_heading = "Services")]
    pub(crate) notification_url: BaseUrl,
    /// Base URL of Analytics
    #[arg(long, env, default_value = "http://127.0.0.1:8085", help_heading = "Services")]
    pub(crate) analytics_url: BaseUrl,
}

/// A service's base URL, without a slash at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BaseUrl(String);

impl BaseUrl {
    /// The text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::str::FromStr for BaseUrl {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let url = reqwest::Url::parse(text).map_err(|error| format!("{error}; it looks like http://127.0.0.1:8082"))?;
        match url.scheme() {
            "http" | "https" if url.has_host() => Ok(Self(text.trim_end_matches('/').to_owned())),
            _ => Err("it must begin with http:// or https://".to_owned()),
        }
    }
}

/// Directories that may be the project's: the working directory, those above it, and that of the build in which this program lies,
/// `<workspace>/target/<profile>/gudang`.
pub(crate) fn workspaces() -> impl Iterator<Item = PathBuf> {
    let here = std::env::current_dir().ok();
    let upwards: Vec<PathBuf> = here.iter().flat_map(|here| here.ancestors()).map(PathBuf::from).collect();
    let built = std::env::current_exe().ok().and_then(|program| program.ancestors().nth(3).map(PathBuf::from));
    upwards.into_iter().chain(built)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn refusal(arguments: &[&str]) -> String {
        Cli::try_parse_from(arguments).expect_err("unusable").to_string()
    }

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn an_unusable_value_is_an_error_that_names_it() {
        for (flag, value, name) in [
            ("--product-port", "80820", "PRODUCT_PORT"),
            ("--listen", "localhost", "LISTEN"),
            ("--currency", "EURO", "CURRENCY"),
            ("--stock-database-url", "", "STOCK_DATABASE_URL"),
            ("--notify-retry-schedule", "5,soon", "NOTIFY_RETRY_SCHEDULE"),
            ("--notify-webhook-allow-private", "yes", "NOTIFY_WEBHOOK_ALLOW_PRIVATE"),
            ("--log-format", "xml", "LOG_FORMAT"),
        ] {
            let said = refusal(&["gudang", "up", flag, value]);
            assert!(said.contains(name), "{name}: {said}");
        }
        let said = refusal(&["gudang", "audit", "--stock-url", "127.0.0.1:8083"]);
        assert!(said.contains("STOCK_URL"), "{said}");
    }

    #[test]
    fn every_variable_of_this_program_is_a_flag_that_help_lists() {
        let mut up = Cli::command();
        let help = up.find_subcommand_mut("up").expect("up").render_long_help().to_string();
        for name in [
            "LISTEN",
            "PRODUCT_PORT",
            "STOCK_PORT",
            "NOTIFICATION_PORT",
            "ANALYTICS_PORT",
            "PRODUCT_DATABASE_URL",
            "STOCK_DATABASE_URL",
            "NOTIFICATION_DATABASE_URL",
            "ANALYTICS_DATABASE_URL",
            "CURRENCY",
            "NOTIFY_WEBHOOK_URL",
            "NOTIFY_WEBHOOK_SECRET",
            "NOTIFY_WEBHOOK_ALLOW_PRIVATE",
            "NOTIFY_RETRY_SCHEDULE",
            "NOTIFY_TIMEOUT_SECONDS",
            "KAFKA_BOOTSTRAP_SERVERS",
            "KAFKA_TOPIC_PARTITIONS",
            "RUST_LOG",
            "LOG_FORMAT",
        ] {
            assert!(help.contains(&format!("[env: {name}")), "{name}");
        }
    }
}
