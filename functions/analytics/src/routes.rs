//! The reports over HTTP: reads the question, asks the store, shows the answer as JSON or CSV.
//!
//! It knows no SQL and adds nothing up.

use axum::extract::State;
use contract::{Category, Currency, Invalid, Location, ProductRef};
use fault::Problem;
use postgres::Database;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use web::csv_answer::Accept;
use web::{Answer, Failure, Limit, Query};

use crate::answer::{self, BestSellers, Sales};
use crate::rule::{self, Bound, By, Grain, Interval, MAX_INTERVALS, Window};
use crate::store::{self, BestSellersFilter, SalesFilter};

/// Best sellers when nothing is said.
const BEST_SELLERS: u32 = 10;

/// The reports.
pub(crate) fn reports(database: Database) -> OpenApiRouter {
    OpenApiRouter::new().routes(routes!(best_sellers)).routes(routes!(sales)).with_state(database)
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct BestSellersQuery {
    /// Inclusive: a date, which means its midnight in UTC, or a time. Absent: from the beginning.
    from: Option<String>,
    /// Exclusive, as `from`. Absent: to the end.
    to: Option<String>,
    /// What the order is by, descending; ties by SKU. Default `units`.
    #[serde(default)]
    #[param(inline)]
    by: By,
    /// Only products that are of this category today.
    category: Option<String>,
    /// Only what was sold at this location.
    location: Option<String>,
    /// Only what was sold in this currency.
    currency: Option<String>,
    /// At most so many products, 1 to 500. Default 10.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 500, default = 10)]
    limit: Option<Limit>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct SalesQuery {
    /// How long an interval is. Default `day`.
    #[serde(default)]
    #[param(inline)]
    interval: Interval,
    /// Only this product, by id or SKU. One that is not known here has an empty list.
    product: Option<String>,
    /// Only products that are of this category today.
    category: Option<String>,
    /// Inclusive: a date, which means its midnight in UTC, or a time. Absent: from the first sale or return.
    from: Option<String>,
    /// Exclusive, as `from`. Absent: to the last sale or return.
    to: Option<String>,
    /// Only what was sold in this currency.
    currency: Option<String>,
}

/// Ranks the products that were sold in a window by units or by revenue.
#[utoipa::path(get, path = "/v1/reports/best-sellers", tag = "reports", params(BestSellersQuery),
    responses((status = 200, content((BestSellers = "application/json"), (String = "text/csv")))))]
async fn best_sellers(State(database): State<Database>, accept: Accept, Query(query): Query<BestSellersQuery>) -> Answer {
    let (from, to) = (parsed("from", query.from, Bound::parse)?, parsed("to", query.to, Bound::parse)?);
    let pieces = window(from.as_ref(), to.as_ref())?.pieces(Grain::Month);
    let filter = BestSellersFilter {
        category: parsed("category", query.category, Category::parse)?,
        location: parsed("location", query.location, Location::parse)?,
        currency: parsed("currency", query.currency, Currency::parse)?,
    };
    let limit = query.limit.map_or(BEST_SELLERS, Limit::get);
    let ranked = store::best_sellers(&database, &pieces, &filter, query.by, limit).await.map_err(|error| Failure::of(&error))?;
    Ok(answer::best_sellers(accept, from, to, query.by, ranked))
}

/// Adds up what was sold and returned by hours, days, weeks or months, empty ones included; at most 10,000 of them.
#[utoipa::path(get, path = "/v1/reports/sales", tag = "reports", params(SalesQuery),
    responses((status = 200, content((Sales = "application/json"), (String = "text/csv")))))]
async fn sales(State(database): State<Database>, accept: Accept, Query(query): Query<SalesQuery>) -> Answer {
    let (from, to) = (parsed("from", query.from, Bound::parse)?, parsed("to", query.to, Bound::parse)?);
    let window = window(from.as_ref(), to.as_ref())?;
    let mut filter = SalesFilter {
        series: None,
        category: parsed("category", query.category, Category::parse)?,
        currency: parsed("currency", query.currency, Currency::parse)?,
    };
    if let Some(product) = &query.product {
        filter.series = series_of(&database, product).await?;
        if filter.series.is_none() {
            return Ok(answer::sales(accept, query.interval, filter.currency, Vec::new()));
        }
    }
    let found = sold(&database, query.interval, window, &filter).await?;
    let currency = filter.currency.or(rule::common(found.iter().map(|sold| sold.currencies)));
    let rows: Vec<_> = found.iter().map(|sold| (sold.start, sold.figures)).collect();
    let slots = rule::fill(query.interval, window, &rows).map_err(too_many)?;
    Ok(answer::sales(accept, query.interval, currency, slots))
}

/// What was sold, by intervals. A report by hours that must be refused is refused before it reads any fact.
async fn sold(database: &Database, interval: Interval, window: Window, filter: &SalesFilter) -> Answer<Vec<store::Sold>> {
    if interval == Interval::Hour {
        let (first, last) = store::months(database, window.months_touched(), filter).await.map_err(|error| Failure::of(&error))?;
        if rule::too_many_hours(window, first, last) {
            return Err(too_many(rule::TooMany));
        }
    }
    store::sales(database, &window.pieces(interval.grain()), interval, filter).await.map_err(|error| Failure::of(&error))
}

/// The series of a product as a query names it; what could be no product's name is as unknown as any other.
async fn series_of(database: &Database, product: &str) -> Answer<Option<Vec<i32>>> {
    match ProductRef::parse(product) {
        Some(product) => store::find_product(database, &product).await.map_err(|error| Failure::of(&error)),
        None => Ok(None),
    }
}

/// Reads a parameter by its own rule; a wrong one is 422 and named.
fn parsed<T>(name: &str, text: Option<String>, parse: fn(&str) -> Result<T, Invalid>) -> Result<Option<T>, Problem> {
    text.map(|text| parse(&text)).transpose().map_err(|invalid| Problem::field(name, invalid.code, invalid.detail))
}

fn window(from: Option<&Bound>, to: Option<&Bound>) -> Result<Window, Problem> {
    Window::new(from.map(|from| from.at), to.map(|to| to.at))
        .ok_or_else(|| Problem::field("from", "out_of_order", "must be before `to`, or the window has nothing in it"))
}

fn too_many(_: rule::TooMany) -> Failure {
    let detail = format!("there would be more than {MAX_INTERVALS} intervals: choose longer ones, or a shorter range by `from` and `to`");
    Problem::field("interval", "too_many_intervals", detail).into()
}
