//! A connection that is not read for a while after its caller was turned away.
//!
//! Saying no costs a read and a write, which are most of what a small request costs at all. A caller who asks again at once, though he was told
//! `Retry-After: 1`, could so use up what is left for those who were let in. He is answered at once each time, but his next question is only
//! read when that second is over; meanwhile it waits in the network, where it costs nothing. Who keeps to the header never notices.
//!
//! It knows no HTTP: the server says when.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// How long nothing is read: what `Retry-After` tells those who are turned away.
const PAUSE: Duration = Duration::from_secs(1);

/// A stream that can be kept from being read. Writing goes on as ever.
#[derive(Debug)]
pub(crate) struct Listening<S> {
    stream: S,
    asked: Deafness,
    pause: Option<Pin<Box<Sleep>>>,
}

/// Stops the reading of one stream.
#[derive(Debug, Clone, Default)]
pub(crate) struct Deafness(Arc<AtomicBool>);

impl Deafness {
    /// Nothing more is read for a second, counted from the next time that somebody wants to.
    pub(crate) fn begin(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl<S> Listening<S> {
    /// Takes a stream, and gives what stops its reading.
    pub(crate) fn new(stream: S) -> (Self, Deafness) {
        let asked = Deafness::default();
        (Self { stream, asked: asked.clone(), pause: None }, asked)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Listening<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.asked.0.load(Ordering::Relaxed) && self.asked.0.swap(false, Ordering::Relaxed) {
            self.pause = Some(Box::pin(sleep(PAUSE)));
        }
        if let Some(pause) = &mut self.pause {
            ready!(pause.as_mut().poll(context));
            self.pause = None;
        }
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Listening<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, context: &mut Context<'_>, parts: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn nothing_is_read_for_a_second_and_then_everything() {
        let (near, mut far) = duplex(64);
        let (mut near, deafness) = Listening::new(near);
        far.write_all(b"first").await.expect("sent");
        let mut read = [0; 5];
        near.read_exact(&mut read).await.expect("heard");

        let begun = Instant::now();
        deafness.begin();
        far.write_all(b"again").await.expect("sent");
        near.write_all(b"no").await.expect("writing goes on");
        let mut no = [0; 2];
        far.read_exact(&mut no).await.expect("an answer");
        assert_eq!(begun.elapsed(), Duration::ZERO, "it was given at once");
        near.read_exact(&mut read).await.expect("heard");
        assert_eq!((&read, begun.elapsed().as_secs()), (b"again", 1));

        far.write_all(b"third").await.expect("sent");
        near.read_exact(&mut read).await.expect("heard");
        assert_eq!(begun.elapsed().as_secs(), 1, "once is not for ever");
    }
}
