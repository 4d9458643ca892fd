//! Looks into what differs: bucket by bucket, again and again until both sides were seen at one version.

use std::time::{Duration, Instant};

use contract::BookAccount;
use futures::{StreamExt, TryStreamExt, stream};
use tokio::time::sleep;

use super::compare::{PAIRS, Pair, Seen};
use super::{AllBooks, Drift};
use crate::client::{NoAnswer, Service, Services};

/// How long streams are looked at again, all buckets together. A change takes milliseconds on its way, so this is generous.
const LOOK: Duration = Duration::from_secs(5);
/// Looks that every bucket gets, however many there are.
const LOOKS_MIN: usize = 3;
/// Between two looks.
const AGAIN: Duration = Duration::from_millis(100);
/// Buckets that are looked into at once.
const AT_ONCE: usize = 4;

/// What came of looking.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) drifts: Vec<Drift>,
    /// Streams that could not be compared, because they changed all the while.
    pub(super) moving: usize,
}

/// Descends into every bucket whose digests differ.
pub(super) async fn into_differences(services: &Services, books: &AllBooks) -> Result<Outcome, NoAnswer> {
    let mut outcome = Outcome::default();
    for pair in &PAIRS {
        outcome.drifts.extend(pair.missing(books));
    }
    let differing = PAIRS.iter().flat_map(|pair| pair.buckets(books).into_iter().map(|bucket| (*pair, bucket)));
    let until = Instant::now() + LOOK;
    let looked = stream::iter(differing).map(|(pair, bucket)| into_bucket(services, pair, bucket, until)).buffer_unordered(AT_ONCE);
    let looked: Vec<(Vec<Drift>, usize)> = looked.try_collect().await?;
    for (drifts, moving) in looked {
        outcome.drifts.extend(drifts);
        outcome.moving += moving;
    }
    Ok(outcome)
}

async fn into_bucket(services: &Services, pair: Pair, bucket: u8, until: Instant) -> Result<(Vec<Drift>, usize), NoAnswer> {
    let (owner, keeper) = (services.all()[pair.owner as usize], services.all()[pair.keeper as usize]);
    let (mut looks, mut seen) = (0, Seen::default());
    loop {
        // The copy first: what it has, its owner has too by the time that it is asked.
        let found = account(keeper, pair.account, bucket).await?;
        seen.look(pair, account(owner, pair.account, bucket).await?, found);
        looks += 1;
        if seen.open().is_empty() || looks >= LOOKS_MIN && Instant::now() > until {
            return Ok(seen.judge(pair));
        }
        sleep(AGAIN).await;
    }
}

async fn account(service: &Service, name: &str, bucket: u8) -> Result<BookAccount, NoAnswer> {
    let mut books = service.books(Some(name), Some(bucket)).await?;
    books.accounts.remove(name).ok_or_else(|| service.without(name))
}
