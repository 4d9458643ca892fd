//! What a comparison is: parts that are measured one after the other, and what is claimed of their figures. It measures nothing.

use std::collections::BTreeMap;

/// What was measured in one round, by name.
pub(crate) type Figures = BTreeMap<&'static str, f64>;

/// Parts that belong together, measured at a place.
pub(crate) struct Comparison<P> {
    /// For `--only`.
    pub(crate) name: &'static str,
    /// Measures all parts once.
    pub(crate) measure: fn(&P) -> anyhow::Result<Figures>,
    /// What is to be shown of them.
    pub(crate) claims: &'static [Claim],
}

/// Something that is to be shown.
pub(crate) struct Claim {
    /// In words.
    pub(crate) says: &'static str,
    /// One round's figure of it.
    pub(crate) figure: fn(&Figures) -> f64,
    /// What it is to be.
    pub(crate) aim: Aim,
}

/// What a figure is to be.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Aim {
    AtLeast(f64),
    AtMost(f64),
}

impl Aim {
    /// Whether a figure is as it is to be.
    pub(crate) fn is_met(self, figure: f64) -> bool {
        match self {
            Self::AtLeast(aim) => figure >= aim,
            Self::AtMost(aim) => figure <= aim,
        }
    }

    /// For people.
    pub(crate) fn words(self) -> String {
        match self {
            Self::AtLeast(aim) => format!("at least {aim}"),
            Self::AtMost(aim) => format!("at most {aim}"),
        }
    }
}

/// A figure of a round; one that was not measured is no number, and fits no aim.
pub(crate) fn of(figures: &Figures, name: &str) -> f64 {
    figures.get(name).copied().unwrap_or(f64::NAN)
}
