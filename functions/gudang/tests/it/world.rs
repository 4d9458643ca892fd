//! The worlds in which stories are told: everything in one process, four programs over Kafka, Redis and Elasticsearch, and the same with events
//! pushed to them over HTTP. Whoever tells a story speaks to services and runs commands, and does not know in which.

mod pump;
mod receiver;

use std::process::Command;
use std::time::{Duration, Instant};

use postgres::{Database, Settings};
use serde_json::{Value, json};
use testkit::{Apart, Elasticsearch, Gudang, Http, Kafka, Redis, Service, Setup, Smtp, TestDatabase};

use crate::dice::Dice;
use crate::said::{GUDANG, Said};
use pump::Pump;
use receiver::Receiver;

/// The contract promises 2 s, services idle; a debug build on a busy machine, with other stories told beside, gets more.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);
/// Lines of a log that a failure shows.
const COMPLAINTS: usize = 15;
/// What signs webhooks, made up.
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// A running Gudang, wherever its services are.
pub(crate) struct World {
    // Before those whom it brings events.
    pump: Option<Pump>,
    // Before its servers, so that it is gone when they end.
    services: Services,
    servers: Option<Servers>,
    desk: Option<Desk>,
}

enum Services {
    Together(Box<Gudang>, Option<[TestDatabase; 2]>),
    Apart(Box<Apart>),
}

/// What the four programs meet in.
pub(crate) struct Servers {
    pub(crate) kafka: Kafka,
    pub(crate) redis: Redis,
    pub(crate) elasticsearch: Elasticsearch,
}

impl Servers {
    /// Starts all three. On this thread, which stays: servers die with the thread that has started them.
    fn start() -> Self {
        Self { redis: Redis::start(), kafka: Kafka::start(), elasticsearch: Elasticsearch::start() }
    }
}

/// Where alerts arrive.
struct Desk {
    smtp: Smtp,
    receiver: Receiver,
}

impl Desk {
    async fn open() -> Self {
        Self { smtp: Smtp::start(), receiver: Receiver::serve().await }
    }

    fn variables(&self) -> Vec<(&'static str, String)> {
        vec![
            ("SMTP_URL", self.smtp.url()),
            ("NOTIFY_EMAIL_FROM", "gudang@example.com".to_owned()),
            ("NOTIFY_EMAIL_TO", "shop@example.com".to_owned()),
            ("NOTIFY_WEBHOOK_URL", self.receiver.url()),
            ("NOTIFY_WEBHOOK_SECRET", SECRET.to_owned()),
            ("NOTIFY_WEBHOOK_ALLOW_PRIVATE", "true".to_owned()),
        ]
    }
}

impl World {
    /// `gudang up`, with alerts by mail and webhook. Two services have databases that a story can open.
    pub(crate) async fn together() -> Self {
        let desk = Desk::open().await;
        let databases = [TestDatabase::create().await, TestDatabase::create().await];
        let mut variables = desk.variables();
        variables.push(("PRODUCT_DATABASE_URL", databases[0].url().to_owned()));
        variables.push(("ANALYTICS_DATABASE_URL", databases[1].url().to_owned()));
        let variables: Vec<(&str, &str)> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let gudang = tokio::task::block_in_place(|| Gudang::start_with(GUDANG, &variables));
        Self { pump: None, services: Services::Together(Box::new(gudang), Some(databases)), servers: None, desk: Some(desk) }
    }

    /// `gudang up` as it is, and alerts to nobody.
    pub(crate) fn together_alone() -> Self {
        let gudang = tokio::task::block_in_place(|| Gudang::start(GUDANG));
        Self { pump: None, services: Services::Together(Box::new(gudang), None), servers: None, desk: None }
    }

    /// The four programs, with alerts by mail and webhook.
    pub(crate) async fn apart() -> Self {
        let desk = Desk::open().await;
        let variables = desk.variables();
        Self::apart_with(Some(desk), &variables, &[]).await
    }

    /// The four programs, none of which consumes from Kafka: events are pushed to them.
    pub(crate) async fn pushed() -> Self {
        let desk = Desk::open().await;
        let variables = desk.variables();
        let mut world = Self::apart_with(Some(desk), &variables, &[("ROLE", "api"), ("CLOUDEVENTS_PUSH", "true")]).await;
        let kafka = &world.servers.as_ref().expect("servers").kafka;
        world.pump = Some(Pump::start(kafka, |service| world.url(service)).await);
        world
    }

    /// The four programs over all their servers, and alerts to nobody.
    pub(crate) async fn apart_alone() -> Self {
        Self::apart_with(None, &[], &[]).await
    }

    /// `variables` are Notification's, `of_all` everybody's.
    async fn apart_with(desk: Option<Desk>, variables: &[(&str, String)], of_all: &[(&str, &str)]) -> Self {
        let servers = tokio::task::block_in_place(Servers::start);
        let setup = Setup::of(GUDANG).kafka(&servers.kafka).redis(&servers.redis).elasticsearch(&servers.elasticsearch);
        let setup = variables.iter().fold(setup, |setup, (name, value)| setup.set(Service::Notification, name, value));
        let setup = of_all.iter().fold(setup, |setup, (name, value)| setup.all(name, value));
        let apart = setup.start().await;
        Self { pump: None, services: Services::Apart(Box::new(apart)), servers: Some(servers), desk }
    }

    /// What the services meet in, where they are apart.
    pub(crate) fn servers(&self) -> Option<&Servers> {
        self.servers.as_ref()
    }

    /// The base URL of a service.
    pub(crate) fn url(&self, service: Service) -> &str {
        match &self.services {
            Services::Together(gudang, _) => gudang.url(service),
            Services::Apart(apart) => apart.url(service),
        }
    }

