//! What came of a run: every answer is checked here, before it counts.
//!
//! Nobody else sells these products meanwhile, so a level tells its version: each sale of one unit takes one version and one unit.

use std::time::Duration;

use hdrhistogram::{CreationError, Histogram};
use serde::Deserialize;

use super::shelf::Level;
use super::wire::{Answer, WireError};
use crate::table::thousands;

/// The code of a request that was turned away before anything of it was done.
const OVERLOADED: &[u8] = b"\"overloaded\"";
/// Errors whose words are kept.
const WORDS: usize = 5;
/// Latencies above it count as this.
const LATENCY_MAX: Duration = Duration::from_mins(2);
/// Versions that a product may move on in a run; beyond it an answer is not believed.
const MOVES_MAX: i64 = 1_000_000_000;

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Checked {
    /// It was answered as it should be, or refused.
    Answered,
    /// Stock is overloaded and said so.
    TurnedAway,
    /// Something is wrong; the connection is of no use any more.
    Broken,
}

/// One product.
#[derive(Debug)]
struct Moved {
    start: Level,
    /// One bit a version after the start's.
    seen: Vec<u64>,
    acknowledged: i64,
}

/// What happened within one second.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub(crate) struct Second {
    pub(crate) changes: u64,
    pub(crate) turned_away: u64,
    pub(crate) p99_ms: f64,
}

/// The account of a run.
#[derive(Debug)]
pub(crate) struct Account {
    products: Vec<Moved>,
    /// Requests that were answered as they should be.
    pub(crate) requests: u64,
    /// Changes that were acknowledged.
    pub(crate) changes: u64,
    /// Requests refused for good (409).
    pub(crate) refused: u64,
    /// Requests turned away (503).
    pub(crate) turned_away: u64,
    /// Anything else.
    pub(crate) errors: u64,
    /// The first errors, in words.
    pub(crate) words: Vec<String>,
    /// Microseconds until a request was answered as it should be.
    pub(crate) answered_us: Histogram<u64>,
    /// Microseconds until a request was turned away.
    pub(crate) turned_away_us: Histogram<u64>,
    /// Second by second.
    pub(crate) by_second: Vec<Second>,
    this_second: Histogram<u64>,
    before: (u64, u64),
    unknown: bool,
}

/// A change, as far as it is checked.
#[derive(Deserialize)]
struct Change<'a> {
    sku: &'a str,
    quantity: i64,
    delta: i64,
    on_hand: i64,
    version: i64,
}

#[derive(Deserialize)]
struct Batch<'a> {
    accepted: usize,
    #[serde(borrow)]
    results: Vec<BatchResult<'a>>,
}

#[derive(Deserialize)]
struct BatchResult<'a> {
    #[serde(borrow)]
    change: Change<'a>,
}

impl Account {
    /// Begins one for products at these levels.
    pub(crate) fn new(levels: &[Level]) -> Result<Self, CreationError> {
        let products = levels.iter().map(|start| Moved { start: *start, seen: Vec::new(), acknowledged: 0 }).collect();
        Ok(Self {
            products,
            requests: 0,
            changes: 0,
            refused: 0,
            turned_away: 0,
            errors: 0,
            words: Vec::new(),
            answered_us: histogram()?,
            turned_away_us: histogram()?,
            by_second: Vec::new(),
            this_second: histogram()?,
            before: (0, 0),
            unknown: false,
        })
    }

    /// Takes in an answer to the sale of one unit of each of `sold`.
    pub(crate) fn answered(&mut self, sold: &[usize], skus: &[String], answer: &Answer<'_>, took: Duration) -> Checked {
        let us = took.as_micros() as u64;
        match (answer.status, sold) {
            (201, [_]) | (200, [_, _, ..]) => {
                if let Err(wrong) = self.acknowledge(sold, skus, answer.body) {
                    self.wrong(format!("{wrong}, in the answer {}", beginning(answer.body)));
                    return Checked::Broken;
                }
                self.requests += 1;
                self.changes += sold.len() as u64;
                self.answered_us.saturating_record(us);
                self.this_second.saturating_record(us);
                Checked::Answered
            }
            (409, _) => {
                self.refused += 1;
                Checked::Answered
            }
            (503, _) => {
                // Only an overload says that nothing was recorded.
                self.unknown |= !answer.body.windows(OVERLOADED.len()).any(|words| words == OVERLOADED);
                self.turned_away += 1;
                self.turned_away_us.saturating_record(us);
                Checked::TurnedAway
            }
            (status, _) => {
                self.unknown |= status >= 500;
                self.wrong(format!("status {status}: {}", beginning(answer.body)));
                Checked::Broken
            }
        }
    }

