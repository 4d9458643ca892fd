//! A link to the search index that can be slow, or be held at a request.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};

/// In front of one server, for as long as the runtime lives.
pub(crate) struct Gate {
    url: String,
    floor: Arc<Floor>,
}

#[derive(Default)]
struct Floor {
    trap: Mutex<Option<Trap>>,
    /// Before each answer.
    delay: watch::Sender<Duration>,
}

struct Trap {
    request: &'static str,
    /// Whether the server hears of it before it is held.
    is_heard: bool,
    reached: oneshot::Sender<()>,
    go: oneshot::Receiver<()>,
}

impl Gate {
    /// Opens one in front of the server at `url`.
    pub(crate) async fn open(url: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = url.strip_prefix("http://").unwrap().to_owned();
        let gate = Self { url: format!("http://{}", listener.local_addr().unwrap()), floor: Arc::default() };
        let floor = Arc::clone(&gate.floor);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Ok(server) = TcpStream::connect(&server).await else { continue };
                let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
                let (hold, held) = watch::channel(false);
                tokio::spawn(carry_questions(from_client, to_server, Arc::clone(&floor), hold));
                tokio::spawn(carry_answers(from_server, to_client, Arc::clone(&floor), held));
            }
        });
        gate
    }

    pub(crate) fn url(&self) -> String {
        self.url.clone()
    }

    /// Has every answer take so long.
    pub(crate) fn slow(&self, delay: Duration) {
        self.floor.delay.send_replace(delay);
    }

    /// Holds the next request that has `request` in it: with `is_heard` the server carries it out and its answer waits. Gives who tells that it is
    /// held, and who lets it go; where that one is dropped, the link stays as it is.
    pub(crate) fn hold(&self, request: &'static str, is_heard: bool) -> (oneshot::Receiver<()>, oneshot::Sender<()>) {
        let ((reached, held), (let_go, go)) = (oneshot::channel(), oneshot::channel());
        *self.floor.trap.lock().unwrap() = Some(Trap { request, is_heard, reached, go });
        (held, let_go)
    }
}

async fn carry_questions(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, floor: Arc<Floor>, hold: watch::Sender<bool>) {
    let mut bytes = vec![0; 1 << 16];
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        let text = String::from_utf8_lossy(&bytes[..count]).into_owned();
        let trap = floor.trap.lock().unwrap().take_if(|trap| text.contains(trap.request));
        if let Some(Trap { is_heard, reached, go, .. }) = trap {
            hold.send_replace(true);
            if is_heard && to.write_all(&bytes[..count]).await.is_err() {
                return;
            }
            let _ = reached.send(());
            if go.await.is_err() {
                return std::future::pending().await;
            }
            hold.send_replace(false);
            if is_heard {
                continue;
            }
        }
        if to.write_all(&bytes[..count]).await.is_err() {
            return;
        }
    }
}

async fn carry_answers(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, floor: Arc<Floor>, mut held: watch::Receiver<bool>) {
    let mut bytes = vec![0; 1 << 16];
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        let delay = *floor.delay.borrow();
        tokio::time::sleep(delay).await;
        let _ = held.wait_for(|held| !held).await;
        if to.write_all(&bytes[..count]).await.is_err() {
            return;
        }
    }
}
