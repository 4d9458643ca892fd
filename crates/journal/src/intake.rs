//! The intake: applies what a transport brings, exactly once, in order, and leaves nothing unsettled.
//!
//! One transaction a batch: fence, effect, new versions. What the fence stops is first mended from the producer's journal (a gap, or a
//! copy that broke on the way) and, where that fails, put aside as a dead letter with its stream parked, while other streams go on. The
//! only thing that it leaves for later is a batch that its own database could not take. It knows no domain: that is the [`Effect`].

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use bus::{Away, Handler, Incoming, Message};
use contract::event::Payload;
use contract::{Event, Topic};
use futures::future::BoxFuture;
use postgres::{Database, DatabaseError, Transaction};
use tokio::sync::Mutex;

use crate::fence::{Fence, Mode, Verdict};
use crate::letters::{self, Reason, Wreck};
use crate::upstream::{Round, Upstream};

/// Events that one repair asks for at once.
const REPAIR_EVENTS: usize = 500;

/// What a service consumes.
pub struct Feed {
    /// The topic.
    pub topic: Topic,
    /// Whether a missing version is a gap.
    pub mode: Mode,
    /// Where missing events are fetched.
    pub upstream: Arc<dyn Upstream>,
}

/// An event that passed the fence, with what it says.
#[derive(Debug)]
pub struct Applied<'a> {
    /// The envelope.
    pub event: &'a Event,
    /// The data.
    pub payload: Payload,
}

/// What events do in a service.
pub trait Effect: Send + Sync + 'static {
    /// Applies rows, each stream's in version order, as part of `transaction`, which also moves the fence.
    ///
    /// A transient error makes the batch come again. Any other says that some row cannot be applied: the batch is then halved until that
    /// row stands alone.
    fn apply<'a>(&'a self, transaction: &'a Transaction<'_>, rows: &'a [Applied<'a>]) -> BoxFuture<'a, Result<(), DatabaseError>>;

    /// Called after each commit with the rows that it applied: the place to wake whoever waits for what was written.
    fn committed(&self, _rows: &[Applied<'_>]) {}
}

/// A consumer: fence, effect, repair and dead letters behind one [`Handler`].
pub struct Intake {
    pub(crate) database: Database,
    group: String,
    topics: Vec<Topic>,
    pub(crate) feeds: Vec<Feed>,
    effect: Arc<dyn Effect>,
    pub(crate) behind: Mutex<HashMap<String, (i64, Topic)>>,
}

/// A stream that the fence stopped, and at what.
struct Trouble {
    stream: String,
    version: i64,
    topic: Topic,
    reason: Reason,
    error: String,
    event: String,
}

impl Trouble {
    /// The message that made it, if a broker carried that.
    fn message_in<'a>(&self, batch: &'a [Incoming]) -> Option<&'a Message> {
        let same = |event: &Event| event.subject == self.stream && event.version == self.version;
        batch.iter().find(|incoming| incoming.event().is_some_and(same)).and_then(Incoming::message)
    }
}

/// Why a batch was not applied.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unapplied {
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// Another process applied the same versions first; the fence must be asked again.
    #[error("another process was there first")]
    Raced,
}

impl Intake {
    /// Makes the consumer `group` of `feeds`, applied to `database` by `effect`.
    pub fn new(database: Database, group: &str, feeds: Vec<Feed>, effect: Arc<dyn Effect>) -> Self {
        let topics = feeds.iter().map(|feed| feed.topic).collect();
        Self { database, group: group.to_owned(), topics, feeds, effect, behind: Mutex::default() }
    }

    /// The database that it applies to.
    pub fn database(&self) -> &Database {
        &self.database
    }

    pub(crate) fn feed(&self, topic: Topic) -> Option<&Feed> {
        self.feeds.iter().find(|feed| feed.topic == topic)
    }

    fn count(&self, outcome: &'static str, events: u64) {
        if events > 0 {
            metrics::counter!("gudang_events_total", "group" => self.group.clone(), "outcome" => outcome).increment(events);
        }
    }

    /// Handles a batch; see [`Handler::handle`].
    async fn settle(&self, batch: &[Incoming]) -> Result<(), Unapplied> {
        let mut events = Vec::with_capacity(batch.len());
        for incoming in batch {
            match incoming {
                Incoming::Event(event) | Incoming::Carried(event, _) if self.feed_of(event).is_some() => events.push(event),
                Incoming::Event(_) | Incoming::Carried(..) | Incoming::Foreign(_) => self.count("foreign", 1),
                Incoming::Alien(alien) => letters::put(&self.database, &Wreck::of_alien(alien)).await?,
            }
        }
        let mut round = Round::begin();
        for trouble in self.attempt(&events, false).await? {
            if let Some(trouble) = self.mend(trouble, &mut round).await? {
                self.put_aside(&trouble, trouble.message_in(batch)).await?;
            }
        }
        Ok(())
    }

    fn feed_of(&self, event: &Event) -> Option<&Feed> {
        self.feed(Topic::of_source(&event.source)?)
    }

