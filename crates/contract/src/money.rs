//! Money: exact decimals with a currency, never floats.

use std::fmt;

use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::Invalid;

/// A price: `0 <= x < 10^12` with at most four decimals. Shown with at least two and no zeros beyond.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Money(Decimal);

impl Money {
    /// Reads a decimal such as `2.55`; no sign, no exponent, no separators.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let shape =
            || Invalid::new("invalid_money", "must be a decimal string such as \"2.55\", from 0 to below 10^12, with at most 4 decimals");
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(whole) || !digits(fraction) || fraction.len() > 4 || whole.trim_start_matches('0').len() > 12 {
            return Err(shape());
        }
        text.parse().map(Self).map_err(|_| shape())
    }

    /// Takes an amount that was checked before, as read from the own database.
    pub fn trusted(amount: Decimal) -> Self {
        Self(amount)
    }

    /// The amount.
    pub fn amount(self) -> Decimal {
        self.0
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show(self.0, f)
    }
}

/// Writes an amount as the contract shows it: at least two decimals, no zeros beyond them.
fn show(amount: Decimal, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut amount = amount.normalize();
    if amount.scale() < 2 {
        amount.rescale(2);
    }
    write!(f, "{amount}")
}

/// A sum of money: as [`Money`], but it may be negative and as large as it comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sum(pub Decimal);

impl fmt::Display for Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show(self.0, f)
    }
}

impl Serialize for Sum {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Serialize for Money {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Money {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(Invalid::custom)
    }
}

/// An ISO 4217 code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency([u8; 3]);

/// The active codes of ISO 4217 (list one), funds and metals included.
const CODES: &str = "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF \
    CHW CLF CLP CNY COP COU CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS \
    INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN \
    MXV MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN \
    SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD USN UYI UYU UYW UZS VED VES VND VUV WST XAF XAG XAU XBA XBB XBC XBD XCD XCG \
    XDR XOF XPD XPF XPT XSU XTS XUA XXX YER ZAR ZMW ZWG";

impl Currency {
    /// Checks the code against ISO 4217.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        match <[u8; 3]>::try_from(text.as_bytes()) {
            Ok(code) if CODES.split_ascii_whitespace().any(|known| known == text) => Ok(Self(code)),
            _ => Err(Invalid::new("invalid_currency", format!("must be an ISO 4217 code in capitals such as USD, it is `{text}`"))),
        }
    }

    /// Takes a code that was checked before, as read from the own database; `XXX` (no currency) for what is none.
    pub fn trusted(text: &str) -> Self {
        Self(text.as_bytes().try_into().unwrap_or(*b"XXX"))
    }

    /// The three letters.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("XXX")
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for Currency {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        Self::parse(text)
    }
}

impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(Invalid::custom)
    }
}

macro_rules! string_schema {
    ($name:ident, $example:literal, $pattern:literal) => {
        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
                utoipa::openapi::ObjectBuilder::new()
                    .schema_type(utoipa::openapi::schema::Type::String)
                    .pattern(Some($pattern))
                    .examples([serde_json::json!($example)])
                    .into()
            }
        }
        impl utoipa::ToSchema for $name {}
    };
}
string_schema!(Money, "2.55", r"^0*[0-9]{1,12}(\.[0-9]{1,4})?$");
string_schema!(Sum, "1024.50", r"^-?[0-9]+\.[0-9]{2,}$");
string_schema!(Currency, "USD", "^[A-Z]{3}$");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_is_shown_with_two_decimals_or_as_many_as_it_needs() {
        for (sent, shown) in
            [("2.5", "2.50"), ("0", "0.00"), ("1.2340", "1.234"), ("007.1", "7.10"), ("999999999999.9999", "999999999999.9999")]
        {
            assert_eq!(Money::parse(sent).map(|money| money.to_string()), Ok(shown.to_owned()));
        }
    }

    #[test]
    fn what_is_no_plain_amount_is_refused() {
        for bad in ["", "-1", "+1", "1e3", "1,5", ".5", "5.", "1.23456", "1000000000000", " 1", "NaN"] {
            assert!(Money::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_currency_is_one_that_exists() {
        assert_eq!(Currency::parse("GBP").map(|currency| currency.to_string()), Ok("GBP".to_owned()));
        for bad in ["gbp", "ABC", "", "US", "USDT", "S U"] {
            assert!(Currency::parse(bad).is_err(), "{bad:?}");
        }
    }
}
