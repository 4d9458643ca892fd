//! What a batch of events writes: watches, the copies of products, and the alerts that are raised and resolved.
//!
//! Every statement takes the whole batch. Streams come sorted, as the fence sorts them, so that two batches cannot deadlock.

use std::collections::HashMap;

use contract::{MinStock, Notification, Product, ProductStatus, Time};
use jiff::Timestamp;
use postgres::{DatabaseError, Transaction};
use uuid::Uuid;

use super::{notification, notification_columns, with_deliveries};
use crate::rule::{Level, State, Watch};

/// Plan: one primary-key look-up a stream, then the sort of the batch. The fence holds the streams against other batches; this lock holds
/// them against people who acknowledge.
const LOCK: &str = "SELECT stream, available, min_stock, state, episodes, journal_version, journal_recorded_at FROM watch \
     WHERE stream = ANY ($1) ORDER BY stream FOR NO KEY UPDATE";

/// Plan: function scan, one primary-key look-up a stream. Nothing that is indexed changes: heap-only updates.
const WRITE: &str = "INSERT INTO watch (stream, available, min_stock, state, episodes, journal_version, journal_recorded_at) \
     SELECT * FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::smallint[], $5::bigint[], $6::bigint[], $7::timestamptz[]) \
     ON CONFLICT (stream) DO UPDATE SET available = EXCLUDED.available, min_stock = EXCLUDED.min_stock, state = EXCLUDED.state, \
         episodes = EXCLUDED.episodes, journal_version = EXCLUDED.journal_version, journal_recorded_at = EXCLUDED.journal_recorded_at";

/// Plan: function scan, one primary-key look-up a product.
const KEEP_PRODUCTS: &str = "INSERT INTO product (id, sku, name, min_stock, archived, version) \
     SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::bigint[], $5::boolean[], $6::bigint[]) \
     ON CONFLICT (id) DO UPDATE SET sku = EXCLUDED.sku, name = EXCLUDED.name, min_stock = EXCLUDED.min_stock, \
         archived = EXCLUDED.archived, version = EXCLUDED.version \
     WHERE product.version < EXCLUDED.version";

const NOW: &str = "SELECT clock_timestamp()";

/// Plan: one look-up in the unique index (stream, episode, kind) an episode, fenced as those of `store`.
const OF_EPISODES: &str = concat!(
    "SELECT n.* FROM unnest($1::text[], $2::bigint[]) e (stream, episode) CROSS JOIN LATERAL (SELECT ",
    notification_columns!(),
    " FROM notification n WHERE n.stream = e.stream AND n.episode = e.episode AND n.resolved_at IS NULL \
     ORDER BY n.raised_at, n.id OFFSET 0) n"
);

const RAISE: &str = "INSERT INTO notification (id, stream, episode, kind, product_id, sku, name, location, available, min_stock, raised_at, \
         resolved_at) \
     SELECT * FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::text[], $5::uuid[], $6::text[], $7::text[], $8::text[], $9::bigint[], \
         $10::bigint[], $11::timestamptz[], $12::timestamptz[])";

const DELIVER: &str = "INSERT INTO delivery (notification_id, channel, next_attempt_at) \
     SELECT n.id, c.channel, $3 FROM unnest($1::uuid[]) n (id) CROSS JOIN unnest($2::text[]) c (channel)";

/// Plan: function scan, one primary-key look-up a notification.
const RESOLVE: &str = "UPDATE notification n SET resolved_at = r.at FROM unnest($1::uuid[], $2::timestamptz[]) r (id, at) \
     WHERE n.id = r.id AND n.resolved_at IS NULL";

/// A stream's machine, the level it last saw, and the head of the stream's journal.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Watched {
    pub(crate) watch: Watch,
    pub(crate) level: Level,
    pub(crate) journal_version: i64,
    pub(crate) journal_recorded_at: Time,
}

impl Default for Watched {
    /// A stream without a movement.
    fn default() -> Self {
        let journal_recorded_at = Time::new(Timestamp::UNIX_EPOCH);
        Self { watch: Watch::default(), level: Level::default(), journal_version: 0, journal_recorded_at }
    }
}

impl State {
    /// The number in the table and in the books.
    fn number(self) -> i16 {
        match self {
            Self::Ok => 0,
            Self::Low => 1,
            Self::Out => 2,
        }
    }

    fn of_number(number: i16) -> Self {
        match number {
            1 => Self::Low,
            2 => Self::Out,
            _ => Self::Ok,
        }
    }
}

