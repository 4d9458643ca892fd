//! All of this service's SQL: what a batch of events writes, what a report reads, what the books say.
//!
//! It decides nothing: what a batch adds up to and which pieces make up a window is said by the rule.

use std::collections::HashMap;

use contract::{Category, Currency, Location, Name, ProductId, ProductRef, Sku};
use futures::future;
use jiff::civil::{Date, DateTime};
use journal::books::{APPLIED_PRODUCTS, APPLIED_STOCK, Account, Check, Keeper};
use postgres::{Database, DatabaseError, Transaction};
use rust_decimal::Decimal;
use tokio_postgres::Row;
use tokio_postgres::types::{ToSql, Type};
use uuid::Uuid;

use crate::rule::{Batch, By, Copy, Delta, Fact, Figures, Interval, Pieces, SeriesKey};

/// Plan: one look-up in the unique index a row of the batch; the planner may hash the table where the batch is as large as it.
const FIND_SERIES: &str = "
    SELECT n.at, s.id
    FROM unnest($1::int[], $2::uuid[], $3::text[], $4::text[]) n (at, product_id, location, currency)
    JOIN series s ON s.product_id = n.product_id AND s.location = n.location AND s.currency = n.currency";

/// Plan: one look-up in the primary key a row, in key order. What is there with the same or a newer version stays: newest wins, and
/// what a stock event told (version 0) gives way to any product event.
const PUT_PRODUCTS: &str = "
    INSERT INTO product AS p (id, version, sku, name, category, min_stock, archived)
    SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::boolean[])
    ON CONFLICT (id) DO UPDATE SET version = EXCLUDED.version, sku = EXCLUDED.sku, name = EXCLUDED.name, category = EXCLUDED.category,
        min_stock = EXCLUDED.min_stock, archived = EXCLUDED.archived
    WHERE p.version < EXCLUDED.version";

/// Plan: one function scan, inserts in key order. No conflict can be: the stream of a series is locked by the fence.
const ADD_SERIES: &str = "
    INSERT INTO series (product_id, location, currency)
    SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[])
    RETURNING id, product_id, location, currency";

/// Plan: one function scan, two index inserts a row. The quantity is narrowed here, so that one beyond the contract is refused as data.
const ADD_FACTS: &str = "
    INSERT INTO fact (series, version, occurred_at, quantity, amount)
    SELECT series, version, occurred_at, quantity::integer, amount
    FROM unnest($1::int[], $2::bigint[], $3::timestamptz[], $4::bigint[], $5::numeric[]) n (series, version, occurred_at, quantity, amount)";

/// Plan: one function scan, one look-up in the primary key a cell, in key order; the update touches no indexed column (HOT).
const ADD_DAYS: &str = "
    INSERT INTO sales_day AS c (series, day, units_sold, units_returned, sales, revenue)
    SELECT * FROM unnest($1::int[], $2::date[], $3::bigint[], $4::bigint[], $5::bigint[], $6::numeric[])
    ON CONFLICT (series, day) DO UPDATE SET units_sold = c.units_sold + EXCLUDED.units_sold,
        units_returned = c.units_returned + EXCLUDED.units_returned, sales = c.sales + EXCLUDED.sales, revenue = c.revenue + EXCLUDED.revenue";

/// Plan: as [`ADD_DAYS`].
const ADD_MONTHS: &str = "
    INSERT INTO sales_month AS c (series, month, units_sold, units_returned, sales, revenue)
    SELECT * FROM unnest($1::int[], $2::date[], $3::bigint[], $4::bigint[], $5::bigint[], $6::numeric[])
    ON CONFLICT (series, month) DO UPDATE SET units_sold = c.units_sold + EXCLUDED.units_sold,
        units_returned = c.units_returned + EXCLUDED.units_returned, sales = c.sales + EXCLUDED.sales, revenue = c.revenue + EXCLUDED.revenue";

/// Writes everything that a batch does, as part of `transaction`. Keys are sorted, one order everywhere: products, series, facts, cells.
pub(crate) async fn write(transaction: &Transaction<'_>, batch: &Batch<'_>) -> Result<(), DatabaseError> {
    let mut ids = find_series(transaction, batch).await?;
    let missing: Vec<usize> = (0..ids.len()).filter(|at| ids[*at].is_none()).collect();
    put_products(transaction, batch, &missing).await?;
    if !missing.is_empty() {
        add_series(transaction, batch, missing, &mut ids).await?;
    }
    if batch.facts.is_empty() {
        return Ok(());
    }
    let ids: Vec<i32> = ids.into_iter().flatten().collect();
    // Sent together, run in this order.
    let facts = add_facts(transaction, batch, &ids);
    let days = add_cells(transaction, ADD_DAYS, &batch.days, &ids);
    let months = add_cells(transaction, ADD_MONTHS, &batch.months, &ids);
    future::try_join3(facts, days, months).await.map(|_| ())
}

