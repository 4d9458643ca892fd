//! The HTTP server of a pod and of the laptop.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// How long requests that were under way may take after the host was told to stop.
const DRAIN: Duration = Duration::from_secs(10);

/// A port could not be had.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Somebody else has it.
    #[error("{name} cannot listen on {address}: the port is taken; stop what uses it, or choose another with {variable}")]
    Taken {
        /// The service.
        name: String,
        /// The address.
        address: SocketAddr,
        /// The setting that chooses the port.
        variable: String,
    },
    /// Anything else.
    #[error("{name} cannot listen on {address} (set by {variable})")]
    Other {
        /// The service.
        name: String,
        /// The address.
        address: SocketAddr,
        /// The setting that chooses the port.
        variable: String,
        /// Why.
        #[source]
        cause: io::Error,
    },
}

/// Opens a port; `variable` names the setting that chose it, for the message when it is taken.
pub async fn bind(name: &str, address: SocketAddr, variable: &str) -> Result<TcpListener, BindError> {
    TcpListener::bind(address).await.map_err(|cause| {
        let (name, variable) = (name.to_owned(), variable.to_owned());
        match cause.kind() {
            io::ErrorKind::AddrInUse => BindError::Taken { name, address, variable },
            _ => BindError::Other { name, address, variable, cause },
        }
    })
}

/// Serves until `stop`, then lets the requests under way finish.
pub(crate) async fn serve(name: &'static str, listener: TcpListener, routes: Router, stop: CancellationToken) {
    let listener = listener.tap_io(|stream| {
        // Answers are small and complete: waiting to fill a packet would only add delay. A failure costs that and no more.
        let _ = stream.set_nodelay(true);
    });
    let drained = stop.clone();
    let server = axum::serve(listener, routes).with_graceful_shutdown(async move { drained.cancelled().await });
    let bounded = async {
        stop.cancelled().await;
        tokio::time::sleep(DRAIN).await;
    };
    tokio::select! {
        ended = server => if let Err(error) = ended {
            tracing::error!(service = name, error = %error, "the server ended");
        },
        () = bounded => tracing::warn!(service = name, "requests were still under way when the time to drain was over"),
    }
}
