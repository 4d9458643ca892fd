//! Files as people give them: plain or compressed, and an error that says which file and where.
//!
//! It knows no row: it yields bytes.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::bufread::MultiGzDecoder;

/// What a gzip file begins with (RFC 1952).
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// A file cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    /// It cannot be opened or read.
    #[error("{}: {cause}", path.display())]
    Unreadable { path: PathBuf, cause: io::Error },
    /// A compressed file ends before its end, or is damaged.
    #[error("{}, after line {line}: the compressed file is broken or cut off ({cause}); get it again", path.display())]
    Broken { path: PathBuf, line: u64, cause: io::Error },
}

/// An opened file, decompressed where it is compressed.
pub(crate) struct Input {
    path: PathBuf,
    compressed: bool,
    reader: Box<dyn BufRead + Send>,
    lines: u64,
    /// Bytes of the file, for progress.
    pub(crate) size: u64,
    taken: Arc<AtomicU64>,
}

impl Input {
    /// Opens a file; whether it is compressed is seen by its first bytes, whatever its name.
    pub(crate) fn open(path: &Path) -> Result<Self, FileError> {
        let unreadable = |cause| FileError::Unreadable { path: path.to_owned(), cause };
        let file = File::open(path).map_err(unreadable)?;
        let size = file.metadata().map_err(unreadable)?.len();
        let taken = Arc::new(AtomicU64::new(0));
        let mut reader = BufReader::with_capacity(1 << 16, Counted { inner: file, taken: Arc::clone(&taken) });
        let compressed = reader.fill_buf().map_err(unreadable)?.starts_with(&GZIP);
        let reader: Box<dyn BufRead + Send> =
            if compressed { Box::new(BufReader::with_capacity(1 << 16, MultiGzDecoder::new(reader))) } else { Box::new(reader) };
        Ok(Self { path: path.to_owned(), compressed, reader, lines: 0, size, taken })
    }

    /// Bytes of the file that were taken so far, as it lies on the disk.
    pub(crate) fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    /// Lines that were read so far.
    pub(crate) fn lines(&self) -> u64 {
        self.lines
    }

    /// Appends the next line, its end included, to `line`; false at the end of the file.
    pub(crate) fn line(&mut self, line: &mut Vec<u8>) -> Result<bool, FileError> {
        match self.reader.read_until(b'\n', line) {
            Ok(0) => Ok(false),
            Ok(_) => {
                self.lines += 1;
                Ok(true)
            }
            Err(cause) => Err(self.error(cause)),
        }
    }

    /// Reads it whole.
    pub(crate) fn whole(mut self) -> Result<Vec<u8>, FileError> {
        let mut bytes = Vec::new();
        let read = self.reader.read_to_end(&mut bytes);
        self.lines = lines_in(&bytes);
        read.map(|_| bytes).map_err(|cause| self.error(cause))
    }

    fn error(&self, cause: io::Error) -> FileError {
        let path = self.path.clone();
        if self.compressed { FileError::Broken { path, line: self.lines, cause } } else { FileError::Unreadable { path, cause } }
    }
}

/// Counts line ends.
pub(crate) fn lines_in(bytes: &[u8]) -> u64 {
    bytes.split(|byte| *byte == b'\n').count() as u64 - 1
}

struct Counted {
    inner: File,
    taken: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.taken.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn compressed(text: &str) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text.as_bytes()).expect("compressed");
        encoder.finish().expect("compressed")
    }

    fn written(bytes: &[u8]) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        file.write_all(bytes).expect("written");
        file
    }

    #[test]
    fn a_compressed_file_reads_as_what_was_compressed() {
        let file = written(&compressed("a\nb\n"));
        assert_eq!(Input::open(file.path()).expect("opened").whole().expect("read"), b"a\nb\n");
    }

    #[test]
    fn a_compressed_file_that_is_cut_off_is_named_with_the_line_where_it_ends() {
        let text = (0..20_000).fold(String::new(), |text, n| text + &format!("{n},{}\n", n * 7919 % 10_007));
        let whole = compressed(&text);
        let file = written(&whole[..whole.len() / 2]);
        let error = Input::open(file.path()).expect("opened").whole().expect_err("cut off").to_string();
        assert!(error.contains(&*file.path().to_string_lossy()) && error.contains("after line ") && error.contains("cut off"), "{error}");
        assert!(!error.contains("after line 0:"), "{error}");
    }
}
