//! The UCI Online Retail layout: bytes of a CSV become rows, each with its line in the file.
//!
//! It knows the columns, and nothing of what a row means.

use csv::{ByteRecord, ReaderBuilder};

/// The columns that are needed; others are let be.
const COLUMNS: [&str; 6] = ["InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice"];

/// One row, as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Row<'a> {
    /// The 1-based line of the file where it begins.
    pub(super) line: u64,
    pub(super) invoice: &'a str,
    pub(super) stock_code: &'a str,
    pub(super) description: &'a str,
    pub(super) quantity: &'a str,
    pub(super) invoice_date: &'a str,
    pub(super) unit_price: &'a str,
}

/// The file is not in this layout.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum LayoutError {
    /// Nothing is in it.
    #[error("the file is empty")]
    Empty,
    /// A column is missing.
    #[error(
        "line 1: there is no column `{missing}`; the layout is InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country"
    )]
    NoColumn {
        /// Its name.
        missing: &'static str,
    },
    /// A row has more or fewer cells than the header row.
    #[error("line {line}: the row has {cells} cells, the header row has {columns}")]
    Cells { line: u64, cells: u64, columns: u64 },
    /// A row is not text.
    #[error("line {line}: the row is not UTF-8")]
    NotText { line: u64 },
    /// The CSV cannot be read.
    #[error("{0}")]
    Csv(String),
}

/// Reads `file` row by row into `take`; the first error ends it.
pub(super) fn rows<E: From<LayoutError>>(file: &[u8], mut take: impl FnMut(Row<'_>) -> Result<(), E>) -> Result<(), E> {
    // The reader takes a byte order mark and both kinds of line ends by itself.
    let mut reader = ReaderBuilder::new().has_headers(true).from_reader(file);
    let header = reader.byte_headers().map_err(|error| LayoutError::Csv(error.to_string()))?.clone();
    if header.is_empty() {
        return Err(LayoutError::Empty.into());
    }
    let mut places = [0; COLUMNS.len()];
    for (place, name) in places.iter_mut().zip(COLUMNS) {
        *place = header.iter().position(|column| column == name.as_bytes()).ok_or(LayoutError::NoColumn { missing: name })?;
    }
    let mut record = ByteRecord::new();
    while reader.read_byte_record(&mut record).map_err(|error| unreadable(file, &error))? {
        let line = line_of(file, record.position());
        let text = |at: usize| std::str::from_utf8(record.get(places[at]).unwrap_or_default()).map_err(|_| LayoutError::NotText { line });
        let (invoice, stock_code, description) = (text(0)?, text(1)?, text(2)?);
        let (quantity, invoice_date, unit_price) = (text(3)?, text(4)?, text(5)?);
        take(Row { line, invoice, stock_code, description, quantity, invoice_date, unit_price })?;
    }
    Ok(())
}

/// The line where a record begins. The reader's position stands before whatever line ends are left of the record before, and before empty lines.
fn line_of(file: &[u8], position: Option<&csv::Position>) -> u64 {
    let Some(position) = position else { return 0 };
    let rest = file.get(position.byte() as usize..).unwrap_or_default();
    let skipped = rest.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).filter(|byte| **byte == b'\n');
    position.line() + skipped.count() as u64
}

fn unreadable(file: &[u8], error: &csv::Error) -> LayoutError {
    match error.kind() {
        csv::ErrorKind::UnequalLengths { pos, expected_len, len } => {
            LayoutError::Cells { line: line_of(file, pos.as_ref()), cells: *len, columns: *expected_len }
        }
        _ => LayoutError::Csv(error.to_string()),
    }
}
