//! What a long past costs: the same changes on a ledger of ten million rows and on one of ten thousand, and reads of what has grown large.

use std::time::{Duration, Instant};

use anyhow::ensure;
use serde_json::Value;
use testkit::Program;

use crate::comparison::{Aim, Claim, Comparison, Figures, of};
use crate::over_http::{HOT, Load, UNIFORM};
use crate::place::Place;

const CONNECTIONS: u32 = 64;
const PRODUCTS: u32 = 10_000;
/// Products of the list that is walked through.
const MANY_PRODUCTS: u32 = 100_000;
/// Rows that each product of the long past has.
const VERSIONS: u32 = 1_000;
/// How many times as many the largest product has.
const LARGEST: u32 = 50;
/// Questions of what the largest product's stock was.
const QUESTIONS: u32 = 1_000;
const PAGE: u32 = 500;
const DAY: Duration = Duration::from_hours(24);
/// Days that the past spans.
const DAYS: u32 = 300;
/// Where the updates of levels went.
const UPDATES: &str = "SELECT n_tup_hot_upd, n_tup_upd FROM pg_stat_user_tables WHERE relname = 'level'";

const PARTS: [(&str, &str, &str); 4] = [
    ("short", HOT, "hot, 10 thousand rows: changes a second"),
    ("long", HOT, "hot, 10 million rows: changes a second"),
    ("short", UNIFORM, "uniform, 10 thousand rows: changes a second"),
    ("long", UNIFORM, "uniform, 10 million rows: changes a second"),
];
const AS_OF: &str = "stock of the largest product at some time: p99 ms";
const WALK: &str = "levels of 100,000 products, 500 a page: seconds";
const ON_PAGE: &str = "updates of levels that stay on their page (HOT), share";

/// Growth.
pub(crate) const GROWTH: Comparison<Place> = Comparison {
    name: "growth",
    measure,
    claims: &[
        Claim {
            says: "10 million rows: cost of a change, hot / 10 thousand rows",
            figure: |figures| of(figures, PARTS[0].2) / of(figures, PARTS[1].2),
            aim: Aim::AtMost(1.1),
        },
        Claim {
            says: "10 million rows: cost of a change, uniform / 10 thousand rows",
            figure: |figures| of(figures, PARTS[2].2) / of(figures, PARTS[3].2),
            aim: Aim::AtMost(1.6),
        },
        Claim { says: "as_of of the largest product, p99 ms", figure: |figures| of(figures, AS_OF), aim: Aim::AtMost(10.0) },
        Claim { says: "walk through 100,000 levels, seconds", figure: |figures| of(figures, WALK), aim: Aim::AtMost(5.0) },
        Claim { says: "HOT updates of levels, share", figure: |figures| of(figures, ON_PAGE), aim: Aim::AtLeast(0.95) },
    ],
};

/// Stocks that have a past.
pub(crate) struct Past {
    short: Program,
    long: Program,
    wide: Program,
}

impl Past {
    /// Makes it; that takes minutes.
    pub(crate) fn make(place: &Place) -> anyhow::Result<Self> {
        eprintln!("bench: making ten million rows");
        Ok(Self {
            short: place.stock_with_past("short", PRODUCTS, 1, 1)?,
            long: place.stock_with_past("long", PRODUCTS, VERSIONS, LARGEST)?,
            wide: place.stock_with_past("wide", MANY_PRODUCTS, 1, 1)?,
        })
    }
}

fn measure(place: &Place) -> anyhow::Result<Figures> {
    let past = place.past()?;
    let mut figures = Figures::new();
    for (rows, product, name) in PARTS {
        let stock = if rows == "long" { &past.long } else { &past.short };
        figures.insert(name, place.load_on(stock, Load::closed(product, CONNECTIONS, 1))?.changes_per_second);
    }
    place.settle()?;
    figures.insert(AS_OF, place.block_on(as_of(&past.long))?);
    figures.insert(WALK, place.block_on(walk(&past.wide))?);
    let (on_page, all) = place.two_numbers("long", UPDATES)?;
    figures.insert(ON_PAGE, on_page as f64 / all as f64);
    Ok(figures)
}

/// Asks what the largest product's stock was at times spread over its whole past.
async fn as_of(stock: &Program) -> anyhow::Result<f64> {
    let http = stock.http();
    let day_one: jiff::Timestamp = "2025-01-01T00:00:00Z".parse()?;
    let mut took = Vec::new();
    for question in 0..QUESTIONS {
        let time = day_one + DAY * DAYS * question / QUESTIONS;
        let begun = Instant::now();
        let answer = http.get(&format!("/v1/stock/load-hot?as_of={time}")).await;
        took.push(begun.elapsed());
        ensure!(answer.status == 200, "as_of was answered with {}", answer.text());
        check_past(&answer.json(), question)?;
    }
    took.sort_unstable();
    Ok(took[took.len() * 99 / 100].as_secs_f64() * 1000.0)
}

/// What was sold by then, give or take what was dated back: three days of it at most.
fn check_past(level: &Value, question: u32) -> anyhow::Result<()> {
    let rows = i64::from(VERSIONS * LARGEST);
    let (expected, back) = (rows * i64::from(question) / i64::from(QUESTIONS), rows * 3 / i64::from(DAYS) / 100 + 2);
    let on_hand = level["on_hand"].as_i64().unwrap_or(-1);
    let sold = if expected == 0 { -on_hand } else { 1_000_000_001 - on_hand };
    ensure!((sold - expected).abs() <= back, "of question {question}: {level}, about {expected} rows were expected");
    Ok(())
}

/// Walks through all levels.
async fn walk(stock: &Program) -> anyhow::Result<f64> {
    let http = stock.http();
    let begun = Instant::now();
    let (mut seen, mut cursor) = (0, String::new());
    loop {
        let page = http.get(&format!("/v1/stock?limit={PAGE}{cursor}")).await;
        ensure!(page.status == 200, "a page was answered with {}", page.text());
        let page = page.json();
        seen += page["items"].as_array().map_or(0, Vec::len);
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    let took = begun.elapsed();
    ensure!(seen == MANY_PRODUCTS as usize + 1, "{seen} levels were listed");
    Ok(took.as_secs_f64())
}
