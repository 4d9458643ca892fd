//! A new search index beside the one that answers, while changes go on; then it answers instead. And proof that an index has what it should.
//!
//! The new index is kept up to date from the moment when it is registered; what changed before, the pass over all products sees. So nothing
//! falls between the two, whichever comes first the index itself takes the newer one. Interrupted, it has changed nothing that anybody sees;
//! what it leaves behind the next one throws away. When searches go over to it both are kept, and whoever looks after the index already takes it
//! for the one that answers: so he finishes what was interrupted there, and at no time does an index answer that is not kept up to date.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use postgres::{Database, DatabaseError};
use search::elastic::{Index, IndexError, NotElasticsearch, Settings};
use uuid::Uuid;

use crate::MIGRATIONS;
use crate::indexing::{self, IndexingError};
use crate::store::search::marks;

/// Products that are read and written at a time.
const ROWS: i64 = 500;
/// Versions that are compared at a time.
const VERSIONS: i64 = 10_000;
/// How often a page is tried while the index is busy, and the pause between.
const ATTEMPTS: usize = 30;
const PAUSE: Duration = Duration::from_secs(1);
/// How long what differs may be on its way, and the pause between two looks.
const LOOKS: usize = 20;
const AGAIN: Duration = Duration::from_millis(500);
/// Differences that are told.
const TOLD: usize = 100;

