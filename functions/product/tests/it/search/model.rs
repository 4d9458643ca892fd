//! Fifty thousand products that are made of their number, and what a search of them must find: judged one by one, without any index.

use std::collections::BTreeMap;

use serde_json::Value;

pub(crate) const PRODUCTS: usize = 50_000;

const ADJECTIVES: [&str; 10] = ["Red", "Green", "Wooden", "Vintage", "Small", "Large", "Ceramic", "Folding", "Painted", "Hanging"];
const THINGS: [&str; 12] =
    ["lantern", "mug", "kettle", "basket", "clock", "candle", "cushion", "doormat", "umbrella", "teapot", "garland", "notebook"];

/// The row of product `n`: SKU, name, category, minimum stock.
pub(crate) fn row(n: usize) -> String {
    format!("{},{},{},{}\n", sku(n), name(n), category(n), n % 5)
}

pub(crate) fn sku(n: usize) -> String {
    format!("SKU-{n:05}")
}

pub(crate) fn adjective(n: usize) -> &'static str {
    ADJECTIVES[n % 10]
}

pub(crate) fn thing(n: usize) -> &'static str {
    THINGS[n / 10 % 12]
}

pub(crate) fn category(n: usize) -> String {
    format!("Category {}", n % 7)
}

fn name(n: usize) -> String {
    format!("{} {} no {n}", adjective(n), thing(n))
}

/// How well a product fits what was typed, in small letters: higher is better.
fn score(typed: &str, n: usize) -> Option<f64> {
    let key: String = typed.chars().filter(char::is_ascii_alphanumeric).collect();
    let (own, name) = (format!("sku{n:05}"), name(n).to_lowercase());
    let words: Vec<&str> = name.split(' ').collect();
    let mut wanted = typed.split(|letter: char| !letter.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let begun = |word: &str| words.iter().any(|own| own.starts_with(word));
    Some(match () {
        () if own == key => 5.0,
        () if own.starts_with(&key) => 4.0,
        () if key.len() >= 3 && own.contains(&key) => 3.0,
        () if name == typed => 2.5,
        () if wanted.clone().all(|word| words.contains(&word)) => 2.0,
        () if wanted.all(begun) => 1.0,
        () => return None,
    })
}

/// The first page of a search in small letters without filters, and its counts by category. Nothing is in stock.
pub(crate) fn found(typed: &str, rows: usize) -> (Vec<String>, BTreeMap<String, u64>) {
    let mut hits: Vec<(f64, usize)> = (0..PRODUCTS).filter_map(|n| Some((score(typed, n)?, n))).collect();
    let mut counts = BTreeMap::new();
    for (_, n) in &hits {
        *counts.entry(category(*n)).or_default() += 1;
    }
    hits.sort_by(|one, other| other.0.total_cmp(&one.0).then(one.1.cmp(&other.1)));
    (hits.into_iter().take(rows).map(|(_, n)| sku(n)).collect(), counts)
}

/// What a facet counts together.
pub(crate) fn counted(facet: &Value) -> u64 {
    facet.as_object().unwrap().values().map(|count| count.as_u64().unwrap()).sum()
}
