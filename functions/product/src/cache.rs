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

/// A change that the cache is to be told of.
pub(crate) type Change = ::cache::Change<Shelf>;

/// Why a product could not be read, or the cache not be told. Shared by all who waited for it.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub(crate) struct Unread(#[from] Arc<DatabaseError>);

impl From<DatabaseError> for Unread {
    fn from(error: DatabaseError) -> Self {
        Self(Arc::new(error))
    }
}

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

    fn over<'a>(&'a self, ids: &'a [Uuid]) -> BoxFuture<'a, Result<(), DatabaseError>> {
        Box::pin(store::cache::wait_for_writers(&self.database, ids))
    }
}

/// Reads a product by either of its names, archived ones too.
pub(crate) async fn read(products: &Products, product: &ProductRef) -> Result<Option<Entry>, Unread> {
    Ok(match product {
        ProductRef::Id(id) => products.get(id.0).await?,
        ProductRef::Sku(sku) => products.get_named(sku.as_str()).await?,
    })
}

/// Begins a change of a product; none where nobody can have kept anything of it.
pub(crate) fn changing(products: &Products, product: Option<&ProductRef>) -> Change {
    match product {
        None => products.changing(Vec::new()),
        Some(ProductRef::Id(id)) => products.changing(vec![id.0]),
        Some(ProductRef::Sku(sku)) => products.changing_named(sku.as_str()),
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
            self.products.changed(&ids).await.map_err(|error| Away(Box::new(Unread::from(error))))
        })
    }
}

/// The product of an event of ours.
fn product_of(incoming: &Incoming) -> Option<Uuid> {
    let (product, _) = incoming.event()?.subject.split_once('@')?;
    product.parse().ok()
}
