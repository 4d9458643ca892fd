//! What is known of the cluster: where it is, and librdkafka's own properties as somebody has set them. All of it is checked at once, so that
//! a bad one is told at the start, by the name under which it was given.

use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;
use rdkafka::producer::{BaseProducer, DefaultProducerContext};

/// Properties that delivery depends on: nobody else may set them.
const OURS: [&str; 11] = [
    "bootstrap.servers",
    "metadata.broker.list",
    "group.id",
    "enable.idempotence",
    "acks",
    "request.required.acks",
    "partitioner",
    "enable.auto.commit",
    "auto.commit.enable",
    "enable.auto.offset.store",
    "auto.offset.reset",
];

/// A cluster, and how to speak to it.
#[derive(Clone)]
pub struct Settings {
    servers: String,
    properties: Vec<Property>,
    partitions: u16,
}

/// A property of librdkafka.
#[derive(Clone)]
pub struct Property {
    /// librdkafka's name: `security.protocol`.
    pub name: String,
    /// Its value. It may be a password, so it is never shown.
    pub value: String,
    /// Under which name it was given, for messages: `KAFKA_SECURITY_PROTOCOL`.
    pub given_as: String,
}

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// One of them alone.
    #[error("{given_as} cannot be used: {reason}")]
    Property {
        /// Under which name it was given.
        given_as: String,
        /// What librdkafka says.
        reason: String,
    },
    /// Each by itself would do.
    #[error("Kafka's settings cannot be used together ({given_as}): {reason}")]
    Together {
        /// Under which names they were given.
        given_as: String,
        /// What librdkafka says.
        reason: String,
    },
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<&str> = self.properties.iter().map(|property| property.name.as_str()).collect();
        f.debug_struct("Settings")
            .field("servers", &self.servers)
            .field("partitions", &self.partitions)
            .field("properties", &names)
            .finish()
    }
}

impl Settings {
    /// Checks what was given. `servers` is a list of `host:port` parted by commas, `partitions` the number that new topics get. It asks no
    /// broker.
    pub fn new(servers: &str, partitions: u16, properties: Vec<Property>) -> Result<Self, SettingsError> {
        for Property { name, value, given_as } in &properties {
            let refuse = |reason| Err(SettingsError::Property { given_as: given_as.clone(), reason });
            if OURS.contains(&name.as_str()) {
                return refuse(format!("`{name}` is not for others to set, delivery depends on it"));
            }
            let alone = ClientConfig::new().set(name, value).create_native_config();
            if let Err(KafkaError::ClientConfig(_, reason, ..)) = alone {
                return refuse(reason);
            }
        }
        let settings = Self { servers: servers.to_owned(), properties, partitions };
        let together: Result<BaseProducer, _> = settings.client("gudang").create_with_context(DefaultProducerContext);
        together.map_err(|error| {
            let names = settings.properties.iter().map(|property| property.given_as.as_str());
            let given_as: Vec<&str> = std::iter::once("KAFKA_BOOTSTRAP_SERVERS").chain(names).collect();
            SettingsError::Together { given_as: given_as.join(", "), reason: error.to_string() }
        })?;
        Ok(settings)
    }

    /// The number of partitions that new topics get.
    pub(super) fn partitions(&self) -> u16 {
        self.partitions
    }

    /// Whether somebody has set a property.
    pub(super) fn says(&self, name: &str) -> bool {
        self.properties.iter().any(|property| property.name == name)
    }

    /// What all clients have in common; what was set overrides it. Bounded everywhere: nothing waits for ever for a broker that is gone.
    pub(super) fn client(&self, name: &str) -> ClientConfig {
        let mut config = ClientConfig::new();
        for (property, value) in [
            ("bootstrap.servers", self.servers.as_str()),
            ("client.id", name),
            ("socket.timeout.ms", "15000"),
            ("socket.connection.setup.timeout.ms", "10000"),
            ("socket.keepalive.enable", "true"),
            ("socket.nagle.disable", "true"),
            ("reconnect.backoff.ms", "100"),
            ("reconnect.backoff.max.ms", "2000"),
            ("topic.metadata.refresh.interval.ms", "60000"),
        ] {
            config.set(property, value);
        }
        for Property { name, value, .. } in &self.properties {
            config.set(name, value);
        }
        config
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(name: &str, value: &str) -> String {
        let given_as = format!("KAFKA_{}", name.replace('.', "_").to_uppercase());
        let property = Property { name: name.to_owned(), value: value.to_owned(), given_as };
        Settings::new("127.0.0.1:9092", 12, vec![property]).expect_err("refused").to_string()
    }

    #[test]
    fn a_bad_property_is_told_by_the_name_under_which_it_was_given() {
        for (name, value, given_as) in [
            ("security.protocol", "pigeon", "KAFKA_SECURITY_PROTOCOL"),
            ("no.such.thing", "1", "KAFKA_NO_SUCH_THING"),
            ("socket.timeout.ms", "soon", "KAFKA_SOCKET_TIMEOUT_MS"),
            ("acks", "0", "KAFKA_ACKS"),
            ("group.id", "mine", "KAFKA_GROUP_ID"),
            ("max.in.flight.requests.per.connection", "0", "KAFKA_MAX_IN_FLIGHT_REQUESTS_PER_CONNECTION"),
        ] {
            let said = refused(name, value);
            assert!(said.starts_with(&format!("{given_as} cannot be used")), "{said}");
        }
    }

    #[test]
    fn a_good_one_is_taken_and_a_password_is_not_shown() {
        let property = |name: &str, value: &str| Property { name: name.into(), value: value.into(), given_as: name.into() };
        let given = vec![property("sasl.password", "hush"), property("socket.timeout.ms", "7000")];
        let settings = Settings::new("127.0.0.1:9092", 12, given).expect("usable");
        assert!(!format!("{settings:?}").contains("hush"));
        assert_eq!(settings.client("x").get("socket.timeout.ms"), Some("7000"));
        assert_eq!(settings.client("x").get("sasl.password"), Some("hush"));
    }
}