/// Locks the watches of `streams` (sorted, each once) until the transaction ends. A stream that has none yet gets the default.
pub(crate) async fn lock<'a>(transaction: &Transaction<'_>, streams: &[&'a str]) -> Result<HashMap<&'a str, Watched>, DatabaseError> {
    let rows = postgres::query(transaction, LOCK, &[&streams]).await?;
    let mut watches: HashMap<&str, Watched> = streams.iter().map(|stream| (*stream, Watched::default())).collect();
    for row in &rows {
        if let Some(watched) = watches.get_mut(row.get::<_, &str>(0)) {
            *watched = Watched {
                level: Level { available: row.get(1), min_stock: row.get(2) },
                watch: Watch { state: State::of_number(row.get(3)), episode: row.get(4) },
                journal_version: row.get(5),
                journal_recorded_at: Time::new(row.get(6)),
            };
        }
    }
    Ok(watches)
}

/// Writes the watches of `streams` as they are after the batch.
pub(crate) async fn write(transaction: &Transaction<'_>, streams: &[&str], watches: &HashMap<&str, Watched>) -> Result<(), DatabaseError> {
    let watched: Vec<&Watched> = streams.iter().filter_map(|stream| watches.get(stream)).collect();
    let available: Vec<i64> = watched.iter().map(|watched| watched.level.available).collect();
    let min_stock: Vec<i64> = watched.iter().map(|watched| watched.level.min_stock).collect();
    let states: Vec<i16> = watched.iter().map(|watched| watched.watch.state.number()).collect();
    let episodes: Vec<i64> = watched.iter().map(|watched| watched.watch.episode).collect();
    let versions: Vec<i64> = watched.iter().map(|watched| watched.journal_version).collect();
    let recorded: Vec<Timestamp> = watched.iter().map(|watched| watched.journal_recorded_at.timestamp()).collect();
    postgres::execute(transaction, WRITE, &[&streams, &available, &min_stock, &states, &episodes, &versions, &recorded]).await.map(|_| ())
}

/// Keeps the newest of each product.
pub(crate) async fn keep_products(transaction: &Transaction<'_>, products: &[&Product]) -> Result<(), DatabaseError> {
    let ids: Vec<Uuid> = products.iter().map(|product| product.id.0).collect();
    let skus: Vec<&str> = products.iter().map(|product| product.sku.as_str()).collect();
    let names: Vec<&str> = products.iter().map(|product| product.name.as_str()).collect();
    let min_stock: Vec<i64> = products.iter().map(|product| product.min_stock.get()).collect();
    let archived: Vec<bool> = products.iter().map(|product| product.status == ProductStatus::Archived).collect();
    let versions: Vec<i64> = products.iter().map(|product| product.version).collect();
    postgres::execute(transaction, KEEP_PRODUCTS, &[&ids, &skus, &names, &min_stock, &archived, &versions]).await.map(|_| ())
}

/// The database's clock, asked after the locks were had.
pub(crate) async fn now(transaction: &Transaction<'_>) -> Result<Time, DatabaseError> {
    Ok(Time::new(postgres::query_one(transaction, NOW, &[]).await?.get(0)))
}

/// The unresolved notifications of episodes, by stream, oldest first.
pub(crate) async fn of_episodes(
    transaction: &Transaction<'_>,
    streams: &[&str],
    episodes: &[i64],
) -> Result<HashMap<String, Vec<Notification>>, DatabaseError> {
    let rows = postgres::query(transaction, OF_EPISODES, &[&streams, &episodes]).await?;
    let streams = rows.iter().map(|row| row.get::<_, String>(12));
    let notifications = with_deliveries(transaction, rows.iter().map(notification).collect()).await?;
    let mut by_stream: HashMap<String, Vec<Notification>> = HashMap::new();
    for (stream, notification) in streams.zip(notifications) {
        by_stream.entry(stream).or_default().push(notification);
    }
    Ok(by_stream)
}

/// Writes notifications that were raised, each with its stream, and a delivery of each for every one of `channels`, due at `first_attempt_at`.
pub(crate) async fn raise(
    transaction: &Transaction<'_>,
    raised: &[(&str, &Notification)],
    channels: &[&str],
    first_attempt_at: Time,
) -> Result<(), DatabaseError> {
    fn column<'n, T>(raised: &[(&str, &'n Notification)], value: impl Fn(&'n Notification) -> T) -> Vec<T> {
        raised.iter().map(|(_, notification)| value(notification)).collect()
    }
    let ids = column(raised, |notification| notification.id);
    let streams: Vec<&str> = raised.iter().map(|(stream, _)| *stream).collect();
    let episodes = column(raised, |notification| notification.episode);
    let kinds = column(raised, |notification| notification.kind.as_str());
    let products = column(raised, |notification| notification.product_id.0);
    let skus = column(raised, |notification| notification.sku.as_str());
    let names = column(raised, |notification| notification.name.as_str());
    let locations = column(raised, |notification| notification.location.as_str());
    let available = column(raised, |notification| notification.available);
    let min_stock = column(raised, |notification| MinStock::get(notification.min_stock));
    let raised_at = column(raised, |notification| notification.raised_at.timestamp());
    let resolved_at = column(raised, |notification| notification.resolved_at.map(Time::timestamp));
    postgres::execute(
        transaction,
        RAISE,
        &[&ids, &streams, &episodes, &kinds, &products, &skus, &names, &locations, &available, &min_stock, &raised_at, &resolved_at],
    )
    .await?;
    postgres::execute(transaction, DELIVER, &[&ids, &channels, &first_attempt_at.timestamp()]).await.map(|_| ())
}

/// Marks notifications as resolved.
pub(crate) async fn resolve(transaction: &Transaction<'_>, resolved: &[(Uuid, Time)]) -> Result<(), DatabaseError> {
    let ids: Vec<Uuid> = resolved.iter().map(|(id, _)| *id).collect();
    let times: Vec<Timestamp> = resolved.iter().map(|(_, at)| at.timestamp()).collect();
    postgres::execute(transaction, RESOLVE, &[&ids, &times]).await.map(|_| ())
}
