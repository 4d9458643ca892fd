//! The consuming end: a member of a consumer group that hands batches to a [`Handler`] and commits their offsets once they are settled.
//!
//! An offset in Kafka is no more than a memory aid (and what scalers look at): that nothing happens twice is seen to behind the handler, by
//! version. So an offset is committed late rather than early, and never for a partition that another member has by now.

use std::collections::{HashMap, HashSet};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::{Offset, TopicPartitionList};
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

use super::hearing::{self, Fate, Member, Place, Protocol};
use super::{Settings, message};
use crate::{Handler, Incoming, Origin};

/// Bounds of a batch: messages, bytes, and how long the first waits for company.
const BATCH_MESSAGES: usize = 2000;
const BATCH_BYTES: usize = 4 << 20;
const LINGER: Duration = Duration::from_millis(2);
/// How long a batch may be worked on before the member pauses its partitions and goes on showing signs of life.
const PATIENCE: Duration = Duration::from_secs(1);
/// Before a batch is handed over again after its handler's database was away; doubled up to the second bound.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// Between two warnings that nothing can be heard: a client has an error for each attempt and each partition.
const SILENCE: Duration = Duration::from_secs(5);
/// Before a member that could not go on is replaced; doubled up to the second bound, unless it had gone on for longer than that.
const REPLACE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));
/// How long a batch that is under way may take after the wish to stop.
const FINISH: Duration = Duration::from_secs(5);

/// Consumes what `handler` wants to hear of as a member of `group`, until `stop`; then finishes the batch under way, commits and leaves.
///
/// It does not end by itself: a cluster that is away is asked again, and a client that can go on no more is replaced.
pub async fn consume(settings: &Settings, group: &str, handler: Arc<dyn Handler>, stop: CancellationToken) {
    let mut protocol = settings.protocol().unwrap_or(Protocol::Broker);
    let mut pause = REPLACE.0;
    while !stop.is_cancelled() {
        let begun = Instant::now();
        match hearing::member(settings, group, protocol) {
            Ok(member) => match Session::new(member, &*handler, &stop).run().await {
                Some(Ended::TooOld) if protocol == Protocol::Broker && settings.protocol().is_none() => {
                    tracing::debug!(group, "the broker leaves it to the members to share partitions out");
                    protocol = Protocol::Members;
                    continue;
                }
                Some(Ended::TooOld) => {
                    let servers = settings.servers();
                    tracing::error!(
                        group,
                        servers,
                        "the broker refuses the group's protocol; leave KAFKA_GROUP_PROTOCOL unset, or set another"
                    );
                }
                Some(Ended::Failed) | None => {}
            },
            Err(error) => tracing::warn!(group, error = %error, "no consumer could be made, it is tried again"),
        }
        if begun.elapsed() > REPLACE.1 {
            pause = REPLACE.0;
        }
        let _ = timeout(pause, stop.cancelled()).await;
        pause = (pause * 2).min(REPLACE.1);
    }
}

/// Why a member could not go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    /// The broker does not know the newer protocol of groups.
    TooOld,
    /// Its client has failed for good.
    Failed,
}

/// One member's life.
struct Session<'a> {
    member: Member,
    handler: &'a dyn Handler,
    stop: &'a CancellationToken,
    heard: Heard,
    /// Behind the last settled message of each partition that is still ours.
    settled: HashMap<Place, i64>,
}

/// What a member has heard and not handed over yet.
struct Heard {
    /// Names of topics, so that each message need not have its own copy.
    topics: HashMap<String, Arc<str>>,
    /// The beginning of the next batch.
    next: Batch,
    /// Partitions that were taken away since the last batch was closed.
    lost: HashSet<Place>,
    /// When it was said last that nothing can be heard.
    warned: Option<Instant>,
}

/// Messages that are handled together.
#[derive(Default)]
struct Batch {
    messages: Vec<Incoming>,
    bytes: usize,
}

