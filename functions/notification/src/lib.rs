//! Notification: raises one alert an episode of low stock, and delivers it.
//!
//! Consumes stock changes (every row, in version order: they drive the episode machine) and product events (for names), publishes
//! notifications. This file wires; it knows no SQL and no rule. Where it runs is the host's business.

mod channels;
mod delivery;
mod effect;
pub mod flags;
mod periodic;
mod routes;
mod rule;
mod settings;
mod store;
mod view;

use std::sync::Arc;
use std::time::Duration;

use contract::Topic;
use host::{Bell, Function};
use journal::append::table;
use journal::{Feed, Intake, Journal, Mode, schema};
use peer::{Peer, PeerError};
use postgres::{Database, DatabaseError, Migration, Settings};
use utoipa_axum::router::OpenApiRouter;

use channels::{Channel, Channels};
use delivery::Deliveries;
use effect::Alerts;
use periodic::Work;
use routes::Service;
use store::books::KEEPER;

pub use channels::webhook::WebhookError;
pub use settings::{BadEmail, ChannelsConfig, Config, EmailConfig, NoSecret, WebhookConfig, WebhookSecret};

/// The consumer group.
const GROUP: &str = "gudang-notification";

/// The schema, step by step.
const MIGRATIONS: [Migration; 7] = [
    Migration { version: 1, name: "keys", sql: postgres::keys::SCHEMA },
    schema::LEASE,
    schema::RELAY,
    schema::FENCE,
    schema::JOURNAL,
    Migration { version: schema::FIRST_OWN_VERSION, name: "notification", sql: include_str!("../migrations/V10__notification.sql") },
    schema::letters(11),
];

/// Why Notification could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Its database.
    #[error("Notification's database")]
    Database(#[from] DatabaseError),
    /// The base URL of another service.
    #[error("the URL of a service that Notification asks")]
    Peer(#[from] PeerError),
    /// The webhook channel.
    #[error(transparent)]
    Webhook(#[from] WebhookError),
    /// The e-mail channel.
    #[error(transparent)]
    Email(#[from] BadEmail),
    /// Nothing would ever be delivered.
    #[error("NOTIFY_RETRY_SCHEDULE must have at least one entry")]
    NoSchedule,
}

/// Brings the database up to date, and does no more.
pub async fn migrate(database: &Settings) -> Result<(), StartError> {
    Ok(Database::new(database)?.migrate(&MIGRATIONS).await?)
}

/// Makes Notification: its database is migrated, nothing runs yet.
pub async fn function(config: Config) -> Result<Function, StartError> {
    let first_wait = config.channels.retry_schedule.first().copied().ok_or(StartError::NoSchedule)?;
    let channels = channels(&config.channels)?;
    let (product, stock) = (Arc::new(Peer::new(&config.product_url)?), Arc::new(Peer::new(&config.stock_url)?));
    let database = Database::new(&config.database)?;
    database.migrate(&MIGRATIONS).await?;
    let bell = Bell::default();
    let journal = Arc::new(Journal::new(database.clone(), table(Topic::Notifications)));
    let feeds = vec![
        Feed { topic: Topic::ProductEvents, mode: Mode::Newest, upstream: product },
        Feed { topic: Topic::StockChanges, mode: Mode::Gapless, upstream: stock },
    ];
    let names = channels.iter().map(|channel| channel.name()).collect();
    let alerts = Alerts { channels: names, first_wait, journal: Arc::clone(&journal), bell: bell.clone() };
    let intake = Arc::new(Intake::new(database.clone(), GROUP, feeds, Arc::new(alerts)));
    let deliveries = Arc::new(deliveries(&config.channels, channels, &database, &bell));
    let service = Service { database: database.clone(), journal: Arc::clone(&journal), deliveries: Arc::clone(&deliveries) };
    Ok(Function {
        name: "notification",
        routes: shell(service, &intake),
        database: database.clone(),
        publishes: Some((Topic::Notifications, journal)),
        consumes: Some(intake.clone()),
        periodic: Arc::new(Work::new(database, intake, deliveries, bell)),
    })
}

/// The channels in use: the log, and what is configured.
fn channels(config: &ChannelsConfig) -> Result<Channels, StartError> {
    let mut channels: Vec<Arc<dyn Channel>> = vec![Arc::new(channels::log::Log)];
    if let Some(webhook) = &config.webhook {
        channels.push(Arc::new(channels::webhook::Webhook::new(webhook, config.timeout)?));
    }
    if let Some(email) = &config.email {
        channels.push(Arc::new(channels::email::Email::new(email, config.timeout)?));
    }
    Ok(channels.into())
}

fn deliveries(config: &ChannelsConfig, channels: Channels, database: &Database, bell: &Bell) -> Deliveries {
    let schedule: Vec<Duration> = config.retry_schedule.clone();
    Deliveries { database: database.clone(), channels, bell: bell.clone(), schedule, timeout: config.timeout }
}

fn shell(service: Service, intake: &Arc<Intake>) -> axum::Router {
    let database = service.database.clone();
    let ready = database.clone();
    let routes = OpenApiRouter::new()
        .merge(journal::routes::journal(Arc::clone(&service.journal)))
        .merge(journal::routes::books(KEEPER, database))
        .merge(journal::routes::dead_letters(Arc::clone(intake)))
        .merge(routes::routes(service));
    web::shell(web::Shell {
        name: "notification",
        title: "Gudang Notification",
        routes,
        ready: Arc::new(move || {
            let database = ready.clone();
            Box::pin(async move { database.ready().await.is_ok() })
        }),
    })
}
