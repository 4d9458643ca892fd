//! One write at a time: its transaction, its idempotency key, its answer.
//!
//! It knows neither SQL nor the rule: it puts them together. What was changed, what is answered and what the key remembers commit as one; the
//! cache hears of it after that, and before the client does.

use std::sync::Arc;

use contract::{Currency, Product, ProductId, ProductRef};
use fault::{Fault, Kind};
use journal::Journal;
use postgres::keys::{self, Answer, Claim, Key, RequestHash};
use postgres::{Database, DatabaseError, Transaction};
use uuid::Uuid;

use crate::answer::problem_of;
use crate::cache::{self, Change, Products, Unread};
use crate::draft::NewProduct;
use crate::rule::{self, Action, Changed, Refusal};
use crate::store::{self, Shown};

/// What the routes work with. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Shop {
    pub(crate) database: Database,
    pub(crate) journal: Arc<Journal>,
    pub(crate) products: Products,
    /// Of prices that name none.
    pub(crate) currency: Currency,
}

/// A write.
#[derive(Debug)]
pub(crate) enum Command {
    /// Adds a product.
    Create(Box<NewProduct>),
    /// Changes one.
    Change {
        /// Which.
        product: ProductRef,
        /// The versions that the client means; any when absent.
        expected: Option<Vec<i64>>,
        /// What to do to it.
        action: Action,
    },
}

/// The key that a client gave to a write, and what it is compared by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Once {
    pub(crate) key: Key,
    pub(crate) request: RequestHash,
}

/// What is answered to a write.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) answer: Answer,
    /// It was given before, to the same request.
    pub(crate) replayed: bool,
}

/// Why a write was neither made nor refused for good.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WriteError {
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The cache could not be told of it yet, so it must not be acknowledged.
    #[error(transparent)]
    Untold(#[from] Unread),
    /// Nothing of it is remembered: later the same request may be taken.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The key belongs to another request.
    #[error("this key was used for another request, choose a new one")]
    KeyMismatch,
    /// Others kept adding the same products at the same time.
    #[error("others write the same products at the same time")]
    Contended,
}

impl Fault for WriteError {
    fn kind(&self) -> Kind {
        match self {
            Self::Database(error) => error.kind(),
            Self::Untold(error) => error.kind(),
            Self::Refused(refusal) => refusal.kind(),
            Self::KeyMismatch => Kind::Invalid,
            Self::Contended => Kind::Unavailable,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Database(error) => error.code(),
            Self::Untold(error) => error.code(),
            Self::Refused(refusal) => refusal.code(),
            Self::KeyMismatch => "idempotency_key_mismatch",
            Self::Contended => "contended",
        }
    }
}

/// What came of a command inside its transaction.
struct Outcome {
    answer: Answer,
    recorded: bool,
}

impl Shop {
    /// Makes one write. A conflict is an answer too, and as final as a success; everything else that is refused leaves no trace.
    ///
    /// A replay tells the cache as well: whoever made the change may have ended before he could.
    pub(crate) async fn write(&self, command: Command, once: Option<Once>) -> Result<Reply, WriteError> {
        let known = match &command {
            // Nobody can have kept anything of a product that was not there.
            Command::Create(_) => None,
            Command::Change { product, .. } => Some(product.clone()),
        };
        let (reply, change) = self.commit(command, once, known.as_ref()).await?;
        change.tell().await.map_err(Unread::from)?;
        Ok(reply)
    }

    /// Commits a write. What is given with the reply is still to be told.
    async fn commit(&self, command: Command, once: Option<Once>, known: Option<&ProductRef>) -> Result<(Reply, Change), WriteError> {
        let mut client = self.database.get().await?;
        let transaction = client.transaction().await.map_err(DatabaseError::from)?;
        if let Some(Once { key, request }) = &once {
            match keys::claim(&transaction, key, request).await? {
                Claim::Mine => {}
                Claim::Replay(answer) => return Ok((Reply { answer, replayed: true }, cache::changing(&self.products, known))),
                Claim::Mismatch => return Err(WriteError::KeyMismatch),
            }
        }
        let outcome = match self.run(&transaction, command).await {
            Err(WriteError::Refused(refusal)) if refusal.kind() == Kind::Conflict => {
                Outcome { answer: conflict(&refusal)?, recorded: false }
            }
            outcome => outcome?,
        };
        if let Some(Once { key, .. }) = &once {
            keys::fill(&transaction, key, &outcome.answer).await?;
        }
        // Whoever waits for this may leave, and the answer may be lost: it may be committed all the same.
        let change = cache::changing(&self.products, known);
        transaction.commit().await.map_err(DatabaseError::from)?;
        if outcome.recorded {
            self.journal.wake();
        }
        Ok((Reply { answer: outcome.answer, replayed: false }, change))
    }

    async fn run(&self, transaction: &Transaction<'_>, command: Command) -> Result<Outcome, WriteError> {
        match command {
            Command::Create(new) => self.create(transaction, *new).await,
            Command::Change { product, expected, action } => change(transaction, &product, expected.as_deref(), &action).await,
        }
    }

    async fn create(&self, transaction: &Transaction<'_>, new: NewProduct) -> Result<Outcome, WriteError> {
        let now = store::write::now(transaction).await?;
        let created = rule::create(new, fresh_id(), self.currency, now);
        if !store::write::insert(transaction, &[&created.product]).await? {
            return Err(Refusal::SkuTaken(created.product.sku).into());
        }
        let product = record(transaction, created).await?;
        let location = format!("/v1/products/{}", product.id);
        let answer = shown(&store::with_stock(transaction, product).await?, 201, Some(location))?;
        Ok(Outcome { answer, recorded: true })
    }
}

async fn change(
    transaction: &Transaction<'_>,
    product: &ProductRef,
    expected: Option<&[i64]>,
    action: &Action,
) -> Result<Outcome, WriteError> {
    let before = store::write::lock(transaction, product).await?.ok_or(Refusal::NotFound)?;
    let now = store::write::now(transaction).await?;
    let changed = rule::apply(&before, action, expected, now)?;
    let recorded = changed.is_some();
    let after = match changed {
        None => before,
        Some(changed) => {
            store::write::update(transaction, &[&changed.product]).await?;
            record(transaction, changed).await?
        }
    };
    let answer = match action {
        Action::Archive => Answer { status: 204, body: None, location: None, etag: None },
        Action::Patch(_) | Action::Restore => shown(&store::with_stock(transaction, after).await?, 200, None)?,
    };
    Ok(Outcome { answer, recorded })
}

async fn record(transaction: &Transaction<'_>, changed: Changed) -> Result<Product, DatabaseError> {
    let changes = [changed];
    store::write::record(transaction, &changes).await?;
    let [Changed { product, .. }] = changes;
    Ok(product)
}

/// An id whose order is the order of making, within a process and nearly so between them.
pub(crate) fn fresh_id() -> ProductId {
    ProductId(Uuid::now_v7())
}

fn shown(shown: &Shown, status: u16, location: Option<String>) -> Result<Answer, DatabaseError> {
    let body = serde_json::to_vec(&shown.product).map_err(DatabaseError::codec)?;
    let etag = web::conditional::etag(shown.product.version, shown.stock_version);
    Ok(Answer { status, body: Some(body), location, etag: etag.to_str().ok().map(str::to_owned) })
}

fn conflict(refusal: &Refusal) -> Result<Answer, DatabaseError> {
    let body = serde_json::to_vec(&problem_of(refusal)).map_err(DatabaseError::codec)?;
    Ok(Answer { status: refusal.kind().status(), body: Some(body), location: None, etag: None })
}