impl Batch {
    fn is_full(&self) -> bool {
        self.messages.len() >= BATCH_MESSAGES || self.bytes >= BATCH_BYTES
    }
}

impl Heard {
    /// Adds what was heard to the next batch. An error that passes adds nothing and is no reason to wait: the client itself does before it tries
    /// again, and behind its errors stand those messages and turns of fate that came since.
    fn take(&mut self, heard: Result<BorrowedMessage<'_>, KafkaError>, fate: &Fate) -> Result<(), Ended> {
        self.forget(fate);
        match heard {
            Ok(message) => {
                let topic = self.topics.get(message.topic()).map_or_else(|| Arc::from(message.topic()), Arc::clone);
                self.next.bytes += message.payload_len();
                self.next.messages.push(message::read(&message, topic));
                Ok(())
            }
            Err(error) => match error.rdkafka_error_code() {
                Some(code) if hearing::is_too_old(code) => Err(Ended::TooOld),
                _ if matches!(error, KafkaError::MessageConsumptionFatal(_)) => Err(Ended::Failed),
                // The client itself says that nobody answers.
                Some(RDKafkaErrorCode::PartitionEOF | RDKafkaErrorCode::AllBrokersDown) => Ok(()),
                _ => {
                    if self.warned.is_none_or(|warned| warned.elapsed() > SILENCE) {
                        tracing::warn!(error = %error, "nothing could be heard, it is tried again");
                        self.warned = Some(Instant::now());
                    }
                    Ok(())
                }
            },
        }
    }

    /// Forgets what was heard of partitions that were taken away: whoever has them now begins at what was committed.
    fn forget(&mut self, fate: &Fate) {
        let taken = fate.taken();
        if !taken.is_empty() {
            let is_ours = |origin: &Origin| !taken.contains(&(Arc::clone(&origin.topic), origin.partition));
            self.next.messages.retain(|incoming| incoming.origin().is_none_or(is_ours));
            self.lost.extend(taken);
        }
    }

    /// Closes the next batch.
    fn batch(&mut self) -> Batch {
        self.lost.clear();
        std::mem::take(&mut self.next)
    }
}

impl<'a> Session<'a> {
    fn new(member: Member, handler: &'a dyn Handler, stop: &'a CancellationToken) -> Self {
        let topics = handler.topics().iter().map(|topic| (topic.name().to_owned(), Arc::from(topic.name()))).collect();
        let heard = Heard { topics, next: Batch::default(), lost: HashSet::new(), warned: None };
        Self { member, handler, stop, heard, settled: HashMap::new() }
    }

    /// Runs until the wish to stop (then it says nothing) or until its client can go on no more.
    async fn run(mut self) -> Option<Ended> {
        let ended = self.listen().await.err();
        if ended == Some(Ended::Failed)
            && let Some((code, reason)) = self.member.client().fatal_error()
        {
            tracing::error!(group = self.handler.group(), kafka.code = %code, reason, "the consumer cannot go on, a new one takes its place");
        }
        self.let_go_of_lost();
        hearing::leave(self.member, offsets(&self.settled)).await;
        ended
    }

    async fn listen(&mut self) -> Result<(), Ended> {
        let names: Vec<&str> = self.heard.topics.keys().map(String::as_str).collect();
        if let Err(error) = self.member.subscribe(&names) {
            tracing::warn!(error = %error, "the topics could not be subscribed to");
            return Err(Ended::Failed);
        }
        loop {
            let batch = self.gather().await?;
            if self.stop.is_cancelled() {
                // What was gathered is not lost: it was not committed.
                return Ok(());
            }
            if !self.settle(&batch).await? {
                return Ok(());
            }
        }
    }

