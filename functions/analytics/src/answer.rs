//! What a report looks like: JSON, or CSV with a row an item. It knows no SQL and adds nothing up.

use axum::response::{IntoResponse, Response};
use contract::money::Sum;
use contract::{Category, Currency, Name, ProductId, Sku, Time};
use http::HeaderValue;
use http::header::VARY;
use serde::Serialize;
use utoipa::ToSchema;
use web::Json;
use web::csv_answer::{self, Accept};

use crate::rule::{Bound, By, Interval, Slot};
use crate::store::Ranked;

/// The best sellers of a window.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BestSellers {
    /// As given; null when it was not.
    from: Option<String>,
    /// As given; null when it was not.
    to: Option<String>,
    /// What they are ranked by.
    by: By,
    /// Best first.
    items: Vec<BestSeller>,
}

/// A product that was sold in the window.
#[derive(Debug, Serialize, ToSchema)]
struct BestSeller {
    /// From 1.
    rank: usize,
    /// The product.
    product_id: ProductId,
    /// Its SKU.
    sku: Sku,
    /// Its name today.
    name: Name,
    /// Its category today.
    category: Category,
    /// Of the revenue; null when sales in several currencies were added up.
    currency: Option<Currency>,
    /// Units of sales.
    units_sold: i64,
    /// Units of returns.
    units_returned: i64,
    /// Sales less returns.
    revenue: Sum,
    /// How many sales.
    sales: i64,
}

/// What was sold by intervals.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Sales {
    /// How long each is.
    interval: Interval,
    /// Of the revenues; null when sales in several currencies were added up, or when there were none.
    currency: Option<Currency>,
    /// Oldest first.
    items: Vec<SalesItem>,
}

/// An interval.
#[derive(Debug, Serialize, ToSchema)]
struct SalesItem {
    /// Where it begins, also where the window begins later.
    start: Time,
    /// Units of sales.
    units_sold: i64,
    /// Units of returns.
    units_returned: i64,
    /// Sales less returns.
    revenue: Sum,
    /// How many sales.
    sales: i64,
}

const BEST_SELLER_COLUMNS: [&str; 10] =
    ["rank", "product_id", "sku", "name", "category", "currency", "units_sold", "units_returned", "revenue", "sales"];
const SALES_COLUMNS: [&str; 5] = ["start", "units_sold", "units_returned", "revenue", "sales"];

/// Shows best sellers, best first.
pub(crate) fn best_sellers(accept: Accept, from: Option<Bound>, to: Option<Bound>, by: By, ranked: Vec<Ranked>) -> Response {
    let items = (1..).zip(ranked).map(|(rank, ranked)| BestSeller {
        rank,
        product_id: ranked.product_id,
        sku: ranked.sku,
        name: ranked.name,
        category: ranked.category,
        currency: ranked.currency,
        units_sold: ranked.figures.units_sold,
        units_returned: ranked.figures.units_returned,
        revenue: Sum(ranked.figures.revenue),
        sales: ranked.figures.sales,
    });
    match accept {
        Accept::Csv => csv_answer::write(&BEST_SELLER_COLUMNS, items.map(|item| item.cells())),
        Accept::Json => json(BestSellers { from: from.map(|from| from.text), to: to.map(|to| to.text), by, items: items.collect() }),
    }
}

/// Shows sales by intervals.
pub(crate) fn sales(accept: Accept, interval: Interval, currency: Option<Currency>, slots: Vec<Slot>) -> Response {
    let items = slots.into_iter().map(|slot| SalesItem {
        start: slot.start,
        units_sold: slot.figures.units_sold,
        units_returned: slot.figures.units_returned,
        revenue: Sum(slot.figures.revenue),
        sales: slot.figures.sales,
    });
    match accept {
        Accept::Csv => csv_answer::write(&SALES_COLUMNS, items.map(|item| item.cells())),
        Accept::Json => json(Sales { interval, currency, items: items.collect() }),
    }
}

/// The same address answers in two forms, which a cache in between has to know.
fn json(answer: impl Serialize) -> Response {
    let mut response = Json(answer).into_response();
    response.headers_mut().insert(VARY, HeaderValue::from_static("accept"));
    response
}

impl BestSeller {
    fn cells(&self) -> [String; 10] {
        [
            self.rank.to_string(),
            self.product_id.to_string(),
            self.sku.to_string(),
            self.name.to_string(),
            self.category.to_string(),
            self.currency.map(|currency| currency.to_string()).unwrap_or_default(),
            self.units_sold.to_string(),
            self.units_returned.to_string(),
            self.revenue.to_string(),
            self.sales.to_string(),
        ]
    }
}

impl SalesItem {
    fn cells(&self) -> [String; 5] {
        [
            self.start.to_string(),
            self.units_sold.to_string(),
            self.units_returned.to_string(),
            self.revenue.to_string(),
            self.sales.to_string(),
        ]
    }
}
