//! Deliveries: claims what is due, sends it, writes down what became of it, and decides when it is tried again.
//!
//! Nothing is sent inside a transaction. A process that dies between claim and result loses its lease, and the attempt is made again: what
//! arrives twice has the same message id. It knows channels by their trait and the database by `store`.

use std::collections::{HashMap, HashSet};
use std::pin::pin;
use std::time::Duration;

use contract::{DeliveryStatus, Notification};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use host::Bell;
use postgres::{Database, DatabaseError};
use uuid::Uuid;

use crate::channels::{Channel, Channels, Failed, Message, Outcome};
use crate::store;
use crate::store::delivery::{Claimed, Recorded};

/// How much longer than one attempt a claim holds.
const LEASE_BEYOND_ATTEMPT: Duration = Duration::from_secs(20);
/// Between two looks for what has become due, while something is under way.
const LOOK: Duration = Duration::from_secs(1);
/// Results that are written down together.
const RESULTS: usize = 500;
/// How far a wait may be off its schedule, so that what failed together does not come again together.
const JITTER: std::ops::RangeInclusive<f64> = 0.9..=1.1;

/// Sends what is due.
pub(crate) struct Deliveries {
    pub(crate) database: Database,
    pub(crate) channels: Channels,
    pub(crate) bell: Bell,
    /// The wait before each attempt.
    pub(crate) schedule: Vec<Duration>,
    /// How long one attempt may take.
    pub(crate) timeout: Duration,
}

/// An attempt that ended.
struct Ended {
    channel: usize,
    claimed: Claimed,
    outcome: Outcome,
}

