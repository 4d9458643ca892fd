//! Configuration of the program: everything that the environment or a flag can say, read once at the start.
//!
//! A value that cannot be used is an error that names it. Nothing else of this service reads the environment.

use clap::{Parser, Subcommand};
use contract::Currency;
use host::flags::{BadKafka, Service};
use host::pod::Place;
use product::{Config, ElasticsearchUrl, IndexSettings, RedisUrl};

/// Connections to the database at most.
const POOL: usize = 8;

/// Product: adds, changes, archives, lists and searches products.
#[derive(Debug, Parser)]
#[command(name = "product", version, max_term_width = 120)]
pub(crate) struct Options {
    #[command(flatten)]
    pub(crate) service: Service<8082>,
    /// Base URL of Stock Change
    #[arg(long, env, default_value = "http://127.0.0.1:8083")]
    stock_url: String,
    /// ISO 4217 code of prices that name none
    #[arg(long, env, default_value = "USD")]
    currency: Currency,
    /// Redis, where processes share what they have read; absent: each has its memory alone
    #[arg(long, env, hide_env_values = true)]
    redis_url: Option<RedisUrl>,
    /// Elasticsearch, which then answers searches; absent: the database does
    #[arg(long, env, hide_env_values = true)]
    elasticsearch_url: Option<ElasticsearchUrl>,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// What to do instead of serving.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Subcommand)]
pub(crate) enum Command {
    /// Bring the database up to date, and no more
    Migrate,
}

impl Options {
    /// Where it runs.
    pub(crate) fn place(&self) -> Result<Place, BadKafka> {
        self.service.place(std::env::vars_os())
    }

    /// What the service needs to know.
    pub(crate) fn config(&self) -> Config {
        let database = self.service.database("product", POOL);
        Config {
            database,
            currency: self.currency,
            stock_url: self.stock_url.clone(),
            redis: self.redis_url.clone(),
            elasticsearch: self.elasticsearch_url.clone().map(IndexSettings::new),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    const NEEDED: [&str; 3] = ["product", "--database-url", "postgresql://gudang:secret@db/product"];

    fn refusal(arguments: &[&str]) -> String {
        Options::try_parse_from(NEEDED.iter().chain(arguments)).expect_err("unusable").to_string()
    }

    #[test]
    fn the_command_line_is_sound() {
        Options::command().debug_assert();
    }

    #[test]
    fn an_unusable_value_is_an_error_that_names_it() {
        for (flag, value, name) in [
            ("--port", "80830", "PORT"),
            ("--listen", "localhost", "LISTEN"),
            ("--role", "king", "ROLE"),
            ("--currency", "EURO", "CURRENCY"),
            ("--kafka-bootstrap-servers", "", "KAFKA_BOOTSTRAP_SERVERS"),
            ("--kafka-topic-partitions", "0", "KAFKA_TOPIC_PARTITIONS"),
            ("--log-format", "xml", "LOG_FORMAT"),
        ] {
            let said = refusal(&[flag, value]);
            assert!(said.contains(name), "{name}: {said}");
        }
    }

    #[test]
    fn what_is_said_reaches_the_service_and_a_password_is_not_shown() {
        let said = ["--port", "0", "--kafka-property", "sasl.password=secret", "migrate"];
        let options = Options::try_parse_from(NEEDED.iter().chain(&said)).expect("usable");
        assert_eq!(options.place().expect("a place").address.port(), 0);
        assert_eq!(options.command, Some(Command::Migrate));
        assert_eq!(options.config().database.url, NEEDED[2]);
        assert!(!format!("{options:?}").contains("secret"));
    }

    #[test]
    fn every_variable_is_a_flag_that_help_lists() {
        let help = Options::command().render_long_help().to_string();
        for name in [
            "DATABASE_URL",
            "LISTEN",
            "PORT",
            "ROLE",
            "STOCK_URL",
            "CURRENCY",
            "ELASTICSEARCH_URL",
            "REDIS_URL",
            "KAFKA_BOOTSTRAP_SERVERS",
            "KAFKA_TOPIC_PARTITIONS",
            "KAFKA_GROUP_ID",
            "RUST_LOG",
            "LOG_FORMAT",
        ] {
            assert!(help.contains(&format!("[env: {name}")), "{name}: {help}");
        }
    }
}
