//! Keeps the search index up to date: what is marked is read, written into every index that is kept, and then no longer marked.
//!
//! The index is fed from the marks and not from the events themselves: a document needs the product and the sum of its locations' stock, and
//! both are exact only in this database, after the events were applied. Marks commit with their change, name what changed and not how, so they
//! may be worked off late, twice or in any order. It runs where the database is led. It knows no SQL.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use fault::{Fault, Kind};
use host::Every;
use postgres::{Database, DatabaseError};
use search::elastic::{Document, Index, IndexError};
use uuid::Uuid;

use crate::store::Shown;
use crate::store::search::marks::Target;
use crate::store::search::{find, marks};

/// Marks that are worked off at a time.
const ROWS: usize = 500;
/// Between two looks at whether the index is what it should be.
const LOOK: Duration = Duration::from_secs(5);

/// Why the index was not brought up to date. Nothing is lost by it.
#[derive(Debug, thiserror::Error)]
pub enum IndexingError {
    /// The own database.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The index.
    #[error("the search index stays behind")]
    Index(#[from] IndexError),
    /// Documents that the index does not take.
    #[error("the search index refuses {count} documents, the first one ({id}) because: {reason}")]
    Refused {
        /// How many.
        count: usize,
        /// The first one's product.
        id: String,
        /// In the index's words.
        reason: String,
    },
    /// Documents that the index was too busy for.
    #[error("the search index is too busy for {0} documents")]
    Busy(usize),
}

impl Fault for IndexingError {
    fn kind(&self) -> Kind {
        match self {
            Self::Database(error) => error.kind(),
            Self::Index(_) | Self::Busy(_) => Kind::Unavailable,
            Self::Refused { .. } => Kind::Internal,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Database(error) => error.code(),
            Self::Index(_) | Self::Busy(_) | Self::Refused { .. } => "search_index",
        }
    }
}

/// Brings the index up to date, again and again.
#[derive(Debug)]
pub(crate) struct Indexing {
    database: Database,
    index: Index,
    look: Every,
}

impl Indexing {
    pub(crate) fn new(database: Database, index: Index) -> Self {
        Self { database, index, look: Every::new(LOOK) }
    }

    /// Works off every mark once, and sees to it now and then that there is an index that answers.
    pub(crate) async fn round(&self) -> Result<(), IndexingError> {
        let mut filling = if self.look.due() { self.settle().await? } else { None };
        let mut worked_off = self.work_off().await;
        if let Err(IndexingError::Index(IndexError::NoIndex(_))) = worked_off {
            filling = self.settle().await?;
            worked_off = self.work_off().await;
        }
        worked_off?;
        // It has everything that was marked when it was settled, and what was marked since comes as it always does.
        if let Some(name) = filling {
            self.index.refresh(&name).await?;
            self.index.answer_from(&name).await?;
            tracing::info!(index = name, "the search index answers");
        }
        Ok(())
    }

    /// One pass over the marks that there are at its beginning; success means that all of them have arrived. So it ends, whatever is marked
    /// meanwhile.
    async fn work_off(&self) -> Result<(), IndexingError> {
        let Some(until) = marks::last_stale(&self.database).await? else { return Ok(()) };
        let (mut after, mut left) = (Uuid::nil(), Ok(()));
        loop {
            let stale = marks::stale(&self.database, after, until, ROWS as i64).await?;
            let Some(last) = stale.last() else { return left };
            after = *last;
            // What cannot be indexed holds up nothing behind it.
            match self.bring(&stale).await {
                Err(error @ (IndexingError::Refused { .. } | IndexingError::Busy(_))) => left = Err(error),
                brought => brought?,
            }
            if stale.len() < ROWS {
                return left;
            }
        }
    }

    /// Writes these products into every index that is kept.
    async fn bring(&self, products: &[Uuid]) -> Result<(), IndexingError> {
        let targets = marks::targets(&self.database).await?;
        let documents = documents(find::products(&self.database, products).await?);
        let mut there: HashMap<Uuid, i64> =
            documents.iter().filter_map(|of| Some((Uuid::try_parse(of.id()).ok()?, of.version()))).collect();
        let mut left = Ok(());
        for Target { name, live } in &targets {
            match put(&self.index, name, &documents).await {
                Err(IndexingError::Index(IndexError::NoIndex(_))) if !live => marks::forget(&self.database, name).await?,
                Err(error) => return Err(error),
                Ok((missing, outcome)) => {
                    there.retain(|id, _| !missing.contains(&id.to_string()));
                    left = left.and(outcome);
                }
            }
        }
        let names: Vec<&str> = targets.iter().map(|target| target.name.as_str()).collect();
        let there: Vec<(Uuid, i64)> = there.into_iter().collect();
        if !names.is_empty() {
            marks::arrived(&self.database, &there, &names).await?;
        }
        left
    }

    /// Sees to it that there is an index that is kept; gives its name while searches are not answered from it, and from it alone. It lacks nothing
    /// that is not marked.
    async fn settle(&self) -> Result<Option<String>, IndexingError> {
        let live = marks::targets(&self.database).await?.into_iter().find(|target| target.live);
        let name = match live {
            Some(Target { name, .. }) if self.index.has(&name).await? => name,
            _ => {
                let name = self.index.create().await?;
                marks::keep_only(&self.database, &name, true).await?;
                tracing::info!(index = name, "a new search index is being filled");
                name
            }
        };
        let answers = self.index.behind().await? == [name.as_str()];
        Ok((!answers).then_some(name))
    }
}

/// Documents of products as they are.
pub(crate) fn documents(products: Vec<Shown>) -> Vec<Document> {
    products.into_iter().map(|Shown { product, stock_version }| Document::of(product, stock_version)).collect()
}

/// Writes documents into one index; gives the ids of those that are not there now, and why.
pub(crate) async fn put(
    index: &Index,
    target: &str,
    documents: &[Document],
) -> Result<(BTreeSet<String>, Result<(), IndexingError>), IndexingError> {
    let put = index.put(target, documents).await?;
    let missing = put.busy.iter().cloned().chain(put.refused.iter().map(|(id, _)| id.clone())).collect();
    let outcome = match put.refused.first() {
        Some((id, reason)) => Err(IndexingError::Refused { count: put.refused.len(), id: id.clone(), reason: reason.clone() }),
        None if !put.busy.is_empty() => Err(IndexingError::Busy(put.busy.len())),
        None => Ok(()),
    };
    Ok((missing, outcome))
}
