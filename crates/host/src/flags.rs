//! Flags that programs share, for their configurations to take in. It reads nothing by itself: whoever parses the command line does.

use std::ffi::OsString;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroUsize;

use bus::kafka::{KafkaFailure, Property, Settings, SettingsError};
use clap::{Args, Subcommand};

use crate::log::{self, Format};
use crate::pod::{self, Place};
use crate::{Broker, Role, Share};

/// What every program of one service is told; `PORT` is the port that it takes unless it is told another.
#[derive(Debug, Args)]
pub struct Service<const PORT: u16> {
    /// PostgreSQL URL of its database
    #[arg(long, env, hide_env_values = true)]
    pub database_url: Secret,
    /// Address that it listens on
    #[arg(long, env, default_value = "0.0.0.0")]
    pub listen: IpAddr,
    /// Port that it listens on; 0 takes any that is free
    #[arg(long, env, default_value_t = PORT)]
    pub port: u16,
    /// What it does of its service's work
    #[arg(long, env, value_enum, default_value_t = Role::All)]
    pub role: Role,
    /// Threads that it works with [default: half of the processors that it may use, but at least one]
    #[arg(long, env)]
    pub worker_threads: Option<NonZeroUsize>,
    /// What carries its events.
    #[command(flatten)]
    pub kafka: Kafka,
    /// Consumer group that it is a member of; absent: `gudang-` and the service's name
    #[arg(long, env)]
    pub kafka_group_id: Option<String>,
    /// How else events reach it.
    #[command(flatten)]
    pub push: Push,
    /// What is logged.
    #[command(flatten)]
    pub log: Log,
    /// What to do instead of serving.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What every program of one service can do instead of serving.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Subcommand)]
pub enum Command {
    /// Bring the database up to date, and no more
    Migrate,
}

impl<const PORT: u16> Service<PORT> {
    /// Its database, with a pool of so many connections.
    pub fn database(&self, name: &str, pool_size: usize) -> postgres::Settings {
        postgres::Settings { url: self.database_url.reveal().to_owned(), pool_size, application_name: format!("gudang-{name}") }
    }

