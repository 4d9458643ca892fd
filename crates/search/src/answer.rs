//! What is answered: hits in their order, and how many there are of what.

use std::collections::BTreeMap;

use contract::{Product, ProductId, Sku};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Filters, Level};

/// One product that was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Hit {
    /// Which.
    pub id: ProductId,
    /// Its SKU, which orders hits of one score.
    pub sku: Sku,
    /// How well it fits: see [`crate::score`].
    pub score: f64,
    /// As the index knows it; `None` where it has to be read from the database.
    pub product: Option<Box<Product>>,
}

/// What a search found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Hits {
    /// One page, best first.
    pub page: Vec<Hit>,
    /// Everything that was found by what was typed, whatever the filters.
    pub cube: Cube,
}

/// How many of each category stand how: all hits of what was typed, before any filter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cube(BTreeMap<(String, Level), u64>);

/// How many hits there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counts {
    /// By category and by stock.
    pub facets: Facets,
    /// Hits that pass the filters.
    pub total: u64,
}

/// Each counts all hits of what was typed and of the *other* filter.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Facets {
    /// Hits by category.
    pub category: BTreeMap<String, u64>,
    /// Hits by stock.
    pub stock: StockFacet,
}

/// Always all three.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StockFacet {
    /// Enough.
    pub r#in: u64,
    /// `0 < available < min_stock`.
    pub low: u64,
    /// `available <= 0`.
    pub out: u64,
}

impl Cube {
    /// Adds what an engine counted.
    pub fn add(&mut self, category: &str, level: Level, hits: u64) {
        if hits > 0 {
            *self.0.entry((category.to_owned(), level)).or_default() += hits;
        }
    }

    /// Whether nothing was found at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Sums it up for some filters.
    pub fn counts(&self, filters: &Filters) -> Counts {
        let mut counts = Counts { facets: Facets::default(), total: 0 };
        for ((category, level), hits) in &self.0 {
            let of_category = filters.category.as_ref().is_none_or(|wanted| wanted.as_str() == category);
            let of_level = filters.stock.is_none_or(|wanted| wanted == *level);
            if of_level {
                *counts.facets.category.entry(category.clone()).or_default() += hits;
            }
            if of_category {
                let StockFacet { r#in, low, out } = &mut counts.facets.stock;
                *match level {
                    Level::In => r#in,
                    Level::Low => low,
                    Level::Out => out,
                } += hits;
            }
            if of_category && of_level {
                counts.total += hits;
            }
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use contract::Category;

    use super::*;

    #[test]
    fn a_facet_counts_what_the_other_filter_lets_through() {
        let mut cube = Cube::default();
        for (category, level, hits) in
            [("Kitchen", Level::In, 3), ("Kitchen", Level::Out, 2), ("Garden", Level::In, 5), ("Garden", Level::Low, 0)]
        {
            cube.add(category, level, hits);
        }
        let filters = Filters { category: Category::parse("Kitchen").ok(), stock: Some(Level::In) };
        let counts = cube.counts(&filters);
        assert_eq!(counts.facets.category, BTreeMap::from([("Kitchen".to_owned(), 3), ("Garden".to_owned(), 5)]));
        assert_eq!(counts.facets.stock, StockFacet { r#in: 3, low: 0, out: 2 });
        assert_eq!(counts.total, 3);
        assert_eq!(cube.counts(&Filters::default()).total, 10);
    }
}
