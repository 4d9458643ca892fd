//! What goes to standard output: tables for people, bytes for programs. It knows no report.

use std::io::{self, Write};

use comfy_table::{CellAlignment, Table, presets};

/// Makes a table: columns whose name begins with `>` hold numbers and stand to the right.
pub(crate) fn table(columns: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    table.set_header(columns.iter().map(|name| name.trim_start_matches('>')));
    table.add_rows(rows);
    for (column, name) in table.column_iter_mut().zip(columns) {
        if name.starts_with('>') {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.trim_fmt()
}

/// Writes bytes to standard output. A reader that has seen enough (`| head`) is no error.
pub(crate) fn write(bytes: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        done => done,
    }
}

/// Writes a line to standard output.
pub(crate) fn line(text: &str) -> io::Result<()> {
    write(format!("{text}\n").as_bytes())
}

/// `1234567` -> `1,234,567`; a decimal's fraction stays as it is.
pub(crate) fn grouped(number: &str) -> String {
    let (sign, digits) = number.strip_prefix('-').map_or(("", number), |digits| ("-", digits));
    let (whole, fraction) = digits.split_once('.').map_or((digits, None), |(whole, fraction)| (whole, Some(fraction)));
    let mut shown = String::with_capacity(number.len() + whole.len() / 3 + 1);
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at) % 3 == 0 {
            shown.push(',');
        }
        shown.push(digit);
    }
    match fraction {
        Some(fraction) => format!("{sign}{shown}.{fraction}"),
        None => format!("{sign}{shown}"),
    }
}

/// As [`grouped`], of a whole number.
pub(crate) fn thousands(number: u64) -> String {
    grouped(&number.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_thousands() {
        for (number, shown) in [("0", "0"), ("999", "999"), ("1000", "1,000"), ("-1234567.8900", "-1,234,567.8900")] {
            assert_eq!(grouped(number), shown);
        }
    }
}
