//! Holds the page of limits against the constants that it names.

use crate::tree::File;

/// The page.
const PAGE: &str = "docs/limits.md";

/// Every row of the page that names no constant, or one with another value.
pub fn wrong_limits(files: &[File]) -> Vec<String> {
    let Some(page) = files.iter().find(|file| file.path == PAGE) else { return vec![format!("{PAGE} is not there")] };
    page.text.lines().filter(|line| line.ends_with("` |")).filter_map(|line| wrong(line, files)).collect()
}

/// What is wrong with a row `| what | bound | `file` `CONSTANT` |`, if anything is.
fn wrong(row: &str, files: &[File]) -> Option<String> {
    let cells: Vec<&str> = row.split('|').map(str::trim).collect();
    let [_, _, said, place, _] = cells[..] else { return Some(format!("{PAGE}: not three columns: {row}")) };
    let mut place = place.split('`').filter(|part| !part.trim().is_empty());
    let (Some(path), Some(name)) = (place.next(), place.next()) else { return Some(format!("{PAGE}: no file and constant: {row}")) };
    let source = files.iter().find(|file| file.path == path);
    let Some(value) = source.and_then(|file| value(&file.text, name)) else { return Some(format!("{PAGE}: {path} has no {name}")) };
    (shown(value).as_deref() != Some(said)).then(|| format!("{PAGE}: {name} of {path} is {value}, not {said}"))
}

/// The expression of a constant.
fn value<'a>(source: &'a str, name: &str) -> Option<&'a str> {
    let declared = source.split(&format!("const {name}: ")).nth(1)?;
    let expression = declared.split(';').next()?.split(" = ").nth(1)?;
    Some(expression.trim())
}

/// An expression as people say it; none if it is of no kind that is known here.
fn shown(expression: &str) -> Option<String> {
    for (call, unit) in [("from_millis", "ms"), ("from_secs", "s"), ("from_mins", "min"), ("from_hours", "h")] {
        if let Some(number) = expression.strip_prefix(&format!("Duration::{call}(")) {
            return Some(format!("{} {unit}", grouped(number.strip_suffix(')')?)?));
        }
    }
    for (shift, unit) in [(" << 20", "MiB"), (" << 10", "KiB")] {
        if let Some(number) = expression.strip_suffix(shift) {
            return Some(format!("{} {unit}", grouped(number)?));
        }
    }
    grouped(expression)
}

/// Digits with a comma before each three.
fn grouped(number: &str) -> Option<String> {
    let digits = number.replace('_', "");
    digits.parse::<u64>().ok()?;
    let mut grouped = String::new();
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    Some(grouped)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: &str) -> File {
        File { path: path.to_owned(), text: text.to_owned() }
    }

    #[test]
    fn expressions_are_shown_as_people_say_them() {
        let cases = [
            ("Duration::from_millis(250)", "250 ms"),
            ("Duration::from_secs(8)", "8 s"),
            ("Duration::from_mins(1)", "1 min"),
            ("2 << 20", "2 MiB"),
            ("64 << 10", "64 KiB"),
            ("4096", "4,096"),
            ("604_800", "604,800"),
            ("16_384", "16,384"),
            ("500", "500"),
        ];
        for (expression, said) in cases {
            assert_eq!(shown(expression).as_deref(), Some(said));
        }
        assert_eq!(shown("PORT / 20"), None);
    }

    #[test]
    fn a_row_that_says_something_else_is_named() {
        let code = file("a.rs", "/// Most.\npub(crate) const MOST: usize = 4096;\nconst PATIENCE: Duration = Duration::from_secs(8);\n");
        let page = |rows: &str| vec![code.clone(), file(PAGE, rows)];
        let good = "| what | bound | where |\n|---|---|---|\n| most | 4,096 | `a.rs` `MOST` |\n| wait | 8 s | `a.rs` `PATIENCE` |\n";
        assert_eq!(wrong_limits(&page(good)), Vec::<String>::new());
        for bad in
            ["| most | 4,095 | `a.rs` `MOST` |", "| most | 4,096 | `b.rs` `MOST` |", "| most | 8 s | `a.rs` `LEAST` |", "| most | `a.rs` |"]
        {
            assert_eq!(wrong_limits(&page(bad)).len(), 1, "{bad}");
        }
        assert_eq!(wrong_limits(&[code]).len(), 1, "no page");
    }
}
