//! Products as they are shown, read through the cache; and who tells the cache that they have changed.
//!
//! What is kept is the answer's body with its two versions, always read by one statement: what a transaction has just written is never kept,
//! because stock that came meanwhile may be missing in it. It knows no SQL, and not what levels the cache has.

use std::sync::Arc;

use bus::{Away, Handler, Incoming};
use bytes::Bytes;
use cache::{Cache, Entry, Origin, Version};
use contract::{ProductId, ProductRef, Topic};
use fault::{Fault, Kind};
use futures::future::BoxFuture;
use journal::Intake;
use postgres::{Database, DatabaseError};
use uuid::Uuid;

use crate::store;

/// The cache of products.
pub(crate) type Products = Cache<Shelf>;

/// What the cache stands in front of: the own database.
#[derive(Debug)]
pub(crate) struct Shelf {
    pub(crate) database: Database,
}

/// Why a product could not be read. Shared by all who waited for it.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub(crate) struct Unread(#[from] Arc<DatabaseError>);

impl Fault for Unread {
    fn kind(&self) -> Kind {
        self.0.kind()
    }

    fn code(&self) -> &'static str {
        self.0.code()
    }
}

impl Origin for Shelf {
    type Error = DatabaseError;

    fn load(&self, id: Uuid) -> BoxFuture<'_, Result<Option<Entry>, DatabaseError>> {
        Box::pin(async move {
            let Some(shown) = store::find(&self.database, ProductId(id)).await? else { return Ok(None) };
            let version = Version { major: shown.product.version, minor: shown.stock_version };
            let body = serde_json::to_vec(&shown.product).map_err(DatabaseError::codec)?;
            Ok(Some(Entry { version, body: Bytes::from(body) }))
        })
    }

    fn named<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<Uuid>, DatabaseError>> {
        Box::pin(store::cache::id_of(&self.database, name))
    }

    fn generation(&self) -> BoxFuture<'_, Result<Uuid, DatabaseError>> {
        Box::pin(store::cache::generation(&self.database))
    }

    fn renew_generation(&self) -> BoxFuture<'_, Result<Uuid, DatabaseError>> {
        Box::pin(store::cache::renew_generation(&self.database))
    }
}

/// Reads a product by either of its names, archived ones too.
pub(crate) async fn read(products: &Products, product: &ProductRef) -> Result<Option<Entry>, Unread> {
    Ok(match product {
        ProductRef::Id(id) => products.get(id.0).await?,
        ProductRef::Sku(sku) => products.get_named(sku.as_str()).await?,
    })
}

/// Tells that a product has changed, or may have.
pub(crate) async fn changed(products: &Products, product: &ProductRef) -> Result<(), DatabaseError> {
    match product {
        ProductRef::Id(id) => products.changed(&[id.0]).await,
        ProductRef::Sku(sku) => products.changed_named(sku.as_str()).await,
    }
}

/// The consumer of stock-changes, which tells the cache of all products of a batch before the batch counts as handled. Of those that had come
/// before too: whoever applied them may have ended before he could tell.
pub(crate) struct Telling {
    pub(crate) intake: Arc<Intake>,
    pub(crate) products: Products,
}

impl Handler for Telling {
    fn group(&self) -> &str {
        self.intake.group()
    }

    fn topics(&self) -> &[Topic] {
        self.intake.topics()
    }

    fn handle<'a>(&'a self, batch: &'a [Incoming]) -> BoxFuture<'a, Result<(), Away>> {
        Box::pin(async move {
            self.intake.handle(batch).await?;
            let mut ids: Vec<Uuid> = batch.iter().filter_map(product_of).collect();
            ids.sort_unstable();
            ids.dedup();
            self.products.changed(&ids).await.map_err(|error| Away(Box::new(error)))
        })
    }
}

/// The product of an event of ours.
fn product_of(incoming: &Incoming) -> Option<Uuid> {
    let (product, _) = incoming.event()?.subject.split_once('@')?;
    product.parse().ok()
}