    /// Where it runs. `environment` is the whole of it, for properties of librdkafka.
    pub(crate) fn place(&self, environment: impl IntoIterator<Item = (OsString, OsString)>) -> Result<Place, BadKafka> {
        let environment = environment.into_iter().filter(|(name, _)| name != "KAFKA_GROUP_ID");
        let settings = self.kafka.settings(environment)?;
        let broker = settings.map(|settings| Broker::new(settings, self.kafka_group_id.clone())).transpose()?;
        let threads = self.worker_threads.map_or_else(pod::threads, NonZeroUsize::get);
        let share = Share { role: self.role, broker, push: self.push.is_on() };
        Ok(Place { address: SocketAddr::new(self.listen, self.port), threads, share })
    }
}

/// Whether events may be pushed over HTTP.
#[derive(Debug, Args)]
pub struct Push {
    /// Take CloudEvents that are pushed to `/`; Knative, which sets K_SERVICE, need not say so
    #[arg(long, env, default_value_t = false, num_args = 0..=1, default_missing_value = "true", action = clap::ArgAction::Set)]
    pub cloudevents_push: bool,
    /// The Knative Service that this is
    #[arg(long, env, hide = true)]
    pub k_service: Option<String>,
}

impl Push {
    /// Whether they may.
    fn is_on(&self) -> bool {
        self.cloudevents_push || self.k_service.as_ref().is_some_and(|name| !name.is_empty())
    }
}

/// Why what was said of Kafka cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BadKafka {
    /// One of its properties, or all of them together.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// No client could be made of them.
    #[error(transparent)]
    Client(#[from] KafkaFailure),
}

/// What carries events. Every other variable `KAFKA_<NAME>` is librdkafka's property of that name, dots for underscores.
#[derive(Debug, Args)]
pub struct Kafka {
    /// Kafka's brokers, `host:port` parted by commas; absent: no Kafka
    #[arg(long, env, value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub kafka_bootstrap_servers: Option<String>,
    /// Partitions of the topics that are made where they are missing
    #[arg(long, env, default_value_t = 12, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub kafka_topic_partitions: u16,
    /// Property of librdkafka, such as `security.protocol=SASL_PLAINTEXT`; may be repeated. The variable KAFKA_SECURITY_PROTOCOL says the same
    #[arg(long, value_name = "NAME=VALUE")]
    pub kafka_property: Vec<Assignment>,
}

impl Kafka {
    /// The cluster, if there is one. `environment` is the whole of it.
    pub fn settings(&self, environment: impl IntoIterator<Item = (OsString, OsString)>) -> Result<Option<Settings>, SettingsError> {
        let Some(servers) = &self.kafka_bootstrap_servers else { return Ok(None) };
        let flags = self.kafka_property.iter().map(|assignment| assignment.0.clone());
        let properties = environment.into_iter().filter_map(property).chain(flags);
        Settings::new(servers, self.kafka_topic_partitions, properties.collect()).map(Some)
    }
}

/// The property that a variable is, if it is one.
fn property((name, value): (OsString, OsString)) -> Option<Property> {
    let given_as = name.into_string().ok()?;
    let name = given_as.strip_prefix("KAFKA_")?;
    if ["BOOTSTRAP_SERVERS", "TOPIC_PARTITIONS"].contains(&name) || is_of_kubernetes(name) {
        return None;
    }
    Some(Property { name: name.to_lowercase().replace('_', "."), value: value.into_string().ok()?, given_as })
}

/// Kubernetes tells each process of the services around it by variables; those of a service `kafka` begin as ours do.
fn is_of_kubernetes(name: &str) -> bool {
    let of_port = |rest: &str| rest.is_empty() || rest.starts_with('_');
    name.ends_with("SERVICE_HOST") || name.contains("SERVICE_PORT") || name.rsplit_once("PORT").is_some_and(|(_, rest)| of_port(rest))
}

/// `NAME=VALUE`; the value is not shown.
#[derive(Clone)]
pub struct Assignment(Property);

impl fmt::Debug for Assignment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}=***", self.0.name)
    }
}

impl std::str::FromStr for Assignment {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, value) = text.split_once('=').filter(|(name, _)| !name.is_empty()).ok_or("it must be NAME=VALUE")?;
        Ok(Self(Property { name: name.to_owned(), value: value.to_owned(), given_as: format!("--kafka-property {name}") }))
    }
}

/// What is logged, to standard error.
#[derive(Debug, Args)]
pub struct Log {
    /// What to log: a level (`error`, `warn`, `info`, `debug`), or more in the syntax of tracing's EnvFilter; by default problems,
    /// and alerts where this program raises them
    #[arg(long, env)]
    pub rust_log: Option<String>,
    /// How log lines look
    #[arg(long, env, value_enum, default_value_t = Format::Text)]
    pub log_format: Format,
}

impl Log {
    /// Starts logging: what was asked for, else `usual`.
    pub fn start(&self, usual: &str) {
        log::start(self.rust_log.as_deref().unwrap_or(usual), self.log_format);
    }
}

