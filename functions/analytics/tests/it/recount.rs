//! Reports against a recount that knows no rollups: random facts, random windows, every boundary that there is.

use std::collections::BTreeMap;

use contract::{ChangeType, Time};
use jiff::civil::{DateTime, Weekday};
use jiff::tz::Offset;
use jiff::{Timestamp, ToSpan};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::fixture::World;
use crate::shop::{Movement, Shop, sku};

/// 2010-11-28T00:00:00Z, a Sunday: weeks, months and a year turn within the days that follow.
const BEGIN: i64 = 1_290_902_400;
const DAYS: i64 = 45;

/// A moment, often exactly on a boundary or right beside it, in microseconds.
fn moment() -> impl Strategy<Value = i64> {
    let step = prop_oneof![Just(86_400), Just(3_600), Just(60)];
    let any = 0..DAYS * 86_400;
    (any, step, prop_oneof![Just(-1_i64), Just(0), Just(0), Just(1), 0..3_600_000_000_i64])
        .prop_map(|(second, step, beside)| (BEGIN + second / step * step) * 1_000_000 + beside)
}

#[derive(Debug, Clone)]
struct Fact {
    movement: Movement,
    at: i64,
}

impl Fact {
    /// Units, with the sign of a return, and ten-thousandths of money.
    fn figures(&self) -> (i64, i64) {
        let price = match self.movement.unit_price.or(self.movement.price) {
            Some("0.0001") => 1,
            Some("2.5") => 25_000,
            Some("10") => 100_000,
            _ => 0,
        };
        let units = if self.movement.kind == ChangeType::Return { -self.movement.quantity } else { self.movement.quantity };
        (units, units * price)
    }
}

fn fact() -> impl Strategy<Value = Fact> {
    let kind = prop_oneof![3 => Just(ChangeType::Sale), 1 => Just(ChangeType::Return)];
    let place = (1_u32..6, prop_oneof![Just("default"), Just("annex")], prop_oneof![4 => Just("GBP"), 1 => Just("EUR")]);
    let price = prop_oneof![Just(None), Just(Some("0.0001")), Just(Some("2.5"))];
    (place, kind, 1_i64..4, price, moment()).prop_map(|((product, location, currency), kind, quantity, unit_price, at)| {
        let time = Time::new(Timestamp::from_microsecond(at).unwrap());
        let price = (product != 5).then_some("10");
        Fact { movement: Movement { product, location, kind, quantity, unit_price, price, currency, at: time }, at }
    })
}

#[derive(Debug, Clone)]
struct Question {
    from: Option<i64>,
    to: Option<i64>,
    location: Option<&'static str>,
    currency: Option<&'static str>,
    product: Option<u32>,
    by_units: bool,
    interval: &'static str,
}

fn question() -> impl Strategy<Value = Question> {
    let interval = prop_oneof![Just("hour"), Just("day"), Just("week"), Just("month")];
    let window = (proptest::option::weighted(0.8, moment()), proptest::option::weighted(0.8, moment()));
    let filters = (
        proptest::option::weighted(0.3, Just("annex")),
        proptest::option::weighted(0.3, Just("GBP")),
        proptest::option::weighted(0.4, 1_u32..6),
    );
    (window, filters, any::<bool>(), interval).prop_map(|((from, to), (location, currency, product), by_units, interval)| {
        let (from, to) = match (from, to) {
            (Some(from), Some(to)) => (Some(from.min(to)), Some(from.max(to) + i64::from(from == to))),
            open => open,
        };
        Question { from, to, location, currency, product, by_units, interval }
    })
}

fn shown(at: i64) -> String {
    Timestamp::from_microsecond(at).unwrap().to_string()
}

fn money(ten_thousandths: i64) -> String {
    let (sign, amount) = (if ten_thousandths < 0 { "-" } else { "" }, ten_thousandths.abs());
    let text = format!("{sign}{}.{:04}", amount / 10_000, amount % 10_000);
    text.strip_suffix("00").unwrap_or(text.strip_suffix('0').unwrap_or(&text)).to_owned()
}

fn within(question: &Question, fact: &Fact) -> bool {
    question.from.is_none_or(|from| from <= fact.at)
        && question.to.is_none_or(|to| fact.at < to)
        && question.currency.is_none_or(|currency| currency == fact.movement.currency)
}

