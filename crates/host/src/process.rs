//! What every host with a process of its own does: serve each function, lead each database, and stop in order.
//!
//! It does not know where events go: whoever calls it brings the outlets.

use std::sync::Arc;

use bus::Outlet;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::leader::{Duties, lead};
use crate::{Function, serve};

/// A function, where it listens, and who hears what it publishes.
pub(crate) struct Post {
    pub(crate) function: Function,
    pub(crate) listener: TcpListener,
    pub(crate) outlets: Vec<Arc<dyn Outlet>>,
}

/// Runs everything until `stop`; then lets requests finish first and deliveries after them. `holder` names this process in the leases.
pub(crate) async fn run(posts: Vec<Post>, holder: &str, stop: CancellationToken) {
    let deliveries_stop = CancellationToken::new();
    let mut servers = JoinSet::new();
    let mut leaders = JoinSet::new();
    for Post { function, listener, outlets } in posts {
        let Function { name, routes, database, publishes, periodic, .. } = function;
        let duties = Duties { name, database, journal: publishes.map(|(_, journal)| journal), outlets, periodic };
        leaders.spawn(lead(duties, holder.to_owned(), deliveries_stop.clone()));
        servers.spawn(serve::serve(name, listener, routes, stop.clone()));
    }
    while servers.join_next().await.is_some() {}
    deliveries_stop.cancel();
    while leaders.join_next().await.is_some() {}
}
