//! Product: adds, changes, archives and lists products, and publishes what changed as `product-events`.
//!
//! The stock that a product shows is a copy, kept by Stock's events. It knows no host, and no other service but by its events and, for
//! repair, by its journal.

mod answer;
mod cache;
mod draft;
mod effect;
mod import;
mod indexing;
mod kept;
mod periodic;
mod reindex;
mod routes;
mod rule;
mod search;
mod service;
mod store;

use std::sync::Arc;

use ::cache::Cache;
use ::search::elastic::Index;
use contract::{Currency, Topic};
use host::Function;
use journal::{Feed, Intake, Journal, Mode};
use peer::{Peer, PeerError};
use postgres::{Database, DatabaseError, Migration, Settings};
use web::{Ready, Shell};

use crate::cache::{Shelf, Telling};
use crate::effect::CopyStock;
use crate::indexing::Indexing;
use crate::periodic::Work;
use crate::search::Search;
use crate::service::Shop;
use crate::store::books::KEEPER;

pub use ::cache::{NotRedis, RedisUrl};
pub use ::search::elastic::{ElasticsearchUrl, NotElasticsearch, Settings as IndexSettings};
pub use indexing::IndexingError;
pub use reindex::{Progress, ReindexError, reindex};

/// What Product needs to know.
#[derive(Debug, Clone)]
pub struct Config {
    /// Its own database.
    pub database: Settings,
    /// The currency of prices that name none.
    pub currency: Currency,
    /// Where Stock is, for what its events left out: `http://127.0.0.1:8083`.
    pub stock_url: String,
    /// `REDIS_URL`: where processes share what they have read; absent: each has its memory alone.
    pub redis: Option<RedisUrl>,
    /// `ELASTICSEARCH_URL`: the index that answers searches; absent: the database does.
    pub elasticsearch: Option<IndexSettings>,
}

/// Why Product cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Its own database.
    #[error("product's database cannot be used")]
    Database(#[from] DatabaseError),
    /// Its client for Stock.
    #[error("product cannot ask stock")]
    Peer(#[from] PeerError),
    /// What it was told of Redis. One that is away is no reason.
    #[error("REDIS_URL cannot be used")]
    Redis(#[from] NotRedis),
    /// What it was told of Elasticsearch. One that is away is no reason.
    #[error("ELASTICSEARCH_URL cannot be used")]
    Elasticsearch(#[from] NotElasticsearch),
}

/// The schema, oldest first.
const MIGRATIONS: [Migration; 10] = [
    Migration { version: 1, name: "keys", sql: postgres::keys::SCHEMA },
    journal::schema::LEASE,
    journal::schema::RELAY,
    journal::schema::FENCE,
    journal::schema::JOURNAL,
    Migration { version: 10, name: "product", sql: include_str!("../migrations/V10__product.sql") },
    Migration { version: 12, name: "cache", sql: include_str!("../migrations/V12__cache.sql") },
    Migration { version: 11, name: "search", sql: include_str!("../migrations/V11__search.sql") },
    journal::schema::letters(13),
    Migration { version: 14, name: "search_name", sql: include_str!("../migrations/V14__search_name.sql") },
];

/// Brings the database up to date, and does no more.
pub async fn migrate(database: &Settings) -> Result<(), StartError> {
    Ok(Database::new(database)?.migrate(&MIGRATIONS).await?)
}

/// Makes Product, its database migrated.
pub async fn function(config: Config) -> Result<Function, StartError> {
    let database = Database::new(&config.database)?;
    database.check_durability().await?;
    database.migrate(&MIGRATIONS).await?;
    store::search::catch_up(&database).await?;
    let upstream = Arc::new(Peer::new(&config.stock_url)?);
    let journal = Arc::new(Journal::new(database.clone(), journal::append::table(Topic::ProductEvents)));
    // Levels are absolute: newer wins, and a missing version is nothing.
    let feed = Feed { topic: Topic::StockChanges, mode: Mode::Newest, upstream };
    let products = Cache::open(Arc::new(Shelf { database: database.clone() }), config.redis.as_ref())?;
    let copy = Arc::new(CopyStock { products: products.clone() });
    let intake = Arc::new(Intake::new(database.clone(), "gudang-product", vec![feed], copy));
    let consumer = Telling { intake: Arc::clone(&intake), products: products.clone() };
    let shop = Shop { database: database.clone(), journal: Arc::clone(&journal), products, currency: config.currency };
    let index = config.elasticsearch.as_ref().map(Index::new).transpose()?;
    let indexing = index.clone().map(|index| Indexing::new(database.clone(), index));
    let routes = routes::routes(shop.clone())
        .merge(routes::kept::routes(shop))
        .merge(routes::search::routes(Search { database: database.clone(), index }))
        .merge(journal::routes::journal(Arc::clone(&journal)))
        .merge(journal::routes::books(KEEPER, database.clone()))
        .merge(journal::routes::dead_letters(Arc::clone(&intake)));
    let ready: Ready = {
        let database = database.clone();
        Arc::new(move || {
            let database = database.clone();
            Box::pin(async move { database.ready().await.is_ok() })
        })
    };
    Ok(Function {
        name: "product",
        routes: web::shell(Shell { name: "product", title: "Gudang Product", routes, ready }),
        database,
        publishes: Some((Topic::ProductEvents, journal)),
        consumes: Some(Arc::new(consumer)),
        periodic: Arc::new(Work::new(intake, indexing)),
    })
}
