//! Configuration of the program: everything that the environment or a flag can say, read once at the start.
//!
//! A value that cannot be used is an error that names it. Nothing else of this service reads the environment.

use std::env::VarsOs;

use clap::Parser;
use host::flags::Service;
use stock::Config;

/// Connections to the database at most, those of the write path aside.
const POOL: usize = 16;

/// Stock Change: records every movement in a ledger that cannot be oversold.
#[derive(Debug, Parser)]
#[command(name = "stock", version, max_term_width = 120)]
pub(crate) struct Options {
    #[command(flatten)]
    pub(crate) service: Service<8083>,
    /// Base URL of Product
    #[arg(long, env, default_value = "http://127.0.0.1:8082")]
    product_url: String,
    /// Transactions at once that write: what meets on one product shares them in turn
    #[arg(long, env, default_value_t = stock::LANES as u8, value_parser = clap::value_parser!(u8).range(1..=8))]
    stock_lanes: u8,
}

impl Options {
    /// What the service needs to know.
    pub(crate) fn config(&self) -> Config {
        let database = self.service.database("stock", POOL);
        Config { database, product_url: self.product_url.clone(), lanes: self.stock_lanes.into() }
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

    const NEEDED: [&str; 3] = ["stock", "--database-url", "postgresql://gudang@db/stock"];

    #[test]
    fn the_command_line_is_sound_and_reaches_the_service() {
        Options::command().debug_assert();
        let options = Options::try_parse_from(NEEDED).expect("usable");
        assert_eq!(options.config().database.url, NEEDED[2]);
    }

    #[test]
    fn an_unusable_value_is_an_error_that_names_it() {
        let said = Options::try_parse_from(NEEDED.iter().chain(&["--stock-lanes", "0"])).expect_err("unusable").to_string();
        assert!(said.contains("STOCK_LANES"), "{said}");
    }

    #[test]
    fn every_variable_is_a_flag_that_help_lists() {
        let help = Options::command().render_long_help().to_string();
        for name in ["PRODUCT_URL", "STOCK_LANES"] {
            assert!(help.contains(&format!("[env: {name}")), "{name}: {help}");
        }
    }
}
