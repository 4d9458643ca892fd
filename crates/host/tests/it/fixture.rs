//! A function that publishes rows of a journal and notes what it hears.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use bus::{Away, Handler, Incoming};
use contract::Topic;
use futures::future::BoxFuture;
use host::{Fallen, Function, Periodic, Role, Share, TickError};
use journal::{Journal, append, schema};
use postgres::Database;
use testkit::TestDatabase;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// How long anything may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);
/// The contract's bound of an orderly stop.
pub(crate) const STOP: Duration = Duration::from_secs(15);
const PRODUCT: &str = "0198c9f2-7a4e-7c33-9a51-3d2f6f6b9f10";

/// Notes the versions that it is handed, and settles a batch when it is let.
pub(crate) struct Notes {
    group: &'static str,
    handed: Mutex<Vec<i64>>,
    pub(crate) settled: Mutex<Vec<i64>>,
    pub(crate) gate: Semaphore,
    pub(crate) panics: AtomicBool,
}

impl Notes {
    pub(crate) fn new(group: &'static str) -> Arc<Self> {
        let (handed, settled) = (Mutex::default(), Mutex::default());
        Arc::new(Self { group, handed, settled, gate: Semaphore::new(Semaphore::MAX_PERMITS), panics: AtomicBool::new(false) })
    }

    pub(crate) fn handed(&self) -> Vec<i64> {
        self.handed.lock().unwrap().clone()
    }
}

impl Handler for Notes {
    fn group(&self) -> &str {
        self.group
    }

    fn topics(&self) -> &[Topic] {
        &[Topic::StockChanges]
    }

    fn handle<'a>(&'a self, batch: &'a [Incoming]) -> BoxFuture<'a, Result<(), Away>> {
        Box::pin(async move {
            let versions: Vec<i64> = batch.iter().filter_map(Incoming::event).map(|event| event.version).collect();
            self.handed.lock().unwrap().extend(&versions);
            assert!(!self.panics.load(Ordering::SeqCst), "the consumer has a bug");
            self.gate.acquire().await.unwrap().forget();
            self.settled.lock().unwrap().extend(versions);
            Ok(())
        })
    }
}

/// Nothing to do, unless it has a bug.
#[derive(Default)]
pub(crate) struct Chores {
    pub(crate) panics: AtomicBool,
}

impl Periodic for Chores {
    fn tick(&self) -> BoxFuture<'_, Result<(), TickError>> {
        Box::pin(async {
            assert!(!self.panics.load(Ordering::SeqCst), "the chores have a bug");
            Ok(())
        })
    }

    fn woken(&self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::pending())
    }
}

/// What a function is made of, and outlives it.
#[derive(Clone)]
pub(crate) struct Till {
    pub(crate) database: Database,
    pub(crate) journal: Arc<Journal>,
    pub(crate) notes: Arc<Notes>,
    pub(crate) chores: Arc<Chores>,
}

impl Till {
    pub(crate) async fn new() -> Self {
        let database = TestDatabase::create().await.database();
        let migrations = [schema::LEASE, schema::RELAY, schema::FENCE, schema::JOURNAL, schema::letters(schema::FIRST_OWN_VERSION)];
        database.migrate(&migrations).await.unwrap();
        let journal = Arc::new(Journal::new(database.clone(), append::table(Topic::StockChanges)));
        Self { database, journal, notes: Notes::new("gudang-till"), chores: Arc::default() }
    }

    pub(crate) fn function(&self) -> Function {
        Function {
            name: "till",
            routes: Router::new().route("/readyz", axum::routing::get(|| async { "ready" })),
            database: self.database.clone(),
            publishes: Some((Topic::StockChanges, Arc::clone(&self.journal))),
            consumes: Some(Arc::clone(&self.notes) as _),
            periodic: Arc::clone(&self.chores) as _,
        }
    }

    /// Commits versions of one stream, and tells nobody.
    pub(crate) async fn write(&self, versions: std::ops::RangeInclusive<i64>) {
        let client = self.database.get().await.unwrap();
        for version in versions {
            let sql = format!(
                "INSERT INTO journal (stream, version, type, partition_key, occurred_at, recorded_at, data) \
                 VALUES ('{PRODUCT}@a', {version}, 'gudang.stock.changed.v1', '{PRODUCT}', now(), now(), '{{}}')"
            );
            client.batch_execute(&sql).await.unwrap();
        }
    }

    /// Runs it as a program of its own would.
    pub(crate) async fn run(&self, role: Role, broker: Option<host::Broker>) -> Running {
        let listener = listener().await;
        let stop = CancellationToken::new();
        let share = Share { role, broker, push: false };
        let task = tokio::spawn(host::pod::run(self.function(), listener, share, stop.clone()));
        Running { stop, task }
    }
}

pub(crate) async fn listener() -> TcpListener {
    host::bind("till", "127.0.0.1:0".parse().unwrap(), "PORT").await.unwrap()
}

/// A host at work.
pub(crate) struct Running {
    pub(crate) stop: CancellationToken,
    pub(crate) task: JoinHandle<Result<(), Fallen>>,
}

impl Running {
    /// Waits for its end, which comes by itself.
    pub(crate) async fn ended(self) -> Result<(), Fallen> {
        tokio::time::timeout(PATIENCE, self.task).await.expect("it ends").expect("the host itself does not panic")
    }

    /// Tells it to stop; it must do so in order and in time.
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        let ended = tokio::time::timeout(STOP, self.task).await.expect("it stops in time");
        ended.expect("the host itself does not panic").expect("in good order");
    }
}