/// The ids of the batch's series, where they are known.
async fn find_series(transaction: &Transaction<'_>, batch: &Batch<'_>) -> Result<Vec<Option<i32>>, DatabaseError> {
    let mut ids = vec![None; batch.series.len()];
    if ids.is_empty() {
        return Ok(ids);
    }
    let places: Vec<i32> = (0..ids.len() as i32).collect();
    let (products, locations, currencies) = columns(batch.series.iter().map(|(key, _)| key));
    for row in postgres::query(transaction, FIND_SERIES, &[&places, &products, &locations, &currencies]).await? {
        let place: i32 = row.get(0);
        ids[place as usize] = Some(row.get(1));
    }
    Ok(ids)
}

/// Puts the batch's products, and what stock events tell of the products of series that are new.
async fn put_products(transaction: &Transaction<'_>, batch: &Batch<'_>, missing: &[usize]) -> Result<(), DatabaseError> {
    let mut copies: Vec<Copy> = batch.products.values().map(|product| Copy::of(product)).collect();
    copies.extend(missing.iter().map(|at| Copy::provisional(batch.series[*at].1)));
    copies.sort_by_key(|copy| (copy.id, std::cmp::Reverse(copy.version)));
    copies.dedup_by_key(|copy| copy.id);
    if copies.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = copies.iter().map(|copy| copy.id.0).collect();
    let versions: Vec<i64> = copies.iter().map(|copy| copy.version).collect();
    let skus: Vec<&str> = copies.iter().map(|copy| copy.sku.as_str()).collect();
    let names: Vec<&str> = copies.iter().map(|copy| copy.name.as_str()).collect();
    let categories: Vec<&str> = copies.iter().map(|copy| copy.category.as_str()).collect();
    let thresholds: Vec<i64> = copies.iter().map(|copy| copy.min_stock).collect();
    let archived: Vec<bool> = copies.iter().map(|copy| copy.archived).collect();
    let parameters: [&(dyn ToSql + Sync); 7] = [&ids, &versions, &skus, &names, &categories, &thresholds, &archived];
    postgres::execute(transaction, PUT_PRODUCTS, &parameters).await.map(|_| ())
}

/// Makes the series that are `missing` and fills in their ids.
async fn add_series(
    transaction: &Transaction<'_>,
    batch: &Batch<'_>,
    mut missing: Vec<usize>,
    ids: &mut [Option<i32>],
) -> Result<(), DatabaseError> {
    missing.sort_by_key(|at| &batch.series[*at].0);
    let keys = missing.iter().map(|at| &batch.series[*at].0);
    let (products, locations, currencies) = columns(keys.clone());
    let places: HashMap<(Uuid, &str, &str), usize> =
        keys.zip(&missing).map(|(key, at)| ((key.product_id.0, key.location.as_str(), key.currency.as_str()), *at)).collect();
    for row in postgres::query(transaction, ADD_SERIES, &[&products, &locations, &currencies]).await? {
        if let Some(at) = places.get(&(row.get(1), row.get(2), row.get(3))) {
            ids[*at] = Some(row.get(0));
        }
    }
    Ok(())
}

fn columns<'a>(keys: impl Iterator<Item = &'a SeriesKey> + Clone) -> (Vec<Uuid>, Vec<&'a str>, Vec<&'a str>) {
    (
        keys.clone().map(|key| key.product_id.0).collect(),
        keys.clone().map(|key| key.location.as_str()).collect(),
        keys.map(|key| key.currency.as_str()).collect(),
    )
}

async fn add_facts(transaction: &Transaction<'_>, batch: &Batch<'_>, ids: &[i32]) -> Result<u64, DatabaseError> {
    let mut facts: Vec<&Fact> = batch.facts.iter().collect();
    facts.sort_unstable_by_key(|fact| (ids[fact.series], fact.version));
    let series: Vec<i32> = facts.iter().map(|fact| ids[fact.series]).collect();
    let versions: Vec<i64> = facts.iter().map(|fact| fact.version).collect();
    let times: Vec<_> = facts.iter().map(|fact| fact.occurred_at.timestamp()).collect();
    let quantities: Vec<i64> = facts.iter().map(|fact| fact.quantity).collect();
    let amounts: Vec<Decimal> = facts.iter().map(|fact| fact.amount).collect();
    postgres::execute(transaction, ADD_FACTS, &[&series, &versions, &times, &quantities, &amounts]).await
}