    /// Applies what the fence lets through; what it stops is returned, one trouble a stream.
    ///
    /// `retry` lets parked streams through.
    async fn attempt(&self, events: &[&Event], retry: bool) -> Result<Vec<Trouble>, Unapplied> {
        for _ in 0..3 {
            match self.attempt_once(events, retry).await {
                Err(Unapplied::Raced) => self.count("raced", 1),
                outcome => return outcome,
            }
        }
        Err(Unapplied::Raced)
    }

    fn attempt_once<'a>(&'a self, events: &'a [&'a Event], retry: bool) -> BoxFuture<'a, Result<Vec<Trouble>, Unapplied>> {
        Box::pin(async move {
            if events.is_empty() {
                return Ok(Vec::new());
            }
            let mut client = self.database.get().await?;
            let transaction = client.transaction().await.map_err(DatabaseError::from)?;
            let mut fence = Fence::lock(&transaction, events.iter().map(|event| event.subject.as_str()).collect()).await?;
            if retry {
                fence.unpark();
            }
            let (rows, troubles) = self.sort_out(events, &mut fence);
            if !rows.is_empty()
                && let Err(error) = self.effect.apply(&transaction, &rows).await
            {
                if error.is_transient() {
                    return Err(error.into());
                }
                drop(rows);
                drop(transaction);
                drop(client);
                return self.halve(events, retry, &error).await;
            }
            let applied = rows.len() as u64;
            if !fence.advance(&transaction).await? {
                return Err(Unapplied::Raced);
            }
            transaction.commit().await.map_err(DatabaseError::from)?;
            self.count("applied", applied);
            if applied > 0 {
                self.effect.committed(&rows);
            }
            Ok(troubles)
        })
    }

    /// Finds the rows that cannot be applied by trying each half alone; a single one is the trouble itself.
    async fn halve(&self, events: &[&Event], retry: bool, error: &DatabaseError) -> Result<Vec<Trouble>, Unapplied> {
        if let [event] = events {
            return Ok(self.trouble(event, Reason::Broken, fault::chain(error)).into_iter().collect());
        }
        let (first, second) = events.split_at(events.len() / 2);
        let mut troubles = self.attempt_once(first, retry).await?;
        let stopped: HashSet<&str> = troubles.iter().map(|trouble| trouble.stream.as_str()).collect();
        let second: Vec<&Event> = second.iter().copied().filter(|event| !stopped.contains(event.subject.as_str())).collect();
        let more = self.attempt_once(&second, retry).await?;
        troubles.extend(more);
        Ok(troubles)
    }

    /// Asks the fence about each event in turn. A stream that was stopped stays stopped for the rest of the batch.
    fn sort_out<'a>(&self, events: &[&'a Event], fence: &mut Fence) -> (Vec<Applied<'a>>, Vec<Trouble>) {
        let mut rows = Vec::with_capacity(events.len());
        let mut troubles = Vec::new();
        let mut stopped = HashSet::new();
        let (mut duplicates, mut parked, mut unknown) = (0, 0, 0);
        for &event in events {
            let (Some(feed), Some(standing)) = (self.feed_of(event), fence.standing(&event.subject)) else { continue };
            if stopped.contains(event.subject.as_str()) {
                continue;
            }
            let trouble = match standing.judge(feed.mode, event.version, event.recorded_at) {
                Verdict::Next => match event.payload() {
                    Ok(payload) => {
                        standing.take(event);
                        match payload {
                            Payload::Unknown => unknown += 1,
                            payload => rows.push(Applied { event, payload }),
                        }
                        continue;
                    }
                    Err(broken) => self.trouble(event, Reason::Broken, fault::chain(&broken)),
                },
                Verdict::Duplicate => {
                    duplicates += 1;
                    continue;
                }
                Verdict::Parked => {
                    parked += 1;
                    continue;
                }
                Verdict::Gap => {
                    let missing = format!("version {} came, {} is missing", event.version, standing.version + 1);
                    self.trouble(event, Reason::Gap, missing)
                }
                Verdict::Rewritten => {
                    let rewritten = format!("version {} came again with a later recorded time", event.version);
                    self.trouble(event, Reason::Rewritten, rewritten)
                }
            };
            stopped.insert(event.subject.as_str());
            troubles.extend(trouble);
        }
        self.count("duplicate", duplicates);
        self.count("parked", parked);
        self.count("unknown", unknown);
        (rows, troubles)
    }

    fn trouble(&self, event: &Event, reason: Reason, error: String) -> Option<Trouble> {
        Some(Trouble {
            stream: event.subject.clone(),
            version: event.version,
            topic: self.feed_of(event)?.topic,
            reason,
            error,
            event: serde_json::to_string(event).unwrap_or_default(),
        })
    }

    /// Repairs a stopped stream from its producer's journal. What cannot be repaired is returned.
    async fn mend(&self, trouble: Trouble, round: &mut Round) -> Result<Option<Trouble>, Unapplied> {
        metrics::counter!("gudang_stream_stops_total", "group" => self.group.clone(), "reason" => trouble.reason.as_str()).increment(1);
        let Some(feed) = self.feed(trouble.topic) else { return Ok(None) };
        if trouble.reason == Reason::Rewritten {
            return Ok(Some(trouble));
        }
        let remaining = match self.catch_up(feed, &trouble.stream, false, round).await? {
            CaughtUp::To(version) if version >= trouble.version => None,
            CaughtUp::Stopped(found) if found.version >= trouble.version || trouble.reason == Reason::Gap => Some(found),
            CaughtUp::Unreachable(error) => Some(Trouble { error: format!("{}; {error}", trouble.error), ..trouble }),
            CaughtUp::To(_) | CaughtUp::Stopped(_) => Some(trouble),
        };
        self.count("repaired", u64::from(remaining.is_none()));
        Ok(remaining)
    }

    async fn put_aside(&self, trouble: &Trouble, message: Option<&Message>) -> Result<(), Unapplied> {
        let wreck = Wreck {
            stream: Some(&trouble.stream),
            version: Some(trouble.version),
            topic: Some(trouble.topic.name()),
            reason: trouble.reason,
            error: &trouble.error,
            event: Some(&trouble.event),
            message,
        };
        Ok(letters::put(&self.database, &wreck).await?)
    }

    /// Applies everything that the producer's journal has behind what is applied here.
    async fn catch_up(&self, feed: &Feed, stream: &str, retry: bool, round: &mut Round) -> Result<CaughtUp, Unapplied> {
        loop {
            let version = self.version_of(stream).await?;
            let fetched = match round.stream_after(feed, stream, version, REPAIR_EVENTS).await {
                Ok(fetched) => fetched,
                Err(error) => return Ok(CaughtUp::Unreachable(error)),
            };
            let ours: Vec<&Event> = fetched.iter().filter(|event| event.subject == stream && event.source == feed.topic.source()).collect();
            if let Some(trouble) = self.attempt(&ours, retry).await?.into_iter().next() {
                return Ok(CaughtUp::Stopped(trouble));
            }
            let now = self.version_of(stream).await?;
            if ours.len() < REPAIR_EVENTS || now == version {
                return Ok(CaughtUp::To(now));
            }
        }
    }

    async fn version_of(&self, stream: &str) -> Result<i64, DatabaseError> {
        let client = self.database.get().await?;
        let row = postgres::query_opt(&client, "SELECT version FROM applied WHERE stream = $1", &[&stream]).await?;
        Ok(row.map_or(0, |row| row.get(0)))
    }

    /// Brings one stream up to its producer's journal, parked or not: what `dead-letters retry` does, and what tick does for gaps.
    pub async fn retry(&self, stream: &str, topic: Topic) -> Result<Retried, DatabaseError> {
        self.retry_within(stream, topic, &mut Round::begin()).await
    }

    async fn retry_within(&self, stream: &str, topic: Topic, round: &mut Round) -> Result<Retried, DatabaseError> {
        let Some(feed) = self.feed(topic) else { return Ok(Retried::StillParked("this service does not consume that topic".into())) };
        let error = match self.catch_up(feed, stream, true, round).await {
            Ok(CaughtUp::To(version)) => {
                let mut client = self.database.get().await?;
                let transaction = client.transaction().await?;
                letters::resolve(&transaction, stream).await?;
                transaction.commit().await?;
                return Ok(Retried::Resolved { version });
            }
            Ok(CaughtUp::Stopped(trouble)) => trouble.error,
            Ok(CaughtUp::Unreachable(error)) => error,
            Err(Unapplied::Raced) => Unapplied::Raced.to_string(),
            Err(Unapplied::Database(error)) => return Err(error),
        };
        letters::retried(&self.database, stream, &error).await?;
        Ok(Retried::StillParked(error))
    }

    /// Tries the streams again that wait for something missing. Those of a producer that does not answer wait for the next time.
    pub async fn retry_gaps(&self) -> Result<(), DatabaseError> {
        let mut round = Round::begin();
        for (stream, topic) in letters::parked(&self.database, Reason::Gap).await? {
            let topic = self.topics.iter().copied().find(|known| known.name() == topic);
            if let Some(topic) = topic.filter(|topic| round.may_ask(*topic)) {
                self.retry_within(&stream, topic, &mut round).await?;
            }
        }
        Ok(())
    }
}

/// How far a repair came.
enum CaughtUp {
    /// The producer has nothing more; this is where the stream stands.
    To(i64),
    /// The producer's own copy cannot be applied either.
    Stopped(Trouble),
    /// The producer could not be asked.
    Unreachable(String),
}

/// What a retry came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Retried {
    /// The stream goes on; this is where it stands.
    Resolved {
        /// The stream's version.
        version: i64,
    },
    /// It failed again, for this reason.
    StillParked(String),
}

impl Handler for Intake {
    fn group(&self) -> &str {
        &self.group
    }

    fn topics(&self) -> &[Topic] {
        &self.topics
    }

    fn handle<'a>(&'a self, batch: &'a [Incoming]) -> BoxFuture<'a, Result<(), Away>> {
        Box::pin(async move { self.settle(batch).await.map_err(|error| Away(Box::new(error))) })
    }
}
