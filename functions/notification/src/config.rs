//! Configuration of the program: everything that the environment or a flag can say, read once at the start.
//!
//! A value that cannot be used is an error that names it. Nothing else of this service reads the environment.

use clap::{Parser, Subcommand};
use host::flags::{BadKafka, Service};
use host::pod::Place;
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
    pub(crate) fn config(&self) -> Result<Config, BadNotify> {
        let database = self.service.database("notification", POOL);
        let (product_url, stock_url) = (self.product_url.clone(), self.stock_url.clone());
        Ok(Config { database, product_url, stock_url, channels: self.notify.channels()? })
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    const NEEDED: [&str; 3] = ["notification", "--database-url", "postgresql://gudang:hunter2@db/notification"];

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
            ("--notify-retry-schedule", "5,soon", "NOTIFY_RETRY_SCHEDULE"),
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
        let said = ["--port", "0", "--kafka-property", "sasl.password=hunter2", "migrate"];
        let options = Options::try_parse_from(NEEDED.iter().chain(&said)).expect("usable");
        assert_eq!(options.place().expect("a place").address.port(), 0);
        assert_eq!(options.command, Some(Command::Migrate));
        assert_eq!(options.config().expect("usable").database.url, NEEDED[2]);
        assert!(!format!("{options:?}").contains("hunter2"));
    }

    #[test]
    fn every_variable_is_a_flag_that_help_lists() {
        let help = Options::command().render_long_help().to_string();
        for name in [
            "DATABASE_URL",
            "LISTEN",
            "PORT",
            "ROLE",
            "PRODUCT_URL",
            "STOCK_URL",
            "NOTIFY_WEBHOOK_URL",
            "NOTIFY_RETRY_SCHEDULE",
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
