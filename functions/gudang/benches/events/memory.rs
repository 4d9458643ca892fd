//! How much memory each of the four programs has resident over Kafka, Redis and Elasticsearch: at rest, and at most while products and stock
//! are imported and then sold at a thousand changes a second.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::thread;
use std::time::Duration;

use anyhow::Context;
use serde_json::json;
use testkit::{Elasticsearch, Kafka, Program, Redis};

use crate::changes::{self, Sell, address, import, sku};
use crate::comparison::{Aim, Claim, Comparison, Figures, of};
use crate::kafka::{self, STOCK_CHANGES};
use crate::peak::{peak_mb, status_mb};
use crate::place::{HOW_MANY, Place};
use crate::programs::program;
use crate::steady;

/// In which order they are started.
const SERVICES: [&str; 4] = ["product", "stock", "notification", "analytics"];
const IDLE: [&str; 4] = ["product, at rest: MB", "stock, at rest: MB", "notification, at rest: MB", "analytics, at rest: MB"];
const LOADED: [&str; 4] = ["product, at most: MB", "stock, at most: MB", "notification, at most: MB", "analytics, at most: MB"];
const GROUPS: [&str; 3] = ["gudang-product", "gudang-notification", "gudang-analytics"];
/// How long they rest first.
const REST: Duration = Duration::from_secs(5);
/// Rows that each product gets by import.
const IMPORTED: u32 = 10;

/// Memory.
pub(crate) const MEMORY: Comparison<Place> = Comparison {
    name: "memory",
    measure,
    claims: &[
        Claim { says: "the largest at rest, MB", figure: |figures| largest(figures, &IDLE), aim: Aim::AtMost(20.0) },
        Claim { says: "the largest under load, MB", figure: |figures| largest(figures, &LOADED), aim: Aim::AtMost(60.0) },
    ],
};

fn largest(figures: &Figures, names: &[&str]) -> f64 {
    names.iter().map(|name| of(figures, name)).fold(0.0, f64::max)
}

fn measure(place: &Place) -> anyhow::Result<Figures> {
    let (redis, elasticsearch) = (Redis::start(), Elasticsearch::start());
    let kafka = kafka::start()?;
    let databases = SERVICES.iter().map(|_| place.database()).collect::<anyhow::Result<Vec<_>>>()?;
    let mut programs = start(place, &databases, &kafka, &redis, &elasticsearch)?;
    thread::sleep(REST);
    let mut figures = Figures::new();
    for (at, name) in IDLE.into_iter().enumerate() {
        figures.insert(name, status_mb(pid(&programs[at]), "VmRSS:").context("memory cannot be read")?);
    }
    let sold = place.block_on(work(place.seconds, &programs[0], &programs[1]))?;
    for group in GROUPS {
        kafka::consumed(&kafka, group, STOCK_CHANGES, sold)?;
    }
    for (at, name) in LOADED.into_iter().enumerate() {
        figures.insert(name, peak_mb(pid(&programs[at])).context("memory cannot be read")?);
    }
    programs.iter_mut().for_each(Program::stop);
    databases.iter().try_for_each(|database| place.drop(database))?;
    Ok(figures)
}

fn pid(program: &Program) -> u32 {
    program.pid().as_raw_nonzero().get().cast_unsigned()
}

fn start(place: &Place, databases: &[String], kafka: &Kafka, redis: &Redis, elasticsearch: &Elasticsearch) -> anyhow::Result<Vec<Program>> {
    let listeners = SERVICES.iter().map(|_| TcpListener::bind("127.0.0.1:0")).collect::<Result<Vec<_>, _>>()?;
    let ports = listeners.iter().map(|listener| Ok(listener.local_addr()?.port())).collect::<anyhow::Result<Vec<_>>>()?;
    drop(listeners);
    let url = |at: usize| format!("http://127.0.0.1:{}", ports[at]);
    let mut programs = Vec::new();
    for (at, service) in SERVICES.iter().enumerate() {
        let mut environment = BTreeMap::from([
            ("DATABASE_URL", place.url(&databases[at])),
            ("KAFKA_BOOTSTRAP_SERVERS", kafka.servers().to_owned()),
            ("PRODUCT_URL", url(0)),
            ("STOCK_URL", url(1)),
            ("RUST_LOG", "error".to_owned()),
        ]);
        if *service == "product" {
            environment.extend([("REDIS_URL", redis.url()), ("ELASTICSEARCH_URL", elasticsearch.url())]);
        }
        let environment: Vec<(&str, &str)> = environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
        programs.push(Program::start_at(program(service)?, ports[at], &environment));
    }
    Ok(programs)
}

/// Imports and sells; gives the number of changes.
async fn work(seconds: u32, product: &Program, stock: &Program) -> anyhow::Result<i64> {
    import(product, "/v1/products/import", |number| {
        json!({"sku": sku(number), "name": format!("Heart of Wood {number}"), "category": "Giftware", "price": "2.55", "min_stock": 10})
    })
    .await?;
    changes::restock(stock).await?;
    for row in 1..=IMPORTED {
        let sale =
            |number| json!({"sku": sku(number), "type": "SALE", "quantity": 1, "unit_price": "2.55", "reference": format!("order-{row}")});
        import(stock, "/v1/stock-changes/import", sale).await?;
    }
    let pace = changes::pace(seconds);
    steady::ask(&[address(stock)?], pace, Sell).await?;
    Ok(i64::from(HOW_MANY * (1 + IMPORTED) + pace.rate * pace.seconds))
}