    /// Speaks to a service.
    pub(crate) fn http(&self, service: Service) -> Http {
        Http::new(self.url(service))
    }

    /// A command of the command line that finds these services.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        match &self.services {
            Services::Together(gudang, _) => gudang.command(arguments),
            Services::Apart(apart) => apart.command(arguments),
        }
    }

    /// Runs a command to its end; others go on meanwhile.
    pub(crate) fn run(&self, arguments: &[&str]) -> Said {
        tokio::task::block_in_place(|| Said::by(&mut self.command(arguments)))
    }

    /// Meddles with a database behind its service's back: Product's or Analytics'.
    pub(crate) async fn meddle(&self, service: Service, sql: &str) {
        let url = self.database_url(service);
        let database = Database::new(&Settings { url, pool_size: 1, application_name: "meddler".to_owned() }).expect("a usable URL");
        database.get().await.expect("a connection").batch_execute(sql).await.expect(sql);
        database.close();
    }

    /// The URL of Product's or Analytics' database.
    pub(crate) fn database_url(&self, service: Service) -> String {
        match (&self.services, service) {
            (Services::Together(_, Some([product, _])), Service::Product) => product.url().to_owned(),
            (Services::Together(_, Some([_, analytics])), Service::Analytics) => analytics.url().to_owned(),
            (Services::Together(..), other) => panic!("{} has a private database", other.name()),
            (Services::Apart(apart), service) => apart.database_url(service),
        }
    }

    /// Kills the one process, or two of the four that the dice choose, and starts them again. Says who it was.
    pub(crate) fn crash(&mut self, dice: &mut Dice) -> String {
        match &mut self.services {
            Services::Together(gudang, _) => {
                gudang.kill();
                gudang.restart();
                "gudang".to_owned()
            }
            Services::Apart(apart) => {
                let first = dice.below(4) as usize;
                let second = (first + 1 + dice.below(3) as usize) % 4;
                let struck = [Service::ALL[first], Service::ALL[second]];
                for service in struck {
                    apart.program(service).kill();
                }
                for service in struck {
                    apart.program(service).restart();
                }
                struck.map(Service::name).join(" and ")
            }
        }
    }

    /// The last that each process has complained of.
    pub(crate) fn complaints(&mut self) -> String {
        let logs = match &mut self.services {
            Services::Together(gudang, _) => vec![gudang.log()],
            Services::Apart(apart) => Service::ALL.map(|service| apart.program(service).log()).into(),
        };
        let last = |log: &String| {
            let complaints: Vec<&str> = log.lines().filter(|line| line.contains("WARN") || line.contains("ERROR")).collect();
            complaints[complaints.len().saturating_sub(COMPLAINTS)..].join("\n")
        };
        logs.iter().map(last).collect::<Vec<_>>().join("\n\n")
    }

    /// Stops it in order.
    pub(crate) fn stop(self) {
        tokio::task::block_in_place(|| {
            if let Some(pump) = self.pump {
                pump.stop();
            }
            match self.services {
                Services::Together(mut gudang, _) => gudang.stop(),
                Services::Apart(apart) => apart.stop(),
            }
        });
    }

    /// The mails about a SKU.
    pub(crate) fn mails(&self, sku: &str) -> Vec<String> {
        let is_about = |mail: &String| mail.lines().any(|line| line.strip_prefix("SKU:").is_some_and(|said| said.trim() == sku));
        self.desk.as_ref().expect("a desk").smtp.mails().into_iter().filter(is_about).collect()
    }

    /// The webhooks about a SKU: their ids and bodies.
    pub(crate) fn webhooks(&self, sku: &str) -> Vec<(String, Value)> {
        let mut received = self.desk.as_ref().expect("a desk").receiver.received();
        received.retain(|(_, body)| body["data"]["sku"] == sku);
        received
    }

    /// Adds a product.
    pub(crate) async fn create(&self, product: Value) -> Value {
        self.http(Service::Product).post("/v1/products", &product).await.expect(201).json()
    }

    /// Has stock move, at the default location.
    pub(crate) async fn moves(&self, sku: &str, kind: &str, quantity: i64) -> Value {
        let change = json!({"sku": sku, "type": kind, "quantity": quantity});
        self.http(Service::Stock).post("/v1/stock-changes", &change).await.expect(201).json()
    }

    /// Asks until the answer is as it should be, and returns it.
    pub(crate) async fn sees(&self, service: Service, path: &str, right: impl Fn(&Value) -> bool) -> Value {
        let (http, begun) = (self.http(service), Instant::now());
        loop {
            let answer = http.get(path).await.expect(200).json();
            if right(&answer) {
                return answer;
            }
            assert!(begun.elapsed() < PATIENCE, "after {PATIENCE:?} {path} of {} is still {answer:#}", service.name());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// The notifications of a product, oldest first, once there are so many.
    pub(crate) async fn alerts(&self, sku: &str, count: usize) -> Vec<Value> {
        let path = format!("/v1/notifications?product={sku}");
        let list = self.sees(Service::Notification, &path, |list| list["items"].as_array().is_some_and(|items| items.len() >= count)).await;
        let mut alerts = list["items"].as_array().expect("items").clone();
        assert_eq!(alerts.len(), count, "{alerts:#?}");
        alerts.reverse();
        alerts
    }

    /// The first line of the report of best sellers of a category, once it is as it should be.
    pub(crate) async fn best_seller(&self, category: &str, right: impl Fn(&Value) -> bool) -> Value {
        let path = format!("/v1/reports/best-sellers?category={category}");
        let report = self.sees(Service::Analytics, &path, |report| right(&report["items"][0])).await;
        report["items"][0].clone()
    }
}
