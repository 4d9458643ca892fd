//! Which accounts must agree, and what it means when two say different things of one stream.
//!
//! Pure. A stream is judged only where both sides are seen at the same version; until then it is merely on its way.

use std::collections::{BTreeMap, BTreeSet};

use contract::{BookAccount, BookEntry, Books};

use super::Drift;

/// A service, as a place in the list of all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Product,
    Stock,
    Notification,
    Analytics,
}

impl Side {
    /// For people.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Product => "Product",
            Self::Stock => "Stock Change",
            Self::Notification => "Notification",
            Self::Analytics => "Analytics",
        }
    }

    /// As the service calls itself.
    pub(super) fn service(self) -> &'static str {
        match self {
            Self::Product => "product",
            Self::Stock => "stock",
            Self::Notification => "notification",
            Self::Analytics => "analytics",
        }
    }
}

/// An account that two services keep of the same thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pair {
    pub(super) account: &'static str,
    /// Who makes the events, so that its account is what is expected.
    pub(super) owner: Side,
    /// Who keeps a copy.
    pub(super) keeper: Side,
}

/// Everything that must agree.
pub(super) const PAIRS: [Pair; 9] = [
    Pair { account: "stock", owner: Side::Stock, keeper: Side::Product },
    Pair { account: "versions", owner: Side::Stock, keeper: Side::Product },
    Pair { account: "versions", owner: Side::Stock, keeper: Side::Notification },
    Pair { account: "versions", owner: Side::Stock, keeper: Side::Analytics },
    Pair { account: "sales", owner: Side::Stock, keeper: Side::Analytics },
    Pair { account: "alerts", owner: Side::Stock, keeper: Side::Notification },
    Pair { account: "products", owner: Side::Product, keeper: Side::Stock },
    Pair { account: "products", owner: Side::Product, keeper: Side::Notification },
    Pair { account: "products", owner: Side::Product, keeper: Side::Analytics },
];

impl Pair {
    /// Both sides' account, where both keep it.
    pub(super) fn of<'a>(&self, books: &'a [Books; 4]) -> Option<(&'a BookAccount, &'a BookAccount)> {
        let account = |side: Side| books[side as usize].accounts.get(self.account);
        Some((account(self.owner)?, account(self.keeper)?))
    }

    /// Whether the digests agree.
    pub(super) fn agrees(&self, books: &[Books; 4]) -> bool {
        self.of(books).is_some_and(|(owner, keeper)| owner.buckets == keeper.buckets)
    }

    /// The buckets whose digests differ.
    pub(super) fn buckets(&self, books: &[Books; 4]) -> Vec<u8> {
        let Some((owner, keeper)) = self.of(books) else { return Vec::new() };
        (0..=u8::MAX).filter(|bucket| owner.buckets.get(usize::from(*bucket)) != keeper.buckets.get(usize::from(*bucket))).collect()
    }

    /// The drift of an account that a service does not keep at all.
    pub(super) fn missing(&self, books: &[Books; 4]) -> Vec<Drift> {
        let lacking = [self.owner, self.keeper].into_iter().filter(|side| !books[*side as usize].accounts.contains_key(self.account));
        lacking.map(|side| Drift::own(side.service(), &format!("its books have no account `{}`", self.account))).collect()
    }
}

/// What was seen of one bucket, over several looks at both sides.
#[derive(Debug, Default)]
pub(super) struct Seen {
    sums: Vec<String>,
    owner: BTreeMap<String, BTreeMap<i64, Vec<String>>>,
    keeper: BTreeMap<String, BTreeMap<i64, Vec<String>>>,
    /// Streams that are settled: they agreed at one version, or differed at one.
    settled: BTreeMap<String, Option<Drift>>,
}

impl Seen {
    /// Takes in a look at both sides and judges every stream that was seen at one version on both.
    pub(super) fn look(&mut self, pair: Pair, owner: BookAccount, keeper: BookAccount) {
        self.sums = owner.sums;
        remember(&mut self.owner, owner.entries);
        remember(&mut self.keeper, keeper.entries);
        for stream in self.open() {
            let (Some(expected), Some(found)) = (self.owner.get(&stream), self.keeper.get(&stream)) else { continue };
            let Some((version, expected)) = expected.iter().rev().find(|(version, _)| found.contains_key(version)) else { continue };
            let found = &found[version];
            let drift = (expected != found).then(|| self.differs(pair, &stream, *version, expected, found));
            self.settled.insert(stream, drift);
        }
    }

    /// Streams that were not yet seen at one version on both sides.
    pub(super) fn open(&self) -> Vec<String> {
        let all: BTreeSet<&String> = self.owner.keys().chain(self.keeper.keys()).collect();
        all.into_iter().filter(|stream| !self.settled.contains_key(*stream)).cloned().collect()
    }

    /// The drifts, and how many streams moved too fast to be compared. To be asked when looking again does not help any more.
    pub(super) fn judge(self, pair: Pair) -> (Vec<Drift>, usize) {
        let mut moving = 0;
        let mut drifts = Vec::new();
        for stream in self.open() {
            let versions = |side: &BTreeMap<String, BTreeMap<i64, Vec<String>>>| {
                side.get(&stream).map(|seen| (seen.keys().next().copied().unwrap_or(0), seen.keys().next_back().copied().unwrap_or(0)))
            };
            match (versions(&self.owner), versions(&self.keeper)) {
                // The copy went past what the owner had at first, or both move: alive, only never caught together.
                (Some((first, last)), Some((begun, reached))) if reached >= first && reached <= last && reached > begun => moving += 1,
                (expected, found) => drifts.push(apart(pair, &stream, expected.map(|seen| seen.1), found.map(|seen| seen.1))),
            }
        }
        drifts.extend(self.settled.into_values().flatten());
        (drifts, moving)
    }

