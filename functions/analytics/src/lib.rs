//! Analytics: best sellers and sales over time, from sales events.
//!
//! Wires the routes, the effect of events and the periodic work into a [`host::Function`]. It publishes nothing, and it knows neither where
//! it runs nor how events reach it.

mod answer;
mod effect;
mod periodic;
mod routes;
mod rule;
mod store;

use std::sync::Arc;

use contract::Topic;
use journal::{Feed, Intake, Mode, schema};
use peer::{Peer, PeerError};
use postgres::{Database, DatabaseError, Migration, Settings};
use utoipa_axum::router::OpenApiRouter;
use web::Shell;

/// The consumer's name, which is its consumer group.
const GROUP: &str = "gudang-analytics";

/// The schema, in order.
const MIGRATIONS: [Migration; 4] = [
    schema::LEASE,
    schema::FENCE,
    Migration { version: schema::FIRST_OWN_VERSION, name: "analytics", sql: include_str!("../migrations/V10__analytics.sql") },
    schema::letters(11),
];

/// What Analytics needs to run.
#[derive(Debug, Clone)]
pub struct Config {
    /// Its own database.
    pub database: Settings,
    /// Base URL of Product, whose journal repairs product events.
    pub product_url: String,
    /// Base URL of Stock, whose journal repairs stock changes.
    pub stock_url: String,
}

/// Why Analytics does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Its database.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The address of a service that it asks.
    #[error(transparent)]
    Peer(#[from] PeerError),
}

/// Brings the database up to date, and does no more.
pub async fn migrate(database: &Settings) -> Result<(), StartError> {
    Ok(Database::new(database)?.migrate(&MIGRATIONS).await?)
}

/// Makes the service: migrates its database and wires what it does.
pub async fn function(config: Config) -> Result<host::Function, StartError> {
    let database = Database::new(&config.database)?;
    database.migrate(&MIGRATIONS).await?;
    let feeds = vec![
        Feed { topic: Topic::ProductEvents, mode: Mode::Newest, upstream: Arc::new(Peer::new(&config.product_url)?) },
        Feed { topic: Topic::StockChanges, mode: Mode::Gapless, upstream: Arc::new(Peer::new(&config.stock_url)?) },
    ];
    let intake = Arc::new(Intake::new(database.clone(), GROUP, feeds, Arc::new(effect::Sales)));
    let routes = OpenApiRouter::new()
        .merge(routes::reports(database.clone()))
        .merge(journal::routes::books(store::KEEPER, database.clone()))
        .merge(journal::routes::dead_letters(Arc::clone(&intake)));
    let asked = database.clone();
    let ready: web::Ready = Arc::new(move || {
        let database = asked.clone();
        Box::pin(async move { database.ready().await.is_ok() })
    });
    Ok(host::Function {
        name: "analytics",
        routes: web::shell(Shell { name: "analytics", title: "Gudang Analytics", routes, ready }),
        database,
        publishes: None,
        consumes: Some(Arc::clone(&intake) as Arc<dyn bus::Handler>),
        periodic: Arc::new(periodic::Repair::new(intake)),
    })
}
