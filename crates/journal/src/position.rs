//! A place in a journal, written `<tick>.<id>`: everything seen by the tick, and beyond it the rows up to the id.

use std::fmt;
use std::str::FromStr;

use contract::Invalid;

/// A place in a journal. Readers that are given one back go on right behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Position {
    /// The tick whose snapshot is behind the reader.
    pub tick: i64,
    /// The last row read of what lies beyond it; 0 for none.
    pub id: i64,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.tick, self.id)
    }
}

impl FromStr for Position {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let number = |part: &str| part.parse::<i64>().ok().filter(|number| *number >= 0);
        let parts = text.split_once('.').and_then(|(tick, id)| Some((number(tick)?, number(id)?)));
        let (tick, id) = parts.ok_or_else(|| Invalid::new("invalid_position", "must be a `position` that this journal gave"))?;
        Ok(Self { tick, id })
    }
}
