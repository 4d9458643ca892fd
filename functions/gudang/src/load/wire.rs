//! HTTP/1.1 over one plain socket, one question at a time: no more than `gudang load` needs, and as cheap as that can be.
//!
//! It knows no path and no JSON.

use std::io;
use std::net::SocketAddr;

use anyhow::{Context, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, lookup_host};

use crate::config::BaseUrl;

/// Room for an answer at first.
const ROOM: usize = 16 * 1024;
/// The most that an answer may have.
const ROOM_MAX: usize = 16 << 20;
/// Header lines that an answer may have.
const HEADERS: usize = 32;

/// Where a service is.
#[derive(Debug, Clone)]
pub(crate) struct Host {
    address: SocketAddr,
    /// As in the header `Host`.
    pub(crate) name: String,
    /// What stands before every path.
    pub(crate) prefix: String,
}

impl Host {
    /// Finds the address of a base URL.
    pub(crate) async fn of(url: &BaseUrl) -> anyhow::Result<Self> {
        let parsed = reqwest::Url::parse(url.as_str())?;
        ensure!(parsed.scheme() == "http", "{url}: load is put on by plain http only");
        let (host, port) = (parsed.host_str().context("a URL without a host")?, parsed.port_or_known_default().unwrap_or(80));
        let found = lookup_host((host.trim_matches(['[', ']']), port)).await.with_context(|| format!("{url}: there is no such host"))?;
        let address = found.into_iter().next().with_context(|| format!("{url}: that host has no address"))?;
        Ok(Self { address, name: format!("{host}:{port}"), prefix: parsed.path().trim_end_matches('/').to_owned() })
    }
}

/// Why there is no answer. Whether the request was carried out is not known.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WireError {
    /// The connection.
    #[error("the connection broke: {0}")]
    Io(#[from] io::Error),
    /// The other end closed it before it had answered.
    #[error("the connection was closed without an answer")]
    Closed,
    /// The other end does not speak HTTP/1.1 as far as it is known here.
    #[error("the answer cannot be read: {0}")]
    Strange(String),
}

/// A connection.
#[derive(Debug)]
pub(crate) struct Wire {
    stream: TcpStream,
    buffer: Vec<u8>,
    closed: bool,
}

/// An answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer<'a> {
    pub(crate) status: u16,
    pub(crate) body: &'a [u8],
}

/// Where an answer's parts are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Head {
    status: u16,
    length: usize,
    body: usize,
    closes: bool,
}

impl Wire {
    /// Connects.
    pub(crate) async fn open(host: &Host) -> Result<Self, WireError> {
        let stream = TcpStream::connect(host.address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(ROOM), closed: false })
    }

    /// Whether the other end said that it closes.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Sends a request and waits for its answer.
    pub(crate) async fn ask(&mut self, request: &[u8]) -> Result<Answer<'_>, WireError> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        let mut head = None;
        loop {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(WireError::Closed);
            }
            if head.is_none() {
                head = read_head(&self.buffer)?;
            }
            let Some(Head { status, length, body, closes }) = head else { continue };
            let whole = body + length;
            if self.buffer.len() > whole {
                return Err(WireError::Strange("it is longer than it says".to_owned()));
            }
            if self.buffer.len() == whole {
                self.closed = closes;
                return Ok(Answer { status, body: &self.buffer[body..] });
            }
            self.buffer.reserve(whole - self.buffer.len());
        }
    }
}

/// Reads an answer's head; none while it is not all there.
fn read_head(bytes: &[u8]) -> Result<Option<Head>, WireError> {
    let strange = |what: &str| WireError::Strange(what.to_owned());
    let mut headers = [httparse::EMPTY_HEADER; HEADERS];
    let mut answer = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(body) = answer.parse(bytes).map_err(|error| WireError::Strange(error.to_string()))? else {
        return if bytes.len() < ROOM { Ok(None) } else { Err(strange("its head is too long")) };
    };
    let value = |name: &str| answer.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name)).map(|header| header.value);
    let length = value("content-length").and_then(|text| std::str::from_utf8(text).ok()?.parse::<usize>().ok());
    let length = length.filter(|length| *length <= ROOM_MAX).ok_or_else(|| strange("it does not say its length, or is too long"))?;
    let closes = value("connection").is_some_and(|text| text.eq_ignore_ascii_case(b"close"));
    Ok(Some(Head { status: answer.code.unwrap_or_default(), length, body, closes }))
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[test]
    fn a_head_is_read_when_it_is_all_there() {
        let text = b"HTTP/1.1 201 Created\r\ncontent-type: application/json\r\nContent-Length: 2\r\nconnection: close\r\n\r\n{}";
        let body = text.len() - 2;
        for end in 0..body {
            assert_eq!(read_head(&text[..end]).expect("a beginning"), None, "{end}");
        }
        assert_eq!(read_head(text).expect("a head"), Some(Head { status: 201, length: 2, body, closes: true }));
    }

    #[test]
    fn what_is_no_answer_is_said_to_be_strange() {
        let long = [b"HTTP/1.1 200 OK\r\na: ".as_slice(), &[b'a'; ROOM]].concat();
        for bad in [b"SSH-2.0-OpenSSH_9\r\n".as_slice(), b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n", &long]
        {
            assert!(matches!(read_head(bad), Err(WireError::Strange(_))), "{:?}", String::from_utf8_lossy(bad));
        }
    }

    #[tokio::test]
    async fn answers_come_in_pieces_and_a_connection_that_ends_early_is_an_error() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let host = Host { address: listener.local_addr().expect("an address"), name: String::new(), prefix: String::new() };
        tokio::spawn(async move {
            let (mut peer, _) = listener.accept().await.expect("a connection");
            let mut asked = [0; 3];
            peer.read_exact(&mut asked).await.expect("the question");
            for piece in ["HTTP/1.1 200 OK\r\ncontent-", "length: 6\r\n\r\nabc", "def"] {
                peer.write_all(piece.as_bytes()).await.expect("a piece");
                tokio::task::yield_now().await;
            }
            peer.read_exact(&mut asked).await.expect("the question");
        });
        let mut wire = Wire::open(&host).await.expect("a connection");
        assert_eq!(wire.ask(b"abc").await.expect("an answer"), Answer { status: 200, body: b"abcdef" });
        assert!(matches!(wire.ask(b"abc").await, Err(WireError::Closed)));
    }
}
