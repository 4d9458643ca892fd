//! Stock levels: of one product, of all, and as they were.

use contract::{Location, MinStock, ProductId, Sku, StockStatus, Time};
use postgres::{Database, DatabaseError};
use serde::Serialize;
use utoipa::ToSchema;

/// The stock of one product over all its locations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ProductLevels {
    /// Whose.
    pub product_id: ProductId,
    /// Its SKU.
    pub sku: Sku,
    /// Units on the shelves.
    pub on_hand: i64,
    /// Units promised; null with `as_of`.
    pub reserved: Option<i64>,
    /// `on_hand - reserved`; null with `as_of`.
    pub available: Option<i64>,
    /// The threshold in force: 0 while the product is archived.
    pub min_stock: MinStock,
    /// Judged now; null with `as_of`.
    pub status: Option<StockStatus>,
    /// The locations' versions added up; null with `as_of`.
    pub version: Option<i64>,
    /// Where something has moved, by name.
    pub locations: Vec<LocationLevel>,
}

/// The stock of one product at one location.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct LocationLevel {
    /// Where.
    pub location: Location,
    /// Units on the shelf.
    pub on_hand: i64,
    /// Units promised; null with `as_of`.
    pub reserved: Option<i64>,
    /// `on_hand - reserved`; null with `as_of`.
    pub available: Option<i64>,
    /// Rows in the stream; null with `as_of`.
    pub version: Option<i64>,
}

/// One product by its primary key, its levels by (product_id, location).
const OF_PRODUCT: &str = "SELECT p.product_id, p.sku, CASE WHEN p.archived THEN 0 ELSE p.min_stock END, \
       l.location, l.on_hand, l.reserved, l.version \
     FROM product p LEFT JOIN level_now l ON l.product_id = p.product_id AND l.version > 0 \
     WHERE p.product_id = $1 ORDER BY l.location";

/// One product's stock at a time: its levels, and in each the last row up to which everything had occurred by then, found by halving the
/// versions (a look-up by (level_id, version) a step), and what was dated back behind it (a range of `ledger_dated_back`).
const AS_OF: &str = "SELECT p.product_id, p.sku, CASE WHEN p.archived THEN 0 ELSE p.min_stock END, l.location, \
       coalesce(j.on_hand, 0) + coalesce((SELECT sum(b.delta) FROM ledger b WHERE b.level_id = l.id AND b.occurred_max IS NOT NULL AND b.delta <> 0 \
         AND b.occurred_at <= $2 AND b.version > found.version), 0)::bigint \
     FROM product p LEFT JOIN level l ON l.product_id = p.product_id AND l.version > 0 \
     LEFT JOIN LATERAL ( \
       WITH RECURSIVE search (low, high) AS ( \
         SELECT 0::bigint, l.version \
         UNION ALL \
         SELECT CASE WHEN m.occurred THEN m.version ELSE s.low END, CASE WHEN m.occurred THEN s.high ELSE m.version - 1 END \
         FROM search s CROSS JOIN LATERAL (SELECT j.version, coalesce(j.occurred_max, j.occurred_at) <= $2 AS occurred \
           FROM ledger j WHERE j.level_id = l.id AND j.version = (s.low + s.high + 1) / 2) m \
         WHERE s.low < s.high) \
       SELECT low AS version FROM search WHERE low = high) found ON true \
     LEFT JOIN ledger j ON j.level_id = l.id AND j.version = found.version \
     WHERE p.product_id = $1 ORDER BY l.location";

/// Walks products by the index on SKU from where the last page ended and sums each one's levels by (product_id, location).
const LIST: &str = "SELECT p.product_id, p.sku, CASE WHEN p.archived THEN 0 ELSE p.min_stock END, s.locations, s.on_hand, s.reserved, s.versions \
     FROM product p CROSS JOIN LATERAL ( \
       SELECT coalesce(array_agg(l.location ORDER BY l.location), '{}') AS locations, coalesce(array_agg(l.on_hand ORDER BY l.location), '{}') AS on_hand, \
         coalesce(array_agg(l.reserved ORDER BY l.location), '{}') AS reserved, coalesce(array_agg(l.version ORDER BY l.location), '{}') AS versions, \
         coalesce(sum(l.on_hand - l.reserved), 0) AS available \
       FROM level_now l WHERE l.product_id = p.product_id AND l.version > 0 AND ($3::text IS NULL OR l.location = $3)) s \
     WHERE ($1::text IS NULL OR p.sku > $1) AND ($3::text IS NULL OR s.locations <> '{}') \
       AND ($4::text IS NULL OR $4 = CASE WHEN s.available <= 0 THEN 'out' \
         WHEN s.available < CASE WHEN p.archived THEN 0 ELSE p.min_stock END THEN 'low' ELSE 'ok' END) \
     ORDER BY p.sku LIMIT $2";