    /// Takes in that a request has no answer.
    pub(crate) fn broken(&mut self, error: &WireError) -> Checked {
        self.unknown = true;
        self.wrong(error.to_string());
        Checked::Broken
    }

    /// Takes in that requests were still not answered long after the end.
    pub(crate) fn unanswered(&mut self, requests: usize, waited: Duration) {
        self.unknown = true;
        for _ in 0..requests {
            self.wrong(format!("no answer within {} s after the end", waited.as_secs()));
        }
    }

    fn wrong(&mut self, words: String) {
        self.errors += 1;
        if self.words.len() < WORDS {
            self.words.push(words);
        }
    }

    fn acknowledge(&mut self, sold: &[usize], skus: &[String], body: &[u8]) -> Result<(), String> {
        if let [product] = sold {
            let change: Change<'_> = serde_json::from_slice(body).map_err(|error| error.to_string())?;
            return self.products[*product].acknowledge(&change, &skus[*product]);
        }
        let batch: Batch<'_> = serde_json::from_slice(body).map_err(|error| error.to_string())?;
        if batch.accepted != sold.len() || batch.results.len() != sold.len() {
            return Err(format!("{} of {} were accepted", batch.accepted, sold.len()));
        }
        for (product, result) in sold.iter().zip(&batch.results) {
            self.products[*product].acknowledge(&result.change, &skus[*product])?;
        }
        Ok(())
    }

    /// Ends a second, and tells of it.
    pub(crate) fn next_second(&mut self) -> String {
        let (changes, turned_away) = (self.changes - self.before.0, self.turned_away - self.before.1);
        let second = Second { changes, turned_away, p99_ms: milliseconds(&self.this_second, 0.99) };
        self.by_second.push(second);
        self.before = (self.changes, self.turned_away);
        self.this_second.reset();
        let (number, p99, errors) = (self.by_second.len(), second.p99_ms, self.errors);
        format!("{number} s: {} changes, p99 {p99:.1} ms, {turned_away} turned away, {errors} errors so far", thousands(changes))
    }

    /// Compares with where the products are now: they must have moved by what was acknowledged, and by nothing else.
    pub(crate) fn compare(&mut self, skus: &[String], levels: &[Option<Level>]) {
        let mut wrong = Vec::new();
        for ((product, sku), now) in self.products.iter().zip(skus).zip(levels) {
            let Some(now) = now else {
                wrong.push(format!("{sku} is gone"));
                continue;
            };
            let Level { on_hand, version } = product.start;
            let (versions, units) = (now.version - version, on_hand - now.on_hand);
            // What has no answer may have been recorded.
            let fits = versions == product.acknowledged || self.unknown && versions > product.acknowledged;
            if versions != units || !fits {
                let acknowledged = product.acknowledged;
                wrong.push(format!("{sku}: {acknowledged} sales were acknowledged, it moved by {versions} versions and {units} units"));
            }
        }
        for words in wrong {
            self.wrong(words);
        }
    }
}

impl Moved {
    fn acknowledge(&mut self, change: &Change<'_>, sku: &str) -> Result<(), String> {
        let Change { quantity, delta, on_hand, version, .. } = *change;
        if (change.sku, quantity, delta) != (sku, 1, -1) {
            return Err(format!("one unit of {sku} was asked for, it says {quantity} of {}, {delta}", change.sku));
        }
        let moves = version - self.start.version;
        if !(1..=MOVES_MAX).contains(&moves) || on_hand != self.start.on_hand - moves {
            return Err(format!("{sku} cannot have {on_hand} units at version {version}, it began with {:?}", self.start));
        }
        let (word, bit) = ((moves - 1) as usize / 64, 1 << ((moves - 1) % 64));
        if self.seen.len() <= word {
            self.seen.resize(word + 1, 0);
        }
        if self.seen[word] & bit != 0 {
            return Err(format!("version {version} of {sku} was given twice"));
        }
        self.seen[word] |= bit;
        self.acknowledged += 1;
        Ok(())
    }
}

/// Microseconds to three digits.
fn histogram() -> Result<Histogram<u64>, CreationError> {
    Histogram::new_with_max(LATENCY_MAX.as_micros() as u64, 3)
}

/// A quantile, in milliseconds.
pub(crate) fn milliseconds(us: &Histogram<u64>, quantile: f64) -> f64 {
    us.value_at_quantile(quantile) as f64 / 1000.0
}

