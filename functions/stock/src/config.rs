//! Configuration of the program: everything that the environment or a flag can say, read once at the start.
//!
//! A value that cannot be used is an error that names it. Nothing else of this service reads the environment.

use std::net::{IpAddr, SocketAddr};

use clap::{Parser, Subcommand};
use host::flags::{Log, Secret};
use postgres::Settings;
use stock::Config;

/// Connections to the database at most, those of the write path aside.
const POOL: usize = 16;

/// Stock Change: records every movement in a ledger that cannot be oversold.
#[derive(Debug, Parser)]
#[command(name = "stock", version, max_term_width = 120)]
pub(crate) struct Options {
    /// PostgreSQL URL of its database
    #[arg(long, env, hide_env_values = true)]
    database_url: Secret,
    /// Base URL of Product
    #[arg(long, env, default_value = "http://127.0.0.1:8082")]
    product_url: String,
    /// Address that it listens on
    #[arg(long, env, default_value = "0.0.0.0")]
    listen: IpAddr,
    /// Port that it listens on; 0 takes any that is free
    #[arg(long, env, default_value_t = 8083)]
    port: u16,
    /// Transactions at once that write: what meets on one product shares them in turn
    #[arg(long, env, default_value_t = stock::LANES as u8, value_parser = clap::value_parser!(u8).range(1..=8))]
    stock_lanes: u8,
    #[command(flatten)]
    pub(crate) log: Log,
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
    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        SocketAddr::new(self.listen, self.port)
    }

    /// What the service needs to know.
    pub(crate) fn service(&self) -> Config {
        let url = self.database_url.reveal().to_owned();
        let database = Settings { url, pool_size: POOL, application_name: "gudang-stock".to_owned() };
        Config { database, product_url: self.product_url.clone(), lanes: self.stock_lanes.into() }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    const NEEDED: [&str; 3] = ["stock", "--database-url", "postgresql://gudang:secret@db/stock"];

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
            ("--stock-lanes", "0", "STOCK_LANES"),
            ("--log-format", "xml", "LOG_FORMAT"),
        ] {
            let said = refusal(&[flag, value]);
            assert!(said.contains(name), "{name}: {said}");
        }
    }

    #[test]
    fn what_is_said_reaches_the_service_and_a_password_is_not_shown() {
        let options = Options::try_parse_from(NEEDED.iter().chain(&["--port", "0", "migrate"])).expect("usable");
        assert_eq!(options.address().port(), 0);
        assert_eq!(options.command, Some(Command::Migrate));
        assert_eq!(options.service().database.url, NEEDED[2]);
        assert!(!format!("{options:?}").contains("secret"));
    }

    #[test]
    fn every_variable_is_a_flag_that_help_lists() {
        let help = Options::command().render_long_help().to_string();
        for name in ["DATABASE_URL", "PRODUCT_URL", "LISTEN", "PORT", "STOCK_LANES", "RUST_LOG", "LOG_FORMAT"] {
            assert!(help.contains(&format!("[env: {name}")), "{name}: {help}");
        }
    }
}
