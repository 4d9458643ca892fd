//! Why a value was refused at the edge. Knows nothing of fields or transports: whoever parses adds the field's name.

/// A value that breaks the contract: a stable code for programs and a sentence that says what to send instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct Invalid {
    /// Stable, lowercase, for programs: `too_long`, `out_of_range`, ...
    pub code: &'static str,
    /// For people: what is wrong and what would be right.
    pub detail: String,
}

impl Invalid {
    /// Makes a refusal.
    pub fn new(code: &'static str, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into() }
    }

    /// Makes an error of a deserializer, which carries text alone: the code stands at its end, in brackets.
    pub fn custom<E: serde::de::Error>(self) -> E {
        E::custom(format_args!("{} ({})", self.detail, self.code))
    }
}
