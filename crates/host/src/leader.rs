//! Leading a database: while the lease is held, its journal ticks, is relayed, and the periodic work is done.

use std::panic::resume_unwind;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bus::{DeadLetterOffice, Outlet};
use journal::lease::LEASE_SECONDS;
use journal::{Journal, Lease, post, relay};
use postgres::Database;
use tokio::task::{JoinError, JoinSet};
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
/// How long it may take at the end of a term to deliver what was committed by then, and to give the lease back.
const DELIVER: Duration = Duration::from_secs(3);
const GIVE_BACK: Duration = Duration::from_secs(1);

/// What a leader does.
#[derive(Clone)]
pub(crate) struct Duties {
    pub(crate) name: &'static str,
    pub(crate) database: Database,
    pub(crate) journal: Option<Arc<Journal>>,
    pub(crate) outlets: Vec<Arc<dyn Outlet>>,
    /// Cancelled when there is something behind the outlets that can take what they are handed.
    pub(crate) ready: CancellationToken,
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
    let epoch = lease.epoch;
    tracing::debug!(service = duties.name, lease.epoch = epoch, "leading");
    // What makes events ends first, and then what delivers them.
    let (over, complete) = (stop.child_token(), CancellationToken::new());
    let (mut work, mut deliveries) = (JoinSet::new(), JoinSet::new());
    if let Some(journal) = &duties.journal {
        if let Err(error) = journal.settle_in().await {
            tracing::warn!(service = duties.name, error = %fault::chain(&error), "the journal could not be looked at");
            wait(ASK_AGAIN, stop).await;
            return;
        }
        work.spawn(relay::tick(Arc::clone(journal), epoch, over.clone()));
        for outlet in &duties.outlets {
            let relayed = relay::run(Arc::clone(journal), Arc::clone(outlet), epoch, complete.clone());
            deliveries.spawn(when_ready(duties.ready.clone(), complete.clone(), relayed));
        }
    }
    if let Some(Letters { office, consumer }) = duties.letters.clone() {
        let (database, until) = (duties.database.clone(), complete.clone());
        let posted = async move { post::run(database, consumer, &*office, epoch, until).await };
        deliveries.spawn(when_ready(duties.ready.clone(), complete.clone(), posted));
    }
    work.spawn(periodically(duties.clone(), over.clone()));
    let ours = tokio::select! {
        ours = hold(&lease, &over) => ours,
        never = unless_broken(&mut work) => never,
        never = unless_broken(&mut deliveries) => never,
    };
    over.cancel();
    if ours {
        // What is given up here was not said to be delivered, so whoever leads next delivers it.
        let last = async {
            all(&mut work).await;
            complete.cancel();
            all(&mut deliveries).await;
        };
        let _ = timeout(DELIVER, last).await;
    }
    work.shutdown().await;
    deliveries.shutdown().await;
    if let Ok(Err(error)) = timeout(GIVE_BACK, lease.release()).await {
        tracing::debug!(service = duties.name, error = %fault::chain(&error), "the lease was not given back, it will run out");
    }
}

/// Begins `work` when there is something that can take it, and not at all if everything is over before.
async fn when_ready(ready: CancellationToken, over: CancellationToken, work: impl Future<Output = ()>) {
    tokio::select! {
        biased;
        () = ready.cancelled() => work.await,
        () = over.cancelled() => {}
    }
}

/// Waits until all of it has ended. What panics takes its leader with it: that is how the process hears of it.
async fn all(work: &mut JoinSet<()>) {
    while let Some(ended) = work.join_next().await {
        if let Err(Ok(panic)) = ended.map_err(JoinError::try_into_panic) {
            resume_unwind(panic);
        }
    }
}

/// Ends by a panic or not at all.
async fn unless_broken(work: &mut JoinSet<()>) -> bool {
    all(work).await;
    std::future::pending().await
}

/// Renews until the term is over or the lease is lost; says whether it is still ours. A lease that could not be renewed in time counts as lost.
async fn hold(lease: &Lease, over: &CancellationToken) -> bool {
    let mut renewed = Instant::now();
    while !over.is_cancelled() {
        wait(RENEW, over).await;
        match lease.renew().await {
            Ok(true) => renewed = Instant::now(),
            Ok(false) => return false,
            Err(error) => tracing::warn!(error = %fault::chain(&error), "the lease could not be renewed"),
        }
        if renewed.elapsed() > Duration::from_secs(LEASE_SECONDS) {
            return false;
        }
    }
    true
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
