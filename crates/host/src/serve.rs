//! The HTTP server of a pod and of the laptop: it takes connections, bounds how long a client may be silent, and drains.

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use axum::Router;
use fault::Kind;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tower::Service;

use crate::listening::Listening;

/// How long a client may take for the head of a request, and keep a connection without sending one. Load balancers close theirs after 60 s, and
/// a connection should always be closed by the side that uses it.
const SILENCE: Duration = Duration::from_secs(75);
/// How long nobody is let in after that failed: most often, there are no more file descriptors.
const REFUSED: Duration = Duration::from_millis(200);
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

/// Serves until `stop`, then lets the requests under way finish, however long that takes: the process has a bound for all its parts.
pub(crate) async fn serve(name: &'static str, listener: TcpListener, routes: Router, stop: CancellationToken) {
    serve_patiently(name, listener, routes, stop, SILENCE).await;
}

async fn serve_patiently(name: &'static str, listener: TcpListener, routes: Router, stop: CancellationToken, silence: Duration) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(silence);
    let connections = GracefulShutdown::new();
    while let Some(stream) = stop.run_until_cancelled(accept(name, &listener)).await {
        // Answers are small and complete: waiting to fill a packet would only add delay. A failure costs that and no more.
        let _ = stream.set_nodelay(true);
        let (stream, deafness) = Listening::new(stream);
        let routes = routes.clone();
        let answer = service_fn(move |request| {
            let (answer, deafness) = (routes.clone().call(request), deafness.clone());
            async move {
                let response = answer.await?;
                if response.extensions().get() == Some(&Kind::Overloaded) {
                    deafness.begin();
                }
                Ok::<_, Infallible>(response)
            }
        });
        let connection = connections.watch(http.serve_connection(TokioIo::new(stream), answer));
        tokio::spawn(async move {
            // Who left, or never said anything, is told of nowhere else.
            if let Err(error) = connection.await {
                tracing::debug!(service = name, error = %error, "a connection ended");
            }
        });
    }
    drop(listener);
    connections.shutdown().await;
}

/// The next connection.
async fn accept(name: &str, listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            // The client left while it waited: nobody's fault.
            Err(error) if matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset) => {}
            Err(error) => {
                tracing::error!(service = name, error = %error, "a connection could not be taken");
                tokio::time::sleep(REFUSED).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::Extension;
    use axum::http::StatusCode;
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    async fn served(silence: Duration) -> (SocketAddr, CancellationToken, tokio::task::JoinHandle<()>) {
        let listener = bind("test", "127.0.0.1:0".parse().expect("an address"), "PORT").await.expect("a port");
        let address = listener.local_addr().expect("its address");
        let slow = get(|| async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            "slow"
        });
        let full = get(|| async { (StatusCode::SERVICE_UNAVAILABLE, Extension(Kind::Overloaded), "full") });
        let routes = Router::new().route("/", get(|| async { "here" })).route("/slow", slow).route("/full", full);
        let stop = CancellationToken::new();
        let server = tokio::spawn(serve_patiently("test", listener, routes, stop.clone(), silence));
        (address, stop, server)
    }

    /// What the server says until it closes the connection.
    async fn said(stream: &mut TcpStream) -> String {
        let mut said = Vec::new();
        // Reset or closed is the same to who waits.
        let _ = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut said)).await.expect("the server closes");
        String::from_utf8(said).expect("text")
    }

    #[tokio::test]
    async fn who_sends_half_a_head_or_nothing_more_is_not_waited_for() {
        let (address, ..) = served(Duration::from_millis(300)).await;
        let mut half = TcpStream::connect(address).await.expect("a connection");
        half.write_all(b"GET / HTTP/1.1\r\nhost: ").await.expect("sent");
        assert!(!said(&mut half).await.contains("here"));
        let mut idle = TcpStream::connect(address).await.expect("a connection");
        idle.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("sent");
        assert!(said(&mut idle).await.ends_with("here"), "answered first, closed later");
    }

    #[tokio::test]
    async fn who_was_turned_away_is_listened_to_again_a_second_later() {
        let (address, ..) = served(SILENCE).await;
        let mut insistent = TcpStream::connect(address).await.expect("a connection");
        let mut other = TcpStream::connect(address).await.expect("a connection");
        let begun = Instant::now();
        insistent.write_all(b"GET /full HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("sent");
        let mut first = [0; 12];
        insistent.read_exact(&mut first).await.expect("an answer");
        assert_eq!(&first, b"HTTP/1.1 503");
        insistent.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.expect("sent");
        other.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.expect("sent");
        assert!(said(&mut other).await.ends_with("here"));
        let others = begun.elapsed();
        assert!(said(&mut insistent).await.ends_with("here"));
        assert!(begun.elapsed() >= Duration::from_secs(1), "not before");
        assert!(others < Duration::from_secs(1), "nobody else waits: {others:?}");
    }

    #[tokio::test]
    async fn what_is_under_way_ends_and_nobody_else_comes_in() {
        let (address, stop, server) = served(SILENCE).await;
        let mut busy = TcpStream::connect(address).await.expect("a connection");
        busy.write_all(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("sent");
        let mut idle = TcpStream::connect(address).await.expect("a connection");
        idle.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("sent");
        let mut first = [0; 12];
        idle.read_exact(&mut first).await.expect("an answer");
        stop.cancel();
        assert!(said(&mut busy).await.ends_with("slow"), "its answer is complete");
        said(&mut idle).await;
        server.await.expect("drained");
        TcpStream::connect(address).await.expect_err("nobody listens");
    }

    #[test]
    fn a_listener_on_every_address_is_reached_over_loopback() {
        for (bound, reached) in [("0.0.0.0:1", "127.0.0.1:1"), ("[::]:1", "[::1]:1"), ("10.0.0.1:1", "10.0.0.1:1")] {
            assert_eq!(reachable(bound.parse().expect("an address")).to_string(), reached);
        }
    }
}
