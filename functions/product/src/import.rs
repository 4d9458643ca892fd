//! Imports: rows in groups, a transaction a group, each row judged by itself and in order.
//!
//! A group costs the same few statements whatever its size. It is decided in memory, under the locks of the products that it names, so a SKU
//! that is there twice is judged twice, the second time as the first has left it. It knows neither CSV nor SQL.

use std::collections::HashMap;

use contract::{Product, Sku, Time};
use fault::Problem;
use journal::keyed;
use postgres::keys::{self, Answer, Key, RequestHash};
use postgres::{DatabaseError, Transaction};
use uuid::Uuid;
use web::import::Row;

use crate::answer::problem_of;
use crate::cache::Unread;
use crate::draft::ImportRow;
use crate::rule::{self, Action, Changed, Refusal};
use crate::service::{Shop, WriteError, fresh_id};
use crate::store;

/// Rows of one transaction: enough that a commit costs little a row, few enough that nobody waits long for a lock.
pub(crate) const GROUP_ROWS: usize = 500;
/// A group meets others that add the same products, or use the same keys, at most so often before it gives up.
const ATTEMPTS: u32 = 5;

/// What came of a row. The status is what its key remembers.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Verdict {
    Created,
    Updated,
    Unchanged,
    Failed(Problem),
}

const CREATED: u16 = 201;
const UPDATED: u16 = 200;
const UNCHANGED: u16 = 204;
const REFUSED: u16 = 409;

/// A row that could be read.
struct Wanted {
    /// Where its verdict goes.
    at: usize,
    row: ImportRow,
    once: Option<(Key, RequestHash)>,
}

impl Shop {
    /// Records one group of an import and says what came of each row, in order.
    ///
    /// `key` is the import's own: row n has `<key>:<n>`.
    pub(crate) async fn import(&self, rows: Vec<Row>, key: Option<&str>, path: &str) -> Result<Vec<Verdict>, WriteError> {
        let mut verdicts = Vec::with_capacity(rows.len());
        let mut wanted = Vec::with_capacity(rows.len());
        for (at, row) in rows.into_iter().enumerate() {
            let once = key.map(|key| (Key::of(&format!("{key}:{}", row.number)), RequestHash::of("POST", path, &row.raw)));
            match row.value.and_then(web::import::typed) {
                Ok(row) => {
                    wanted.push(Wanted { at, row, once });
                    verdicts.push(Verdict::Unchanged);
                }
                Err(problem) => verdicts.push(Verdict::Failed(problem)),
            }
        }
        for _ in 0..ATTEMPTS {
            let Some(judged) = self.attempt(&wanted).await? else { continue };
            for (wanted, verdict) in wanted.iter().zip(judged) {
                verdicts[wanted.at] = verdict;
            }
            return Ok(verdicts);
        }
        Err(WriteError::Contended)
    }

    /// One transaction. `None`: others were there first, and everything has to be read again.
    async fn attempt(&self, wanted: &[Wanted]) -> Result<Option<Vec<Verdict>>, WriteError> {
        if wanted.is_empty() {
            return Ok(Some(Vec::new()));
        }
        let mut client = self.database.get().await?;
        let transaction = client.transaction().await.map_err(DatabaseError::from)?;
        let group = self.judge(&transaction, wanted).await?;
        if !store::write::insert(&transaction, &group.new_ones()).await? {
            return Ok(None);
        }
        store::write::update(&transaction, &group.changed()).await?;
        store::write::record(&transaction, &group.changes).await?;
        match keys::write(&transaction, &group.answers).await {
            Err(error) if store::is_taken(&error) => return Ok(None),
            written => written?,
        }
        // Whoever waits for this may leave, and the answer may be lost: it may be committed all the same.
        let change = self.products.changing(group.known());
        transaction.commit().await.map_err(DatabaseError::from)?;
        // Telling the cache may take a connection: who kept one meanwhile could wait for those who do the same.
        drop(client);
        if !group.changes.is_empty() {
            self.journal.wake();
        }
        change.tell().await.map_err(Unread::from)?;
        Ok(Some(group.verdicts))
    }

