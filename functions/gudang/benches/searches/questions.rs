//! What people ask: some of each kind, made from the shop by a seed, so that each has an answer. It asks nobody.

use testkit::dice::Dice;

use crate::shop::Good;

/// Questions of each kind.
const OF_EACH: usize = 40;
const SEED: u64 = 50;

/// A kind of question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Sku,
    SkuPrefix,
    SkuInner,
    Words,
    Beginnings,
    TypingError,
    OneLetter,
    Filtered,
    Everything,
    Suggest,
}

impl Kind {
    /// All of them.
    pub(crate) const ALL: [Self; 10] = [
        Self::Sku,
        Self::SkuPrefix,
        Self::SkuInner,
        Self::Words,
        Self::Beginnings,
        Self::TypingError,
        Self::OneLetter,
        Self::Filtered,
        Self::Everything,
        Self::Suggest,
    ];
}

/// A question and the product that it was made from.
pub(crate) struct Question {
    pub(crate) kind: Kind,
    pub(crate) path: String,
    pub(crate) sku: String,
}

/// Some of each kind, in turns.
pub(crate) fn questions(goods: &[Good]) -> Vec<Question> {
    let mut dice = Dice::new(SEED, 0);
    let mut questions = Vec::new();
    for _ in 0..OF_EACH {
        for kind in Kind::ALL {
            let good = &goods[dice.below(goods.len() as u64) as usize];
            questions.push(Question { kind, path: path(kind, good, &mut dice), sku: good.sku.clone() });
        }
    }
    questions
}

fn path(kind: Kind, good: &Good, dice: &mut Dice) -> String {
    let Good { sku, name, category } = good;
    let words: Vec<&str> = name.split_whitespace().collect();
    let two = words.iter().take(2).copied().collect::<Vec<_>>().join(" ").to_lowercase();
    let longest = words.iter().max_by_key(|word| word.len()).copied().unwrap_or(name).to_lowercase();
    let asked = match kind {
        Kind::Sku => sku.clone(),
        Kind::SkuPrefix => sku.chars().take(4).collect(),
        Kind::SkuInner => sku.chars().skip(1).take(3).collect(),
        Kind::Words => two,
        Kind::Beginnings => words.iter().take(2).map(|word| beginning(word)).collect::<Vec<_>>().join(" "),
        Kind::TypingError => mistyped(&longest, dice),
        Kind::OneLetter => longest.chars().take(1).collect(),
        Kind::Filtered => longest,
        Kind::Everything => return format!("/v1/products/search?category={category}&stock=out"),
        Kind::Suggest => return format!("/v1/products/suggest?q={}", encoded(&beginning(&longest))),
    };
    let filter = if kind == Kind::Filtered { format!("&category={category}") } else { String::new() };
    format!("/v1/products/search?q={}{filter}", encoded(&asked))
}

fn beginning(word: &str) -> String {
    word.chars().take(4).collect::<String>().to_lowercase()
}

/// Two neighbours exchanged, behind the first letter.
fn mistyped(word: &str, dice: &mut Dice) -> String {
    let mut letters: Vec<char> = word.chars().collect();
    if letters.len() > 3 {
        let at = 1 + dice.below(letters.len() as u64 - 2) as usize;
        letters.swap(at, at + 1);
    }
    letters.into_iter().collect()
}

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}
