//! What every host with a process of its own does: serve each function, lead each database, consume, and stop in order.
//!
//! It does not know where events go: whoever calls it brings the outlets, and the broker if there is one.

use std::any::Any;
use std::sync::Arc;

use axum::Router;
use bus::{Handler, Outlet};
use tokio::net::TcpListener;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::broker::Broker;
use crate::leader::{Duties, Letters, lead};
use crate::role::Role;
use crate::{Function, push, serve, stop};

/// A function, where it listens, and who hears what it publishes.
pub(crate) struct Post {
    pub(crate) function: Function,
    pub(crate) listener: TcpListener,
    pub(crate) outlets: Vec<Arc<dyn Outlet>>,
}

/// What a process does of its functions' work, and how events reach it.
#[derive(Clone)]
pub struct Share {
    /// Its share.
    pub role: Role,
    /// What carries events, if anything does beside itself.
    pub broker: Option<Broker>,
    /// Whether events may be pushed to it over HTTP.
    pub push: bool,
}

impl Share {
    /// All of the work, and events by nothing but `broker`.
    pub fn all(broker: Option<Broker>) -> Self {
        Self { role: Role::All, broker, push: false }
    }

    /// What is served of a function.
    fn routes(&self, name: &'static str, routes: Router, handler: Option<&Arc<dyn Handler>>) -> Router {
        let handler = handler.filter(|_| self.push).map(Arc::clone);
        self.role.routes(routes).merge(push::routes(name, handler))
    }
}

/// A part of a process has ended though nobody told it to. The rest was stopped in order, so that whoever looks after processes sees it and
/// starts another.
#[derive(Debug, thiserror::Error)]
#[error("a part of this process broke down, so all of it was stopped; nothing that was acknowledged is lost, start it again ({0})")]
pub struct Fallen(String);

impl Fallen {
    fn of(ended: Result<(), JoinError>) -> Self {
        let cause = match ended.map_err(JoinError::try_into_panic) {
            Ok(()) => "it ended too early".to_owned(),
            Err(Ok(panic)) => words(&*panic).to_owned(),
            Err(Err(cancelled)) => cancelled.to_string(),
        };
        tracing::error!(cause, "a part of this process broke down");
        Self(cause)
    }
}

fn words(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("it panicked")
}

/// Runs everything until `stop`; then lets requests and batches finish first and deliveries after them, each within its bound. `holder` names
/// this process in the leases. With a broker the functions consume from it.
pub(crate) async fn run(posts: Vec<Post>, holder: &str, share: Share, stop: CancellationToken) -> Result<(), Fallen> {
    // A part that breaks down stops the others as a signal does.
    let (stop, deliveries_stop, topics_ready) = (stop.child_token(), CancellationToken::new(), CancellationToken::new());
    let mut first = JoinSet::new();
    let mut leaders = JoinSet::new();
    let mut handlers: Vec<Arc<dyn Handler>> = Vec::new();
    for Post { function, listener, outlets } in posts {
        let Function { name, routes, database, publishes, consumes, periodic } = function;
        let routes = share.routes(name, routes, consumes.as_ref());
        if share.role.leads() {
            let letters = share.broker.as_ref().zip(consumes.as_ref());
            let letters = letters.map(|(broker, handler)| Letters { office: broker.office(), consumer: handler.group().to_owned() });
            let (journal, ready) = (publishes.map(|(_, journal)| journal), topics_ready.clone());
            let duties = Duties { name, database, journal, outlets, ready, letters, periodic };
            leaders.spawn(lead(duties, holder.to_owned(), deliveries_stop.clone()));
        }
        first.spawn(serve::serve(name, listener, routes, stop.clone()));
        handlers.extend(consumes);
    }
    let Share { role, broker, .. } = share;
    if let Some(broker) = broker {
        let stop = stop.clone();
        first.spawn(async move {
            if stop.run_until_cancelled(broker.prepare(&handlers)).await.is_some() {
                topics_ready.cancel();
                let handlers = if role.consumes() { handlers } else { Vec::new() };
                broker.consume(handlers, &stop).await;
            }
            stop.cancelled().await;
        });
    } else {
        topics_ready.cancel();
    }
    let mut fallen = tokio::select! {
        biased;
        () = stop.cancelled() => None,
        Some(ended) = first.join_next() => Some(Fallen::of(ended)),
        Some(ended) = leaders.join_next() => Some(Fallen::of(ended)),
    };
    let told = Instant::now();
    stop.cancel();
    end(first, told + stop::REQUESTS, &mut fallen).await;
    deliveries_stop.cancel();
    end(leaders, told + stop::DELIVERIES, &mut fallen).await;
    fallen.map_or(Ok(()), Err)
}

/// Waits for parts that were told to end, and gives up those that do not.
async fn end(mut parts: JoinSet<()>, until: Instant, fallen: &mut Option<Fallen>) {
    while let Ok(ended) = timeout_at(until, parts.join_next()).await {
        match ended {
            Some(Ok(())) => {}
            Some(broken) => *fallen = fallen.take().or_else(|| Some(Fallen::of(broken))),
            None => return,
        }
    }
    tracing::warn!("not everything ended in time, the rest is given up; what was not settled comes again");
    parts.abort_all();
}
