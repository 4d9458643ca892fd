//! Cuts a file into chunks that can be sent by themselves, and remembers which line of the file each of their lines is.
//!
//! Rows are sent as they stand wherever they can be, so that the service judges what the file says. It knows no field.

use std::collections::VecDeque;

use super::Format;
use super::columns::{ColumnError, Header, Rewriting};
use crate::file::{FileError, Input, lines_in};

/// Rows of a chunk. Part of the keys: another number would make other keys.
const CHUNK: usize = 2_000;
/// The longest record that the service takes.
const RECORD_BYTES: usize = 64 * 1024;
const BOM: &[u8] = b"\xef\xbb\xbf";

/// The file cannot be cut.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CutError {
    /// It cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// Its columns do not fit.
    #[error(transparent)]
    Columns(#[from] ColumnError),
    /// Nothing is in it.
    #[error("the file is empty: a CSV begins with a header row")]
    Empty,
}

/// Which line of the file a line of a chunk is.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Lines(Vec<(u64, u64)>);

/// A part of the file.
#[derive(Debug)]
pub(super) struct Chunk {
    /// From 0.
    pub(super) number: u64,
    format: Format,
    body: Vec<u8>,
    lines: Lines,
    /// Rows that cannot be sent: line of the file, and why.
    pub(super) unsendable: Vec<(u64, String)>,
}

/// A file, chunk by chunk.
pub(super) struct Chunks<'a> {
    input: Input,
    format: Format,
    rewriting: Rewriting<'a>,
    header: Option<(Header, Vec<u8>)>,
    /// Lines that were read ahead, each with its number.
    ahead: VecDeque<(Vec<u8>, u64)>,
    number: u64,
}

impl<'a> Chunks<'a> {
    /// Begins to cut: looks at the first line.
    pub(super) fn open(mut input: Input, format: Option<Format>, rewriting: Rewriting<'a>) -> Result<Self, CutError> {
        rewriting.columns.check()?;
        let mut first = Vec::new();
        input.line(&mut first)?;
        if first.starts_with(BOM) {
            first.drain(..BOM.len());
        }
        let seen = if first.trim_ascii_start().starts_with(b"{") { Format::Ndjson } else { Format::Csv };
        let format = format.unwrap_or(seen);
        let mut chunks = Self { input, format, rewriting, header: None, ahead: VecDeque::from([(first, 1)]), number: 0 };
        if format == Format::Csv {
            let (header, _) = chunks.record()?.ok_or(CutError::Empty)?;
            if header.trim_ascii().is_empty() {
                return Err(CutError::Empty);
            }
            chunks.header = Some(chunks.rewriting.header(&header)?);
        }
        Ok(chunks)
    }

    /// Bytes of the file that were taken so far.
    pub(super) fn taken(&self) -> u64 {
        self.input.taken()
    }

    /// The next chunk; none at the end.
    pub(super) fn next(&mut self) -> Result<Option<Chunk>, FileError> {
        let mut body = self.header.as_ref().map_or_else(Vec::new, |(_, written)| written.clone());
        let (mut lines, mut unsendable, mut rows) = (Lines::default(), Vec::new(), 0);
        let mut line = 1 + u64::from(self.header.is_some());
        while rows < CHUNK {
            let Some((record, at)) = self.record()? else { break };
            rows += 1;
            let record = match &self.header {
                None => Ok(self.rewriting.object(record)),
                Some((header, _)) => header.row(record),
            };
            match record {
                Ok(record) => {
                    lines.0.push((line, at));
                    line += lines_in(&record);
                    body.extend(record);
                }
                Err(why) => unsendable.push((at, why)),
            }
        }
        let number = self.number;
        self.number += 1;
        Ok((rows > 0).then_some(Chunk { number, format: self.format, body, lines, unsendable }))
    }

    /// The next record, its line end included, and the line of the file where it begins.
    fn record(&mut self) -> Result<Option<(Vec<u8>, u64)>, FileError> {
        self.fill(1)?;
        let Some((mut record, at)) = self.ahead.pop_front() else { return Ok(None) };
        if self.format == Format::Csv && open(&record) {
            // A quote that stays open goes on over the next lines, but not for ever: then it was a stray one, and the line stands alone.
            let (mut more, mut length, mut closed) = (0, record.len(), false);
            while !closed && length <= RECORD_BYTES {
                more += 1;
                self.fill(more)?;
                let Some((next, _)) = self.ahead.get(more - 1) else { break };
                length += next.len();
                closed = open(next);
            }
            if closed {
                record.extend(self.ahead.drain(..more).flat_map(|(line, _)| line));
            }
        }
        Ok(Some((record, at)))
    }

