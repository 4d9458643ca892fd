//! What is at home where, and the exceptions, each with its reason. A new line here is a decision: it belongs in a review.

use tidy::files::Exception;
use tidy::rooms::{Absence, Driver};

/// The function that composes the others.
pub(crate) const COMPOSER: &str = "gudang";

const fn driver(name: &'static str, rooms: &'static [&'static str], why: &'static str) -> Driver {
    Driver { name, rooms, tests_too: false, why }
}

const fn driver_that_tests_use(name: &'static str, rooms: &'static [&'static str], why: &'static str) -> Driver {
    Driver { name, rooms, tests_too: true, why }
}

/// What speaks to something outside the process, and the rooms that may name it. A room that is not there yet may be named already.
pub(crate) const DRIVERS: [Driver; 26] = [
    driver_that_tests_use("rdkafka", &["bus"], "a broker is one transport behind the bus; tests and benches look at the wire itself"),
    driver("fred", &["cache"], "Redis is the second level of the cache"),
    driver("elasticsearch", &["search"], "the search engine is one of two that answer"),
    driver("aws-sdk-sqs", &["sqs"], "one client of SQS for events and alerts"),
    driver("aws-config", &["sqs"], "belongs to the client of SQS"),
    driver("kube", &["gudang"], "only the command line speaks to a cluster"),
    driver("k8s-openapi", &["gudang"], "belongs to the client of Kubernetes"),
    driver("lambda_http", &["host"], "only the host knows where code runs"),
    driver("lambda_runtime", &["host"], "only the host knows where code runs"),
    driver("lettre", &["notification"], "only alerts are mailed"),
    driver("standardwebhooks", &["notification"], "only alerts are signed"),
    driver("refinery", &["postgres"], "migrations run in one way"),
    driver_that_tests_use(
        "deadpool-postgres",
        &["postgres", "journal", "product", "stock", "notification", "analytics"],
        "the pool is in postgres; stores and the journal take its connections and transactions",
    ),
    driver_that_tests_use(
        "tokio-postgres",
        &["postgres", "journal", "product", "stock", "notification", "analytics", "testkit"],
        "stores and the journal read rows; the test kit makes a database for each test",
    ),
    driver_that_tests_use(
        "reqwest",
        &["peer", "notification", "gudang", "testkit"],
        "services ask each other in peer; webhooks are notification's; the command line is a client",
    ),
    driver_that_tests_use(
        "axum",
        &["web", "host", "journal", "product", "stock", "notification", "analytics"],
        "conventions in web, the server in host, routes in services and in the journal that they share",
    ),
    driver("hyper", &["host", "notification"], "servers are host's; deliveries may look closer than a client does"),
    driver("hyper-util", &["host", "notification"], "servers are host's; deliveries may look closer than a client does"),
    driver_that_tests_use("tower-http", &["web"], "outer layers are conventions"),
    driver("utoipa-swagger-ui", &["web"], "every service shows its document alike"),
    driver("metrics-exporter-prometheus", &["web"], "every service shows its metrics alike"),
    driver("tracing-subscriber", &["host"], "logs are started where code runs"),
    driver_that_tests_use(
        "rustix",
        &["postgres", "testkit"],
        "the private server is a child process of another user; tests kill processes",
    ),
    driver(
        "clap",
        &["gudang", "host", "product", "stock", "notification", "analytics"],
        "programs read their flags; those that all of them have are host's",
    ),
    driver("indicatif", &["gudang"], "one command line"),
    driver("comfy-table", &["gudang"], "one command line"),
];

const ASYNC_AND_IO: &[&str] = &["tokio", "mio", "socket2", "async-trait", "futures-core", "hyper", "axum", "reqwest", "tokio-postgres"];
const HTTP: &[&str] = &["axum", "hyper", "reqwest", "tower", "tower-http"];
const DATABASE: &[&str] = &["tokio-postgres", "deadpool-postgres", "postgres"];

/// What a room knows nothing of, however many steps away.
pub(crate) const ABSENCES: [Absence; 9] = [
    Absence { room: "contract", never: ASYNC_AND_IO, why: "the vocabulary knows no I/O and waits for nothing" },
    Absence { room: "fault", never: ASYNC_AND_IO, why: "an error knows no transport" },
    Absence { room: "bus", never: DATABASE, why: "what carries events knows no database" },
    Absence { room: "bus", never: HTTP, why: "what carries events knows no HTTP" },
    Absence { room: "search", never: DATABASE, why: "the search index knows no database: its documents are given to it" },
    Absence { room: "web", never: DATABASE, why: "conventions of HTTP know no database" },
    Absence { room: "postgres", never: HTTP, why: "the database knows no HTTP" },
    Absence { room: "postgres", never: &["contract"], why: "the database knows no event" },
    Absence { room: "journal", never: &["reqwest"], why: "the journal asks others by a trait, not by a client" },
];

/// Files that may be longer than others.
pub(crate) const LONG: [Exception; 0] = [];

/// Files that may name what must not be left.
pub(crate) const UNFINISHED: [Exception; 1] = [("crates/tidy/src/files.rs", "names the words that it looks for")];

/// Files that may name paths of a machine.
pub(crate) const MACHINE: [Exception; 3] = [
    ("crates/tidy/src/files.rs", "names the paths that it looks for"),
    ("crates/postgres/src/private/socket.rs", "a made-up path with everything that a path may hold"),
    ("docker-compose.yml", "directories within Kafka's image, which has volumes there"),
];

/// Files that may look at the environment.
pub(crate) const ENVIRONMENT: [Exception; 2] = [
    ("crates/postgres/src/private/binaries.rs", "PATH is not configuration: it finds programs as a shell does"),
    ("crates/postgres/src/private/socket.rs", "the system's directory for short-lived files: a socket's path must be short"),
];
