//! What is known of the cluster: where it is, and librdkafka's own properties as somebody has set them. All of it is checked at once, so that
//! a bad one is told at the start, by the name under which it was given.

use std::fmt::Display;

use rdkafka::ClientConfig;
use rdkafka::consumer::BaseConsumer;
use rdkafka::error::KafkaError;
use rdkafka::producer::{BaseProducer, DefaultProducerContext};

use super::client::Quiet;
use super::hearing::{self, Protocol};
use super::{KafkaFailure, producer};

/// Properties that delivery depends on: nobody else may set them.
const OURS: [&str; 13] = [
    "bootstrap.servers",
    "metadata.broker.list",
    "group.id",
    "enable.idempotence",
    "acks",
    "request.required.acks",
    "partitioner",
    "transactional.id",
    "delivery.report.only.error",
    "enable.auto.commit",
    "auto.commit.enable",
    "enable.auto.offset.store",
    "auto.offset.reset",
];

/// Properties of groups whose members share partitions out. Where the broker does, it says these things itself.
const OF_MEMBERS: [&str; 4] = ["session.timeout.ms", "heartbeat.interval.ms", "partition.assignment.strategy", "group.protocol.type"];
/// How a group shares partitions out.
const GROUP_PROTOCOL: &str = "group.protocol";
/// After so long a member that does not ask for messages is given up, by itself.
const MAX_POLL: &str = "max.poll.interval.ms";
/// After so long a member that is not heard of is given up, where members share partitions out; the usual time, and the shortest that a broker
/// takes unless it was set up otherwise.
const SESSION: &str = "session.timeout.ms";
const USUAL_SESSION_MS: u32 = 45_000;
const SHORTEST_SESSION_MS: u32 = 6_000;

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
        let settings = Self { servers: servers.to_owned(), properties, partitions };
        for property in &settings.properties {
            settings.check(property).map_err(|reason| SettingsError::Property { given_as: property.given_as.clone(), reason })?;
        }
        settings.try_together().map_err(|error| {
            let names = settings.properties.iter().map(|property| property.given_as.as_str());
            let given_as: Vec<&str> = std::iter::once("KAFKA_BOOTSTRAP_SERVERS").chain(names).collect();
            SettingsError::Together { given_as: given_as.join(", "), reason: error.to_string() }
        })?;
        Ok(settings)
    }

    /// What is wrong with one property.
    fn check(&self, Property { name, value, .. }: &Property) -> Result<(), String> {
        if OURS.contains(&name.as_str()) {
            return Err(format!("`{name}` is not for others to set, delivery depends on it; leave it out"));
        }
        if name == "security.protocol" && value.to_lowercase().ends_with("ssl") {
            let instead = "set PLAINTEXT or SASL_PLAINTEXT, within a network that is trusted or through a proxy that adds TLS";
            return Err(format!("this program speaks to Kafka without TLS; {instead}"));
        }
        if OF_MEMBERS.contains(&name.as_str()) && self.protocol() != Some(Protocol::Members) {
            let why =
                "is of groups whose members share partitions out, and where the broker does (group.protocol=consumer) it says so itself";
            return Err(format!("`{name}` {why}; leave it out, or set KAFKA_GROUP_PROTOCOL=classic too"));
        }
        if name == MAX_POLL
            && self.protocol() != Some(Protocol::Broker)
            && self.session_ms().is_some_and(|session| session < SHORTEST_SESSION_MS)
        {
            return Err(
                "a broker gives members that share partitions out themselves 6000 at least; set that, or KAFKA_GROUP_PROTOCOL=consumer too"
                    .to_owned(),
            );
        }
        match ClientConfig::new().set(name, value).create_native_config() {
            Err(KafkaError::ClientConfig(_, reason, ..)) => Err(reason),
            _ => Ok(()),
        }
    }

    /// Makes one client of each kind and lets it go.
    fn try_together(&self) -> Result<(), KafkaError> {
        let _: BaseProducer = producer::config(self).create_with_context(DefaultProducerContext)?;
        if self.properties.is_empty() {
            return Ok(());
        }
        for protocol in self.protocol().map_or(vec![Protocol::Broker, Protocol::Members], |protocol| vec![protocol]) {
            let _: BaseConsumer<Quiet> = hearing::config(self, "gudang", protocol).create_with_context(Quiet)?;
        }
        Ok(())
    }

    /// How groups share partitions out, if somebody has said so.
    pub(super) fn protocol(&self) -> Option<Protocol> {
        let said = self.properties.iter().rfind(|property| property.name == GROUP_PROTOCOL)?;
        Some(if said.value.eq_ignore_ascii_case("classic") { Protocol::Members } else { Protocol::Broker })
    }

    /// How long the session of a member may last that shares partitions out itself, where the usual time would be too long: not longer than it
    /// may go without asking for messages. `None` if that is no matter, or somebody has said it.
    pub(super) fn session_ms(&self) -> Option<u32> {
        let said = |name: &str| self.properties.iter().rfind(|property| property.name == name);
        let max_poll = said(MAX_POLL)?.value.trim().parse().ok()?;
        (said(SESSION).is_none() && max_poll < USUAL_SESSION_MS).then_some(max_poll)
    }

    /// Where the cluster is.
    pub(super) fn servers(&self) -> &str {
        &self.servers
    }

    /// What the cluster did not do.
    pub(super) fn failure(&self, cause: &impl Display) -> KafkaFailure {
        KafkaFailure { servers: self.servers.clone(), cause: cause.to_string() }
    }

    /// The number of partitions that new topics get.
    pub(super) fn partitions(&self) -> u16 {
        self.partitions
    }

    /// The properties of a client: what all have in common, what is usual for its kind, and what was set, which overrides both. Bounded
    /// everywhere: nothing waits for ever for a broker that is gone.
    pub(super) fn client(&self, name: &str, usual: &[(&str, &str)]) -> ClientConfig {
        let mut config = ClientConfig::new();
        let common = [
            ("bootstrap.servers", self.servers.as_str()),
            ("client.id", name),
            ("socket.timeout.ms", "15000"),
            ("socket.connection.setup.timeout.ms", "10000"),
            ("socket.keepalive.enable", "true"),
            ("socket.nagle.disable", "true"),
            ("reconnect.backoff.ms", "100"),
            ("reconnect.backoff.max.ms", "2000"),
            ("topic.metadata.refresh.interval.ms", "60000"),
        ];
        let given = self.properties.iter().map(|property| (property.name.as_str(), property.value.as_str()));
        for (property, value) in common.iter().chain(usual).copied().chain(given) {
            config.set(property, value);
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
            ("transactional.id", "shop", "KAFKA_TRANSACTIONAL_ID"),
            ("security.protocol", "SSL", "KAFKA_SECURITY_PROTOCOL"),
            ("security.protocol", "sasl_ssl", "KAFKA_SECURITY_PROTOCOL"),
            ("ssl.ca.location", "/etc/ssl/certs", "KAFKA_SSL_CA_LOCATION"),
            ("group.protocol", "newest", "KAFKA_GROUP_PROTOCOL"),
            ("session.timeout.ms", "6000", "KAFKA_SESSION_TIMEOUT_MS"),
            ("heartbeat.interval.ms", "1000", "KAFKA_HEARTBEAT_INTERVAL_MS"),
            ("partition.assignment.strategy", "range", "KAFKA_PARTITION_ASSIGNMENT_STRATEGY"),
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
        let client = settings.client("x", &[("socket.timeout.ms", "1"), ("linger.ms", "2")]);
        let said = ["socket.timeout.ms", "linger.ms", "sasl.password"].map(|name| client.get(name));
        assert_eq!(said, [Some("7000"), Some("2"), Some("hush")]);
    }

    fn given(properties: &[(&str, &str)]) -> Result<Settings, SettingsError> {
        let property = |(name, value): &(&str, &str)| Property { name: (*name).into(), value: (*value).into(), given_as: (*name).into() };
        Settings::new("127.0.0.1:9092", 12, properties.iter().map(property).collect())
    }

    #[test]
    fn what_only_members_need_goes_with_the_classic_protocol_and_its_partitions_are_moved_one_by_one() {
        let classic = given(&[("group.protocol", "Classic"), ("session.timeout.ms", "10000"), ("heartbeat.interval.ms", "1000")]);
        let classic = classic.expect("usable");
        assert_eq!(classic.protocol(), Some(Protocol::Members));
        let member = hearing::config(&classic, "shop", Protocol::Members);
        let said = ["partition.assignment.strategy", "session.timeout.ms"].map(|name| member.get(name));
        assert_eq!(said, [Some("cooperative-sticky"), Some("10000")]);
        let chosen = [("group.protocol", "classic"), ("partition.assignment.strategy", "range")];
        let member = hearing::config(&given(&chosen).expect("usable"), "shop", Protocol::Members);
        assert_eq!(member.get("partition.assignment.strategy"), Some("range"));
        assert_eq!(given(&[("group.protocol", "consumer")]).expect("usable").protocol(), Some(Protocol::Broker));
        assert_eq!(given(&[]).expect("usable").protocol(), None);
    }

    #[test]
    fn a_member_may_be_given_up_soon_whoever_shares_partitions_out() {
        let session = |properties: &[(&str, &str)], protocol| {
            let settings = given(properties).expect("usable");
            hearing::config(&settings, "shop", protocol).get("session.timeout.ms").map(str::to_owned)
        };
        let soon = ("max.poll.interval.ms", "10000");
        assert_eq!(session(&[soon], Protocol::Members).as_deref(), Some("10000"));
        assert_eq!(session(&[soon], Protocol::Broker), None);
        let classic = ("group.protocol", "classic");
        assert_eq!(session(&[soon, classic, ("session.timeout.ms", "7000")], Protocol::Members).as_deref(), Some("7000"));
        assert_eq!(session(&[("max.poll.interval.ms", "60000")], Protocol::Members), None);
        let sooner = ("max.poll.interval.ms", "5000");
        assert!(given(&[sooner]).expect_err("refused").to_string().starts_with("max.poll.interval.ms cannot be used"));
        assert_eq!(session(&[sooner, ("group.protocol", "consumer")], Protocol::Broker), None);
    }

    #[test]
    fn what_cannot_be_used_together_is_told_at_the_start_by_its_names() {
        for together in [
            [("group.protocol", "classic"), ("session.timeout.ms", "3600000")],
            [("security.protocol", "SASL_PLAINTEXT"), ("sasl.mechanisms", "SCRAM-SHA-256")],
            [("retries", "0"), ("linger.ms", "1")],
        ] {
            let said = given(&together).expect_err("refused").to_string();
            assert!(together.iter().all(|(name, _)| said.contains(name)), "{said}");
        }
    }
}
