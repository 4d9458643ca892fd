//! Fifty thousand products: the demo's shop, and more of its kind. It knows no service.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::Path;

use anyhow::{Context, ensure};
use flate2::read::MultiGzDecoder;
use testkit::dice::Dice;

/// The file that the project carries, seen from this crate.
const CARRIED: &str = "../../examples/online-retail/online-retail-2010-12-to-2011-08.csv.gz";
/// How many there are.
pub(crate) const PRODUCTS: usize = 50_000;
/// Always the same shop.
const SEED: u64 = 22_423;
/// Goods are parted into these by what they are called.
const CATEGORIES: [(&str, &[&str]); 7] = [
    ("Bags", &["BAG", "BAGS", "SHOPPER", "PURSE"]),
    ("Kitchen", &["MUG", "CUP", "BOWL", "PLATE", "TEA", "CAKE", "JAR", "LUNCH", "BAKING"]),
    ("Christmas", &["CHRISTMAS", "XMAS", "ADVENT"]),
    ("Candles", &["CANDLE", "CANDLES", "T-LIGHT", "LANTERN"]),
    ("Paper", &["CARD", "PAPER", "WRAP", "NOTEBOOK", "STICKER"]),
    ("Jewellery", &["NECKLACE", "BRACELET", "EARRINGS", "RING"]),
    ("Giftware", &[]),
];

/// A product to be.
#[derive(Debug, Clone)]
pub(crate) struct Good {
    pub(crate) sku: String,
    pub(crate) name: String,
    pub(crate) category: &'static str,
}

/// Reads the demo's products and makes up the others.
pub(crate) fn goods() -> anyhow::Result<Vec<Good>> {
    let names = names(&Path::new(env!("CARGO_MANIFEST_DIR")).join(CARRIED))?;
    let words: Vec<&str> = names.values().flat_map(|name| name.split_whitespace()).filter(|word| word.len() > 2).collect();
    let mut skus: BTreeSet<String> = names.keys().cloned().collect();
    let mut goods: Vec<Good> = names.iter().map(|(sku, name)| good(sku.clone(), name.clone())).collect();
    let own = goods.len();
    ensure!(own > 1000, "the demo's file has only {own} products");
    let mut dice = Dice::new(SEED, 0);
    while goods.len() < PRODUCTS {
        let letter = if dice.once_in(2) { String::new() } else { char::from(b'A' + dice.below(26) as u8).to_string() };
        let sku = format!("{}{letter}", 10_000 + dice.below(90_000));
        if !skus.insert(sku.clone()) {
            continue;
        }
        // A name of the shop with one or two of its words exchanged.
        let like = goods[dice.below(own as u64) as usize].name.clone();
        let mut parts: Vec<&str> = like.split_whitespace().collect();
        for _ in 0..=dice.below(2) {
            let at = dice.below(parts.len() as u64) as usize;
            parts[at] = words[dice.below(words.len() as u64) as usize];
        }
        goods.push(good(sku, parts.join(" ")));
    }
    Ok(goods)
}

fn good(sku: String, name: String) -> Good {
    let is = |words: &[&str]| words.is_empty() || name.split_whitespace().any(|word| words.contains(&word));
    let category = CATEGORIES.iter().find(|(_, words)| is(words)).map_or("Giftware", |(category, _)| category);
    Good { sku, name, category }
}

/// SKUs of goods and the name that each has first.
fn names(file: &Path) -> anyhow::Result<BTreeMap<String, String>> {
    let opened = File::open(file).with_context(|| file.display().to_string())?;
    let mut names = BTreeMap::new();
    for record in csv::Reader::from_reader(MultiGzDecoder::new(opened)).records() {
        let record = record?;
        let cell = |at: usize| record.get(at).unwrap_or_default().trim();
        let (sku, name) = (cell(1), cell(2));
        let is_good = sku.len() >= 5 && sku.bytes().take(5).all(|byte| byte.is_ascii_digit());
        if is_good && name.len() > 5 && !names.contains_key(sku) {
            names.insert(sku.to_owned(), name.to_owned());
        }
    }
    Ok(names)
}