/// Why there is no new index. The one that answered still does.
#[derive(Debug, thiserror::Error)]
pub enum ReindexError {
    /// Product's database.
    #[error("product's database cannot be used")]
    Database(#[from] DatabaseError),
    /// What it was told of Elasticsearch.
    #[error("ELASTICSEARCH_URL cannot be used")]
    Url(#[from] NotElasticsearch),
    /// The index.
    #[error("the new index could not be made")]
    Index(#[from] IndexError),
    /// Documents.
    #[error("the new index could not be filled")]
    Filling(#[from] IndexingError),
    /// The one that answered was lost, so Product has begun another by itself.
    #[error("Product has begun a new index by itself meanwhile: run it again if there is still a reason to")]
    Overtaken,
}

/// How far a new index is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Products that are in it.
    pub done: u64,
    /// Products that there were at the beginning.
    pub of: u64,
}

/// Builds a new index and has it answer. `tell` hears of the progress.
pub async fn reindex(database: &postgres::Settings, index: &Settings, mut tell: impl FnMut(Progress)) -> Result<(), ReindexError> {
    let database = Database::new(database)?;
    database.migrate(&MIGRATIONS).await?;
    let index = Index::new(index)?;
    clear(&database, &index).await?;
    let name = index.create().await?;
    marks::keep_too(&database, &name).await?;
    let mut progress = Progress { done: 0, of: marks::count(&database).await? };
    tell(progress);
    // What is added later arrives by its mark.
    let until = marks::last(&database).await?.unwrap_or_default();
    let mut after = Uuid::nil();
    loop {
        let page = marks::page(&database, after, until, ROWS).await?;
        let Some(last) = page.last() else { break };
        after = last.product.id.0;
        progress.done += page.len() as u64;
        fill(&index, &name, page).await?;
        tell(progress);
    }
    index.refresh(&name).await?;
    if !marks::make_live(&database, &name).await? {
        return Err(ReindexError::Overtaken);
    }
    index.answer_from(&name).await?;
    marks::keep_only(&database, &name, false).await?;
    clear(&database, &index).await
}

/// Throws away what an interrupted one has left, and what no longer answers.
async fn clear(database: &Database, index: &Index) -> Result<(), ReindexError> {
    let answering = index.behind().await?;
    let kept = marks::targets(database).await?;
    for name in index.all().await? {
        let live = answering.contains(&name) || kept.iter().any(|target| target.live && target.name == name);
        if !live {
            marks::forget(database, &name).await?;
            index.remove(&name).await?;
        }
    }
    Ok(())
}

async fn fill(index: &Index, name: &str, page: Vec<crate::store::Shown>) -> Result<(), ReindexError> {
    let documents = indexing::documents(page);
    for attempt in 1.. {
        match indexing::put(index, name, &documents).await?.1 {
            Err(IndexingError::Busy(_)) if attempt < ATTEMPTS => tokio::time::sleep(PAUSE).await,
            put => return Ok(put?),
        }
    }
    Ok(())
}

/// The version of a product that the database has, and the one that the index has.
type Sides = BTreeMap<Uuid, (Option<i64>, Option<i64>)>;

/// Compares the index that answers with the database: product by product its version, first by digests of buckets. What is on its way is waited
/// for. Gives a sentence for each difference that stays.
pub(crate) async fn drifts(database: &Database, index: &Index) -> Result<Vec<String>, IndexingError> {
    let mut suspects: Option<Sides> = None;
    for look in 0..LOOKS {
        let name = match index.behind().await?.as_slice() {
            [name] => name.clone(),
            several => return Ok(vec![format!("searches are answered from {} indexes", several.len())]),
        };
        index.refresh(&name).await?;
        let differ = differences(database, index, &name).await?;
        // Only what has stayed as it is since the last look is no change on its way.
        let stay =
            |before: &BTreeMap<_, _>| differ.iter().filter(|(id, is)| before.get(*id) == Some(*is)).map(|(id, is)| (*id, *is)).collect();
        let left: BTreeMap<_, _> = suspects.as_ref().map_or_else(|| differ.clone(), stay);
        if left.is_empty() {
            return Ok(Vec::new());
        }
        suspects = Some(left);
        if look + 1 < LOOKS {
            tokio::time::sleep(AGAIN).await;
        }
    }
    let told = |version: Option<i64>| version.map_or("nothing".to_owned(), |version| format!("version {version}"));
    let suspects = suspects.unwrap_or_default();
    let sentence = |(id, (expected, found)): (&Uuid, &(Option<i64>, Option<i64>))| {
        format!("the search index has {} of product {id}, the database {}", told(*found), told(*expected))
    };
    Ok(suspects.iter().take(TOLD).map(sentence).collect())
}

/// What both sides say of the products that they differ about.
async fn differences(database: &Database, index: &Index, name: &str) -> Result<Sides, IndexingError> {
    let (mut expected, mut found) = (Digests::new(), Digests::new());
    each_version(database, |id, version| expected.add(id, version)).await?;
    index.copies(name, |copy| copied(&copy.id).into_iter().for_each(|id| found.add(id, copy.version))).await?;
    let buckets: BTreeSet<u8> = (0..=u8::MAX).filter(|bucket| expected.of(*bucket) != found.of(*bucket)).collect();
    if buckets.is_empty() {
        return Ok(Sides::new());
    }
    let mut sides = Sides::new();
    let within = |id: &Uuid| buckets.contains(&bucket_of(*id));
    each_version(database, |id, version| {
        if within(&id) {
            sides.entry(id).or_default().0 = Some(version);
        }
    })
    .await?;
    index
        .copies(name, |copy| {
            if let Some(id) = copied(&copy.id).filter(within) {
                sides.entry(id).or_default().1 = Some(copy.version);
            }
        })
        .await?;
    sides.retain(|_, (expected, found)| expected != found);
    Ok(sides)
}

async fn each_version(database: &Database, mut each: impl FnMut(Uuid, i64)) -> Result<(), DatabaseError> {
    let mut after = Uuid::nil();
    loop {
        let versions = marks::versions(database, after, VERSIONS).await?;
        let Some((last, _)) = versions.last() else { return Ok(()) };
        after = last.0;
        for (id, version) in &versions {
            each(id.0, *version);
        }
    }
}

fn copied(id: &str) -> Option<Uuid> {
    Uuid::try_parse(id).ok()
}

/// The last byte of a UUIDv7 is chance.
fn bucket_of(id: Uuid) -> u8 {
    id.as_bytes()[15]
}

/// For each bucket a digest of ids and versions that does not depend on their order.
struct Digests(Vec<u128>);

impl Digests {
    fn new() -> Self {
        Self(vec![0; 256])
    }

    fn add(&mut self, id: Uuid, version: i64) {
        let digest = &mut self.0[usize::from(bucket_of(id))];
        *digest = digest.wrapping_add(id.as_u128().wrapping_mul(2 * version as u128 + 1));
    }

    fn of(&self, bucket: u8) -> u128 {
        self.0[usize::from(bucket)]
    }
}