impl Deliveries {
    /// The channels in use, by name.
    pub(crate) fn channel_names(&self) -> Vec<&'static str> {
        self.channels.iter().map(|channel| channel.name()).collect()
    }

    /// Sends what is due, and what becomes due meanwhile, until nothing is under way and `others` are done too.
    ///
    /// May be dropped at any await: what was under way is tried again when its lease has run out.
    pub(crate) async fn run(&self, others: impl Future<Output = ()>) -> Result<(), DatabaseError> {
        let mut others = pin!(others);
        let mut others_done = false;
        let mut under_way = FuturesUnordered::new();
        let mut busy = vec![0; self.channels.len()];
        loop {
            for (channel, claimed, message) in self.claim(&busy).await? {
                busy[channel] += 1;
                under_way.push(async move { Ended { channel, claimed, outcome: self.attempt(&*self.channels[channel], &message).await } });
            }
            if under_way.is_empty() && others_done {
                return Ok(());
            }
            let mut ready = (&mut under_way).ready_chunks(RESULTS);
            tokio::select! {
                Some(ended) = ready.next() => {
                    for ended in &ended {
                        busy[ended.channel] -= 1;
                    }
                    self.settle(ended).await?;
                }
                () = &mut others, if !others_done => others_done = true,
                () = self.bell.rung() => {}
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    /// Claims what is due on every channel that has room beside what it is busy with.
    async fn claim(&self, busy: &[usize]) -> Result<Vec<(usize, Claimed, Message)>, DatabaseError> {
        let room = |at: usize| self.channels[at].at_once().saturating_sub(busy[at]);
        let rooms: Vec<(&str, usize)> = self.channels.iter().enumerate().map(|(at, channel)| (channel.name(), room(at))).collect();
        let claimed = store::delivery::claim(&self.database, &rooms, self.timeout + LEASE_BEYOND_ATTEMPT).await?;
        let mut ids: Vec<Uuid> = claimed.iter().flatten().map(|claimed| claimed.notification_id).collect();
        ids.sort_unstable();
        ids.dedup();
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let notifications = store::find(&self.database.get().await?, &ids).await?;
        let notifications: HashMap<Uuid, Notification> = notifications.into_iter().map(|found| (found.id, found)).collect();
        let mut messages = Vec::with_capacity(ids.len());
        for (channel, claimed) in claimed.into_iter().enumerate() {
            for claimed in claimed {
                if let Some(notification) = notifications.get(&claimed.notification_id) {
                    messages.push((channel, claimed, Message::of(notification.clone(), self.channels[channel].name())));
                }
            }
        }
        Ok(messages)
    }

    /// One attempt, bounded in time whatever the channel does.
    pub(crate) async fn attempt(&self, channel: &dyn Channel, message: &Message) -> Outcome {
        let in_time = tokio::time::timeout(self.timeout, channel.send(message)).await;
        in_time.unwrap_or_else(|_| {
            Err(Failed { error: format!("no answer within {} ms", self.timeout.as_millis()), http_status: None, is_final: false })
        })
    }

    /// Writes down what became of attempts. A delivery that is there twice (it was redelivered meanwhile) goes into two statements.
    async fn settle(&self, ended: Vec<Ended>) -> Result<(), DatabaseError> {
        let mut results: Vec<Recorded> = ended.into_iter().map(|ended| self.result(ended)).collect();
        while !results.is_empty() {
            let mut seen = HashSet::new();
            let (now, later): (Vec<_>, Vec<_>) =
                results.into_iter().partition(|result| seen.insert((result.claimed.notification_id, result.channel)));
            store::delivery::record(&self.database, &now).await?;
            results = later;
        }
        Ok(())
    }

    fn result(&self, ended: Ended) -> Recorded {
        let Ended { channel, claimed, outcome } = ended;
        let channel = self.channels[channel].name();
        let next = next(&outcome, claimed.step as usize, &self.schedule);
        let label = match next {
            Next::Delivered => "delivered",
            Next::Dead => "dead",
            Next::Again(_) => "failed",
        };
        metrics::counter!("gudang_deliveries_total", "channel" => channel, "outcome" => label).increment(1);
        let (status, wait) = match next {
            Next::Delivered => (DeliveryStatus::Delivered, Duration::ZERO),
            Next::Dead => (DeliveryStatus::Dead, Duration::ZERO),
            Next::Again(wait) => (DeliveryStatus::Pending, wait.mul_f64(rand::random_range(JITTER))),
        };
        let (error, http_status) = match outcome {
            Ok(http_status) => (None, http_status),
            Err(failed) => {
                tracing::warn!(
                    notification.id = %claimed.notification_id, channel, outcome = label, error = failed.error, "an alert was not delivered"
                );
                (Some(failed.error), failed.http_status)
            }
        };
        Recorded { claimed, channel, status, wait, error, http_status }
    }
}

/// What follows an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Delivered,
    Again(Duration),
    Dead,
}

/// Decides what follows an attempt before which `failed` others had failed. The schedule holds the wait before each attempt, the first
/// included; when it is used up, or trying again is of no use, the delivery is dead.
fn next(outcome: &Outcome, failed: usize, schedule: &[Duration]) -> Next {
    match outcome {
        Ok(_) => Next::Delivered,
        Err(failure) if failure.is_final => Next::Dead,
        Err(_) => schedule.get(failed + 1).map_or(Next::Dead, |wait| Next::Again(*wait)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(is_final: bool) -> Outcome {
        Err(Failed { error: "no".into(), http_status: None, is_final })
    }

    #[test]
    fn there_are_as_many_attempts_as_the_schedule_has_entries() {
        let schedule = [0, 5, 300].map(Duration::from_secs);
        assert_eq!(next(&failed(false), 0, &schedule), Next::Again(Duration::from_secs(5)));
        assert_eq!(next(&failed(false), 1, &schedule), Next::Again(Duration::from_mins(5)));
        assert_eq!(next(&failed(false), 2, &schedule), Next::Dead);
    }

    #[test]
    fn a_final_failure_is_not_tried_again_and_a_success_ends_it() {
        let schedule = [0, 5, 300].map(Duration::from_secs);
        assert_eq!(next(&failed(true), 0, &schedule), Next::Dead);
        assert_eq!(next(&Ok(Some(204)), 2, &schedule), Next::Delivered);
    }
}
