//! A proxy in front of PostgreSQL that breaks off a transaction at a named point of it, by cutting the link or by killing somebody.
//!
//! It follows the protocol far enough to stop between two messages, so what it does it does at the same place every time, and nothing in the
//! program under test knows of it. It knows no statement either: two texts say which transactions are meant. It speaks no TLS.

mod messages;

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::{Notify, oneshot};
use tokio::task::AbortHandle;

use messages::{Meaning, Message, Messages};

/// Where a transaction is broken off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Point {
    /// It was to begin; the server has not heard of it.
    BeforeLock,
    /// It has written, and the server has said so; COMMIT is held back.
    AfterWrite,
    /// COMMIT was handed over right behind the write, and nobody waits for what the server says: mostly it is still writing, and gives up.
    CommitSent,
    /// COMMIT was handed over when the write was answered, and nobody waits for what the server says: mostly it is carried out.
    DuringCommit,
    /// The server has said that it is committed; the client does not hear of it.
    AfterCommit,
}

impl Point {
    /// In the order of a transaction.
    pub const ALL: [Self; 5] = [Self::BeforeLock, Self::AfterWrite, Self::CommitSent, Self::DuringCommit, Self::AfterCommit];
}

/// What happens at the point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blow {
    /// The link is cut at both ends.
    Cut,
    /// A process gets a signal; the link stands still until one of its ends is gone.
    Signal(Pid, Signal),
}

/// Which transactions are meant.
#[derive(Debug, Clone, Copy)]
pub struct Marks {
    /// How the simple query that begins one begins.
    pub begin: &'static str,
    /// What stands in the text of the prepared statement that writes.
    pub write: &'static str,
}

/// A proxy on a port of its own, in front of one server. Dropping it closes the port.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    floor: Arc<Floor>,
    accepting: AbortHandle,
}

/// What all links share.
#[derive(Debug)]
struct Floor {
    server: PathBuf,
    marks: Marks,
    trap: Mutex<Option<Trap>>,
}

/// What waits for a transaction to come to its point.
#[derive(Debug)]
struct Trap {
    point: Point,
    /// Transactions that may come to the point before it springs, and the one that springs it.
    left: u64,
    blow: Blow,
    sprung: oneshot::Sender<()>,
}

impl Proxy {
    /// Opens a proxy in front of the server that listens at the unix socket `server`.
    pub async fn open(server: &Path, marks: Marks) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("its address").port();
        let floor = Arc::new(Floor { server: server.to_owned(), marks, trap: Mutex::default() });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&floor))).abort_handle();
        Self { port, floor, accepting }
    }

    /// Its port on loopback.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Sets the trap: `blow` strikes the `nth` transaction that comes to `point` from now on, once. The receiver hears of it. Replaces one that
    /// was set before.
    pub fn set(&self, point: Point, nth: u64, blow: Blow) -> oneshot::Receiver<()> {
        let (sprung, heard) = oneshot::channel();
        *self.floor.trap() = Some(Trap { point, left: nth, blow, sprung });
        heard
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Floor {
    fn trap(&self) -> MutexGuard<'_, Option<Trap>> {
        self.trap.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn waits_at(&self, points: &[Point]) -> bool {
        self.trap().as_ref().is_some_and(|trap| points.contains(&trap.point))
    }

    /// A transaction has come to one of `points`: the trap, if it springs.
    fn come_to(&self, points: &[Point]) -> Option<Trap> {
        let mut set = self.trap();
        let trap = set.as_mut().filter(|trap| points.contains(&trap.point))?;
        trap.left = trap.left.saturating_sub(1);
        if trap.left == 0 { set.take() } else { None }
    }
}

async fn accept(listener: TcpListener, floor: Arc<Floor>) {
    while let Ok((client, _)) = listener.accept().await {
        let floor = Arc::clone(&floor);
        tokio::spawn(async move {
            // A server that is away looks to the client like one that hangs up.
            let Ok(server) = UnixStream::connect(&floor.server).await else { return };
            // An end that breaks off ends the link; that is all there is to say of it.
            let _ = client.set_nodelay(true);
            let _ = carry(client, server, floor).await;
        });
    }
}

/// Carries both ways until one end hangs up or the trap springs.
async fn carry(mut client: TcpStream, mut server: UnixStream, floor: Arc<Floor>) -> io::Result<()> {
    let link = Link { floor, state: Mutex::default(), answered: Notify::new() };
    let (mut from_client, mut to_client) = client.split();
    let (mut from_server, mut to_server) = server.split();
    let trap = tokio::select! {
        trap = link.carry_questions(&mut from_client, &mut to_server) => trap?,
        trap = link.carry_answers(&mut from_server, &mut to_client) => trap?,
    };
    let Some(Trap { blow, sprung, .. }) = trap else { return Ok(()) };
    match blow {
        Blow::Cut => {
            drop((client, server));
            let _ = sprung.send(());
        }
        Blow::Signal(pid, signal) => {
            kill_process(pid, signal).expect("the process is there");
            let _ = sprung.send(());
            tokio::select! { () = swallow(from_client) => {}, () = swallow(from_server) => {} }
        }
    }
    Ok(())
}

/// Lets nothing through, until the end.
async fn swallow(mut from: impl AsyncRead + Unpin) {
    let mut unread = [0; 4096];
    while from.read(&mut unread).await.is_ok_and(|bytes| bytes > 0) {}
}

/// One connection, seen from between its ends.
struct Link {
    floor: Arc<Floor>,
    state: Mutex<State>,
    /// Told whenever the server has answered everything up to a [`Meaning::Sync`].
    answered: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// Names of the prepared statements that write.
    writers: HashSet<String>,
    transaction: Transaction,
    /// What the server still has to answer.
    open: u64,
    /// How the server says that its transaction stands.
    standing: u8,
}

/// How far a transaction has come.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Transaction {
    /// There is none, or it is none of those meant.
    #[default]
    None,
    Begun,
    Written,
    Committing,
}

