//! The HTTP server of a pod and of the laptop.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use axum::Router;
use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// How long requests that were under way may take after the host was told to stop.
const DRAIN: Duration = Duration::from_secs(10);
/// How long a port may still belong to a process that is ending.
const PORT: Duration = Duration::from_secs(1);

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
///
/// A process that was killed a moment ago may still hold it, so it is asked for again for a little while.
pub async fn bind(name: &str, address: SocketAddr, variable: &str) -> Result<TcpListener, BindError> {
    let patience = Instant::now() + PORT;
    loop {
        let cause = match TcpListener::bind(address).await {
            Ok(listener) => return Ok(listener),
            Err(cause) => cause,
        };
        let taken = cause.kind() == io::ErrorKind::AddrInUse;
        if taken && Instant::now() < patience {
            tokio::time::sleep(PORT / 20).await;
            continue;
        }
        let (name, variable) = (name.to_owned(), variable.to_owned());
        return Err(if taken { BindError::Taken { name, address, variable } } else { BindError::Other { name, address, variable, cause } });
    }
}

/// The URL at which this machine reaches a listener.
pub fn url(listener: &TcpListener) -> io::Result<String> {
    Ok(format!("http://{}", reachable(listener.local_addr()?)))
}

/// A listener on every address is reached over loopback.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_on_every_address_is_reached_over_loopback() {
        for (bound, reached) in [("0.0.0.0:1", "127.0.0.1:1"), ("[::]:1", "[::1]:1"), ("10.0.0.1:1", "10.0.0.1:1")] {
            assert_eq!(reachable(bound.parse().expect("an address")).to_string(), reached);
        }
    }
}
