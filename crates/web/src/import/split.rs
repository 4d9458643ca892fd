//! Cuts a stream of bytes into records, wherever its chunks begin and end. Knows quotes, but neither cells nor JSON.
//!
//! Memory is bounded by one record of 64 KiB. A quote that does not close within it or before the end, or whose closing one is followed by
//! text some lines later, is taken for a stray one: its line fails by itself and reading goes on with the next line. Lines that were
//! searched in vain for the closing quote may not span lines themselves, so that a file full of stray quotes is still read in linear time.

use bytes::{Buf, Bytes, BytesMut};

use crate::RECORD_BYTES;

const BOM: &[u8] = b"\xef\xbb\xbf";

/// One record, without its line end.
pub(super) struct Record {
    /// The 1-based line where it begins.
    pub(super) line: u64,
    pub(super) bytes: Bytes,
    pub(super) flaw: Option<Flaw>,
}

/// Why a record cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flaw {
    TooLarge,
    Unclosed,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    CellStart,
    Plain,
    Quoted,
    QuoteInQuoted,
}

/// The cutter.
#[expect(clippy::struct_excessive_bools, reason = "each says one thing of where in the stream it is")]
pub(super) struct Splitter {
    quotes: bool,
    buffer: BytesMut,
    /// Bytes of the buffer that were looked at.
    scanned: usize,
    state: State,
    /// The line at which the buffer begins.
    line: u64,
    /// Line ends inside the record so far, and where the first of them is.
    newlines: u64,
    first_newline: Option<usize>,
    /// There is text behind a closing quote.
    torn: bool,
    /// The rest of a line that was too long is thrown away.
    skipping: bool,
    /// Bytes from the buffer's begin that were searched in vain for a closing quote.
    searched: usize,
    begun: bool,
    ended: bool,
}

impl Splitter {
    /// Begins; with `quotes`, a line end inside RFC 4180 quotes ends no record.
    pub(super) fn new(quotes: bool) -> Self {
        Self {
            quotes,
            buffer: BytesMut::new(),
            scanned: 0,
            state: State::CellStart,
            line: 1,
            newlines: 0,
            first_newline: None,
            torn: false,
            skipping: false,
            searched: 0,
            begun: false,
            ended: false,
        }
    }

    /// Takes more bytes.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Says that no more bytes come.
    pub(super) fn end(&mut self) {
        self.ended = true;
    }

    /// Gives the next record that is not blank; `None` when it takes more bytes, or when everything was given.
    pub(super) fn next(&mut self) -> Option<Record> {
        if !self.begun {
            if self.buffer.len() < BOM.len() && !self.ended {
                return None;
            }
            self.begun = true;
            if self.buffer.starts_with(BOM) {
                self.buffer.advance(BOM.len());
            }
        }
        loop {
            if self.skipping && !self.skip() {
                return None;
            }
            let record = match self.scan() {
                Scan::End if self.torn && self.first_newline.is_some() => self.take_line(Flaw::Unclosed),
                Scan::End => self.take(self.scanned + 1, None),
                Scan::Stray => self.take_line(Flaw::Unclosed),
                Scan::TooLarge if self.first_newline.is_some() => self.take_line(Flaw::TooLarge),
                Scan::TooLarge => {
                    self.skipping = true;
                    self.take(self.scanned, Some(Flaw::TooLarge))
                }
                Scan::More if !self.ended || self.buffer.is_empty() => return None,
                Scan::More if self.state == State::Quoted && self.first_newline.is_some() => self.take_line(Flaw::Unclosed),
                Scan::More => {
                    let flaw = (self.state == State::Quoted).then_some(Flaw::Unclosed);
                    self.take(self.buffer.len(), flaw)
                }
            };
            if record.flaw.is_some() || !record.bytes.trim_ascii().is_empty() {
                return Some(record);
            }
        }
    }

    /// Throws away the rest of a line; false when its end has not come yet.
    fn skip(&mut self) -> bool {
        if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
            self.drop_front(end + 1);
            self.line += 1;
            self.skipping = false;
            return true;
        }
        self.drop_front(self.buffer.len());
        false
    }

    fn drop_front(&mut self, bytes: usize) {
        self.buffer.advance(bytes);
        self.searched = self.searched.saturating_sub(bytes);
    }

    fn scan(&mut self) -> Scan {
        // One more byte than a record may have, for the CR of a CRLF that is not part of it.
        let bound = self.buffer.len().min(RECORD_BYTES + 2);
        while self.scanned < bound {
            let byte = self.buffer[self.scanned];
            if byte == b'\n' && self.state != State::Quoted {
                return Scan::End;
            }
            if self.quotes {
                self.torn |= self.state == State::QuoteInQuoted && !matches!(byte, b'"' | b',' | b'\r');
                self.state = match (self.state, byte) {
                    (State::Quoted, b'"') => State::QuoteInQuoted,
                    (State::CellStart | State::QuoteInQuoted, b'"') | (State::Quoted, _) => State::Quoted,
                    (_, b',') => State::CellStart,
                    _ => State::Plain,
                };
                if byte == b'\n' {
                    self.newlines += 1;
                    self.first_newline.get_or_insert(self.scanned);
                    if self.scanned < self.searched {
                        return Scan::Stray;
                    }
                }
            }
            self.scanned += 1;
        }
        if self.scanned >= RECORD_BYTES + 2 { Scan::TooLarge } else { Scan::More }
    }

    /// Takes the whole record.
    fn take(&mut self, length: usize, flaw: Option<Flaw>) -> Record {
        let mut bytes = self.buffer.split_to(length).freeze();
        // A line that is cut is counted when its end is skipped.
        let lines = self.newlines + u64::from(bytes.last() == Some(&b'\n'));
        self.searched = self.searched.saturating_sub(length);
        for end in [b'\n', b'\r'] {
            if bytes.last() == Some(&end) {
                bytes.truncate(bytes.len() - 1);
            }
        }
        let flaw = flaw.or((bytes.len() > RECORD_BYTES).then_some(Flaw::TooLarge));
        let record = Record { line: self.line, bytes, flaw };
        self.line += lines;
        self.begin();
        record
    }

    /// Takes only the record's first line, whose quote is a stray one.
    fn take_line(&mut self, flaw: Flaw) -> Record {
        let length = self.first_newline.map_or(self.buffer.len(), |newline| newline + 1);
        self.searched = self.searched.max(self.scanned);
        self.newlines = 0;
        self.take(length, Some(flaw))
    }

    fn begin(&mut self) {
        self.scanned = 0;
        self.state = State::CellStart;
        self.newlines = 0;
        self.first_newline = None;
        self.torn = false;
    }
}

enum Scan {
    /// The byte at `scanned` ends the record.
    End,
    /// A quote spans lines where none may.
    Stray,
    TooLarge,
    More,
}
