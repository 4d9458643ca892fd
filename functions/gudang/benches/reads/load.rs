//! Readers over plain sockets: each asks again as soon as it is answered. As cheap as it can be, and the same for whoever is asked.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// Room for an answer.
const ROOM: usize = 16 << 10;

/// Reads `path` over so many connections for a while; answers a second.
pub(crate) async fn read(address: SocketAddr, path: &str, connections: u32, lasting: Duration) -> anyhow::Result<f64> {
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n");
    let begun = Instant::now();
    let mut readers = JoinSet::new();
    for _ in 0..connections {
        readers.spawn(ask(address, request.clone().into_bytes(), begun + lasting));
    }
    let mut answers = 0;
    while let Some(reader) = readers.join_next().await {
        answers += reader??;
    }
    Ok(f64::from(answers) / begun.elapsed().as_secs_f64())
}

/// One connection; counts its answers, which must be 200.
async fn ask(address: SocketAddr, request: Vec<u8>, end: Instant) -> anyhow::Result<u32> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let mut room = vec![0; ROOM];
    let mut answers = 0;
    while Instant::now() < end {
        stream.write_all(&request).await?;
        let mut filled = 0;
        let length = loop {
            let read = stream.read(&mut room[filled..]).await?;
            ensure!(read > 0, "the connection was closed, or an answer is too long");
            filled += read;
            if let Some(length) = length_of(&room[..filled])? {
                break length;
            }
        };
        while filled < length {
            let read = stream.read(&mut room[filled..]).await?;
            ensure!(read > 0, "the connection was closed, or an answer is too long");
            filled += read;
        }
        answers += 1;
    }
    Ok(answers)
}

/// How long an answer is, once its headers are there.
fn length_of(bytes: &[u8]) -> anyhow::Result<Option<usize>> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut answer = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(head) = answer.parse(bytes)? else { return Ok(None) };
    ensure!(answer.code == Some(200), "answered {:?}", answer.code);
    let length = answer.headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length")).context("no length")?;
    Ok(Some(head + std::str::from_utf8(length.value)?.parse::<usize>()?))
}
