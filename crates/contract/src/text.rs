//! Bounded texts: every free text of the contract with its length, and the SKU with its own rules.
//!
//! Lengths count Unicode scalar values, as the contract does. Nothing is trimmed or normalised: a text is kept as sent or refused.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

use crate::Invalid;

fn bounded(text: &str, max: usize) -> Result<(), Invalid> {
    let length = text.chars().count();
    if length == 0 {
        return Err(Invalid::new("too_short", format!("must have 1 to {max} characters, it is empty")));
    }
    if length > max {
        return Err(Invalid::new("too_long", format!("must have at most {max} characters, it has {length}")));
    }
    Ok(())
}

fn without_nul(text: &str) -> Result<(), Invalid> {
    if text.contains('\0') {
        return Err(Invalid::new("invalid_character", "must not contain the character U+0000"));
    }
    Ok(())
}

fn plain(text: &str, max: usize) -> Result<(), Invalid> {
    bounded(text, max)?;
    without_nul(text)
}

fn described(text: &str, max: usize) -> Result<(), Invalid> {
    if text.is_empty() { Ok(()) } else { plain(text, max) }
}

/// A location may stand behind `@` in a stream's name, so it has no unprintable characters and no outer spaces.
fn placed(text: &str, max: usize) -> Result<(), Invalid> {
    bounded(text, max)?;
    printable(text)
}

fn printable(text: &str) -> Result<(), Invalid> {
    if text.starts_with(' ') || text.ends_with(' ') {
        return Err(Invalid::new("outer_space", "must not begin or end with a space"));
    }
    let unprintable = |c: &char| {
        matches!(
            c.general_category(),
            GeneralCategory::Control
                | GeneralCategory::Format
                | GeneralCategory::LineSeparator
                | GeneralCategory::ParagraphSeparator
                | GeneralCategory::PrivateUse
                | GeneralCategory::Unassigned
        )
    };
    match text.chars().find(unprintable) {
        Some(c) => Err(Invalid::new("invalid_character", format!("must be printable, it contains U+{:04X}", u32::from(c)))),
        None => Ok(()),
    }
}

/// Words that stand where a product's SKU could in a path of the API.
const RESERVED_SKUS: [&str; 5] = ["search", "suggest", "import", ".", ".."];

fn stock_keeping_unit(text: &str, max: usize) -> Result<(), Invalid> {
    bounded(text, max)?;
    printable(text)?;
    if RESERVED_SKUS.contains(&text) {
        return Err(Invalid::new("reserved", format!("`{text}` is a word of the API, choose another SKU")));
    }
    if uuid::Uuid::try_parse(text).is_ok() {
        return Err(Invalid::new("looks_like_id", "must not look like a UUID: a path could not tell it from a product id"));
    }
    Ok(())
}

macro_rules! text {
    ($(#[$doc:meta])* $name:ident, $min:literal, $max:literal, $check:path) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The most Unicode scalar values that it may have.
            pub const MAX_CHARACTERS: usize = $max;

            /// Checks the text against the contract.
            pub fn parse(text: &str) -> Result<Self, Invalid> {
                $check(text, Self::MAX_CHARACTERS)?;
                Ok(Self(text.into()))
            }

            /// Takes a text that was checked before, as read from the own database.
            pub fn trusted(text: &str) -> Self {
                Self(text.into())
            }

            /// The text as sent.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                Self::parse(&text).map_err(Invalid::custom)
            }
        }

        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
                utoipa::openapi::ObjectBuilder::new()
                    .schema_type(utoipa::openapi::schema::Type::String)
                    .min_length(Some($min))
                    .max_length(Some($max))
                    .into()
            }
        }

        impl utoipa::ToSchema for $name {}
    };
}

text!(
    /// What the shop calls a product: 1-64 printable characters, spaces inside allowed, case-sensitive, unique.
    Sku, 1, 64, stock_keeping_unit
);
text!(
    /// A product's name, 1-200 characters.
    Name, 1, 200, plain
);
text!(
    /// A product's category, 1-100 characters.
    Category, 1, 100, plain
);
text!(
    /// A product's description, up to 4,000 characters; may be empty.
    Description, 0, 4000, described
);
text!(
    /// Where units lie: 1-64 printable characters.
    Location, 1, 64, placed
);
text!(
    /// Why a movement was made, 1-128 characters.
    Reason, 1, 128, plain
);
text!(
    /// The shop's own number for what was done (an invoice, an order), 1-128 characters.
    Reference, 1, 128, plain
);

impl Default for Location {
    /// The one location of a shop that names none.
    fn default() -> Self {
        Self("default".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sku_keeps_inner_spaces_and_unicode_and_counts_characters() {
        for good in ["85123A", "red shirt XL", "käse-ß", "商品", &"é".repeat(64)] {
            assert_eq!(Sku::parse(good).map(|sku| sku.to_string()), Ok(good.to_owned()));
        }
    }

    #[test]
    fn a_sku_that_could_not_be_told_apart_in_a_path_is_refused() {
        for (bad, code) in [
            ("", "too_short"),
            (&*"x".repeat(65), "too_long"),
            (" a", "outer_space"),
            ("a ", "outer_space"),
            ("a\u{7}", "invalid_character"),
            ("a\u{200b}", "invalid_character"),
            ("a\u{2028}b", "invalid_character"),
            ("a\u{e000}", "invalid_character"),
            ("search", "reserved"),
            ("..", "reserved"),
            ("018f3c2e-7b8a-7000-8000-000000000000", "looks_like_id"),
            ("018f3c2e7b8a70008000000000000000", "looks_like_id"),
        ] {
            assert_eq!(Sku::parse(bad).map_err(|invalid| invalid.code), Err(code), "{bad:?}");
        }
    }
}
