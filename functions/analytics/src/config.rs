//! Configuration of the program: everything that the environment or a flag can say, read once at the start.
//!
//! A value that cannot be used is an error that names it. Nothing else of this service reads the environment.

use analytics::Config;
use std::env::VarsOs;

use clap::Parser;
use host::flags::Service;

/// Connections to the database at most.
const POOL: usize = 8;

/// Analytics: best sellers and other reports, from the events of the other services.
#[derive(Debug, Parser)]
#[command(name = "analytics", version, max_term_width = 120)]
pub(crate) struct Options {
    #[command(flatten)]
    pub(crate) service: Service<8085>,
    /// Base URL of Product
    #[arg(long, env, default_value = "http://127.0.0.1:8082")]
    product_url: String,
    /// Base URL of Stock Change
    #[arg(long, env, default_value = "http://127.0.0.1:8083")]
    stock_url: String,
}

impl Options {
    /// What the service needs to know.
    pub(crate) fn config(&self) -> Config {
        let database = self.service.database("analytics", POOL);
        Config { database, product_url: self.product_url.clone(), stock_url: self.stock_url.clone() }
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

    const NEEDED: [&str; 3] = ["analytics", "--database-url", "postgresql://gudang@db/analytics"];

    #[test]
    fn the_command_line_is_sound_and_reaches_the_service() {
        Options::command().debug_assert();
        let options = Options::try_parse_from(NEEDED).expect("usable");
        assert_eq!(options.config().database.url, NEEDED[2]);
    }

    #[test]
    fn every_variable_is_a_flag_that_help_lists() {
        let help = Options::command().render_long_help().to_string();
        for name in ["PRODUCT_URL", "STOCK_URL"] {
            assert!(help.contains(&format!("[env: {name}")), "{name}: {help}");
        }
    }
}
