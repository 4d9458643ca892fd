//! The level in Redis: a circuit that is open while Redis is away, and three scripts.
//!
//! Everything is done by scripts whose text names the *run* of the server for which they were loaded. A server that was restarted knows none
//! of them, so nobody speaks to another run than he thinks he does; and the run is part of every key, so what a server kept over its
//! restart is out of reach. It knows no origin: whether a key is still good is the generation's business.

use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use fred::clients::Client;
use fred::error::Error;
use fred::interfaces::{ClientLike, LuaInterface};
use fred::types::config::{Config, ReconnectPolicy};
use fred::types::{Builder, InfoKind, Value};
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use uuid::Uuid;

use crate::{Entry, Version};

/// For the answer to a command: many times what Redis needs, and what a reader waits once when it begins to hang.
const COMMAND: Duration = Duration::from_millis(50);
/// For a connection, TLS included.
const CONNECT: Duration = Duration::from_secs(2);
/// A connection without an answer for so long is made anew.
const UNRESPONSIVE: Duration = Duration::from_secs(2);
/// Between two attempts to connect, and between two looks at whether Redis is back.
const RETRY: Duration = Duration::from_millis(200);
/// Commands that may wait to be sent.
const QUEUE: usize = 10_000;
/// How long a value may stay: what nobody reads goes, and a generation that is over with it.
const VALUE_HOLDS_MS: i64 = 10 * 60 * 1000;
/// How long who has found nothing may take to bring it.
const CLAIM_HOLDS_MS: i64 = 2000;
/// Keys of one command.
const KEYS: usize = 500;

const READ: &str = include_str!("redis/read.lua");
const WRITE: &str = include_str!("redis/write.lua");
const FORGET: &str = include_str!("redis/forget.lua");
const VERSIONS: &str = include_str!("redis/versions.lua");

/// Where Redis is: `redis://[[user]:password@]host[:port][/database]`, or `rediss://` for TLS. Never printed, it may hold a password.
#[derive(Clone, PartialEq)]
pub struct RedisUrl(Config);

/// A text is no such URL. It does not repeat it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be redis://host:port/database, or rediss:// for TLS")]
pub struct NotRedis;

impl FromStr for RedisUrl {
    type Err = NotRedis;

    fn from_str(text: &str) -> Result<Self, NotRedis> {
        if !text.starts_with("redis://") && !text.starts_with("rediss://") {
            return Err(NotRedis);
        }
        Config::from_url(text).map(Self).map_err(|_| NotRedis)
    }
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RedisUrl(***)")
    }
}

/// What Redis says of a thing.
pub(crate) enum Read {
    /// It has it.
    Found(Entry),
    /// It has nothing, and waits for who was told so first.
    Claimed(Claim),
    /// It has nothing to say, or is away.
    Nothing,
}

/// The right to write what is being loaded.
pub(crate) struct Claim {
    run: Arc<Run>,
    key: String,
    name: String,
}

/// One life of a server, with the scripts that it has been given.
#[derive(Debug)]
struct Run {
    id: String,
    read: String,
    write: String,
    forget: String,
    versions: String,
}

/// The client. Dropping it ends the connection.
pub(crate) struct Redis {
    circuit: Arc<Circuit>,
    keeping: AbortHandle,
}

struct Circuit {
    client: Client,
    /// None while it is away.
    run: RwLock<Option<Arc<Run>>>,
    lost: Notify,
}

impl Redis {
    /// Begins to connect.
    pub(crate) fn open(url: &RedisUrl) -> Result<Self, NotRedis> {
        let circuit = Arc::new(Circuit { client: client(url)?, run: RwLock::default(), lost: Notify::new() });
        let keeping = tokio::spawn(Arc::clone(&circuit).keep()).abort_handle();
        Ok(Self { circuit, keeping })
    }

    /// Whether it answers.
    pub(crate) fn is_there(&self) -> bool {
        self.circuit.run().is_some()
    }

    /// Reads a thing, or claims it.
    pub(crate) async fn read(&self, generation: Uuid, id: Uuid) -> Read {
        let Some(run) = self.circuit.run() else { return Read::Nothing };
        let key = key(generation, &run, id);
        let name = format!("?{}", Uuid::now_v7().simple());
        let arguments: Vec<Value> = vec![name.as_str().into(), CLAIM_HOLDS_MS.into()];
        match self.circuit.script::<Option<Bytes>>(&run, &run.read, vec![key.clone()], arguments).await {
            Some(Some(value)) if value.is_empty() => Read::Claimed(Claim { run, key, name }),
            Some(Some(value)) => entry_in(&value).map_or(Read::Nothing, Read::Found),
            Some(None) | None => Read::Nothing,
        }
    }

    /// Writes what was loaded under a claim, if that still stands.
    pub(crate) async fn write(&self, Claim { run, key, name }: Claim, entry: &Entry) {
        let Version { major, minor } = entry.version;
        let arguments: Vec<Value> = vec![name.into(), major.into(), minor.into(), Value::Bytes(value_of(entry)), VALUE_HOLDS_MS.into()];
        self.circuit.script::<i64>(&run, &run.write, vec![key], arguments).await;
    }

