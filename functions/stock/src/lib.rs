//! Stock Change: records movements in a ledger that cannot oversell, and publishes every row of it.
//!
//! Routes parse, the catalog finds products, the lane gathers what waits, `decide` judges it in memory, and `ledger` makes it durable. It
//! wires itself here and knows no host.

pub mod answer;
pub mod catalog;
pub mod decide;
mod effect;
pub mod lane;
pub mod ledger;
pub mod order;
pub mod request;
mod routes;
pub mod rule;
mod store;
mod sweep;

use std::sync::Arc;
use std::time::Duration;

use contract::Topic;
use futures::future::BoxFuture;
use host::{Every, Function, Periodic, TickError};
use journal::{Feed, Intake, Journal, Mode, reconcile, schema};
use peer::{Peer, PeerError};
use postgres::{Database, DatabaseError, Migration, Settings, keys};

use catalog::Catalog;
use effect::TakeProducts;
use lane::Lane;
use ledger::{Orders, Writer, Written};

/// What Stock needs to know.
#[derive(Debug, Clone)]
pub struct Config {
    /// Its own database.
    pub database: Settings,
    /// Where Product answers.
    pub product_url: String,
    /// Lanes that write, at least one: [`LANES`] unless there is a reason.
    pub lanes: usize,
}

/// As many lanes as serve best.
pub const LANES: usize = 1;

/// Why Stock could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Its database.
    #[error("Stock's database cannot be used")]
    Database(#[from] DatabaseError),
    /// Product's address.
    #[error("Product's address cannot be used")]
    Product(#[from] PeerError),
}

const MIGRATIONS: [Migration; 8] = [
    keys::MIGRATION,
    schema::LEASE,
    schema::RELAY,
    schema::FENCE,
    Migration { version: schema::FIRST_OWN_VERSION, name: "stock", sql: include_str!("../migrations/V10__stock.sql") },
    Migration { version: 11, name: "reservations", sql: include_str!("../migrations/V11__reservations.sql") },
    keys::week_turn(12),
    schema::letters(13),
];

/// Brings the database up to date, and does no more.
pub async fn migrate(database: &Settings) -> Result<(), StartError> {
    Ok(Database::new(database)?.migrate(&MIGRATIONS).await?)
}

/// Makes the service, ready to run in any host. Brings its database up to date first.
pub async fn function(config: Config) -> Result<Function, StartError> {
    let database = Database::new(&config.database)?;
    database.check_durability().await?;
    database.migrate(&MIGRATIONS).await?;
    let journal = Arc::new(Journal::new(database.clone(), store::events::TABLE));
    let product = Peer::new(&config.product_url)?;
    let feeds = vec![Feed { topic: Topic::ProductEvents, mode: Mode::Newest, upstream: Arc::new(product.clone()) }];
    let effect = Arc::new(TakeProducts::new(Arc::clone(&journal)));
    let intake = Arc::new(Intake::new(database.clone(), "gudang-stock", feeds, effect));
    let writer = |_| Writer::new(&config.database, database.clone(), Arc::clone(&journal));
    let (lane, loops) = lane::lanes((0..config.lanes.max(1)).map(writer).collect::<Result<_, _>>()?);
    for drive in loops {
        tokio::spawn(drive);
    }
    let catalog = Arc::new(Catalog::new(database.clone(), product));
    let chores = Chores::new(database.clone(), Arc::clone(&intake), lane.clone());
    let service = routes::Service { database: database.clone(), catalog, lane };
    Ok(Function {
        name: "stock",
        routes: routes::router(service, Arc::clone(&journal), Arc::clone(&intake)),
        publishes: Some((Topic::StockChanges, journal)),
        consumes: Some(Arc::clone(&intake) as _),
        periodic: Arc::new(chores),
        database,
    })
}

/// What Stock does now and then.
struct Chores {
    database: Database,
    intake: Arc<Intake>,
    lane: Lane<Orders, Written>,
    keys: Every,
    repair: Every,
}

impl Chores {
    fn new(database: Database, intake: Arc<Intake>, lane: Lane<Orders, Written>) -> Self {
        let (keys, repair) = (Every::new(Duration::from_hours(1)), Every::new(reconcile::PERIOD));
        Self { database, intake, lane, keys, repair }
    }
}

impl Chores {
    async fn repair(&self) -> Result<(), TickError> {
        let retried = self.intake.retry_gaps().await.map_err(TickError::new);
        let reconciled = self.intake.reconcile().await.map_err(TickError::new);
        retried.and(reconciled.map(drop))
    }
}

impl Periodic for Chores {
    fn tick(&self) -> BoxFuture<'_, Result<(), TickError>> {
        // Each of them is done whatever became of the others.
        Box::pin(async move {
            let swept = sweep::sweep(&self.database, &self.lane).await.map_err(TickError::new);
            let kept = if self.keys.due() { keys::maintain(&self.database).await.map_err(TickError::new) } else { Ok(()) };
            let repaired = if self.repair.due() { self.repair().await } else { Ok(()) };
            swept.and(kept).and(repaired)
        })
    }

    /// Nothing here is in a hurry.
    fn woken(&self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::pending())
    }
}
