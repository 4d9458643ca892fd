//! What every host with a process of its own does: serve each function, lead each database, consume, and stop in order.
//!
//! It does not know where events go: whoever calls it brings the outlets, and the broker if there is one.

use std::sync::Arc;

use bus::{Handler, Outlet};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::broker::Broker;
use crate::leader::{Duties, Letters, lead};
use crate::role::Role;
use crate::{Function, serve};

/// A function, where it listens, and who hears what it publishes.
pub(crate) struct Post {
    pub(crate) function: Function,
    pub(crate) listener: TcpListener,
    pub(crate) outlets: Vec<Arc<dyn Outlet>>,
}

/// Runs everything until `stop`; then lets requests and batches finish first and deliveries after them. `holder` names this process in the
/// leases. With a broker the functions consume from it.
pub(crate) async fn run(posts: Vec<Post>, holder: &str, role: Role, broker: Option<Broker>, stop: CancellationToken) {
    let deliveries_stop = CancellationToken::new();
    let mut first = JoinSet::new();
    let mut leaders = JoinSet::new();
    let mut handlers: Vec<Arc<dyn Handler>> = Vec::new();
    for Post { function, listener, outlets } in posts {
        let Function { name, routes, database, publishes, consumes, periodic } = function;
        if role.leads() {
            let letters = broker.as_ref().zip(consumes.as_ref());
            let letters = letters.map(|(broker, handler)| Letters { office: broker.office(), consumer: handler.group().to_owned() });
            let duties = Duties { name, database, journal: publishes.map(|(_, journal)| journal), outlets, letters, periodic };
            leaders.spawn(lead(duties, holder.to_owned(), deliveries_stop.clone()));
        }
        first.spawn(serve::serve(name, listener, role.routes(routes), stop.clone()));
        handlers.extend(consumes);
    }
    if let Some(broker) = broker.clone()
        && role.consumes()
    {
        let stop = stop.clone();
        first.spawn(async move { broker.consume(handlers, stop).await });
    }
    while first.join_next().await.is_some() {}
    deliveries_stop.cancel();
    while leaders.join_next().await.is_some() {}
    if let Some(broker) = broker {
        broker.close().await;
    }
}