/// A text that must not be shown, such as a password or a URL that may hold one.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The text itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl std::str::FromStr for Secret {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.trim().is_empty() { Err("it is empty; leave it unset instead") } else { Ok(Self(text.to_owned())) }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    fn properties(variables: &[(&str, &str)]) -> Vec<(String, String)> {
        let os = variables.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
        os.filter_map(property).map(|property| (property.name, property.value)).collect()
    }

    #[test]
    fn variables_are_properties_by_librdkafka_s_names_and_those_of_kubernetes_are_none() {
        let read = properties(&[
            ("KAFKA_SECURITY_PROTOCOL", "SASL_PLAINTEXT"),
            ("KAFKA_BOOTSTRAP_SERVERS", "here:9092"),
            ("KAFKA_TOPIC_PARTITIONS", "3"),
            ("KAFKA_SERVICE_HOST", "10.0.0.1"),
            ("KAFKA_SERVICE_PORT_CLIENT", "9092"),
            ("KAFKA_PORT", "tcp://10.0.0.1:9092"),
            ("KAFKA_PORT_9092_TCP_ADDR", "10.0.0.1"),
            ("KAFKA_UI_SERVICE_HOST", "10.0.0.2"),
            ("KAFKA_UI_PORT_80_TCP", "tcp://10.0.0.2:80"),
            ("PATH", "elsewhere"),
        ]);
        assert_eq!(read, [("security.protocol".to_owned(), "SASL_PLAINTEXT".to_owned())]);
    }

    #[derive(Debug, clap::Parser)]
    struct Shop {
        #[command(flatten)]
        service: Service<8090>,
    }

    fn parsed(arguments: &[&str]) -> Result<Shop, clap::Error> {
        Shop::try_parse_from(["shop", "--database-url", "postgresql://gudang:hush@db/shop"].iter().chain(arguments))
    }

    #[test]
    fn an_unusable_value_is_an_error_that_names_it() {
        for (flag, value, name) in [
            ("--port", "80830", "PORT"),
            ("--listen", "localhost", "LISTEN"),
            ("--role", "king", "ROLE"),
            ("--worker-threads", "0", "WORKER_THREADS"),
            ("--kafka-bootstrap-servers", "", "KAFKA_BOOTSTRAP_SERVERS"),
            ("--kafka-topic-partitions", "0", "KAFKA_TOPIC_PARTITIONS"),
            ("--cloudevents-push", "maybe", "CLOUDEVENTS_PUSH"),
            ("--log-format", "xml", "LOG_FORMAT"),
        ] {
            let said = parsed(&[flag, value]).expect_err("unusable").to_string();
            assert!(said.contains(name), "{name}: {said}");
        }
    }

    #[test]
    fn what_is_said_is_heard_and_a_password_is_not_shown() {
        let shop = parsed(&["--port", "0", "--worker-threads", "3", "--kafka-property", "sasl.password=hush", "migrate"]).expect("usable");
        let place = shop.service.place([]).expect("a place");
        assert_eq!((place.address.port(), place.threads, shop.service.command), (0, 3, Some(Command::Migrate)));
        assert!(!format!("{shop:?}").contains("hush"));
        assert_eq!(parsed(&[]).expect("usable").service.port, 8090);
    }

    #[test]
    fn every_variable_is_a_flag_that_help_lists() {
        let help = <Shop as clap::CommandFactory>::command().render_long_help().to_string();
        for name in [
            "DATABASE_URL",
            "LISTEN",
            "PORT",
            "ROLE",
            "WORKER_THREADS",
            "KAFKA_BOOTSTRAP_SERVERS",
            "KAFKA_TOPIC_PARTITIONS",
            "KAFKA_GROUP_ID",
            "CLOUDEVENTS_PUSH",
            "RUST_LOG",
            "LOG_FORMAT",
        ] {
            assert!(help.contains(&format!("[env: {name}")), "{name}: {help}");
        }
    }

    #[test]
    fn events_are_pushed_where_somebody_said_so_or_knative_runs_it() {
        let push = |arguments: &[&str]| parsed(arguments).expect("usable").service.place([]).expect("a place").share.push;
        assert!(!push(&[]) && !push(&["--k-service", ""]) && !push(&["--cloudevents-push", "false"]));
        assert!(push(&["--cloudevents-push"]) && push(&["--k-service", "shop"]));
    }

    #[test]
    fn a_secret_is_not_shown() {
        let secret: Secret = "whsec_abc".parse().expect("a secret");
        assert_eq!(format!("{secret:?}"), "***");
    }
}
