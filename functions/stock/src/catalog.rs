//! Which products there are: memory, then the own copy, then Product itself, so that a product can be restocked the moment it is made.
//!
//! Only what never changes is kept in memory: that an id and a SKU belong together. Everything else stands in the level, under its lock.

use std::collections::HashMap;

use contract::{Product, ProductId, ProductRef, Sku};
use fault::{Fault, Kind, Problem};
use futures::stream::{self, StreamExt, TryStreamExt};
use moka::sync::Cache;
use peer::{Peer, PeerError};
use postgres::{Database, DatabaseError};

use crate::store::products;

/// Products kept in memory: enough for a busy hour, some 20 MB when full of long SKUs.
const REMEMBERED: u64 = 100_000;
/// Questions to Product at once.
const ASKED_AT_ONCE: usize = 8;

/// A product as far as a movement needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Its id.
    pub product_id: ProductId,
    /// Its SKU.
    pub sku: Sku,
}

/// Why products could not be looked up. Nothing was recorded.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// The own database.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// Product was needed and did not answer.
    #[error("the product is not known here yet, and Product cannot be asked now")]
    Product(#[source] PeerError),
}

impl Fault for CatalogError {
    fn kind(&self) -> Kind {
        match self {
            Self::Database(error) => error.kind(),
            Self::Product(_) => Kind::Unavailable,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Database(error) => error.code(),
            Self::Product(_) => "product_unavailable",
        }
    }
}

/// The products that Stock can name.
#[derive(Debug)]
pub struct Catalog {
    database: Database,
    product: Peer,
    known: Cache<ProductRef, Known>,
}

/// The answer for a name that no product has.
pub fn not_found(product: &ProductRef) -> Problem {
    Problem::new(Kind::NotFound, "product_not_found", format!("there is no product `{product}`; add it at Product first"))
}

impl Catalog {
    /// Opens the catalog.
    pub fn new(database: Database, product: Peer) -> Self {
        Self { database, product, known: Cache::new(REMEMBERED) }
    }

    /// Looks up one product.
    pub async fn find(&self, product: &ProductRef) -> Result<Option<Known>, CatalogError> {
        Ok(self.find_all([product]).await?.remove(product))
    }

    /// Looks up all of `products`; who is missing in the answer does not exist.
    pub async fn find_all<'a>(
        &self,
        products: impl IntoIterator<Item = &'a ProductRef>,
    ) -> Result<HashMap<ProductRef, Known>, CatalogError> {
        let mut found = HashMap::new();
        let mut missing: Vec<&ProductRef> = Vec::new();
        for product in products {
            match self.known.get(product) {
                Some(known) => drop(found.insert(product.clone(), known)),
                None => missing.push(product),
            }
        }
        if missing.is_empty() {
            return Ok(found);
        }
        missing.sort_unstable();
        missing.dedup();
        let copies = products::find(&self.database, &missing).await?;
        missing.retain(|product| !copies.contains_key(product));
        for (product, known) in copies {
            self.remember(&mut found, product, known);
        }
        let questions: Vec<_> = missing.into_iter().map(|name| self.ask(name.clone())).collect();
        let asked: Vec<(ProductRef, Option<Product>)> = stream::iter(questions).buffer_unordered(ASKED_AT_ONCE).try_collect().await?;
        for (name, answer) in asked {
            if let Some(product) = answer {
                products::take_copy(&self.database, &product).await?;
                self.remember(&mut found, name, Known { product_id: product.id, sku: product.sku });
            }
        }
        Ok(found)
    }

    async fn ask(&self, name: ProductRef) -> Result<(ProductRef, Option<Product>), CatalogError> {
        let answer = self.product.product(&name).await.map_err(CatalogError::Product)?;
        Ok((name, answer))
    }

    fn remember(&self, found: &mut HashMap<ProductRef, Known>, name: ProductRef, known: Known) {
        self.known.insert(name.clone(), known.clone());
        found.insert(name, known);
    }
}
