//! Points in time: RFC 3339 in UTC, whole microseconds, because that is what PostgreSQL keeps.

use std::fmt;

use jiff::{Timestamp, Unit};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::Invalid;

/// A point in time, rounded to microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(Timestamp);

impl Time {
    /// Rounds a timestamp to what is kept.
    pub fn new(timestamp: Timestamp) -> Self {
        Self(timestamp.round(Unit::Microsecond).unwrap_or(timestamp))
    }

    /// Reads RFC 3339 with an offset; years 0001 to 9999.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let shape = || Invalid::new("invalid_time", "must be a time in RFC 3339 such as 2026-01-31T12:00:00Z");
        // jiff also reads forms that RFC 3339 has not (spaces, missing seconds, `[UTC]`): the contract is the narrower one.
        let plain = text.len() >= 20
            && text.as_bytes().get(16) == Some(&b':')
            && text.as_bytes().get(10).is_some_and(|byte| matches!(byte, b'T' | b't'))
            && text.bytes().all(|byte| byte.is_ascii_digit() || b"TtZz:+-.".contains(&byte));
        if !plain {
            return Err(shape());
        }
        let time = Self::new(text.parse().map_err(|_| shape())?);
        let year = time.0.to_zoned(jiff::tz::TimeZone::UTC).year();
        if (1..=9999).contains(&year) { Ok(time) } else { Err(shape()) }
    }

    /// The timestamp.
    pub fn timestamp(self) -> Timestamp {
        self.0
    }
}

impl From<Timestamp> for Time {
    fn from(timestamp: Timestamp) -> Self {
        Self::new(timestamp)
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(Invalid::custom)
    }
}

impl utoipa::PartialSchema for Time {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::Type::String)
            .format(Some(utoipa::openapi::SchemaFormat::KnownFormat(utoipa::openapi::KnownFormat::DateTime)))
            .into()
    }
}

impl utoipa::ToSchema for Time {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_kept_to_the_microsecond_in_utc() {
        let time = Time::parse("2010-12-01T09:26:00.1234567+01:00").map(|time| time.to_string());
        assert_eq!(time, Ok("2010-12-01T08:26:00.123457Z".to_owned()));
    }

    #[test]
    fn what_is_not_rfc_3339_is_refused() {
        for bad in
            ["2010-12-01", "2010-12-01 08:26:00Z", "2010-12-01T08:26Z", "2010-12-01T08:26:00", "2010-13-01T08:26:00Z", "yesterday", ""]
        {
            assert!(Time::parse(bad).is_err(), "{bad:?}");
        }
    }
}