/// Units sold, units returned, sales, ten-thousandths of revenue, and the currencies.
#[derive(Debug, Default)]
struct Tally(i64, i64, i64, i64, Vec<&'static str>);

impl Tally {
    fn add(&mut self, fact: &Fact) {
        let (units, amount) = fact.figures();
        self.0 += units.max(0);
        self.1 += (-units).max(0);
        self.2 += i64::from(units > 0);
        self.3 += amount;
        self.4.push(fact.movement.currency);
    }

    fn currency(&self) -> Value {
        let first = self.4.first();
        json!(first.filter(|first| self.4.iter().all(|other| other == *first)))
    }
}

fn best_sellers(facts: &[Fact], question: &Question) -> Vec<Value> {
    let mut tallies: BTreeMap<u32, Tally> = BTreeMap::new();
    let here = |fact: &&Fact| question.location.is_none_or(|location| location == fact.movement.location);
    for fact in facts.iter().filter(|fact| within(question, fact)).filter(here) {
        tallies.entry(fact.movement.product).or_default().add(fact);
    }
    let mut tallies: Vec<_> = tallies.into_iter().filter(|(_, tally)| tally.2 > 0).collect();
    tallies.sort_by_key(|(_, tally)| std::cmp::Reverse(if question.by_units { tally.0 } else { tally.3 }));
    let items = tallies.iter().map(|(product, tally)| json!([sku(*product), tally.currency(), tally.0, tally.1, tally.2, money(tally.3)]));
    items.collect()
}

fn start(at: i64, interval: &str) -> DateTime {
    let mut time = Offset::UTC.to_datetime(Timestamp::from_microsecond(at).unwrap());
    time = time.date().at(time.hour(), 0, 0, 0);
    if interval != "hour" {
        time = time.date().at(0, 0, 0, 0);
    }
    while interval == "week" && time.weekday() != Weekday::Monday || interval == "month" && time.day() != 1 {
        time -= 1.day();
    }
    time
}

fn sales(facts: &[Fact], question: &Question) -> Value {
    let here = |fact: &&Fact| question.product.is_none_or(|product| product == fact.movement.product);
    let facts: Vec<&Fact> = facts.iter().filter(|fact| within(question, fact)).filter(here).collect();
    let first = question.from.or(facts.iter().map(|fact| fact.at).min());
    let last = question.to.map(|to| to - 1).or(facts.iter().map(|fact| fact.at).max());
    let mut total = Tally::default();
    let mut items = Vec::new();
    if let (Some(first), Some(last)) = (first, last) {
        let mut at = start(first, question.interval);
        while at <= start(last, question.interval) {
            let mut tally = Tally::default();
            for fact in facts.iter().filter(|fact| start(fact.at, question.interval) == at) {
                tally.add(fact);
                total.add(fact);
            }
            items
                .push(json!({"start": Offset::UTC.to_timestamp(at).unwrap().to_string(), "units_sold": tally.0, "units_returned": tally.1,
                "sales": tally.2, "revenue": money(tally.3)}));
            at += match question.interval {
                "hour" => 1.hour(),
                "day" => 1.day(),
                "week" => 1.week(),
                _ => 1.month(),
            };
        }
    }
    let currency = if total.4.is_empty() { json!(question.currency) } else { total.currency() };
    json!({"interval": question.interval, "currency": currency, "items": items})
}

async fn check(world: &World, facts: &[Fact], question: &Question) {
    let mut query = String::new();
    for (name, value) in
        [("from", question.from.map(shown)), ("to", question.to.map(shown)), ("currency", question.currency.map(str::to_owned))]
    {
        query.extend(value.map(|value| format!("&{name}={value}")));
    }
    let location = question.location.map(|location| format!("&location={location}")).unwrap_or_default();
    let by = if question.by_units { "units" } else { "revenue" };
    let report = world.best_sellers(&format!("by={by}{query}{location}")).await;
    let items = report["items"].as_array().unwrap().iter();
    let items: Vec<Value> = items
        .map(|item| json!([item["sku"], item["currency"], item["units_sold"], item["units_returned"], item["sales"], item["revenue"]]))
        .collect();
    assert_eq!(items, best_sellers(facts, question), "{question:?}");
    let known = question.product.is_none_or(|product| facts.iter().any(|fact| fact.movement.product == product));
    if known {
        let product = question.product.map(|product| format!("&product={}", sku(product))).unwrap_or_default();
        let report = world.sales(&format!("interval={}{query}{product}", question.interval)).await;
        assert_eq!(report, sales(facts, question), "{question:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, failure_persistence: None, max_shrink_iters: 60, ..ProptestConfig::default() })]

    #[test]
    fn reports_are_what_a_recount_of_the_facts_gives(
        facts in proptest::collection::vec(fact(), 1..300),
        questions in proptest::collection::vec(question(), 25),
        batch in 1_usize..200,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (world, mut shop) = (World::new().await, Shop::default());
            let events: Vec<_> = facts.iter().map(|fact| shop.moved(&fact.movement)).collect();
            for events in events.chunks(batch) {
                world.deliver(events).await;
            }
            for question in &questions {
                check(&world, &facts, question).await;
            }
            assert_eq!(world.get("/v1/books").await.json()["drifts"], json!([]));
        });
    }
}