    /// Waits for messages, and then briefly for more of them. Empty only at the wish to stop.
    async fn gather(&mut self) -> Result<Batch, Ended> {
        let fate = Arc::clone(self.member.context());
        while self.heard.next.messages.is_empty() {
            tokio::select! {
                () = self.stop.cancelled() => return Ok(Batch::default()),
                heard = self.member.recv() => self.heard.take(heard, &fate)?,
            }
        }
        let until = Instant::now() + LINGER;
        while !self.heard.next.is_full() {
            let Ok(heard) = timeout_at(until, self.member.recv()).await else { break };
            self.heard.take(heard, &fate)?;
        }
        self.let_go_of_lost();
        Ok(self.heard.batch())
    }

    /// Has a batch handled, again and again until it is settled, and commits its offsets; false when it was given up for the wish to stop.
    async fn settle(&mut self, batch: &Batch) -> Result<bool, Ended> {
        let mut handled = Box::pin(handle(self.handler, &batch.messages, self.stop));
        let settled = if let Ok(settled) = timeout(PATIENCE, &mut handled).await {
            settled
        } else {
            let settled = self.wait_for(handled).await?;
            self.still(false);
            settled
        };
        self.let_go_of_lost();
        if settled {
            let mut places = HashMap::new();
            for origin in batch.messages.iter().filter_map(Incoming::origin) {
                places.insert((Arc::clone(&origin.topic), origin.partition), origin.offset + 1);
            }
            places.retain(|place, _| !self.heard.lost.contains(place));
            // A failure costs no more than hearing things again.
            if let Err(error) = self.member.commit(&offsets(&places), CommitMode::Async) {
                tracing::debug!(error = %error, "offsets were not committed");
            }
            self.settled.extend(places);
        }
        Ok(settled)
    }

    /// What was settled of partitions that another member has by now is no longer ours to say.
    fn let_go_of_lost(&mut self) {
        self.heard.forget(self.member.context());
        self.settled.retain(|place, _| !self.heard.lost.contains(place));
    }

    /// Shows signs of life while a batch takes long: nothing new is fetched, and nothing that comes all the same is lost.
    async fn wait_for(&mut self, handled: impl Future<Output = bool>) -> Result<bool, Ended> {
        let fate = Arc::clone(self.member.context());
        let mut handled = pin!(handled);
        self.still(true);
        loop {
            tokio::select! {
                settled = &mut handled => return Ok(settled),
                heard = self.member.recv() => {
                    self.heard.take(heard, &fate)?;
                    // Only partitions that were given in the meantime are not still yet.
                    self.still(true);
                }
            }
        }
    }

    /// Pauses all partitions, or lets them go on.
    fn still(&self, still: bool) {
        let Ok(partitions) = self.member.assignment() else { return };
        let done = if still { self.member.pause(&partitions) } else { self.member.resume(&partitions) };
        if let Err(error) = done {
            tracing::debug!(error = %error, "partitions could not be paused or resumed");
        }
    }
}

fn offsets(places: &HashMap<Place, i64>) -> TopicPartitionList {
    let mut list = TopicPartitionList::with_capacity(places.len());
    for ((topic, partition), offset) in places {
        // An offset of a message and one is always one that can be said.
        let _ = list.add_partition_offset(topic, *partition, Offset::Offset(*offset));
    }
    list
}

/// Hands a batch over until it is settled; false when the wish to stop came in between, or the batch took too long after it.
async fn handle(handler: &dyn Handler, messages: &[Incoming], stop: &CancellationToken) -> bool {
    let mut pause = BACK_OFF.0;
    let too_late = async {
        stop.cancelled().await;
        sleep(FINISH).await;
    };
    let settled = async {
        while let Err(away) = handler.handle(messages).await {
            tracing::warn!(group = handler.group(), error = %away, "events wait for their consumer's database");
            metrics::counter!("gudang_kafka_batches_again_total", "group" => handler.group().to_owned()).increment(1);
            if timeout(pause, stop.cancelled()).await.is_ok() {
                return false;
            }
            pause = (pause * 2).min(BACK_OFF.1);
        }
        true
    };
    tokio::select! {
        settled = settled => settled,
        () = too_late => false,
    }
}
