//! The consuming end: a member of a consumer group that hands batches to a [`Handler`] and commits their offsets once they are settled.
//!
//! An offset in Kafka is no more than a memory aid (and what scalers look at): that nothing happens twice is seen to behind the handler, by
//! version. So an offset is committed late rather than early, and never for a partition that another member has by now.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::{Offset, TopicPartitionList};
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

use super::hearing::{self, Member, Protocol};
use super::{KafkaFailure, Settings, message};
use crate::{Handler, Incoming};

/// Bounds of a batch: messages, bytes, and how long the first waits for company.
const BATCH_MESSAGES: usize = 2000;
const BATCH_BYTES: usize = 4 << 20;
const LINGER: Duration = Duration::from_millis(2);
/// How long a batch may be worked on before the member pauses its partitions and goes on showing signs of life.
const PATIENCE: Duration = Duration::from_secs(1);
/// Before a batch is handed over again after its handler's database was away; doubled up to the second bound.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// Before the cluster is asked again after an error.
const ASK_AGAIN: Duration = Duration::from_secs(1);
/// How long a batch that is under way may take after the wish to stop.
const FINISH: Duration = Duration::from_secs(8);

/// Consumes what `handler` wants to hear of as a member of `group`, until `stop`; then finishes the batch under way, commits and leaves.
///
/// It does not end by itself: a cluster that is away is asked again, and a client that can go on no more is replaced.
pub async fn consume(settings: &Settings, group: &str, handler: Arc<dyn Handler>, stop: CancellationToken) {
    let mut protocol = Protocol::Broker;
    while !stop.is_cancelled() {
        match hearing::member(settings, group, protocol) {
            Ok(member) => {
                let ended = Session::new(member, &*handler, &stop).run().await;
                if ended == Some(Ended::TooOld) && protocol == Protocol::Broker && !settings.says("group.protocol") {
                    tracing::debug!(group, "the broker leaves it to the members to share partitions out");
                    protocol = Protocol::Members;
                    continue;
                }
            }
            Err(error) => tracing::warn!(group, error = %error, "no consumer could be made, it is tried again"),
        }
        let _ = timeout(ASK_AGAIN, stop.cancelled()).await;
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
    /// Names of topics, so that each message need not have its own copy.
    topics: HashMap<String, Arc<str>>,
    /// What came while the last batch was worked on: the beginning of the next one.
    early: Batch,
    /// Behind the last settled message of each partition that is still ours.
    settled: HashMap<(Arc<str>, i32), i64>,
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

impl<'a> Session<'a> {
    fn new(member: Member, handler: &'a dyn Handler, stop: &'a CancellationToken) -> Self {
        let topics = handler.topics().iter().map(|topic| (topic.name().to_owned(), Arc::from(topic.name()))).collect();
        Self { member, handler, stop, topics, early: Batch::default(), settled: HashMap::new() }
    }

    /// Runs until the wish to stop (then it says nothing) or until its client can go on no more.
    async fn run(mut self) -> Option<Ended> {
        let ended = self.listen().await.err();
        self.member.context().leave_to_others(&mut self.settled);
        hearing::leave(self.member, offsets(&self.settled)).await;
        ended
    }

    async fn listen(&mut self) -> Result<(), Ended> {
        let names: Vec<&str> = self.topics.keys().map(String::as_str).collect();
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
        let mut batch = std::mem::take(&mut self.early);
        while batch.messages.is_empty() {
            tokio::select! {
                () = self.stop.cancelled() => return Ok(batch),
                heard = self.member.recv() => take(&self.topics, heard, &mut batch)?,
            }
            if batch.messages.is_empty() {
                // It was an error that passes.
                let _ = timeout(ASK_AGAIN, self.stop.cancelled()).await;
            }
        }
        let until = Instant::now() + LINGER;
        while !batch.is_full() {
            let Ok(heard) = timeout_at(until, self.member.recv()).await else { break };
            take(&self.topics, heard, &mut batch)?;
        }
        Ok(batch)
    }

    /// Has a batch handled, again and again until it is settled, and commits its offsets; false when it was given up for the wish to stop.
    async fn settle(&mut self, batch: &Batch) -> Result<bool, Ended> {
        let fate = Arc::clone(self.member.context());
        let mut handled = Box::pin(handle(self.handler, &batch.messages, self.stop));
        let settled = if let Ok(settled) = timeout(PATIENCE, &mut handled).await {
            settled
        } else {
            let settled = self.wait_for(handled).await?;
            self.still(false);
            settled
        };
        if settled {
            let mut places = HashMap::new();
            for origin in batch.messages.iter().filter_map(Incoming::origin) {
                places.insert((Arc::clone(&origin.topic), origin.partition), origin.offset + 1);
            }
            fate.leave_to_others(&mut places);
            // A failure costs no more than hearing things again.
            if let Err(error) = self.member.commit(&offsets(&places), CommitMode::Async) {
                tracing::debug!(error = %error, "offsets were not committed");
            }
            self.settled.extend(places);
        }
        fate.leave_to_others(&mut self.settled);
        fate.begin();
        Ok(settled)
    }

    /// Shows signs of life while a batch takes long: nothing new is fetched, and nothing that comes all the same is lost.
    async fn wait_for(&mut self, handled: impl Future<Output = bool>) -> Result<bool, Ended> {
        let mut handled = pin!(handled);
        self.still(true);
        loop {
            tokio::select! {
                settled = &mut handled => return Ok(settled),
                heard = self.member.recv() => {
                    take(&self.topics, heard, &mut self.early)?;
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

fn offsets(places: &HashMap<(Arc<str>, i32), i64>) -> TopicPartitionList {
    let mut list = TopicPartitionList::with_capacity(places.len());
    for ((topic, partition), offset) in places {
        // An offset of a message and one is always one that can be said.
        let _ = list.add_partition_offset(topic, *partition, Offset::Offset(*offset));
    }
    list
}

/// Adds what was heard to a batch. An error that passes adds nothing.
fn take(topics: &HashMap<String, Arc<str>>, heard: Result<BorrowedMessage<'_>, KafkaError>, batch: &mut Batch) -> Result<(), Ended> {
    match heard {
        Ok(message) => {
            let topic = topics.get(message.topic()).map_or_else(|| Arc::from(message.topic()), Arc::clone);
            batch.bytes += message.payload_len();
            batch.messages.push(message::read(&message, topic));
            Ok(())
        }
        Err(KafkaError::MessageConsumptionFatal(code)) => {
            tracing::debug!(kafka.code = %code, "the consumer cannot go on");
            Err(if hearing::is_too_old(code) { Ended::TooOld } else { Ended::Failed })
        }
        Err(error) => {
            match error.rdkafka_error_code() {
                // The client itself says that nobody answers.
                Some(RDKafkaErrorCode::PartitionEOF | RDKafkaErrorCode::AllBrokersDown) => {}
                Some(code) if hearing::is_too_old(code) => return Err(Ended::TooOld),
                _ => tracing::warn!(error = %KafkaFailure::from(error), "nothing could be heard, it is tried again"),
            }
            Ok(())
        }
    }
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