    /// Reads ahead until `lines` lines are there, or the file ends.
    fn fill(&mut self, lines: usize) -> Result<(), FileError> {
        while self.ahead.len() < lines {
            let mut line = Vec::new();
            if !self.input.line(&mut line)? {
                break;
            }
            self.ahead.push_back((line, self.input.lines()));
        }
        Ok(())
    }
}

impl Chunk {
    /// Its media type.
    pub(super) fn media(&self) -> &'static str {
        match self.format {
            Format::Csv => "text/csv",
            Format::Ndjson => "application/x-ndjson",
        }
    }

    /// What to send, and which lines of the file it has.
    pub(super) fn into_parts(self) -> (Vec<u8>, Lines) {
        (self.body, self.lines)
    }
}

impl Lines {
    /// The line of the file that a line of the chunk is.
    pub(super) fn of_file(&self, line: u64) -> u64 {
        let after = self.0.partition_point(|(begins, _)| *begins <= line);
        after.checked_sub(1).map_or(line, |at| self.0[at].1 + (line - self.0[at].0))
    }
}

/// Whether a quote that opens in this line stays open: quotes inside quotes are doubled (RFC 4180).
fn open(line: &[u8]) -> bool {
    line.split(|byte| *byte == b'"').count() % 2 == 0
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::super::columns::{Columns, PRODUCTS};
    use super::*;

    /// Body, lines, and what cannot be sent.
    type Cut = (String, Lines, Vec<(u64, String)>);

    fn cut(text: &str, ignore: &[String]) -> Result<Vec<Cut>, CutError> {
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        file.write_all(text.as_bytes()).expect("written");
        let rewriting = Rewriting { columns: Columns { fields: PRODUCTS, map: &[], ignore }, currency: None };
        let mut chunks = Chunks::open(Input::open(file.path()).expect("opened"), None, rewriting)?;
        let mut cut = Vec::new();
        while let Some(chunk) = chunks.next().expect("read") {
            let unsendable = chunk.unsendable.clone();
            let (body, lines) = chunk.into_parts();
            cut.push((String::from_utf8(body).expect("text"), lines, unsendable));
        }
        Ok(cut)
    }

    #[test]
    fn every_chunk_has_the_header_and_knows_the_files_lines() {
        let rows = (0..4_500).fold(String::new(), |rows, n| rows + &format!("{n},A\r\n"));
        let chunks = cut(&format!("\u{feff}sku,name\r\n{rows}"), &[]).expect("cut");
        assert_eq!(chunks.len(), 3);
        for (number, (body, lines, _)) in chunks.iter().enumerate() {
            assert!(body.starts_with(&format!("sku,name\n{},A\r\n", number * 2_000)), "{body:.40}");
            assert_eq!(lines.of_file(2), 2 + number as u64 * 2_000);
            assert_eq!(lines.of_file(11), 11 + number as u64 * 2_000);
        }
    }

    #[test]
    fn a_record_over_several_lines_stays_in_one_piece_and_a_stray_quote_costs_one_line() {
        let (body, lines, _) = &cut("sku,name\n1,\"two\nlines\"\n2,B\n", &[]).expect("cut")[0];
        assert_eq!(body, "sku,name\n1,\"two\nlines\"\n2,B\n");
        assert_eq!((lines.of_file(2), lines.of_file(4)), (2, 4));
        let stray = (0..20_000).fold(String::new(), |rows, n| rows + &format!("{n},A\n"));
        let chunks = cut(&format!("sku,name\n\"x,A\n{stray}"), &[]).expect("cut");
        assert_eq!(chunks.len(), 11);
    }

    #[test]
    fn a_row_that_cannot_be_rewritten_is_told_with_its_line_and_the_rest_is_sent() {
        let (body, lines, unsendable) = &cut("sku,note,name\n1,x,A\n2,B\n3,y,C\n", &["note".to_owned()]).expect("cut")[0];
        assert_eq!(body, "sku,name\n1,A\n3,C\n");
        assert_eq!(unsendable[0].0, 3);
        assert_eq!(lines.of_file(3), 4);
    }

    #[test]
    fn objects_go_line_by_line() {
        let (body, lines, _) = &cut("{\"sku\":\"1\"}\n\n{\"sku\":\"2\"}", &[]).expect("cut")[0];
        assert_eq!(body, "{\"sku\":\"1\"}\n\n{\"sku\":\"2\"}");
        assert_eq!(lines.of_file(3), 3);
    }

    #[test]
    fn an_empty_file_is_refused() {
        for empty in ["", "\n", "\u{feff}"] {
            assert!(matches!(cut(empty, &[]), Err(CutError::Empty)), "{empty:?}");
        }
    }
}