async fn add_cells(transaction: &Transaction<'_>, sql: &str, deltas: &[Delta], ids: &[i32]) -> Result<u64, DatabaseError> {
    let mut deltas: Vec<&Delta> = deltas.iter().collect();
    deltas.sort_unstable_by_key(|delta| (ids[delta.series], delta.start));
    let series: Vec<i32> = deltas.iter().map(|delta| ids[delta.series]).collect();
    let starts: Vec<Date> = deltas.iter().map(|delta| delta.start).collect();
    let sold: Vec<i64> = deltas.iter().map(|delta| delta.figures.units_sold).collect();
    let returned: Vec<i64> = deltas.iter().map(|delta| delta.figures.units_returned).collect();
    let sales: Vec<i64> = deltas.iter().map(|delta| delta.figures.sales).collect();
    let revenues: Vec<Decimal> = deltas.iter().map(|delta| delta.figures.revenue).collect();
    postgres::execute(transaction, sql, &[&series, &starts, &sold, &returned, &sales, &revenues]).await
}

/// What a report reads of the facts and rollups: the pieces of a window ($1 to $10) of some series ($11) or all, each cell
/// with its series and its time.
///
/// Reports are planned anew for each question, with its values in place ([`ask`]): an empty piece becomes an index scan that finds
/// nothing at once, and an absent filter is no filter. A condition on series stands in every piece, because the planner pushes no join into a union.
macro_rules! cells {
    () => {
        "SELECT series, month::timestamp AS at, units_sold, units_returned, sales, revenue FROM sales_month
             WHERE month >= $1 AND month < $2 AND ($11::int[] IS NULL OR series = ANY ($11))
         UNION ALL
         SELECT series, day::timestamp, units_sold, units_returned, sales, revenue FROM sales_day
             WHERE day >= $3 AND day < $4 AND ($11::int[] IS NULL OR series = ANY ($11))
         UNION ALL
         SELECT series, day::timestamp, units_sold, units_returned, sales, revenue FROM sales_day
             WHERE day >= $5 AND day < $6 AND ($11::int[] IS NULL OR series = ANY ($11))
         UNION ALL
         SELECT series, occurred_at AT TIME ZONE 'UTC', greatest(quantity, 0)::bigint, greatest(-quantity, 0)::bigint,
             (quantity > 0)::int::bigint, amount
         FROM fact WHERE occurred_at >= $7 AND occurred_at < $8 AND ($11::int[] IS NULL OR series = ANY ($11))
         UNION ALL
         SELECT series, occurred_at AT TIME ZONE 'UTC', greatest(quantity, 0)::bigint, greatest(-quantity, 0)::bigint,
             (quantity > 0)::int::bigint, amount
         FROM fact WHERE occurred_at >= $9 AND occurred_at < $10 AND ($11::int[] IS NULL OR series = ANY ($11))"
    };
}

