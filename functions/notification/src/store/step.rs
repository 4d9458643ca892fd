//! What people do to a notification: acknowledge it, have it delivered again.

use contract::event::kind;
use contract::{Notification, NotificationKind, Time};
use journal::append::{Entry, append};
use postgres::{DatabaseError, Transaction};
use uuid::Uuid;

use super::{find, watch};

const STREAM: &str = "SELECT stream FROM notification WHERE id = $1";

/// Plan: one primary-key look-up. The same lock as a batch of events takes, so that the journal's versions stay gapless.
const LOCK: &str = "SELECT journal_version, journal_recorded_at FROM watch WHERE stream = $1 FOR NO KEY UPDATE";

const ACKNOWLEDGE: &str = "UPDATE notification SET acknowledged_at = $2 WHERE id = $1 AND acknowledged_at IS NULL";

const MOVE_HEAD: &str = "UPDATE watch SET journal_version = $2, journal_recorded_at = $3 WHERE stream = $1";

/// Starts the schedule anew on every channel; a claim made before decides nothing any more. Locks in the order of the channels.
const REDELIVER: &str = "INSERT INTO delivery AS d (notification_id, channel, next_attempt_at) \
     SELECT $1, c, clock_timestamp() FROM unnest($2::text[]) c ORDER BY c \
     ON CONFLICT (notification_id, channel) DO UPDATE SET status = 'pending', step = 0, claim = d.claim + 1, leased_until = NULL, \
         next_attempt_at = EXCLUDED.next_attempt_at";

/// Notes that somebody has seen a notification; the first time counts. `None`: there is no such notification.
///
/// BACK_IN_STOCK has no event but the one that raised it: it asks nobody to act.
pub(crate) async fn acknowledge(transaction: &Transaction<'_>, id: Uuid) -> Result<Option<Notification>, DatabaseError> {
    let Some(row) = postgres::query_opt(transaction, STREAM, &[&id]).await? else { return Ok(None) };
    let stream: String = row.get(0);
    let head = postgres::query_one(transaction, LOCK, &[&stream]).await?;
    let now = watch::now(transaction).await?;
    let first = postgres::execute(transaction, ACKNOWLEDGE, &[&id, &now.timestamp()]).await? == 1;
    let Some(notification) = find(transaction, &[id]).await?.pop() else { return Ok(None) };
    if first && notification.kind != NotificationKind::BackInStock {
        let version = head.get::<_, i64>(0) + 1;
        let recorded_at = now.max(Time::new(head.get(1)));
        let entry = Entry {
            stream: &stream,
            version,
            kind: kind::NOTIFICATION_ACKNOWLEDGED,
            partition_key: notification.product_id.to_string(),
            occurred_at: now,
            recorded_at,
            data: &notification,
        };
        append(transaction, &[entry]).await?;
        postgres::execute(transaction, MOVE_HEAD, &[&stream, &version, &recorded_at.timestamp()]).await?;
    }
    Ok(Some(notification))
}

/// Makes a notification due again on every one of `channels`, delivered or not. `None`: there is no such notification.
pub(crate) async fn redeliver(transaction: &Transaction<'_>, id: Uuid, channels: &[&str]) -> Result<Option<Notification>, DatabaseError> {
    if postgres::query_opt(transaction, STREAM, &[&id]).await?.is_none() {
        return Ok(None);
    }
    postgres::execute(transaction, REDELIVER, &[&id, &channels]).await?;
    Ok(find(transaction, &[id]).await?.pop())
}