/// The stock of one product now; `None` when it has no copy here.
pub async fn of_product(database: &Database, product: ProductId) -> Result<Option<ProductLevels>, DatabaseError> {
    let client = database.get().await?;
    let rows = postgres::query(&client, OF_PRODUCT, &[&product.0]).await?;
    let Some(first) = rows.first() else { return Ok(None) };
    let locations = rows.iter().filter_map(|row| {
        let location: Option<&str> = row.get(3);
        location.map(|location| level(location, row.get(4), row.get(5), row.get(6)))
    });
    Ok(Some(summed(ProductId(first.get(0)), Sku::trusted(first.get(1)), first.get(2), locations.collect())))
}

/// The stock of one product at `time`, by when things occurred. It may be negative where later entries are back-dated.
pub async fn as_of(database: &Database, product: ProductId, time: Time) -> Result<Option<ProductLevels>, DatabaseError> {
    let client = database.get().await?;
    let rows = postgres::query(&client, AS_OF, &[&product.0, &time.timestamp()]).await?;
    let Some(first) = rows.first() else { return Ok(None) };
    let then = |row: &tokio_postgres::Row| {
        let (location, on_hand): (Option<&str>, Option<i64>) = (row.get(3), row.get(4));
        let (location, on_hand) = (Location::trusted(location?), on_hand?);
        Some(LocationLevel { location, on_hand, reserved: None, available: None, version: None })
    };
    let locations: Vec<LocationLevel> = rows.iter().filter_map(then).collect();
    Ok(Some(ProductLevels {
        product_id: ProductId(first.get(0)),
        sku: Sku::trusted(first.get(1)),
        on_hand: locations.iter().map(|level| level.on_hand).sum(),
        reserved: None,
        available: None,
        min_stock: MinStock::new(first.get(2)).unwrap_or(MinStock::NONE),
        status: None,
        version: None,
        locations,
    }))
}

/// What a list of levels is narrowed to.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only products of this status (of the location, when one is given).
    pub status: Option<StockStatus>,
    /// Only what lies here.
    pub location: Option<Location>,
}

/// Products with their stock, by SKU, behind `after`.
pub async fn list(database: &Database, filter: &Filter, after: Option<&Sku>, rows: i64) -> Result<Vec<ProductLevels>, DatabaseError> {
    let client = database.get().await?;
    let status = filter.status.map(|status| match status {
        StockStatus::Ok => "ok",
        StockStatus::Low => "low",
        StockStatus::Out => "out",
    });
    let (after, location) = (after.map(Sku::as_str), filter.location.as_ref().map(Location::as_str));
    let rows = postgres::query(&client, LIST, &[&after, &rows, &location, &status]).await?;
    let product = |row: &tokio_postgres::Row| {
        let numbers = |column: usize| row.get::<_, Vec<i64>>(column).into_iter();
        let locations: Vec<&str> = row.get(3);
        let levels = locations.into_iter().zip(numbers(4)).zip(numbers(5).zip(numbers(6)));
        let levels = levels.map(|((location, on_hand), (reserved, version))| level(location, on_hand, reserved, version)).collect();
        summed(ProductId(row.get(0)), Sku::trusted(row.get(1)), row.get(2), levels)
    };
    Ok(rows.iter().map(product).collect())
}

fn level(location: &str, on_hand: i64, reserved: i64, version: i64) -> LocationLevel {
    LocationLevel {
        location: Location::trusted(location),
        on_hand,
        reserved: Some(reserved),
        available: Some(on_hand - reserved),
        version: Some(version),
    }
}

fn summed(product_id: ProductId, sku: Sku, min_stock: i64, locations: Vec<LocationLevel>) -> ProductLevels {
    let min_stock = MinStock::new(min_stock).unwrap_or(MinStock::NONE);
    let on_hand = locations.iter().map(|level| level.on_hand).sum();
    let reserved = locations.iter().filter_map(|level| level.reserved).sum();
    let available = on_hand - reserved;
    ProductLevels {
        product_id,
        sku,
        on_hand,
        reserved: Some(reserved),
        available: Some(available),
        min_stock,
        status: Some(StockStatus::of(available, min_stock)),
        version: Some(locations.iter().filter_map(|level| level.version).sum()),
        locations,
    }
}