/// Plan: each piece by the index on its time (months by a scan of their small table), hashed by series, and only then, with one row a
/// series left, joined to product and filtered; a top-N sort at the end.
const BEST_SELLERS: &str = concat!(
    "WITH by_series AS MATERIALIZED (
         SELECT series, sum(units_sold) AS units_sold, sum(units_returned) AS units_returned, sum(sales) AS sales, sum(revenue) AS revenue
         FROM (",
    cells!(),
    ") cell GROUP BY series)
     SELECT p.id, p.sku, p.name, p.category, min(s.currency), max(s.currency),
         sum(b.units_sold)::bigint, sum(b.units_returned)::bigint, sum(b.sales)::bigint, sum(b.revenue)
     FROM by_series b JOIN series s ON s.id = b.series JOIN product p ON p.id = s.product_id
     WHERE ($12::text IS NULL OR p.category = $12) AND ($13::text IS NULL OR s.location = $13) AND ($14::text IS NULL OR s.currency = $14)
     GROUP BY p.id HAVING sum(b.sales) > 0
     ORDER BY CASE WHEN $15 THEN sum(b.units_sold) ELSE sum(b.revenue) END DESC, p.sku, p.id LIMIT $16"
);

/// Plan: each piece by the index on its time, or a scan where it is most of the table; of one product, by the primary keys instead; joined
/// to series, and to product only where a category is asked for, by hash; grouped by hash.
const SALES: &str = concat!(
    "SELECT date_trunc($12, cell.at), min(s.currency), max(s.currency),
         sum(units_sold)::bigint, sum(units_returned)::bigint, sum(sales)::bigint, sum(revenue)
     FROM (",
    cells!(),
    ") cell JOIN series s ON s.id = cell.series LEFT JOIN product p ON p.id = s.product_id
     WHERE ($13::text IS NULL OR p.category = $13) AND ($14::text IS NULL OR s.currency = $14)
     GROUP BY 1 ORDER BY 1"
);

/// Plan: as [`SALES`], over the months alone.
const MONTHS: &str = "
    SELECT min(c.month), max(c.month)
    FROM sales_month c JOIN series s ON s.id = c.series LEFT JOIN product p ON p.id = s.product_id
    WHERE c.month >= $1 AND c.month < $2 AND ($3::int[] IS NULL OR c.series = ANY ($3))
        AND ($4::text IS NULL OR p.category = $4) AND ($5::text IS NULL OR s.currency = $5)";

/// Plan: one look-up in the primary key, or in the index on SKU, and its few series by their unique index.
const FIND_PRODUCT: &str = "
    SELECT s.id FROM product p LEFT JOIN series s ON s.product_id = p.id WHERE p.id = $1 OR p.sku = $2";

/// Which best sellers are asked for; a filter that is absent takes everything.
#[derive(Debug, Clone, Default)]
pub(crate) struct BestSellersFilter {
    pub(crate) category: Option<Category>,
    pub(crate) location: Option<Location>,
    pub(crate) currency: Option<Currency>,
}

/// Which sales are asked for; a filter that is absent takes everything.
#[derive(Debug, Clone, Default)]
pub(crate) struct SalesFilter {
    /// Those of one product.
    pub(crate) series: Option<Vec<i32>>,
    pub(crate) category: Option<Category>,
    pub(crate) currency: Option<Currency>,
}

/// A product's figures in a window.
#[derive(Debug, Clone)]
pub(crate) struct Ranked {
    pub(crate) product_id: ProductId,
    pub(crate) sku: Sku,
    pub(crate) name: Name,
    pub(crate) category: Category,
    pub(crate) currency: Option<Currency>,
    pub(crate) figures: Figures,
}

/// An interval's figures, and the currencies that they are a sum over: the first and the last by their codes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sold {
    pub(crate) start: DateTime,
    pub(crate) currencies: (Currency, Currency),
    pub(crate) figures: Figures,
}

/// A parameter and its type.
type Parameter<'a> = (&'a (dyn ToSql + Sync), Type);

/// Asks without a prepared statement, so that the plan is made for these very values.
async fn ask(database: &Database, sql: &str, parameters: &[Parameter<'_>]) -> Result<Vec<Row>, DatabaseError> {
    Ok(database.get().await?.query_typed(sql, parameters).await?)
}

/// The window's parameters, $1 to $10.
fn window(pieces: &Pieces) -> Vec<Parameter<'_>> {
    let Pieces { months, days: [first_days, last_days], facts: [first_facts, last_facts] } = pieces;
    let dates = [&months.0, &months.1, &first_days.0, &first_days.1, &last_days.0, &last_days.1];
    let times = [&first_facts.0, &first_facts.1, &last_facts.0, &last_facts.1];
    let dates = dates.into_iter().map(|date| (date as &(dyn ToSql + Sync), Type::DATE));
    let times = times.into_iter().map(|time| (time as &(dyn ToSql + Sync), Type::TIMESTAMPTZ));
    dates.chain(times).collect()
}

/// Products with a sale in the window, best first.
pub(crate) async fn best_sellers(
    database: &Database,
    pieces: &Pieces,
    filter: &BestSellersFilter,
    by: By,
    limit: u32,
) -> Result<Vec<Ranked>, DatabaseError> {
    let category = filter.category.as_ref().map(Category::as_str);
    let location = filter.location.as_ref().map(Location::as_str);
    let currency = filter.currency.as_ref().map(Currency::as_str);
    let (by_units, limit) = (by == By::Units, i64::from(limit));
    let every_series: Option<&[i32]> = None;
    let mut parameters = window(pieces);
    parameters.extend([
        (&every_series as &(dyn ToSql + Sync), Type::INT4_ARRAY),
        (&category, Type::TEXT),
        (&location, Type::TEXT),
        (&currency, Type::TEXT),
    ]);
    parameters.extend([(&by_units as &(dyn ToSql + Sync), Type::BOOL), (&limit, Type::INT8)]);
    let rows = ask(database, BEST_SELLERS, &parameters).await?;
    rows.iter().map(ranked).collect()
}

