//! What reports and alerts must have come to, computed from the rows that Stock lists. Shares no code with the product.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use super::load::price_cents;

/// Units sold, units returned, number of sales, revenue in hundredths.
#[derive(Debug, Default)]
struct Sums {
    sold: i64,
    returned: i64,
    sales: i64,
    cents: i64,
}

impl Sums {
    fn add(&mut self, change: &Value) {
        let quantity = number(&change["quantity"]);
        let cents = change["unit_price"].as_str().map(cents).or_else(|| price_cents(text(&change["sku"]))).unwrap_or_default();
        match text(&change["type"]) {
            "SALE" => (self.sold, self.sales, self.cents) = (self.sold + quantity, self.sales + 1, self.cents + quantity * cents),
            "RETURN" => (self.returned, self.cents) = (self.returned + quantity, self.cents - quantity * cents),
            _ => {}
        }
    }

    fn reported(item: &Value) -> Self {
        Self {
            sold: number(&item["units_sold"]),
            returned: number(&item["units_returned"]),
            sales: number(&item["sales"]),
            cents: cents(text(&item["revenue"])),
        }
    }

    fn is_nothing(&self) -> bool {
        self.sales == 0 && self.returned == 0
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn number(value: &Value) -> i64 {
    value.as_i64().expect("a whole number")
}

/// Amounts here never have more than two places, and are answered with no less.
fn cents(amount: &str) -> i64 {
    amount.replace('.', "").parse().expect("an amount")
}

/// A line of the report of best sellers. The rank is left out: ties of the report are by SKU, and that is not asked here.
pub(super) fn seller(item: &Value) -> String {
    format!("{} named {} {:?}", text(&item["sku"]), text(&item["name"]), Sums::reported(item))
}

/// The report as it must be, of everything.
pub(super) fn best_sellers(changes: &[Value], name: impl Fn(&str) -> String) -> Vec<String> {
    let mut products: BTreeMap<(&str, &str), Sums> = BTreeMap::new();
    for change in changes {
        products.entry((text(&change["sku"]), text(&change["product_id"]))).or_default().add(change);
    }
    let sold = products.into_iter().filter(|(_, sums)| sums.sales > 0);
    sold.map(|((sku, product_id), sums)| format!("{sku} named {} {sums:?}", name(product_id))).collect()
}

/// A line of the report of sales by day; none for a day on which nothing happened.
pub(super) fn day(item: &Value) -> Option<String> {
    let sums = Sums::reported(item);
    (!sums.is_nothing()).then(|| format!("{} {sums:?}", &text(&item["start"])[..10]))
}

/// The report as it must be.
pub(super) fn days(changes: &[Value]) -> Vec<String> {
    let mut days: BTreeMap<&str, Sums> = BTreeMap::new();
    for change in changes {
        days.entry(&text(&change["occurred_at"])[..10]).or_default().add(change);
    }
    days.into_iter().filter(|(_, sums)| !sums.is_nothing()).map(|(day, sums)| format!("{day} {sums:?}")).collect()
}

/// What each of `products` has on its shelves.
pub(super) fn on_hand(changes: &[Value], products: u64) -> Vec<String> {
    let mut units: BTreeMap<String, i64> = (0..products).map(|n| (format!("thing {n}"), 0)).collect();
    for change in changes {
        *units.entry(text(&change["sku"]).to_owned()).or_default() += number(&change["delta"]);
    }
    units.into_iter().map(|(sku, units)| format!("\"{sku}\" {units}")).collect()
}

/// A notification.
pub(super) fn alert(notification: &Value) -> String {
    let end = if notification["resolved_at"].is_null() { " open" } else { "" };
    alert_without_end(notification) + end
}

/// A notification, whether its episode is over or not.
pub(super) fn alert_without_end(notification: &Value) -> String {
    let (product, location) = (text(&notification["product_id"]), text(&notification["location"]));
    format!("{product}@{location} episode {}: {}", notification["episode"], text(&notification["kind"]))
}

/// An episode, open or over.
#[derive(Debug, Default)]
struct Episode {
    number: u64,
    open: bool,
    been_out: bool,
}

/// The notifications that there must be: the contract's episode machine over every stream's rows, in order.
pub(super) fn alerts(journal: &[Value]) -> Vec<String> {
    let mut streams: HashMap<&str, Episode> = HashMap::new();
    let mut alerts: Vec<(&str, u64, &str)> = Vec::new();
    for event in journal {
        let (stream, row) = (text(&event["subject"]), &event["data"]);
        let (available, min_stock) = (number(&row["available"]), number(&row["min_stock"]));
        let episode = streams.entry(stream).or_default();
        let recovered = available >= min_stock + ((min_stock + 9) / 10).max(1);
        if min_stock == 0 {
            episode.open = false;
        } else if episode.open && recovered {
            episode.open = false;
            if episode.been_out {
                alerts.push((stream, episode.number, "BACK_IN_STOCK"));
            }
        } else if available <= 0 && !(episode.open && episode.been_out) {
            *episode = Episode { number: episode.number + u64::from(!episode.open), open: true, been_out: true };
            alerts.push((stream, episode.number, "OUT_OF_STOCK"));
        } else if available < min_stock && !episode.open {
            *episode = Episode { number: episode.number + 1, open: true, been_out: false };
            alerts.push((stream, episode.number, "LOW_STOCK"));
        }
    }
    let line = |(stream, number, kind): (&str, u64, &str)| {
        let last = &streams[stream];
        let end = if last.open && last.number == number { " open" } else { "" };
        format!("{stream} episode {number}: {kind}{end}")
    };
    alerts.into_iter().map(line).collect()
}
