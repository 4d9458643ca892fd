//! The rule of reports: what an event adds to the figures, how a window is cut into rollups and facts, which intervals it has.
//!
//! Pure. It knows no SQL, no clock, no transport, and it never waits.

mod fold;
mod interval;
mod window;

pub(crate) use fold::{Batch, Copy, Delta, Fact, SeriesKey, TooLarge, fold};
pub(crate) use interval::{Interval, MAX_INTERVALS, Slot, TooMany, fill, too_many_hours};
pub(crate) use window::{Bound, Grain, Pieces, Window};

use contract::Currency;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What best sellers are ranked by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum By {
    /// Units sold.
    #[default]
    Units,
    /// Sales less returns, in money.
    Revenue,
}

/// Sums over sales and returns.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Figures {
    /// Units of SALE changes.
    pub(crate) units_sold: i64,
    /// Units of RETURN changes.
    pub(crate) units_returned: i64,
    /// How many SALE changes.
    pub(crate) sales: i64,
    /// Amounts of sales less those of returns.
    pub(crate) revenue: Decimal,
}

/// The currency that several sums share, each given by the first and the last of its currencies; `None` where they differ, and of no sums.
pub(crate) fn common(mut sums: impl Iterator<Item = (Currency, Currency)>) -> Option<Currency> {
    let (shared, _) = sums.next().filter(|(first, last)| first == last)?;
    sums.all(|sum| sum == (shared, shared)).then_some(shared)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_share_a_currency_or_have_none() {
        let currency = |code: &str| Currency::parse(code).unwrap();
        let (gbp, usd) = (currency("GBP"), currency("USD"));
        assert_eq!(common([(gbp, gbp), (gbp, gbp)].into_iter()), Some(gbp));
        assert_eq!(common([(gbp, gbp), (usd, usd)].into_iter()), None);
        assert_eq!(common([(gbp, usd)].into_iter()), None);
        assert_eq!(common(std::iter::empty()), None);
    }
}
