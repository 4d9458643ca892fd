//! The four programs as processes of their own, over servers that the test brings. Each has a database on a PostgreSQL that only these four have.
//!
//! The first instance of a service has the address that the others were told of. More of them may come and go, each a [`Program`] in the test's
//! own hands.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Once;

use tokio::task::block_in_place;

use crate::{Elasticsearch, Http, Kafka, Program, Redis, Server, Service, Smtp};

/// Databases, one a service.
const DATABASES: &[&str] = &["product", "stock", "notification", "analytics"];
/// Partitions of each topic: enough for several members of a group to have a share each.
const PARTITIONS: &str = "6";

/// What the programs are told of the world. Whatever is set later wins.
#[derive(Debug, Clone)]
#[must_use]
pub struct Setup {
    gudang: PathBuf,
    variables: Vec<(Option<Service>, String, String)>,
}

impl Setup {
    /// Nothing but databases. `gudang` is the command line's binary, beside which the programs lie.
    pub fn of(gudang: impl AsRef<Path>) -> Self {
        Self { gudang: gudang.as_ref().to_owned(), variables: Vec::new() }
    }

    /// Events go over a broker.
    pub fn kafka(self, kafka: &Kafka) -> Self {
        self.all("KAFKA_BOOTSTRAP_SERVERS", kafka.servers()).all("KAFKA_TOPIC_PARTITIONS", PARTITIONS)
    }

    /// Products are cached.
    pub fn redis(self, redis: &Redis) -> Self {
        self.set(Service::Product, "REDIS_URL", &redis.url())
    }

    /// Products are searched there.
    pub fn elasticsearch(self, elasticsearch: &Elasticsearch) -> Self {
        self.set(Service::Product, "ELASTICSEARCH_URL", &elasticsearch.url())
    }

    /// Alerts are mailed.
    pub fn smtp(self, smtp: &Smtp) -> Self {
        self.set(Service::Notification, "SMTP_URL", &smtp.url()).set(Service::Notification, "NOTIFY_EMAIL_FROM", "gudang@example.com").set(
            Service::Notification,
            "NOTIFY_EMAIL_TO",
            "shop@example.com",
        )
    }

    /// Sets a variable of one service, such as its `ROLE` or another `DATABASE_URL`.
    pub fn set(mut self, service: Service, name: &str, value: &str) -> Self {
        self.variables.push((Some(service), name.to_owned(), value.to_owned()));
        self
    }

    /// Sets a variable of all four.
    pub fn all(mut self, name: &str, value: &str) -> Self {
        self.variables.push((None, name.to_owned(), value.to_owned()));
        self
    }

    /// Starts the four. Call it in the body of a test with several threads.
    pub async fn start(self) -> Apart {
        block_in_place(build);
        let server = Server::start(DATABASES).await;
        // All at once, so that none is given out twice.
        let listeners = Service::ALL.map(|_| TcpListener::bind("127.0.0.1:0").expect("a port"));
        let ports = listeners.map(|listener| listener.local_addr().expect("its address").port());
        let urls = ports.map(|port| format!("http://127.0.0.1:{port}"));
        let mut apart = Apart { programs: Vec::new(), urls, setup: self, server };
        for service in Service::ALL {
            let program = block_in_place(|| apart.run(service, ports[service as usize], &[]));
            apart.programs.push(program);
        }
        apart
    }

    fn variables(&self, service: Service) -> impl Iterator<Item = (&str, &str)> {
        let meant = move |whom: &Option<Service>| whom.is_none_or(|whom| whom == service);
        self.variables.iter().filter(move |(whom, ..)| meant(whom)).map(|(_, name, value)| (name.as_str(), value.as_str()))
    }
}

/// Builds the programs, once a process, as the tests of the whole workspace do; silent when they have.
fn build() {
    static BUILT: Once = Once::new();
    BUILT.call_once(|| {
        let mut cargo = Command::new(env!("CARGO"));
        // Third-party crates have other features where no example or test is asked for, and would be built a second time in the middle of a test.
        cargo.args(["build", "--quiet", "--workspace", "--example", "asyncapi"]);
        cargo.args(Service::ALL.iter().flat_map(|service| ["--bin", service.name()]));
        assert!(cargo.status().expect("cargo").success(), "the programs are built");
    });
}

/// The four, running. Dropping it kills them and removes their data.
#[derive(Debug)]
pub struct Apart {
    // Before their server, so that they are gone when it ends.
    programs: Vec<Program>,
    urls: [String; 4],
    setup: Setup,
    server: Server,
}

impl Apart {
    /// The base URL of a service.
    pub fn url(&self, service: Service) -> &str {
        &self.urls[service as usize]
    }

    /// Speaks to the first instance of a service.
    pub fn http(&self, service: Service) -> Http {
        Http::new(self.url(service))
    }

    /// The first instance of a service, to be killed, paused, or read the log of.
    pub fn program(&mut self, service: Service) -> &mut Program {
        &mut self.programs[service as usize]
    }

    /// The URL of a service's database, unless it was set up with another.
    pub fn database_url(&self, service: Service) -> String {
        self.server.url(service.name())
    }

    /// Starts another instance of a service on a port of its own, with these variables besides.
    pub fn another(&self, service: Service, more: &[(&str, &str)]) -> Program {
        block_in_place(|| self.run(service, 0, more))
    }

    fn run(&self, service: Service, port: u16, more: &[(&str, &str)]) -> Program {
        let database = self.database_url(service);
        let addresses =
            [("DATABASE_URL", database.as_str()), ("PRODUCT_URL", self.url(Service::Product)), ("STOCK_URL", self.url(Service::Stock))];
        let variables: Vec<_> = addresses.into_iter().chain(self.setup.variables(service)).chain(more.iter().copied()).collect();
        Program::start_at(self.setup.gudang.with_file_name(service.name()), port, &variables)
    }

    /// A command of the command line that finds these services.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.setup.gudang);
        command.args(arguments);
        for (service, url) in Service::ALL.iter().zip(&self.urls) {
            command.env(format!("{}_URL", service.name().to_uppercase()), url);
        }
        command
    }

    /// Stops all four by SIGTERM; panics unless each exits with 0 within 15 s.
    pub fn stop(mut self) {
        for program in &mut self.programs {
            program.stop();
        }
    }
}