fn beginning(body: &[u8]) -> String {
    String::from_utf8_lossy(&body[..body.len().min(200)]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Level = Level { on_hand: 100, version: 7 };
    const TOOK: Duration = Duration::from_millis(3);

    fn skus() -> Vec<String> {
        vec!["load-a".to_owned(), "load-b".to_owned()]
    }

    fn account() -> Account {
        Account::new(&[START, START]).expect("an account")
    }

    fn change(sku: &str, version: i64, on_hand: i64) -> String {
        format!(r#"{{"id":"x","sku":"{sku}","type":"SALE","quantity":1,"delta":-1,"on_hand":{on_hand},"version":{version}}}"#)
    }

    fn batch(changes: &[String]) -> String {
        let results: Vec<_> = changes.iter().map(|change| format!(r#"{{"index":0,"status":"accepted","change":{change}}}"#)).collect();
        format!(r#"{{"accepted":{},"rejected":0,"results":[{}]}}"#, changes.len(), results.join(","))
    }

    fn take(account: &mut Account, sold: &[usize], status: u16, body: &str) -> Checked {
        account.answered(sold, &skus(), &Answer { status, body: body.as_bytes() }, TOOK)
    }

    #[test]
    fn what_is_as_it_should_be_counts() {
        let mut account = account();
        assert_eq!(take(&mut account, &[0], 201, &change("load-a", 9, 98)), Checked::Answered);
        assert_eq!(take(&mut account, &[0], 201, &change("load-a", 8, 99)), Checked::Answered);
        let both = batch(&[change("load-b", 8, 99), change("load-a", 10, 97)]);
        assert_eq!(take(&mut account, &[1, 0], 200, &both), Checked::Answered);
        assert_eq!((account.requests, account.changes, account.errors), (3, 4, 0));
        assert!((milliseconds(&account.answered_us, 0.5) - 3.0).abs() < 0.01);
        let levels = [Some(Level { on_hand: 97, version: 10 }), Some(Level { on_hand: 99, version: 8 })];
        account.compare(&skus(), &levels);
        assert_eq!(account.words, Vec::<String>::new());
    }

    #[test]
    fn an_answer_that_cannot_be_true_is_an_error() {
        let of_two = batch(&[change("load-a", 8, 99)]);
        let twice = batch(&[change("load-a", 8, 99), change("load-a", 8, 99)]);
        let other = change("load-a", 8, 99).replace("\"quantity\":1", "\"quantity\":2");
        let cases: [(&[usize], u16, &str); 9] = [
            (&[0], 201, &change("load-b", 8, 99)),
            (&[0], 201, &change("load-a", 7, 100)),
            (&[0], 201, &change("load-a", 8, 98)),
            (&[0], 201, &other),
            (&[0], 201, "{}"),
            (&[0], 200, &change("load-a", 8, 99)),
            (&[0], 500, ""),
            (&[0, 0], 200, &of_two),
            (&[0, 0], 200, &twice),
        ];
        for (sold, status, body) in cases {
            let mut account = account();
            assert_eq!(take(&mut account, sold, status, body), Checked::Broken, "{body}");
            assert_eq!((account.changes, account.errors, account.words.len()), (0, 1, 1), "{body}");
        }
    }

    #[test]
    fn refusals_and_overload_are_no_errors_and_no_sales() {
        let mut account = account();
        assert_eq!(take(&mut account, &[0], 409, "{}"), Checked::Answered);
        assert_eq!(take(&mut account, &[0], 503, "{}"), Checked::TurnedAway);
        assert_eq!((account.refused, account.turned_away, account.changes, account.errors), (1, 1, 0, 0));
        account.compare(&skus(), &[Some(START), Some(START)]);
        assert_eq!(account.errors, 0);
    }

    #[test]
    fn products_must_have_moved_by_what_was_acknowledged() {
        for (now, errors) in [
            (Some(Level { on_hand: 99, version: 8 }), 0),
            (Some(START), 1),
            (Some(Level { on_hand: 98, version: 9 }), 1),
            (Some(Level { on_hand: 98, version: 8 }), 1),
            (None, 1),
        ] {
            let mut account = account();
            take(&mut account, &[0], 201, &change("load-a", 8, 99));
            account.compare(&skus(), &[now, Some(START)]);
            assert_eq!(account.errors, errors, "{now:?}: {:?}", account.words);
        }
        // A request without an answer may have been recorded; it is an error already.
        let mut account = account();
        account.broken(&WireError::Closed);
        account.compare(&skus(), &[Some(Level { on_hand: 99, version: 8 }), Some(START)]);
        assert_eq!(account.errors, 1);
    }

    #[test]
    fn each_second_is_told_by_itself() {
        let mut account = account();
        take(&mut account, &[0], 201, &change("load-a", 8, 99));
        account.next_second();
        take(&mut account, &[0], 503, "{}");
        account.next_second();
        let told: Vec<_> = account.by_second.iter().map(|second| (second.changes, second.turned_away, second.p99_ms > 0.0)).collect();
        assert_eq!(told, [(1, 0, true), (0, 1, false)]);
    }
}
