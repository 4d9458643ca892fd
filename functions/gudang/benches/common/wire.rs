//! HTTP/1.1 over one plain socket, one question at a time, as cheap as it can be: who measures shares the machine with what is measured.

use std::net::SocketAddr;

use anyhow::{Context, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Room for an answer at first, and the most that it may need.
const ROOM: usize = 16 << 10;
const ROOM_MAX: usize = 16 << 20;

/// A connection.
pub(crate) struct Wire {
    stream: TcpStream,
    room: Vec<u8>,
}

impl Wire {
    /// Connects.
    pub(crate) async fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, room: vec![0; ROOM] })
    }

    /// Asks, and gives the status and the body of the answer.
    pub(crate) async fn ask(&mut self, request: &[u8]) -> anyhow::Result<(u16, &[u8])> {
        self.stream.write_all(request).await?;
        let mut filled = 0;
        let (status, body, end) = loop {
            filled += self.more(filled).await?;
            if let Some(known) = head(&self.room[..filled])? {
                break known;
            }
        };
        while filled < end {
            filled += self.more(filled).await?;
        }
        Ok((status, &self.room[body..end]))
    }

    async fn more(&mut self, filled: usize) -> anyhow::Result<usize> {
        if filled == self.room.len() {
            ensure!(filled < ROOM_MAX, "an answer is too long");
            self.room.resize(2 * filled, 0);
        }
        let read = self.stream.read(&mut self.room[filled..]).await?;
        ensure!(read > 0, "the connection was closed");
        Ok(read)
    }
}

/// The status of an answer and where its body begins and ends, once its headers are there.
fn head(bytes: &[u8]) -> anyhow::Result<Option<(u16, usize, usize)>> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut answer = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(body) = answer.parse(bytes)? else { return Ok(None) };
    let length = answer.headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length")).context("no length")?;
    let length: usize = std::str::from_utf8(length.value)?.parse()?;
    Ok(Some((answer.code.context("no status")?, body, body + length)))
}

/// A question, such as `GET /healthz`, with more header lines and a body where there is one.
pub(crate) fn request(address: SocketAddr, what: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = if body.is_empty() { String::new() } else { format!("content-length: {}\r\n", body.len()) };
    format!("{what} HTTP/1.1\r\nhost: {address}\r\n{headers}{length}\r\n{body}").into_bytes()
}
