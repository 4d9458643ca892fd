//! All services in one process: each with its own server and database, events delivered in process straight from the journals.

use std::sync::Arc;

use bus::{InProcess, Outlet};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::leader::{Duties, lead};
use crate::{Function, serve};

/// Runs `functions`, each on its listener, until `stop`; then lets requests finish first and deliveries after them.
///
/// `holder` names this process in the leases. On a private database it is always the same, so that a restart leads at once.
pub async fn run(functions: Vec<(Function, TcpListener)>, holder: &str, stop: CancellationToken) {
    let deliveries_stop = CancellationToken::new();
    let mut servers = JoinSet::new();
    let mut leaders = JoinSet::new();
    for (function, _) in &functions {
        let duties = Duties {
            name: function.name,
            database: function.database.clone(),
            journal: function.publishes.as_ref().map(|(_, journal)| Arc::clone(journal)),
            outlets: outlets(function, &functions),
            periodic: Arc::clone(&function.periodic),
        };
        leaders.spawn(lead(duties, holder.to_owned(), deliveries_stop.clone()));
    }
    for (function, listener) in functions {
        servers.spawn(serve::serve(function.name, listener, function.routes, stop.clone()));
    }
    while servers.join_next().await.is_some() {}
    deliveries_stop.cancel();
    while leaders.join_next().await.is_some() {}
}

/// Plugs in everybody who wants to hear of what `producer` publishes.
fn outlets(producer: &Function, all: &[(Function, TcpListener)]) -> Vec<Arc<dyn Outlet>> {
    let Some((topic, _)) = &producer.publishes else { return Vec::new() };
    all.iter()
        .filter_map(|(function, _)| function.consumes.as_ref())
        .filter(|handler| handler.topics().contains(topic))
        .map(|handler| Arc::new(InProcess::new(Arc::clone(handler))) as Arc<dyn Outlet>)
        .collect()
}
