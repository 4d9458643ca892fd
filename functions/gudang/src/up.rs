//! `gudang up`: all four services in this process, over a PostgreSQL of their own.
//!
//! The one place where the four meet, and only to be wired: ports first, so that nothing is started in vain, then the database, then the services.
//! What is given by configuration replaces just its part; nothing that is configured is ever replaced in silence.

use std::future::Future;
use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::bail;
use host::flags::Secret;
use host::stop::Stop;
use host::{Broker, Function};
use notification::ChannelsConfig;
use postgres::Settings;
use postgres::private::PrivateServer;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::config::{Databases, Listen, Up};
use crate::table;

/// Databases on the private server, in the order of the services.
const NAMES: [&str; 4] = ["product", "stock", "notification", "analytics"];
/// Connections of each service, in the same order. Together they stay well below the private server's 100.
const POOLS: [usize; 4] = [8, 16, 8, 8];
/// Between two looks at the private server.
const LOOK: Duration = Duration::from_millis(500);
/// Who leads a private database: always the same, so that a restart need not wait for a lease to run out.
const HOLDER: &str = "gudang-up";
/// What is logged unless something else is asked for.
const LOG: &str = "warn,notification::channels::log=info";

/// Runs until a signal comes, or the private server is gone.
pub(crate) fn run(options: &Up) -> anyhow::Result<ExitCode> {
    options.log.start(LOG);
    let channels = options.notify.channels()?;
    let broker = options.broker()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let stop = Stop::listen("gudang", &runtime)?;
    let listeners = runtime.block_on(bind(&options.listen))?;
    let server = private_server(&options.data_dir, &options.databases)?;
    let holder = holder(&options.databases);
    let databases = settings(&options.databases, server.as_ref());
    let ended = if stop.token.is_cancelled() {
        Ended::Stopped
    } else {
        let services = serve(options, channels, databases, listeners, &holder, broker, &stop.token);
        runtime.block_on(until_the_end(services, server.as_ref()))?
    };
    end(ended, runtime, server)
}

/// How it ended.
#[derive(Debug, Clone, Copy)]
enum Ended {
    /// By a signal.
    Stopped,
    /// The private server is gone.
    DatabaseGone,
}

/// Stops what is left: first whatever still uses the database, then the database.
fn end(ended: Ended, runtime: Runtime, server: Option<PrivateServer>) -> anyhow::Result<ExitCode> {
    runtime.shutdown_timeout(Duration::from_secs(1));
    let stopped = server.map_or(Ok(()), PrivateServer::stop);
    match ended {
        Ended::Stopped => {
            // It was told to stop and has: what PostgreSQL left undone, the next start does.
            if let Err(error) = stopped {
                eprintln!("gudang: {error}");
            }
            Ok(ExitCode::SUCCESS)
        }
        Ended::DatabaseGone => match stopped {
            Err(error) => bail!("{error}; start again, nothing that was acknowledged is lost"),
            Ok(()) => bail!("PostgreSQL has stopped; start again, nothing that was acknowledged is lost"),
        },
    }
}

/// Opens the four ports.
async fn bind(listen: &Listen) -> anyhow::Result<[TcpListener; 4]> {
    let open = |name, port, variable| host::bind(name, SocketAddr::new(listen.listen, port), variable);
    Ok([
        open("product", listen.product_port, "PRODUCT_PORT").await?,
        open("stock", listen.stock_port, "STOCK_PORT").await?,
        open("notification", listen.notification_port, "NOTIFICATION_PORT").await?,
        open("analytics", listen.analytics_port, "ANALYTICS_PORT").await?,
    ])
}

/// The URLs that were given, in the order of the services.
fn given(databases: &Databases) -> [Option<&Secret>; 4] {
    let Databases { product_database_url, stock_database_url, notification_database_url, analytics_database_url } = databases;
    [product_database_url.as_ref(), stock_database_url.as_ref(), notification_database_url.as_ref(), analytics_database_url.as_ref()]
}

