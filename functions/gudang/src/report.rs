//! `gudang report`: a report of Analytics as a table, or its own JSON or CSV byte for byte.
//!
//! Parameters are handed on as they are: the service judges them, so that flag and parameter never differ.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde::Deserialize;

use crate::client::{Services, query};
use crate::config::Urls;
use crate::table::{self, grouped, table};

/// Which report.
#[derive(Debug, Subcommand)]
pub(crate) enum What {
    /// What sells best, by units or by revenue
    BestSellers(BestSellersOptions),
    /// Sales over time
    Sales(SalesOptions),
}

/// What every report takes.
#[derive(Debug, Args)]
pub(crate) struct Common {
    /// From this date or time on (2010-12-01 or 2010-12-01T08:00:00Z)
    #[arg(long)]
    from: Option<String>,
    /// Before this date or time
    #[arg(long)]
    to: Option<String>,
    /// Only products of this category
    #[arg(long)]
    category: Option<String>,
    /// Only sales in this currency
    #[arg(long)]
    currency: Option<String>,
    /// Print the service's JSON as it is
    #[arg(long, conflicts_with = "csv")]
    json: bool,
    /// Print the service's CSV as it is
    #[arg(long)]
    csv: bool,
    #[command(flatten)]
    urls: Urls,
}

/// `gudang report best-sellers`.
#[derive(Debug, Args)]
pub(crate) struct BestSellersOptions {
    /// What to rank by: units or revenue
    #[arg(long)]
    by: Option<String>,
    /// Only sales at this location
    #[arg(long)]
    location: Option<String>,
    /// How many
    #[arg(long)]
    limit: Option<String>,
    #[command(flatten)]
    common: Common,
}

/// `gudang report sales`.
#[derive(Debug, Args)]
pub(crate) struct SalesOptions {
    /// hour, day, week or month
    #[arg(long)]
    interval: Option<String>,
    /// Only this product, by id or SKU
    #[arg(long)]
    product: Option<String>,
    #[command(flatten)]
    common: Common,
}

/// The answer of `best-sellers`, as far as a table shows it.
#[derive(Deserialize)]
pub(crate) struct BestSellers {
    items: Vec<BestSeller>,
}

#[derive(Deserialize)]
struct BestSeller {
    rank: u64,
    sku: String,
    name: String,
    category: String,
    currency: Option<String>,
    units_sold: i64,
    units_returned: i64,
    revenue: String,
    sales: i64,
}

/// The answer of `sales`, as far as a table shows it.
#[derive(Deserialize)]
struct Sales {
    items: Vec<Interval>,
}

#[derive(Deserialize)]
struct Interval {
    start: String,
    units_sold: i64,
    units_returned: i64,
    revenue: String,
    sales: i64,
}

/// Makes a table of an answer.
type Show = fn(&[u8]) -> serde_json::Result<String>;

/// Asks for a report and shows it.
pub(crate) async fn run(what: What) -> anyhow::Result<ExitCode> {
    let (path, common, show): (_, _, Show) = match &what {
        What::BestSellers(BestSellersOptions { by, location, limit, common }) => {
            let parameters = [("by", by.as_deref()), ("location", location.as_deref()), ("limit", limit.as_deref())];
            (address("best-sellers", &parameters, common), common, |body| Ok(best_sellers_table(&serde_json::from_slice(body)?)))
        }
        What::Sales(SalesOptions { interval, product, common }) => {
            let parameters = [("interval", interval.as_deref()), ("product", product.as_deref())];
            (address("sales", &parameters, common), common, |body| Ok(sales_table(&serde_json::from_slice(body)?)))
        }
    };
    let analytics = Services::new(&common.urls)?.analytics;
    let body = analytics.get(&path, if common.csv { "text/csv" } else { "application/json" }).await?;
    if common.json || common.csv {
        table::write(&body)?;
    } else {
        table::line(&show(&body)?)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn address(report: &str, parameters: &[(&str, Option<&str>)], common: &Common) -> String {
    let shared = [
        ("from", common.from.as_deref()),
        ("to", common.to.as_deref()),
        ("category", common.category.as_deref()),
        ("currency", common.currency.as_deref()),
    ];
    format!("/v1/reports/{report}{}", query(&[parameters, &shared].concat()))
}

/// Best sellers as a table.
pub(crate) fn best_sellers_table(report: &BestSellers) -> String {
    let columns = [">rank", "sku", "name", "category", ">units sold", ">returned", ">revenue", "currency", ">sales"];
    let row = |item: &BestSeller| {
        vec![
            item.rank.to_string(),
            item.sku.clone(),
            item.name.clone(),
            item.category.clone(),
            grouped(&item.units_sold.to_string()),
            grouped(&item.units_returned.to_string()),
            grouped(&item.revenue),
            item.currency.clone().unwrap_or_else(|| "several".to_owned()),
            grouped(&item.sales.to_string()),
        ]
    };
    if report.items.is_empty() { "nothing was sold".to_owned() } else { table(&columns, report.items.iter().map(row)) }
}

fn sales_table(report: &Sales) -> String {
    let columns = ["start", ">units sold", ">returned", ">revenue", ">sales"];
    let row = |item: &Interval| {
        vec![
            item.start.clone(),
            grouped(&item.units_sold.to_string()),
            grouped(&item.units_returned.to_string()),
            grouped(&item.revenue),
            grouped(&item.sales.to_string()),
        ]
    };
    if report.items.is_empty() { "nothing was sold".to_owned() } else { table(&columns, report.items.iter().map(row)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_shows_what_the_service_answered() {
        let answer = r#"{"from": null, "to": null, "by": "units", "items": [{"rank": 1, "product_id": "x", "sku": "22197",
            "name": "SMALL POPCORN HOLDER", "category": "Giftware", "currency": "GBP", "units_sold": 56450, "units_returned": 10,
            "revenue": "51334.47", "sales": 1406}]}"#;
        let shown = best_sellers_table(&serde_json::from_str(answer).expect("an answer"));
        for part in ["22197", "SMALL POPCORN HOLDER", "56,450", "51,334.47", "1,406"] {
            assert!(shown.contains(part), "{part}: {shown}");
        }
    }
}
