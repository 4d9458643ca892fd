//! What is asked: what somebody typed, the filters, and where a page begins.

use contract::{Category, Invalid, Sku};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use crate::text;

/// The most characters that may be typed.
pub const TYPED_MAX: usize = 200;

/// The fewest characters of a SKU's inner part that find it.
const PART_MIN: usize = 3;

/// Tiers of the score. A hit has that of the best thing that it is found by; within a tier hits stand in the order of their SKUs.
pub mod score {
    /// The SKU to the letter.
    pub const SKU: f64 = 6.0;
    /// The SKU but for case, accents and hyphens.
    pub const SKU_FOLDED: f64 = 5.0;
    /// What a SKU begins with.
    pub const SKU_PREFIX: f64 = 4.0;
    /// What stands anywhere in a SKU.
    pub const SKU_PART: f64 = 3.0;
    /// The whole name.
    pub const NAME: f64 = 2.5;
    /// Whole words of the name, all of them.
    pub const WORDS: f64 = 2.0;
    /// What words of the name begin with, all of them.
    pub const WORD_PREFIXES: f64 = 1.0;
    /// Words of the name but for typing errors: asked for only where nothing else is found.
    pub const TYPING_ERRORS: f64 = 0.5;
    /// Nothing was typed.
    pub const NONE: f64 = 0.0;
}

/// What somebody typed. Outer white space does not count; what is then empty is as if nothing had been typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Typed {
    raw: String,
    key: String,
    words: Vec<String>,
}

impl Typed {
    /// Reads it; `None` for nothing but white space.
    pub fn parse(text: &str) -> Result<Option<Self>, Invalid> {
        let length = text.chars().count();
        if length > TYPED_MAX {
            return Err(Invalid::new("too_long", format!("must have at most {TYPED_MAX} characters, it has {length}")));
        }
        if text.contains('\0') {
            return Err(Invalid::new("invalid_character", "must not contain the character U+0000"));
        }
        let raw = text.trim();
        Ok((!raw.is_empty()).then(|| Self { raw: raw.to_owned(), key: text::sku_key(raw), words: text::words(raw) }))
    }

    /// As it was typed.
    pub fn raw(&self) -> &str {
        &self.raw
    }

    /// What it is compared with SKUs by; `None` when it has no letter and no digit.
    pub fn key(&self) -> Option<&str> {
        (!self.key.is_empty()).then_some(&self.key)
    }

    /// What is looked for inside of SKUs; `None` when it is too short for that.
    pub fn part(&self) -> Option<&str> {
        (self.key.chars().count() >= PART_MIN).then_some(&self.key)
    }

    /// Its words, folded; maybe none.
    pub fn words(&self) -> &[String] {
        &self.words
    }
}

/// What a query's `q` is read as.
impl<'de> Deserialize<'de> for Typed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let typed = Self::parse(&text).map_err(Invalid::custom)?;
        Ok(typed.unwrap_or(Self { raw: String::new(), key: String::new(), words: Vec::new() }))
    }
}

impl Typed {
    /// Itself, unless it is empty.
    pub fn some(self) -> Option<Self> {
        (!self.raw.is_empty()).then_some(self)
    }
}

/// How much there is of a product, as searches call it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Enough.
    In,
    /// `0 < available < min_stock`.
    Low,
    /// `available <= 0`.
    Out,
}

impl Level {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::In, Self::Low, Self::Out];

    /// As requests and both engines write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::In => "in",
            Self::Low => "low",
            Self::Out => "out",
        }
    }

    /// Reads what [`Level::as_str`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.as_str() == text)
    }
}

/// What hits are narrowed to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filters {
    /// Only this category's.
    pub category: Option<Category>,
    /// Only these.
    pub stock: Option<Level>,
}

/// The last hit of a page: the next one begins behind it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Place {
    /// Its score.
    pub score: f64,
    /// Its SKU.
    pub sku: Sku,
}

/// One page of a search.
#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    /// What was typed; without it, everything by SKU.
    pub typed: Option<Typed>,
    /// What hits are narrowed to.
    pub filters: Filters,
    /// Behind which hit the page begins.
    pub after: Option<Place>,
    /// Hits at most.
    pub rows: usize,
}
