//! Messages of PostgreSQL's protocol 3.0, as far as their type and a few texts (the manual's chapter "Frontend/Backend Protocol"). It knows no statement.

use std::io;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};

/// The type of the first message of a client, which the protocol gives none.
const STARTUP: u8 = 0;

/// One message, whole.
#[derive(Debug)]
pub(super) struct Message {
    kind: u8,
    bytes: Bytes,
}

/// What a message means here; the rest is carried along unread.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Meaning<'a> {
    /// A simple query (`Q`).
    Query(&'a str),
    /// A statement is prepared under a name (`P`).
    Parse {
        /// Its name.
        name: &'a str,
        /// Its text.
        text: &'a str,
    },
    /// A prepared statement is given its values (`B`), to be executed by the message behind it.
    Bind {
        /// Its name.
        name: &'a str,
    },
    /// The end of what the server answers as one (`S`, and the startup).
    Sync,
    /// Anything else.
    Other,
}

impl Message {
    /// The message as it came.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What a client says.
    pub(super) fn asked(&self) -> Meaning<'_> {
        let mut texts = self.texts();
        match self.kind {
            b'Q' => Meaning::Query(texts.next().unwrap_or_default()),
            b'P' => Meaning::Parse { name: texts.next().unwrap_or_default(), text: texts.next().unwrap_or_default() },
            b'B' => Meaning::Bind { name: texts.nth(1).unwrap_or_default() },
            b'S' | STARTUP => Meaning::Sync,
            _ => Meaning::Other,
        }
    }

    /// What a server says it has done (`C`), such as `COMMIT`.
    pub(super) fn completed(&self) -> Option<&str> {
        if self.kind == b'C' { self.texts().next() } else { None }
    }

    /// Whether the server is ready for more (`Z`), and if so, how its transaction stands: `I` none, `T` open, `E` failed.
    pub(super) fn ready(&self) -> Option<u8> {
        if self.kind == b'Z' { self.bytes.last().copied() } else { None }
    }

    /// The texts at the beginning of the message, each ended by a zero.
    fn texts(&self) -> impl Iterator<Item = &str> {
        let body = self.bytes.get(5..).unwrap_or_default();
        body.split(|&byte| byte == 0).map(|text| std::str::from_utf8(text).unwrap_or_default())
    }
}

/// Cuts what comes over one direction of a link into messages.
#[derive(Debug)]
pub(super) struct Messages<R> {
    from: R,
    buffer: BytesMut,
    /// Whether messages begin with their type.
    typed: bool,
}

impl<R: AsyncRead + Unpin> Messages<R> {
    /// What a client says: its first message has no type.
    pub(super) fn of_client(from: R) -> Self {
        Self { from, buffer: BytesMut::new(), typed: false }
    }

    /// What a server says.
    pub(super) fn of_server(from: R) -> Self {
        Self { from, buffer: BytesMut::new(), typed: true }
    }

    /// Waits for bytes; false at the end.
    pub(super) async fn more(&mut self) -> io::Result<bool> {
        Ok(self.from.read_buf(&mut self.buffer).await? > 0)
    }

    /// Takes the next message that is whole.
    pub(super) fn next(&mut self) -> Option<Message> {
        let before = usize::from(self.typed);
        let mut head = self.buffer.get(before..before + 4)?;
        let length = before + head.get_u32() as usize;
        if self.buffer.len() < length {
            return None;
        }
        let kind = if self.typed { self.buffer[0] } else { STARTUP };
        self.typed = true;
        Some(Message { kind, bytes: self.buffer.split_to(length).freeze() })
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;

    use super::*;

    const SAID: [&[u8]; 6] = [
        &[0, 0, 0, 8, 0, 3, 0, 0],
        b"P\0\0\0\x13s1\0SELECT $1\0\0\0",
        b"B\0\0\0\x0e\0s1\0\0\0\0\0\0\0",
        b"S\0\0\0\x04",
        b"Q\0\0\0\x0bCOMMIT\0",
        b"X\0\0",
    ];

    #[tokio::test]
    async fn messages_are_cut_where_they_end_however_they_arrive() {
        let parse = Meaning::Parse { name: "s1", text: "SELECT $1" };
        let meant = [Meaning::Sync, parse, Meaning::Bind { name: "s1" }, Meaning::Sync, Meaning::Query("COMMIT")];
        for bytes_at_a_time in [1, 3, 100] {
            let (mut client, server) = tokio::io::duplex(bytes_at_a_time);
            tokio::spawn(async move { client.write_all(&SAID.concat()).await });
            let mut messages = Messages::of_client(server);
            let mut seen = Vec::new();
            while messages.more().await.expect("bytes") {
                seen.extend(std::iter::from_fn(|| messages.next()));
            }
            let understood: Vec<Meaning<'_>> = seen.iter().map(Message::asked).collect();
            assert_eq!(understood, meant, "{bytes_at_a_time} bytes at a time");
        }
    }

    #[tokio::test]
    async fn a_server_says_what_it_has_done_and_how_the_transaction_stands() {
        let said: [&[u8]; 2] = [b"C\0\0\0\x0bCOMMIT\0", b"Z\0\0\0\x05T"];
        let said = said.concat();
        let mut messages = Messages::of_server(&said[..]);
        assert!(messages.more().await.expect("bytes"));
        let (done, ready) = (messages.next().expect("a message"), messages.next().expect("a message"));
        assert_eq!((done.completed(), done.ready(), ready.completed(), ready.ready()), (Some("COMMIT"), None, None, Some(b'T')));
    }
}
