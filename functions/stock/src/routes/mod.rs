//! Stock's HTTP routes: parse, ask the ledger or the store, render. No SQL and no rule.

mod batch;
mod changes;
mod import;
mod reservations;
mod stock;
mod transfers;

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::response::Response;
use contract::Time;
use fault::{Fault, Kind, Problem};
use futures::future::BoxFuture;
use journal::{Intake, Journal, keyed};
use postgres::{Database, DatabaseError};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use web::{Failure, Shell};

use crate::catalog::{Catalog, CatalogError};
use crate::lane::{Lane, LaneError, Pending};
use crate::ledger::{LedgerError, Orders, Written};
use crate::order::{Order, Outcome};
use crate::store::books::KEEPER;

/// How long an import waits for room in the queue.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the routes work with.
#[derive(Clone)]
pub(crate) struct Service {
    pub(crate) database: Database,
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) lane: Lane<Orders, Written>,
}

/// Says that there is room for a write. Where there is none its caller is turned away before anything of it is read.
pub(crate) struct Admitted;

impl FromRequestParts<Service> for Admitted {
    type Rejection = Failure;
    async fn from_request_parts(_: &mut Parts, service: &Service) -> Result<Self, Failure> {
        service.lane.admit().map(|()| Self).map_err(|error| Failure::of(&error))
    }
}

/// Puts the routes together.
pub(crate) fn router(service: Service, journal: Arc<Journal>, intake: Arc<Intake>) -> Router {
    let database = service.database.clone();
    let routes = OpenApiRouter::new()
        .routes(routes!(changes::record, changes::list))
        .routes(routes!(batch::record_batch))
        .routes(web::unhurried(routes!(import::import)))
        .routes(routes!(transfers::transfer))
        .routes(routes!(reservations::reserve))
        .routes(routes!(reservations::read))
        .routes(routes!(reservations::confirm))
        .routes(routes!(reservations::release))
        .routes(routes!(reservations::extend))
        .routes(routes!(stock::list))
        .routes(routes!(stock::read))
        .with_state(service)
        .merge(journal::routes::journal(journal))
        .merge(journal::routes::books(KEEPER, database.clone()))
        .merge(journal::routes::dead_letters(intake));
    let ready = Arc::new(move || -> BoxFuture<'static, bool> {
        let database = database.clone();
        Box::pin(async move { database.ready().await.is_ok() })
    });
    web::shell(Shell { name: "stock", title: "Gudang Stock Change", routes, ready })
}

impl Service {
    /// Queues orders in the lane as soon as there is room, for who is in no hurry.
    async fn enqueue_patiently(&self, orders: Vec<Order>) -> Result<Pending<Written>, Failure> {
        let orders = Orders(orders.into());
        let patience = Instant::now() + PATIENCE;
        loop {
            match self.lane.enqueue(orders.clone()) {
                Err(LaneError::Overloaded) if Instant::now() < patience => tokio::time::sleep(PATIENCE / 500).await,
                queued => return queued.map_err(|error| Failure::of(&error)),
            }
        }
    }

    /// Hands over one order and waits for what became of it.
    async fn submit(&self, order: Order) -> Result<Outcome, Failure> {
        let pending = self.lane.enqueue(Orders([order].into())).map_err(|error| Failure::of(&error))?;
        Ok(outcomes(pending).await?.pop().ok_or_else(Problem::internal)?)
    }
}

/// Waits for the ledger's outcomes.
async fn outcomes(pending: Pending<Written>) -> Result<Vec<Outcome>, Failure> {
    let written = pending.answer().await.map_err(|error| Failure::of(&error))?;
    written.map_err(|error| Failure::of(&error))
}

/// The edge's own clock, for what must be judged before anything is asked of the database.
fn now() -> Time {
    Time::new(jiff::Timestamp::now())
}

/// Renders what became of an order.
fn render(outcome: Outcome) -> Result<Response, Failure> {
    match outcome {
        Outcome::Decided(answer) => Ok(keyed::render(answer, false)),
        Outcome::Replayed(answer) => Ok(keyed::render(answer, true)),
        Outcome::Mismatch => Err(keyed::mismatch().into()),
    }
}

web::failures!(CatalogError, StoreError);

/// What reading the store can run into.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub(crate) struct StoreError(#[from] DatabaseError);

impl Fault for StoreError {
    fn kind(&self) -> Kind {
        self.0.kind()
    }

    fn code(&self) -> &'static str {
        self.0.code()
    }
}

impl Fault for LaneError {
    fn kind(&self) -> Kind {
        match self {
            Self::Overloaded => Kind::Overloaded,
            Self::OutcomeUnknown => Kind::Unavailable,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Overloaded => "overloaded",
            Self::OutcomeUnknown => "outcome_unknown",
        }
    }
}

impl Fault for LedgerError {
    fn kind(&self) -> Kind {
        match self {
            Self::Unavailable | Self::OutcomeUnknown => Kind::Unavailable,
            Self::Poison => Kind::Internal,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Unavailable => "database_unavailable",
            Self::OutcomeUnknown => "outcome_unknown",
            Self::Poison => "internal",
        }
    }
}
