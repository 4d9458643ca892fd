//! Leading a database: while the lease is held, its journal ticks, is relayed, and the periodic work is done.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bus::{DeadLetterOffice, Outlet};
use journal::lease::LEASE_SECONDS;
use journal::{Journal, Lease, post, relay};
use postgres::Database;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::{Every, Periodic};

/// Between two renewals.
const RENEW: Duration = Duration::from_secs(3);
/// Before a lease that another holds is asked for again.
const ASK_AGAIN: Duration = Duration::from_secs(1);
/// Between two ticks of the periodic work, unless it is woken.
const TICK: Duration = Duration::from_secs(1);
/// Between two clean-ups of the journal's ticks.
const MAINTAIN: Duration = Duration::from_mins(1);
/// How long a delivery that is under way may take after the term is over.
const LET_GO: Duration = Duration::from_secs(5);

/// What a leader does.
#[derive(Clone)]
pub(crate) struct Duties {
    pub(crate) name: &'static str,
    pub(crate) database: Database,
    pub(crate) journal: Option<Arc<Journal>>,
    pub(crate) outlets: Vec<Arc<dyn Outlet>>,
    pub(crate) letters: Option<Letters>,
    pub(crate) periodic: Arc<dyn Periodic>,
}

/// Where the dead letters of a consumer go.
#[derive(Clone)]
pub(crate) struct Letters {
    pub(crate) office: Arc<dyn DeadLetterOffice>,
    pub(crate) consumer: String,
}

/// Leads whenever the lease can be had, until `stop`; gives it back at the end.
pub(crate) async fn lead(duties: Duties, holder: String, stop: CancellationToken) {
    while !stop.is_cancelled() {
        match Lease::take(&duties.database, &holder).await {
            Ok(Some(lease)) => term(&duties, lease, &stop).await,
            Ok(None) => wait(ASK_AGAIN, &stop).await,
            Err(error) => {
                tracing::warn!(service = duties.name, error = %fault::chain(&error), "the lease could not be asked for");
                wait(ASK_AGAIN, &stop).await;
            }
        }
    }
}

async fn wait(pause: Duration, stop: &CancellationToken) {
    let _ = timeout(pause, stop.cancelled()).await;
}

/// One term of office.
async fn term(duties: &Duties, lease: Lease, stop: &CancellationToken) {
    tracing::debug!(service = duties.name, lease.epoch = lease.epoch, "leading");
    let (over, lease_epoch) = (stop.child_token(), lease.epoch);
    let mut work = JoinSet::new();
    if let Some(journal) = &duties.journal {
        if let Err(error) = journal.settle_in().await {
            tracing::warn!(service = duties.name, error = %fault::chain(&error), "the journal could not be looked at");
            wait(ASK_AGAIN, stop).await;
            return;
        }
        work.spawn(relay::tick(Arc::clone(journal), lease.epoch, over.clone()));
        for outlet in &duties.outlets {
            work.spawn(relay::run(Arc::clone(journal), Arc::clone(outlet), lease.epoch, over.clone()));
        }
    }
    if let Some(Letters { office, consumer }) = duties.letters.clone() {
        let (database, over) = (duties.database.clone(), over.clone());
        work.spawn(async move { post::run(database, consumer, &*office, lease_epoch, over).await });
    }
    work.spawn(periodically(duties.clone(), over.clone()));
    hold(&lease, &over).await;
    over.cancel();
    // What is given up here was not said to be delivered, so whoever leads next delivers it.
    if timeout(LET_GO, async { while work.join_next().await.is_some() {} }).await.is_err() {
        work.shutdown().await;
    }
    if let Err(error) = lease.release().await {
        tracing::debug!(service = duties.name, error = %fault::chain(&error), "the lease was not given back, it will run out");
    }
}

/// Renews until the term is over or the lease is lost. A lease that could not be renewed in time counts as lost.
async fn hold(lease: &Lease, over: &CancellationToken) {
    let mut renewed = Instant::now();
    while !over.is_cancelled() {
        wait(RENEW, over).await;
        match lease.renew().await {
            Ok(true) => renewed = Instant::now(),
            Ok(false) => return,
            Err(error) => tracing::warn!(error = %fault::chain(&error), "the lease could not be renewed"),
        }
        if renewed.elapsed() > Duration::from_secs(LEASE_SECONDS) {
            return;
        }
    }
}

async fn periodically(duties: Duties, over: CancellationToken) {
    let maintain = Every::new(MAINTAIN);
    while !over.is_cancelled() {
        let round = async {
            once(&duties, maintain.due()).await;
            tokio::select! { () = duties.periodic.woken() => {}, () = sleep(TICK) => {} }
        };
        tokio::select! { () = over.cancelled() => {}, () = round => {} }
    }
}

async fn once(duties: &Duties, clean: bool) {
    if clean
        && let Some(journal) = &duties.journal
        && let Err(error) = relay::maintain(journal).await
    {
        tracing::warn!(service = duties.name, error = %fault::chain(&error), "the journal's ticks were not cleaned up");
    }
    if let Err(error) = duties.periodic.tick().await {
        tracing::warn!(service = duties.name, error = %fault::chain(&error), "periodic work failed, it is tried again");
    }
}