    /// Locks what the rows name, reads their keys, and judges them in order.
    async fn judge(&self, transaction: &Transaction<'_>, wanted: &[Wanted]) -> Result<Group, WriteError> {
        let mut skus: Vec<&str> = wanted.iter().map(|wanted| wanted.row.sku.as_str()).collect();
        skus.sort_unstable();
        skus.dedup();
        let locked = store::write::lock_many(transaction, &skus).await?;
        let keys: Vec<Key> = wanted.iter().filter_map(|wanted| wanted.once).map(|(key, _)| key).collect();
        let known = if keys.is_empty() { HashMap::new() } else { keys::read(transaction, &keys).await? };
        let mut group = Group::new(locked, store::write::now(transaction).await?);
        for Wanted { row, once, .. } in wanted {
            let answered = once.and_then(|(key, request)| known.get(&key).map(|(stored, answer)| (*stored == request, answer)));
            let verdict = match answered {
                Some((true, answer)) => replay(answer),
                Some((false, _)) => Verdict::Failed(keyed::mismatch()),
                None => {
                    let verdict = self.judge_row(&mut group, row);
                    if let (Some((key, request)), Some(status)) = (once, remembered(&verdict)) {
                        group.answers.push((*key, *request, Answer { status, body: None, location: None, etag: None }));
                    }
                    verdict
                }
            };
            group.verdicts.push(verdict);
        }
        Ok(group)
    }

    fn judge_row(&self, group: &mut Group, row: &ImportRow) -> Verdict {
        let Some(standing) = group.standings.get_mut(&row.sku) else {
            let created = rule::create(row.as_new(), fresh_id(), self.currency, group.now);
            group.standings.insert(row.sku.clone(), Standing { product: created.product.clone(), was: 0 });
            group.changes.push(created);
            return Verdict::Created;
        };
        match rule::apply(&standing.product, &Action::Patch(Box::new(row.as_patch())), None, group.now) {
            Ok(None) => Verdict::Unchanged,
            Ok(Some(changed)) => {
                standing.product = changed.product.clone();
                group.changes.push(changed);
                Verdict::Updated
            }
            Err(refusal) => Verdict::Failed(problem_of(&refusal)),
        }
    }
}

/// A product as the rows so far have left it.
struct Standing {
    product: Product,
    /// The version that is in the database; 0 for none.
    was: i64,
}

/// What a group comes to.
struct Group {
    now: Time,
    standings: HashMap<Sku, Standing>,
    changes: Vec<Changed>,
    answers: Vec<(Key, RequestHash, Answer)>,
    verdicts: Vec<Verdict>,
}

impl Group {
    fn new(locked: Vec<Product>, now: Time) -> Self {
        let standings = locked.into_iter().map(|product| (product.sku.clone(), Standing { was: product.version, product }));
        Self { now, standings: standings.collect(), changes: Vec::new(), answers: Vec::new(), verdicts: Vec::new() }
    }

    /// Products to be added.
    fn new_ones(&self) -> Vec<&Product> {
        self.standings.values().filter(|standing| standing.was == 0).map(|standing| &standing.product).collect()
    }

    /// Products that were there before, changed now or, when this is a replay, maybe then.
    fn known(&self) -> Vec<Uuid> {
        self.standings.values().filter(|standing| standing.was > 0).map(|standing| standing.product.id.0).collect()
    }

    /// Products to be written again.
    fn changed(&self) -> Vec<&Product> {
        let changed = |standing: &&Standing| standing.was > 0 && standing.was != standing.product.version;
        self.standings.values().filter(changed).map(|standing| &standing.product).collect()
    }
}

/// The status under which a verdict is remembered; none for what may be sent again corrected.
fn remembered(verdict: &Verdict) -> Option<u16> {
    match verdict {
        Verdict::Created => Some(CREATED),
        Verdict::Updated => Some(UPDATED),
        Verdict::Unchanged => Some(UNCHANGED),
        Verdict::Failed(problem) => (problem.status == REFUSED).then_some(REFUSED),
    }
}

/// The verdict that a key remembers. The one refusal that is remembered is that of an archived product.
fn replay(answer: &Answer) -> Verdict {
    match answer.status {
        CREATED => Verdict::Created,
        UPDATED => Verdict::Updated,
        UNCHANGED => Verdict::Unchanged,
        _ => Verdict::Failed(problem_of(&Refusal::Archived)),
    }
}