fn ranked(row: &Row) -> Result<Ranked, DatabaseError> {
    let (first, last) = currencies(row, 4)?;
    Ok(Ranked {
        product_id: ProductId(row.try_get(0)?),
        sku: Sku::trusted(row.try_get(1)?),
        name: Name::trusted(row.try_get(2)?),
        category: Category::trusted(row.try_get(3)?),
        currency: (first == last).then_some(first),
        figures: figures(row, 6)?,
    })
}

/// What was sold in a window by intervals; only those with a sale or return, in order.
pub(crate) async fn sales(
    database: &Database,
    pieces: &Pieces,
    interval: Interval,
    filter: &SalesFilter,
) -> Result<Vec<Sold>, DatabaseError> {
    let (interval, series) = (interval.as_str(), filter.series.as_deref());
    let (category, currency) = (filter.category.as_ref().map(Category::as_str), filter.currency.as_ref().map(Currency::as_str));
    let mut parameters = window(pieces);
    parameters.extend([
        (&series as &(dyn ToSql + Sync), Type::INT4_ARRAY),
        (&interval, Type::TEXT),
        (&category, Type::TEXT),
        (&currency, Type::TEXT),
    ]);
    let rows = ask(database, SALES, &parameters).await?;
    rows.iter().map(|row| Ok(Sold { start: row.try_get(0)?, currencies: currencies(row, 1)?, figures: figures(row, 3)? })).collect()
}

/// The first and the last of `months` in which anything was sold or returned.
pub(crate) async fn months(
    database: &Database,
    months: (Date, Date),
    filter: &SalesFilter,
) -> Result<(Option<Date>, Option<Date>), DatabaseError> {
    let (category, currency) = (filter.category.as_ref().map(Category::as_str), filter.currency.as_ref().map(Currency::as_str));
    let parameters: [Parameter<'_>; 5] = [
        (&months.0, Type::DATE),
        (&months.1, Type::DATE),
        (&filter.series, Type::INT4_ARRAY),
        (&category, Type::TEXT),
        (&currency, Type::TEXT),
    ];
    let rows = ask(database, MONTHS, &parameters).await?;
    let Some(row) = rows.first() else { return Ok((None, None)) };
    Ok((row.try_get(0)?, row.try_get(1)?))
}

/// The series of a product; `None` for one that is not known here.
pub(crate) async fn find_product(database: &Database, product: &ProductRef) -> Result<Option<Vec<i32>>, DatabaseError> {
    let (id, sku) = match product {
        ProductRef::Id(id) => (Some(id.0), None),
        ProductRef::Sku(sku) => (None, Some(sku.as_str())),
    };
    let rows = ask(database, FIND_PRODUCT, &[(&id, Type::UUID), (&sku, Type::TEXT)]).await?;
    let series = rows.iter().map(|row| row.try_get::<_, Option<i32>>(0)).collect::<Result<Vec<_>, _>>()?;
    Ok((!rows.is_empty()).then(|| series.into_iter().flatten().collect()))
}

fn figures(row: &Row, at: usize) -> Result<Figures, DatabaseError> {
    Ok(Figures {
        units_sold: row.try_get(at)?,
        units_returned: row.try_get(at + 1)?,
        sales: row.try_get(at + 2)?,
        revenue: row.try_get(at + 3)?,
    })
}

fn currencies(row: &Row, at: usize) -> Result<(Currency, Currency), DatabaseError> {
    let known = |text: &str| Currency::parse(text).map_err(|invalid| DatabaseError::codec(serde::de::Error::custom(invalid)));
    Ok((known(row.try_get(at)?)?, known(row.try_get(at + 1)?)?))
}

