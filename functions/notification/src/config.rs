//! Configuration of the program: everything that the environment or a flag can say, read once at the start.
//!
//! A value that cannot be used is an error that names it. Nothing else of this service reads the environment.

use std::env::VarsOs;

use clap::Parser;
use host::flags::Service;
use notification::Config;
use notification::flags::{BadNotify, Notify};

/// Connections to the database at most.
const POOL: usize = 8;

/// Notification: raises one alert an episode of low stock, and delivers it.
#[derive(Debug, Parser)]
#[command(name = "notification", version, max_term_width = 120)]
pub(crate) struct Options {
    #[command(flatten)]
    pub(crate) service: Service<8084>,
    /// Base URL of Product
    #[arg(long, env, default_value = "http://127.0.0.1:8082")]
    product_url: String,
    /// Base URL of Stock Change
    #[arg(long, env, default_value = "http://127.0.0.1:8083")]
    stock_url: String,
    #[command(flatten)]
    notify: Notify,
}

impl Options {
    /// What the service needs to know.
    pub(crate) fn config(&self) -> Result<Config, BadNotify> {
        let database = self.service.database("notification", POOL);
        let (product_url, stock_url) = (self.product_url.clone(), self.stock_url.clone());
        Ok(Config { database, product_url, stock_url, channels: self.notify.channels()? })
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

    const NEEDED: [&str; 3] = ["notification", "--database-url", "postgresql://gudang@db/notification"];

    #[test]
    fn the_command_line_is_sound_and_reaches_the_service() {
        Options::command().debug_assert();
        let options = Options::try_parse_from(NEEDED).expect("usable");
        assert_eq!(options.config().expect("usable").database.url, NEEDED[2]);
    }

    #[test]
    fn an_unusable_value_is_an_error_that_names_it() {
        let said = Options::try_parse_from(NEEDED.iter().chain(&["--notify-retry-schedule", "5,soon"])).expect_err("unusable").to_string();
        assert!(said.contains("NOTIFY_RETRY_SCHEDULE"), "{said}");
    }

    #[test]
    fn every_variable_is_a_flag_that_help_lists() {
        let help = Options::command().render_long_help().to_string();
        for name in ["PRODUCT_URL", "STOCK_URL", "NOTIFY_WEBHOOK_URL", "NOTIFY_EMAIL_TO", "SMTP_URL", "NOTIFY_RETRY_SCHEDULE"] {
            assert!(help.contains(&format!("[env: {name}")), "{name}: {help}");
        }
    }
}
