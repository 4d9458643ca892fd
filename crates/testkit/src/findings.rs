//! Findings: what a proof holds against what it was promised, as sentences, so that a failure shows its whole extent.

use std::collections::BTreeMap;

/// Differences that are shown of each promise.
pub const SHOWN: usize = 8;

/// Notes the differences between what is promised and what was found, line by line, whatever their order.
pub fn compare(promise: &str, expected: Vec<String>, there: Vec<String>, found: &mut Vec<String>) {
    let mut surplus: BTreeMap<String, i64> = BTreeMap::new();
    for (line, times) in there.into_iter().map(|line| (line, 1)).chain(expected.into_iter().map(|line| (line, -1))) {
        *surplus.entry(line).or_default() += times;
    }
    surplus.retain(|_, times| *times != 0);
    if surplus.is_empty() {
        return;
    }
    let told = surplus.iter().take(SHOWN).map(|(line, times)| {
        let what = if *times < 0 { "missing" } else { "too many" };
        format!("\n    {} {what}: {line}", times.abs())
    });
    found.push(format!("{promise}: {} differences{}", surplus.len(), told.collect::<String>()));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn every_line_counts_as_often_as_it_is_there() {
        let mut found = Vec::new();
        compare("the same in another order", lines("a b b"), lines("b a b"), &mut found);
        assert!(found.is_empty(), "{found:?}");
        compare("as promised", lines("a b b"), lines("b c"), &mut found);
        assert_eq!(found, ["as promised: 3 differences\n    1 missing: a\n    1 missing: b\n    1 too many: c"]);
    }
}
