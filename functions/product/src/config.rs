//! Configuration of the program: everything that the environment or a flag can say, read once at the start.
//!
//! A value that cannot be used is an error that names it. Nothing else of this service reads the environment.

use std::env::VarsOs;

use clap::Parser;
use contract::Currency;
use host::flags::Service;
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
}

impl Options {
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

/// All of the environment: what begins with `KAFKA_` is told to librdkafka.
pub(crate) fn environment() -> VarsOs {
    std::env::vars_os()
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    const NEEDED: [&str; 3] = ["product", "--database-url", "postgresql://gudang@db/product"];

    #[test]
    fn the_command_line_is_sound_and_reaches_the_service() {
        Options::command().debug_assert();
        let options = Options::try_parse_from(NEEDED).expect("usable");
        assert_eq!(options.config().database.url, NEEDED[2]);
    }

    #[test]
    fn an_unusable_value_is_an_error_that_names_it() {
        for (flag, value, name) in [
            ("--currency", "EURO", "CURRENCY"),
            ("--redis-url", "localhost", "REDIS_URL"),
            ("--elasticsearch-url", "localhost", "ELASTICSEARCH_URL"),
        ] {
            let said = Options::try_parse_from(NEEDED.iter().chain(&[flag, value])).expect_err("unusable").to_string();
            assert!(said.contains(name), "{name}: {said}");
        }
    }

    #[test]
    fn every_variable_is_a_flag_that_help_lists() {
        let help = Options::command().render_long_help().to_string();
        for name in ["STOCK_URL", "CURRENCY", "REDIS_URL", "ELASTICSEARCH_URL"] {
            assert!(help.contains(&format!("[env: {name}")), "{name}: {help}");
        }
    }
}
