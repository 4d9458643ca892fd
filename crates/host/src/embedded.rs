//! All services in one process: each with its own server and database, events delivered in process straight from the journals, or over the
//! broker that it is given.

use std::sync::Arc;

use bus::{InProcess, Outlet};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::process::{self, Post};
use crate::{Broker, Fallen, Function, Share};

/// Runs `functions`, each on its listener, until `stop`; then lets requests finish first and deliveries after them.
///
/// `holder` names this process in the leases. On a private database it is always the same, so that a restart leads at once. With a broker
/// events go over it; without one they are delivered in process.
pub async fn run(
    functions: Vec<(Function, TcpListener)>,
    holder: &str,
    broker: Option<Broker>,
    stop: CancellationToken,
) -> Result<(), Fallen> {
    let hearers = |(function, _): &(Function, TcpListener)| match &broker {
        Some(broker) => broker.outlets(function),
        None => outlets(function, &functions),
    };
    let outlets: Vec<_> = functions.iter().map(hearers).collect();
    let posts = functions.into_iter().zip(outlets).map(|((function, listener), outlets)| Post { function, listener, outlets });
    process::run(posts.collect(), holder, Share::all(broker), stop).await
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
