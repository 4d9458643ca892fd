//! The fence: lets each version of each stream through once, in order, whoever delivers it and how often.
//!
//! It works inside the transaction of the effect: make the missing rows, lock them, judge, and at the end write the new versions while
//! checking that nobody else was there. Without the first and the last step the first event of a stream is applied twice by a process
//! that was presumed dead and its successor. It knows no transport and no effect.

use std::collections::HashMap;

use contract::{Event, Time};
use postgres::{DatabaseError, Transaction};

/// What a version that is more than one ahead means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Every row counts: a missing one is a gap, which must be repaired first.
    Gapless,
    /// Each event carries the whole state: newer wins, and a gap is nothing.
    Newest,
}

/// Rows of version 0 are streams never applied. Sorted, as every path sorts: two consumers cannot deadlock here.
const MAKE: &str =
    "INSERT INTO applied (stream, version) SELECT s, 0 FROM unnest($1::text[]) s ORDER BY s COLLATE \"C\" ON CONFLICT DO NOTHING";

/// Locks in stream order. The primary key finds each row; the sort is over the batch.
const LOCK: &str = "SELECT stream, version, recorded_at, parked FROM applied WHERE stream = ANY ($1) ORDER BY stream FOR UPDATE";

/// Fewer rows than asked for: somebody else applied these versions in between, so this transaction must not commit.
const ADVANCE: &str = "UPDATE applied a SET version = n.version, recorded_at = n.recorded_at, parked = false \
     FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::timestamptz[]) n (stream, was, version, recorded_at) \
     WHERE a.stream = n.stream AND a.version = n.was";

/// Where a stream stands, and where this transaction leaves it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Standing {
    was: i64,
    pub(crate) version: i64,
    recorded_at: Time,
    pub(crate) parked: bool,
}

/// What the fence says of one event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The next version: apply it.
    Next,
    /// Applied before: drop it.
    Duplicate,
    /// Something is missing before it.
    Gap,
    /// A version given a second time with other content, as after a restore of the producer to an earlier point.
    Rewritten,
    /// The stream is parked: let it go, the journal has it.
    Parked,
}

impl Standing {
    /// Judges one event of this stream.
    pub(crate) fn judge(&self, mode: Mode, version: i64, recorded_at: Time) -> Verdict {
        if self.parked {
            Verdict::Parked
        } else if version <= self.version {
            if recorded_at > self.recorded_at { Verdict::Rewritten } else { Verdict::Duplicate }
        } else if version == self.version + 1 || mode == Mode::Newest {
            Verdict::Next
        } else {
            Verdict::Gap
        }
    }

    /// Takes the event that was judged [`Verdict::Next`].
    pub(crate) fn take(&mut self, event: &Event) {
        self.version = event.version;
        self.recorded_at = event.recorded_at;
    }

    fn moved(&self) -> bool {
        self.version != self.was
    }
}

/// The streams of one batch, locked until the transaction ends.
pub(crate) struct Fence {
    standings: HashMap<String, Standing>,
}

impl Fence {
    /// Makes and locks the rows of `streams`.
    pub(crate) async fn lock(transaction: &Transaction<'_>, mut streams: Vec<&str>) -> Result<Self, DatabaseError> {
        streams.sort_unstable();
        streams.dedup();
        postgres::execute(transaction, MAKE, &[&streams]).await?;
        let rows = postgres::query(transaction, LOCK, &[&streams]).await?;
        let standings = rows.iter().map(|row| {
            let version = row.get(1);
            let standing = Standing { was: version, version, recorded_at: Time::new(row.get(2)), parked: row.get(3) };
            (row.get(0), standing)
        });
        Ok(Self { standings: standings.collect() })
    }

    /// Where `stream` stands; `None` for one that was not locked.
    pub(crate) fn standing(&mut self, stream: &str) -> Option<&mut Standing> {
        self.standings.get_mut(stream)
    }

    /// Lets parked streams through: a retry is under way.
    pub(crate) fn unpark(&mut self) {
        for standing in self.standings.values_mut() {
            standing.parked = false;
        }
    }

    /// Writes the new versions; false when somebody else was there, and then nothing may be committed.
    pub(crate) async fn advance(&self, transaction: &Transaction<'_>) -> Result<bool, DatabaseError> {
        let mut moved: Vec<(&str, &Standing)> =
            self.standings.iter().filter(|(_, standing)| standing.moved()).map(|(stream, standing)| (stream.as_str(), standing)).collect();
        if moved.is_empty() {
            return Ok(true);
        }
        moved.sort_unstable_by_key(|(stream, _)| *stream);
        let streams: Vec<&str> = moved.iter().map(|(stream, _)| *stream).collect();
        let were: Vec<i64> = moved.iter().map(|(_, standing)| standing.was).collect();
        let versions: Vec<i64> = moved.iter().map(|(_, standing)| standing.version).collect();
        let recorded: Vec<_> = moved.iter().map(|(_, standing)| standing.recorded_at.timestamp()).collect();
        let updated = postgres::execute(transaction, ADVANCE, &[&streams, &were, &versions, &recorded]).await?;
        Ok(updated == moved.len() as u64)
    }
}

/// Sets how far one stream has come, for a service that took a whole copy from its producer. Never moves a stream back.
///
/// The time is the database's own: the producer's event, when it comes, was recorded before the copy was taken, so it is a repetition and
/// not a rewritten version.
pub async fn set_applied(transaction: &Transaction<'_>, stream: &str, version: i64) -> Result<(), DatabaseError> {
    const SET: &str = "INSERT INTO applied (stream, version, recorded_at) VALUES ($1, $2, clock_timestamp()) \
         ON CONFLICT (stream) DO UPDATE SET version = EXCLUDED.version, recorded_at = EXCLUDED.recorded_at \
         WHERE applied.version < EXCLUDED.version";
    postgres::execute(transaction, SET, &[&stream, &version]).await.map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Time {
        Time::new(jiff::Timestamp::from_second(second).expect("a second"))
    }

    const fn standing(version: i64, recorded_at: Time, parked: bool) -> Standing {
        Standing { was: version, version, recorded_at, parked }
    }

    #[test]
    fn only_the_next_version_passes_a_gapless_fence() {
        let fence = standing(4, at(10), false);
        assert_eq!(fence.judge(Mode::Gapless, 5, at(11)), Verdict::Next);
        assert_eq!(fence.judge(Mode::Gapless, 6, at(11)), Verdict::Gap);
        assert_eq!(fence.judge(Mode::Gapless, 4, at(10)), Verdict::Duplicate);
        assert_eq!(fence.judge(Mode::Gapless, 3, at(9)), Verdict::Duplicate);
    }

    #[test]
    fn a_whole_state_passes_over_a_gap() {
        assert_eq!(standing(4, at(10), false).judge(Mode::Newest, 9, at(11)), Verdict::Next);
    }

    #[test]
    fn a_version_given_twice_is_told_by_its_recorded_time() {
        assert_eq!(standing(4, at(10), false).judge(Mode::Gapless, 3, at(12)), Verdict::Rewritten);
    }

    #[test]
    fn a_parked_stream_lets_everything_go() {
        assert_eq!(standing(4, at(10), true).judge(Mode::Gapless, 5, at(11)), Verdict::Parked);
    }
}