/// What was sold of each stock stream, from the facts alone, to be compared with Stock's ledger; streams that sold nothing have zeros.
/// Plan: one scan of the facts, hashed by series; hash joins to series and to `applied`.
const SALES_ACCOUNT: Account = Account {
    name: "sales",
    sums: &["units_sold", "units_returned", "sales", "revenue"],
    sql: "
        SELECT a.stream, a.version, ARRAY[coalesce(f.units_sold, 0)::text, coalesce(f.units_returned, 0)::text,
            coalesce(f.sales, 0)::text, trim_scale(coalesce(f.revenue, 0))::text] AS sums
        FROM applied a LEFT JOIN (
            SELECT s.product_id::text || '@' || s.location AS stream, sum(c.units_sold)::bigint AS units_sold,
                sum(c.units_returned)::bigint AS units_returned, sum(c.sales)::bigint AS sales, sum(c.revenue) AS revenue
            FROM (SELECT series, sum(quantity) FILTER (WHERE quantity > 0) AS units_sold, -sum(quantity) FILTER (WHERE quantity < 0) AS units_returned,
                    count(*) FILTER (WHERE quantity > 0) AS sales, sum(amount) AS revenue
                FROM fact GROUP BY series) c
            JOIN series s ON s.id = c.series GROUP BY 1) f ON f.stream = a.stream
        WHERE a.version > 0 AND a.stream LIKE '%@%'",
};

/// The copies of products, to be compared with Product. Plan: a scan of the copies.
const PRODUCTS_ACCOUNT: Account = Account {
    name: "products",
    sums: &["min_stock", "archived"],
    sql: "SELECT id::text AS stream, version, ARRAY[min_stock::text, archived::int::text] AS sums FROM product WHERE version > 0",
};

/// The rollups against their facts: one sentence for each cell that differs, at most a hundred.
/// Plan: series by series, so that memory stays small however many facts there are: its facts by the primary key, hashed by day, those by
/// month, each in a full hash join with the series' cells by their primary key. A sentence is made only for what differs.
const ROLLUPS_CHECK: Check = Check {
    sql: "
        SELECT format('the sales of %s %s of %s@%s in %s are rolled up as %s, the facts say %s', d.grain, d.start, s.product_id, s.location, s.currency,
            format('%s sold, %s returned, %s sales, revenue %s', d.sold, d.returned, d.sales, trim_scale(d.revenue)),
            format('%s sold, %s returned, %s sales, revenue %s', d.facts_sold, d.facts_returned, d.facts_sales, trim_scale(d.facts_revenue)))
        FROM series s CROSS JOIN LATERAL (
            WITH day AS MATERIALIZED (
                SELECT (occurred_at AT TIME ZONE 'UTC')::date AS start, coalesce(sum(quantity) FILTER (WHERE quantity > 0), 0) AS sold,
                    coalesce(-sum(quantity) FILTER (WHERE quantity < 0), 0) AS returned, count(*) FILTER (WHERE quantity > 0) AS sales,
                    sum(amount) AS revenue
                FROM fact WHERE series = s.id GROUP BY 1),
            month AS (
                SELECT date_trunc('month', start::timestamp)::date AS start, sum(sold) AS sold, sum(returned) AS returned, sum(sales) AS sales,
                    sum(revenue) AS revenue
                FROM day GROUP BY 1)
            SELECT 'day' AS grain, coalesce(c.day, f.start) AS start, c.units_sold AS sold, c.units_returned AS returned, c.sales, c.revenue,
                f.sold AS facts_sold, f.returned AS facts_returned, f.sales AS facts_sales, f.revenue AS facts_revenue
            FROM day f FULL JOIN (SELECT * FROM sales_day WHERE series = s.id) c ON c.day = f.start
            WHERE (c.units_sold, c.units_returned, c.sales, c.revenue) IS DISTINCT FROM (f.sold, f.returned, f.sales, f.revenue)
            UNION ALL
            SELECT 'month', coalesce(c.month, f.start), c.units_sold, c.units_returned, c.sales, c.revenue, f.sold, f.returned, f.sales, f.revenue
            FROM month f FULL JOIN (SELECT * FROM sales_month WHERE series = s.id) c ON c.month = f.start
            WHERE (c.units_sold, c.units_returned, c.sales, c.revenue) IS DISTINCT FROM (f.sold, f.returned, f.sales, f.revenue)) d
        ORDER BY s.id, d.grain, d.start LIMIT 100",
};

/// The books of this service.
pub(crate) const KEEPER: Keeper = Keeper {
    service: "analytics",
    accounts: &[SALES_ACCOUNT, APPLIED_STOCK, APPLIED_PRODUCTS, PRODUCTS_ACCOUNT],
    checks: &[ROLLUPS_CHECK],
};
