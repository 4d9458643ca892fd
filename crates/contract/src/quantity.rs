//! Numbers of units. Whole, bounded, and never a float.

use std::fmt;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::Invalid;

/// The most units of one movement or threshold.
pub const MAX_UNITS: i64 = 1_000_000_000;

macro_rules! units {
    ($(#[$doc:meta])* $name:ident, $min:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $name(i64);

        impl $name {
            /// Checks the number against the contract.
            pub fn new(units: i64) -> Result<Self, Invalid> {
                if ($min..=MAX_UNITS).contains(&units) {
                    Ok(Self(units))
                } else {
                    Err(Invalid::new(
                        "out_of_range",
                        format!("must be a whole number from {} to {MAX_UNITS}, it is {units}", $min),
                    ))
                }
            }

            /// The number of units.
            pub fn get(self) -> i64 {
                self.0
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Units;
                impl Visitor<'_> for Units {
                    type Value = $name;
                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        write!(f, "a whole number from {} to {MAX_UNITS}", $min)
                    }
                    fn visit_i64<E: de::Error>(self, units: i64) -> Result<$name, E> {
                        $name::new(units).map_err(Invalid::custom)
                    }
                    fn visit_u64<E: de::Error>(self, units: u64) -> Result<$name, E> {
                        $name::new(i64::try_from(units).unwrap_or(i64::MAX)).map_err(Invalid::custom)
                    }
                }
                deserializer.deserialize_i64(Units)
            }
        }

        impl std::str::FromStr for $name {
            type Err = Invalid;
            fn from_str(text: &str) -> Result<Self, Invalid> {
                let units = text.parse::<i64>().map_err(|_| {
                    Invalid::new("invalid_type", format!("must be a whole number from {} to {MAX_UNITS}", $min))
                })?;
                Self::new(units)
            }
        }

        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
                utoipa::openapi::ObjectBuilder::new()
                    .schema_type(utoipa::openapi::schema::Type::Integer)
                    .minimum(Some($min))
                    .maximum(Some(MAX_UNITS))
                    .into()
            }
        }

        impl utoipa::ToSchema for $name {}
    };
}

units!(
    /// Units moved: 1 to 1,000,000,000.
    Quantity, 1
);
units!(
    /// Units found on the shelf: 0 to 1,000,000,000.
    Count, 0
);
units!(
    /// Units below which a product counts as low: 0 (no alerts) to 1,000,000,000.
    MinStock, 0
);

impl MinStock {
    /// No alerts.
    pub const NONE: Self = Self(0);
}
