//! Reconciling: finds streams whose last event never came, which no later event would tell, by comparing books.
//!
//! Every [`PERIOD`] the consumer's versions are compared with its producer's, bucket by bucket. A stream that is behind at the same version
//! twice in a row is not merely on its way: it is repaired from the producer's journal.

use std::collections::HashMap;
use std::time::Duration;

use contract::{BookAccount, Topic};
use postgres::DatabaseError;

use crate::books::{APPLIED_PRODUCTS, APPLIED_STOCK, Account, Keeper};
use crate::intake::{Feed, Intake};
use crate::upstream::UpstreamError;

/// Between two comparisons. What is lost is seen by the first one and repaired by the second: within 90 seconds, as is promised, on a busy machine too.
pub const PERIOD: Duration = Duration::from_secs(35);

/// Why a comparison was not made. The next one will be.
#[derive(Debug, thiserror::Error)]
pub enum NotCompared {
    /// The own database.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The producer.
    #[error(transparent)]
    Upstream(#[from] UpstreamError),
}

/// The account that both sides of a topic keep: stream and version, no sums.
fn account(topic: Topic) -> Option<Account> {
    match topic {
        Topic::StockChanges => Some(APPLIED_STOCK),
        Topic::ProductEvents => Some(APPLIED_PRODUCTS),
        Topic::Notifications => None,
    }
}

impl Intake {
    /// Compares what was applied with the producers' books and repairs what stays behind; says how many streams it repaired.
    pub async fn reconcile(&self) -> Result<usize, NotCompared> {
        let mut behind = HashMap::new();
        for feed in &self.feeds {
            if let Some(account) = account(feed.topic) {
                self.compare(feed, account, &mut behind).await?;
            }
        }
        let mut last_time = self.behind.lock().await;
        let stuck: Vec<(String, Topic)> = behind
            .iter()
            .filter(|(stream, seen)| last_time.get(*stream) == Some(*seen))
            .map(|(stream, (_, topic))| (stream.clone(), *topic))
            .collect();
        for (stream, topic) in &stuck {
            tracing::warn!(event.stream = stream, "a stream stayed behind its producer, repairing it");
            self.retry(stream, *topic).await?;
            metrics::counter!("gudang_reconciled_streams_total").increment(1);
        }
        *last_time = behind;
        Ok(stuck.len())
    }

    /// Adds the streams of one feed that are behind, each with the version at which it stands.
    async fn compare(&self, feed: &Feed, account: Account, behind: &mut HashMap<String, (i64, Topic)>) -> Result<(), NotCompared> {
        let name = account.name;
        let accounts = [account];
        let ours = Keeper::of(&accounts).books(&self.database, None, None).await?;
        let theirs = feed.upstream.books(name, None).await?;
        let (Some(ours), Some(theirs)) = (ours.accounts.get(name), theirs.accounts.get(name)) else { return Ok(()) };
        let pairs = ours.buckets.iter().zip(&theirs.buckets).enumerate();
        let different: Vec<u8> = pairs.filter(|(_, (ours, theirs))| ours != theirs).map(|(bucket, _)| bucket as u8).collect();
        for bucket in different {
            let ours = Keeper::of(&accounts).books(&self.database, None, Some(bucket)).await?;
            let theirs = feed.upstream.books(name, Some(bucket)).await?;
            let applied = versions(ours.accounts.get(name));
            for (stream, version) in versions(theirs.accounts.get(name)) {
                let stands = applied.get(stream).copied().unwrap_or(0);
                if stands < version {
                    behind.insert(stream.to_owned(), (stands, feed.topic));
                }
            }
        }
        Ok(())
    }
}

fn versions(account: Option<&BookAccount>) -> HashMap<&str, i64> {
    account.into_iter().flat_map(|account| &account.entries).map(|entry| (entry.stream.as_str(), entry.version)).collect()
}