    fn differs(&self, pair: Pair, stream: &str, version: i64, expected: &[String], found: &[String]) -> Drift {
        let told = |sums: &[String]| {
            let named = self.sums.iter().zip(sums).zip(expected.iter().zip(found)).filter(|(_, (expected, found))| expected != found);
            named.map(|((name, sum), _)| format!("{name} {sum}")).collect::<Vec<_>>().join(", ")
        };
        let (expected, found) = (told(expected), told(found));
        let Pair { account, owner, keeper } = pair;
        let detail =
            format!("{account} of {stream} at version {version}: {} says {expected}, {} says {found}", owner.name(), keeper.name());
        drift(pair, stream, expected, found, detail)
    }
}

/// Two versions that never met, or a stream that only one side has.
fn apart(pair: Pair, stream: &str, expected: Option<i64>, found: Option<i64>) -> Drift {
    let Pair { account, owner, keeper } = pair;
    let (owner, keeper) = (owner.name(), keeper.name());
    let told = |version: Option<i64>| version.map_or("nothing".to_owned(), |version| format!("version {version}"));
    let detail = match (expected, found) {
        (Some(version), None) => format!("{account} of {stream}: {owner} is at version {version}, {keeper} has never heard of it"),
        (None, _) => format!("{account} of {stream}: {keeper} has it at {}, {owner} does not have it", told(found)),
        (Some(version), Some(found)) => format!("{account} of {stream}: {owner} is at version {version}, {keeper} at {found}"),
    };
    drift(pair, stream, told(expected), told(found), detail)
}

fn drift(pair: Pair, stream: &str, expected: String, found: String, detail: String) -> Drift {
    Drift {
        service: pair.keeper.service().to_owned(),
        account: Some(pair.account.to_owned()),
        stream: Some(stream.to_owned()),
        expected: Some(expected),
        found: Some(found),
        detail,
    }
}

fn remember(side: &mut BTreeMap<String, BTreeMap<i64, Vec<String>>>, entries: Vec<BookEntry>) {
    for BookEntry { stream, version, sums } in entries {
        side.entry(stream).or_default().insert(version, sums);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STOCK: Pair = PAIRS[0];

    fn account(entries: &[(&str, i64, [&str; 2])]) -> BookAccount {
        let entry = |(stream, version, sums): &(&str, i64, [&str; 2])| BookEntry {
            stream: (*stream).to_owned(),
            version: *version,
            sums: sums.map(str::to_owned).to_vec(),
        };
        BookAccount {
            sums: vec!["on_hand".to_owned(), "reserved".to_owned()],
            streams: entries.len() as i64,
            version: 0,
            totals: Vec::new(),
            buckets: Vec::new(),
            entries: entries.iter().map(entry).collect(),
        }
    }

    #[test]
    fn a_change_on_its_way_is_no_drift() {
        let mut seen = Seen::default();
        seen.look(STOCK, account(&[("a", 3, ["7", "0"])]), account(&[("a", 2, ["9", "0"])]));
        assert_eq!(seen.open(), ["a"]);
        seen.look(STOCK, account(&[("a", 4, ["6", "0"])]), account(&[("a", 3, ["7", "0"])]));
        assert!(seen.open().is_empty());
        assert_eq!(seen.judge(STOCK), (Vec::new(), 0));
    }

    #[test]
    fn a_difference_at_one_version_is_named_with_what_differs() {
        let mut seen = Seen::default();
        seen.look(STOCK, account(&[("a", 3, ["7", "0"])]), account(&[("a", 3, ["9", "0"])]));
        let (drifts, _) = seen.judge(STOCK);
        assert_eq!(drifts[0].detail, "stock of a at version 3: Stock Change says on_hand 7, Product says on_hand 9");
        assert_eq!((drifts[0].expected.as_deref(), drifts[0].found.as_deref()), (Some("on_hand 7"), Some("on_hand 9")));
        assert_eq!((drifts[0].service.as_str(), drifts[0].stream.as_deref()), ("product", Some("a")));
    }

    #[test]
    fn what_stays_behind_and_what_only_one_side_has_are_drifts() {
        let mut seen = Seen::default();
        for _ in 0..3 {
            seen.look(
                STOCK,
                account(&[("behind", 3, ["7", "0"]), ("lost", 1, ["1", "0"])]),
                account(&[("behind", 2, ["9", "0"]), ("made-up", 1, ["1", "0"])]),
            );
        }
        let (drifts, moving) = seen.judge(STOCK);
        let told: Vec<&str> = drifts.iter().map(|drift| drift.detail.as_str()).collect();
        let expected = [
            "stock of behind: Stock Change is at version 3, Product at 2",
            "stock of lost: Stock Change is at version 1, Product has never heard of it",
            "stock of made-up: Product has it at version 1, Stock Change does not have it",
        ];
        assert_eq!((told.as_slice(), moving), (expected.as_slice(), 0));
    }

    #[test]
    fn a_stream_that_never_stands_still_is_not_a_drift() {
        let mut seen = Seen::default();
        seen.look(STOCK, account(&[("a", 10, ["1", "0"])]), account(&[("a", 5, ["1", "0"])]));
        seen.look(STOCK, account(&[("a", 20, ["1", "0"])]), account(&[("a", 15, ["1", "0"])]));
        assert_eq!(seen.judge(STOCK), (Vec::new(), 1));
    }
}
