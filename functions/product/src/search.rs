//! Searching: one page of products, found by whichever engine answers. It knows no SQL and no route.

use std::collections::HashMap;

use contract::{Product, ProductId};
use postgres::{Database, DatabaseError};
use search::elastic::Index;
use search::{Counts, Hit, Hits, Question};

use crate::indexing::IndexingError;
use crate::reindex;
use crate::store::search::find;

/// What the routes search with. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Search {
    pub(crate) database: Database,
    /// Answers where there is one.
    pub(crate) index: Option<Index>,
}

/// What was found.
#[derive(Debug)]
pub(crate) struct Found {
    /// A page, best first, each with its score.
    pub(crate) products: Vec<(Product, f64)>,
    pub(crate) counts: Counts,
    /// The index is configured and did not answer.
    pub(crate) degraded: bool,
}

impl Search {
    /// Finds products.
    pub(crate) async fn find(&self, question: &Question) -> Result<Found, DatabaseError> {
        let found = match &self.index {
            None => None,
            Some(index) => index.find(question).await,
        };
        let degraded = self.index.is_some() && found.is_none();
        let hits = match found {
            Some(hits) => hits,
            None => find::find(&self.database, question).await?,
        };
        let counts = hits.cube.counts(&question.filters);
        Ok(Found { products: self.shown(hits).await?, counts, degraded })
    }

    /// What the index has otherwise than the database, in sentences.
    pub(crate) async fn drifts(&self) -> Result<Vec<String>, IndexingError> {
        match &self.index {
            None => Ok(Vec::new()),
            Some(index) => reindex::drifts(&self.database, index).await,
        }
    }

    /// Hits with their products, as the index knows them or else as they are now.
    async fn shown(&self, hits: Hits) -> Result<Vec<(Product, f64)>, DatabaseError> {
        let unknown: Vec<_> = hits.page.iter().filter(|hit| hit.product.is_none()).map(|hit| hit.id.0).collect();
        let mut read: HashMap<ProductId, Product> = HashMap::new();
        if !unknown.is_empty() {
            let shown = find::products(&self.database, &unknown).await?;
            read.extend(shown.into_iter().map(|shown| (shown.product.id, shown.product)));
        }
        let product_of =
            |Hit { id, product, score, .. }| product.map(|known| *known).or_else(|| read.remove(&id)).map(|known| (known, score));
        Ok(hits.page.into_iter().filter_map(product_of).collect())
    }
}