/// What is to be done with a message before it is passed on.
enum Step {
    Pass,
    /// The transaction begins.
    Begin,
    /// The transaction, which has written, commits.
    Commit,
}

impl Link {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn carry_questions(&self, from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin) -> io::Result<Option<Trap>> {
        let mut messages = Messages::of_client(from);
        let mut passed = Vec::new();
        while messages.more().await? {
            while let Some(message) = messages.next() {
                let sprung = match self.step(&message) {
                    Step::Pass => None,
                    Step::Begin => self.floor.come_to(&[Point::BeforeLock]),
                    Step::Commit => {
                        to.write_all(&std::mem::take(&mut passed)).await?;
                        self.commit(&message, &mut to).await?
                    }
                };
                if sprung.is_some() {
                    to.write_all(&passed).await?;
                    return Ok(sprung);
                }
                self.will_be_answered(&message);
                passed.extend_from_slice(message.bytes());
            }
            to.write_all(&std::mem::take(&mut passed)).await?;
        }
        Ok(None)
    }

    /// Follows the transaction.
    fn step(&self, message: &Message) -> Step {
        let Marks { begin, write } = self.floor.marks;
        let mut state = self.state();
        match (message.asked(), state.transaction) {
            (Meaning::Query(text), _) if text.starts_with(begin) => {
                state.transaction = Transaction::Begun;
                Step::Begin
            }
            (Meaning::Query("COMMIT"), Transaction::Written) => {
                state.transaction = Transaction::Committing;
                Step::Commit
            }
            (Meaning::Query(text), _) if text.starts_with("BEGIN") || text.starts_with("START") || text == "ROLLBACK" => {
                state.transaction = Transaction::None;
                Step::Pass
            }
            (Meaning::Parse { name, text }, _) => {
                let name = name.to_owned();
                if text.contains(write) {
                    state.writers.insert(name)
                } else {
                    state.writers.remove(&name)
                };
                Step::Pass
            }
            (Meaning::Bind { name }, Transaction::Begun) if state.writers.contains(name) => {
                state.transaction = Transaction::Written;
                Step::Pass
            }
            _ => Step::Pass,
        }
    }

    fn will_be_answered(&self, message: &Message) {
        if matches!(message.asked(), Meaning::Query(_) | Meaning::Sync) {
            self.state().open += 1;
        }
    }

    /// COMMIT is at hand, and everything before it was passed on.
    async fn commit(&self, message: &Message, mut to: impl AsyncWrite + Unpin) -> io::Result<Option<Trap>> {
        if self.floor.waits_at(&[Point::AfterWrite, Point::DuringCommit]) {
            while self.state().open > 0 {
                self.answered.notified().await;
            }
            // A transaction that has failed has written nothing.
            if self.state().standing != b'T' {
                return Ok(None);
            }
        }
        if let Some(sprung) = self.floor.come_to(&[Point::AfterWrite]) {
            return Ok(Some(sprung));
        }
        let sprung = self.floor.come_to(&[Point::CommitSent, Point::DuringCommit]);
        if sprung.is_some() {
            to.write_all(message.bytes()).await?;
        }
        Ok(sprung)
    }

    async fn carry_answers(&self, from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin) -> io::Result<Option<Trap>> {
        let mut messages = Messages::of_server(from);
        let mut passed = Vec::new();
        while messages.more().await? {
            while let Some(message) = messages.next() {
                if message.completed() == Some("COMMIT")
                    && self.state().transaction == Transaction::Committing
                    && let Some(sprung) = self.floor.come_to(&[Point::AfterCommit])
                {
                    to.write_all(&passed).await?;
                    return Ok(Some(sprung));
                }
                if let Some(standing) = message.ready() {
                    let mut state = self.state();
                    (state.open, state.standing) = (state.open.saturating_sub(1), standing);
                    self.answered.notify_one();
                }
                passed.extend_from_slice(message.bytes());
            }
            to.write_all(&std::mem::take(&mut passed)).await?;
        }
        Ok(None)
    }
}