/// Starts the private server for the databases that no URL was given for; none when there is no such database.
fn private_server(data_dir: &Path, databases: &Databases) -> anyhow::Result<Option<PrivateServer>> {
    let needed: Vec<&str> = NAMES.iter().zip(given(databases)).filter(|(_, given)| given.is_none()).map(|(name, _)| *name).collect();
    if needed.is_empty() {
        return Ok(None);
    }
    Ok(Some(PrivateServer::start(data_dir, &needed)?))
}

fn settings(databases: &Databases, server: Option<&PrivateServer>) -> [Settings; 4] {
    let given = given(databases);
    std::array::from_fn(|n| {
        let private = || server.map(|server| server.url(NAMES[n])).unwrap_or_default();
        let url = given[n].map_or_else(private, |url| url.reveal().to_owned());
        Settings { url, pool_size: POOLS[n], application_name: format!("gudang-{}", NAMES[n]) }
    })
}

/// A database that others may use too needs a name of this process alone.
fn holder(databases: &Databases) -> String {
    if given(databases).iter().all(Option::is_none) { HOLDER.to_owned() } else { format!("{HOLDER}-{}", Uuid::now_v7()) }
}

/// Makes the four services and runs them until `stop`.
async fn serve(
    options: &Up,
    channels: ChannelsConfig,
    databases: [Settings; 4],
    listeners: [TcpListener; 4],
    holder: &str,
    broker: Option<Broker>,
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    let mut urls = [const { String::new() }; 4];
    for (url, listener) in urls.iter_mut().zip(&listeners) {
        *url = host::url(listener)?;
    }
    let [product, stock, notification, analytics] = databases;
    let [product_url, stock_url, ..] = urls.clone();
    let redis = options.redis_url.clone();
    let elasticsearch = options.elasticsearch_url.clone().map(product::IndexSettings::new);
    let config = product::Config { database: product, currency: options.currency, stock_url: stock_url.clone(), redis, elasticsearch };
    let product = product::function(config);
    let stock = stock::function(stock::Config { database: stock, product_url: product_url.clone(), lanes: stock::LANES });
    let config = notification::Config { database: notification, product_url: product_url.clone(), stock_url: stock_url.clone(), channels };
    let notification = notification::function(config);
    let analytics = analytics::function(analytics::Config { database: analytics, product_url, stock_url });
    let (product, stock, notification, analytics) = tokio::try_join!(named(product), named(stock), named(notification), named(analytics))?;
    let functions: Vec<(Function, TcpListener)> = [product, stock, notification, analytics].into_iter().zip(listeners).collect();
    table::line(&ready_line(&urls))?;
    Ok(host::embedded::run(functions, holder, broker, stop.clone()).await?)
}

async fn named<E: std::error::Error + Send + Sync + 'static>(
    function: impl Future<Output = Result<Function, E>>,
) -> anyhow::Result<Function> {
    Ok(function.await?)
}

fn ready_line(urls: &[String; 4]) -> String {
    let places: Vec<String> = NAMES.iter().zip(urls).map(|(name, url)| format!("{name} {url}")).collect();
    format!("gudang is ready: {}", places.join(", "))
}

/// Runs the services to their end, or until the private server is gone.
async fn until_the_end(services: impl Future<Output = anyhow::Result<()>>, server: Option<&PrivateServer>) -> anyhow::Result<Ended> {
    let gone = async {
        let Some(server) = server else { return std::future::pending().await };
        while server.is_running() {
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::select! {
        ended = services => ended.map(|()| Ended::Stopped),
        () = gone => Ok(Ended::DatabaseGone),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ready_line_names_the_four_addresses() {
        let urls = std::array::from_fn(|n| format!("http://127.0.0.1:{}", 8082 + n));
        let expected = "gudang is ready: product http://127.0.0.1:8082, stock http://127.0.0.1:8083, \
                        notification http://127.0.0.1:8084, analytics http://127.0.0.1:8085";
        assert_eq!(ready_line(&urls), expected);
    }
}