    /// Takes things out; true when they are out.
    pub(crate) async fn forget(&self, generation: Uuid, ids: &[Uuid]) -> bool {
        let Some(run) = self.circuit.run() else { return false };
        for part in ids.chunks(KEYS) {
            let keys = part.iter().map(|id| key(generation, &run, *id)).collect();
            if self.circuit.script::<i64>(&run, &run.forget, keys, Vec::new()).await.is_none() {
                return false;
            }
        }
        true
    }

    /// The versions of what is there; none while it is away.
    pub(crate) async fn versions(&self, generation: Uuid, ids: &[Uuid]) -> Option<Vec<(Uuid, Version)>> {
        let run = self.circuit.run()?;
        let mut there = Vec::new();
        for part in ids.chunks(KEYS) {
            let keys = part.iter().map(|id| key(generation, &run, *id)).collect();
            let heads: Vec<Option<String>> = self.circuit.script(&run, &run.versions, keys, Vec::new()).await?;
            there.extend(part.iter().zip(heads).filter_map(|(id, head)| Some((*id, version_in(&head?)?))));
        }
        Some(there)
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.keeping.abort();
    }
}

impl Circuit {
    fn run(&self) -> Option<Arc<Run>> {
        self.run.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, run: Option<Arc<Run>>) {
        metrics::gauge!("gudang_cache_redis_up").set(if run.is_some() { 1.0 } else { 0.0 });
        *self.run.write().unwrap_or_else(PoisonError::into_inner) = run;
    }

    /// Runs a script; whatever goes wrong opens the circuit, and a script that is not known is a server that was restarted.
    async fn script<R: fred::types::FromValue>(&self, run: &Arc<Run>, script: &str, keys: Vec<String>, arguments: Vec<Value>) -> Option<R> {
        match self.client.evalsha(script, keys, arguments).await {
            Ok(answer) => Some(answer),
            Err(error) => {
                // Of many who are waiting when it goes away one says so.
                if self.run().is_some_and(|current| Arc::ptr_eq(&current, run)) {
                    self.set(None);
                    tracing::warn!(%error, "redis does not answer, products are read without it");
                    self.lost.notify_one();
                }
                None
            }
        }
    }

    /// Closes the circuit whenever Redis can be spoken to.
    async fn keep(self: Arc<Self>) {
        let connection = self.client.connect();
        let _connection = AbortOnDrop(connection.abort_handle());
        let mut told = false;
        loop {
            if self.run().is_none() {
                match self.meet().await {
                    Ok(run) => {
                        tracing::info!(redis.run = run.id, "redis is used");
                        self.set(Some(Arc::new(run)));
                        told = true;
                    }
                    Err(error) if !told => {
                        tracing::warn!(%error, "redis does not answer, products are read without it until it does");
                        told = true;
                    }
                    Err(_) => {}
                }
            }
            tokio::select! { () = self.lost.notified() => {} () = tokio::time::sleep(RETRY) => {} }
        }
    }

    /// Asks the server which run it is, and gives it the scripts.
    async fn meet(&self) -> Result<Run, Error> {
        let information: String = self.client.info(Some(InfoKind::Server)).await?;
        let id = information.lines().find_map(|line| line.strip_prefix("run_id:")).unwrap_or_default().trim().to_owned();
        let load = async |script: &str| self.client.script_load::<String, _>(format!("-- run {id}\n{script}")).await;
        let (read, write, forget, versions) = (load(READ).await?, load(WRITE).await?, load(FORGET).await?, load(VERSIONS).await?);
        Ok(Run { id, read, write, forget, versions })
    }
}

struct AbortOnDrop(AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn client(RedisUrl(config): &RedisUrl) -> Result<Client, NotRedis> {
    let mut builder = Builder::from_config(Config { fail_fast: false, ..config.clone() });
    builder.set_policy(ReconnectPolicy::new_constant(0, RETRY.as_millis() as u32));
    builder.with_performance_config(|performance| performance.default_command_timeout = COMMAND);
    builder.with_connection_config(|connection| {
        connection.connection_timeout = CONNECT;
        connection.internal_command_timeout = CONNECT;
        connection.max_command_attempts = 1;
        connection.max_command_buffer_len = QUEUE;
        connection.unresponsive.max_timeout = Some(UNRESPONSIVE);
        connection.unresponsive.interval = UNRESPONSIVE / 4;
        connection.tcp.nodelay = Some(true);
    });
    builder.build().map_err(|_| NotRedis)
}

fn key(generation: Uuid, run: &Run, id: Uuid) -> String {
    format!("gudang:{}:{}:{}", generation.simple(), run.id, id.simple())
}

/// `<major> <minor>`, a line feed, the body.
fn value_of(entry: &Entry) -> Bytes {
    let head = format!("{} {}\n", entry.version.major, entry.version.minor);
    let mut value = BytesMut::with_capacity(head.len() + entry.body.len());
    value.extend_from_slice(head.as_bytes());
    value.extend_from_slice(&entry.body);
    value.freeze()
}

/// None for what is no value of ours.
fn entry_in(value: &Bytes) -> Option<Entry> {
    let end = value.iter().position(|byte| *byte == b'\n')?;
    let version = version_in(std::str::from_utf8(&value[..end]).ok()?)?;
    Some(Entry { version, body: value.slice(end + 1..) })
}

fn version_in(head: &str) -> Option<Version> {
    let (major, minor) = head.split_once(' ')?;
    Some(Version { major: major.parse().ok()?, minor: minor.parse().ok()? })
}
