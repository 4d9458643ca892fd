//! Where code runs: the only room that knows. A service is a [`Function`], a plain value; here it gets its server, its events and its clock.
//!
//! It knows no domain and no route. Hosts for functions as a service join beside [`embedded`] and [`pod`].

mod broker;
pub mod embedded;
pub mod flags;
mod leader;
mod listening;
pub mod log;
pub mod pod;
mod process;
mod push;
mod role;
mod serve;
pub mod stop;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use bus::Handler;
use contract::Topic;
use futures::future::BoxFuture;
use journal::Journal;
use postgres::Database;
use tokio::sync::Notify;

pub use broker::Broker;
pub use process::{Fallen, Share};
pub use role::Role;
pub use serve::{BindError, bind, url};

/// A service, ready to run anywhere.
pub struct Function {
    /// `product`, `stock`, `notification` or `analytics`.
    pub name: &'static str,
    /// Its HTTP routes, conventions included.
    pub routes: Router,
    /// Its own database.
    pub database: Database,
    /// What it publishes.
    pub publishes: Option<(Topic, Arc<Journal>)>,
    /// What it consumes.
    pub consumes: Option<Arc<dyn Handler>>,
    /// Its periodic work.
    pub periodic: Arc<dyn Periodic>,
}

/// Work that a service does now and then, on one instance at a time.
pub trait Periodic: Send + Sync + 'static {
    /// Does what is due. Called about once a second, and at once after [`Periodic::woken`] ends.
    ///
    /// It may take long: it is cancelled at an await when the host stops or loses the lease, so it must be safe to begin again.
    fn tick(&self) -> BoxFuture<'_, Result<(), TickError>>;

    /// Ends when there is work that should not wait for the next second.
    fn woken(&self) -> BoxFuture<'_, ()>;
}

/// Periodic work failed. It is tried again at the next tick.
#[derive(Debug, thiserror::Error)]
#[error("periodic work failed")]
pub struct TickError(#[source] pub Box<dyn std::error::Error + Send + Sync>);

impl TickError {
    /// Wraps what went wrong.
    pub fn new(cause: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self(Box::new(cause))
    }
}

/// Says when something that is due every so often is due again. The first time is at once.
#[derive(Debug)]
pub struct Every {
    period: Duration,
    last: std::sync::Mutex<Option<std::time::Instant>>,
}

impl Every {
    /// Makes a timer of `period`.
    pub fn new(period: Duration) -> Self {
        Self { period, last: std::sync::Mutex::new(None) }
    }

    /// True when the period has passed since it last said so.
    pub fn due(&self) -> bool {
        let Ok(mut last) = self.last.lock() else { return false };
        let due = last.is_none_or(|last| last.elapsed() >= self.period);
        if due {
            *last = Some(std::time::Instant::now());
        }
        due
    }
}

/// A bell that wakes a [`Periodic`] early.
#[derive(Debug, Clone, Default)]
pub struct Bell(Arc<Notify>);

impl Bell {
    /// Rings it; one ring is remembered while nobody listens.
    pub fn ring(&self) {
        self.0.notify_one();
    }

    /// Waits for a ring.
    pub async fn rung(&self) {
        self.0.notified().await;
    }
}
