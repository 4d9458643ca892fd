//! Values: whatever is accepted comes back as it went in, and whatever is refused is refused by every door.

use std::fmt::{Debug, Display};
use std::str::FromStr;

use contract::quantity::MAX_UNITS;
use contract::{Count, Currency, Location, MinStock, Money, ProductId, Quantity, Sku, StockStream, Time};
use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};
use proptest::prelude::*;
use rust_decimal::Decimal;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use uuid::Uuid;

/// Microseconds of the first moment of the year 1, and of the last that jiff knows.
const MICROSECONDS: std::ops::RangeInclusive<i64> = -62_135_596_800_000_000..=253_402_207_200_999_999;

/// Texts of printable characters, spaces included, of the length of a SKU or somewhat longer.
pub(crate) fn printable() -> impl Strategy<Value = String> {
    prop_oneof!["[ -~]{1,66}", "\\PC{1,66}", "[0-9]{5}[A-Z]?"]
}

pub(crate) fn sku() -> impl Strategy<Value = Sku> {
    printable().prop_filter_map("no SKU", |text| Sku::parse(&text).ok())
}

pub(crate) fn location() -> impl Strategy<Value = Location> {
    prop_oneof![printable(), "[a-z]{1,4}@[a-z]{1,4}"].prop_filter_map("no location", |text| Location::parse(&text).ok())
}

pub(crate) fn product_id() -> impl Strategy<Value = ProductId> {
    any::<u128>().prop_map(|bits| ProductId(Uuid::from_u128(bits)))
}

/// An amount of ten-thousandths, below 10^12.
pub(crate) fn money() -> impl Strategy<Value = Money> {
    prop_oneof![0_i64..=100_000, 0_i64..10_000_000_000_000_000].prop_map(|units| Money::trusted(Decimal::new(units, 4)))
}

pub(crate) fn time() -> impl Strategy<Value = Time> {
    MICROSECONDS.prop_map(|microseconds| Time::new(Timestamp::from_microsecond(microseconds).expect("in range")))
}

fn there_and_back<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T) {
    let text = serde_json::to_string(value).expect("JSON");
    assert_eq!(&serde_json::from_str::<T>(&text).expect("what was written"), value, "{text}");
}

fn there_and_back_as_text<T: Display + FromStr<Err: Debug> + PartialEq + Debug>(value: &T) {
    assert_eq!(&value.to_string().parse::<T>().expect("what was shown"), value);
}

proptest! {
    #[test]
    fn a_sku_is_kept_as_sent_or_refused(text in prop_oneof![printable(), any::<String>()]) {
        let read = serde_json::from_value::<Sku>(json!(text));
        match Sku::parse(&text) {
            Ok(sku) => {
                prop_assert_eq!(sku.as_str(), &text);
                prop_assert!((1..=64).contains(&text.chars().count()));
                prop_assert!(!text.chars().any(char::is_control) && text.trim_matches(' ') == text);
                prop_assert_eq!(&read.expect("the same by JSON"), &sku);
                there_and_back(&sku);
            }
            Err(invalid) => prop_assert!(read.expect_err("the same by JSON").to_string().contains(invalid.code)),
        }
    }

    #[test]
    fn an_amount_comes_back_exactly_with_two_to_four_decimals(
        whole in prop_oneof![0_u64..1_000, 0_u64..1_000_000_000_000],
        zeros in 0_usize..4,
        fraction in "[0-9]{0,4}",
    ) {
        let padded = format!("{}{whole}", "0".repeat(zeros));
        let text = if fraction.is_empty() { padded } else { format!("{padded}.{fraction}") };
        let money = Money::parse(&text).expect("an amount");
        let ten_thousandths = whole * 10_000 + format!("{fraction:0<4}").parse::<u64>().expect("digits");
        prop_assert_eq!(money.amount() * Decimal::from(10_000), Decimal::from(ten_thousandths));
        let shown = money.to_string();
        let decimals = shown.split_once('.').expect("decimals").1;
        prop_assert!((2..=4).contains(&decimals.len()) && (decimals.len() == 2 || !decimals.ends_with('0')), "{}", shown);
        prop_assert_eq!(Money::parse(&shown), Ok(money));
        there_and_back(&money);
    }

    #[test]
    fn an_amount_is_never_a_number_of_json(units in any::<i64>(), float in any::<f64>()) {
        prop_assert!(serde_json::from_value::<Money>(json!(units)).is_err());
        prop_assert!(serde_json::from_value::<Money>(json!(float)).is_err());
    }

    #[test]
    fn a_time_comes_back_to_the_microsecond(time in time()) {
        prop_assert_eq!(Time::parse(&time.to_string()), Ok(time));
        prop_assert_eq!(Time::new(time.timestamp()), time);
        there_and_back(&time);
    }

    #[test]
    fn a_time_of_any_offset_is_the_same_moment(
        microseconds in -62_000_000_000_000_000_i64..=253_000_000_000_000_000,
        minutes in -1439_i32..=1439,
    ) {
        let timestamp = Timestamp::from_microsecond(microseconds).expect("in range");
        let offset = Offset::from_seconds(minutes * 60).expect("an offset");
        let local = timestamp.to_zoned(TimeZone::fixed(offset)).datetime();
        let sign = if minutes < 0 { '-' } else { '+' };
        let text = format!("{local}{sign}{:02}:{:02}", minutes.abs() / 60, minutes.abs() % 60);
        prop_assert_eq!(Time::parse(&text), Ok(Time::new(timestamp)), "{}", text);
    }

    #[test]
    fn rounding_moves_a_time_by_less_than_a_microsecond_and_keeps_the_order(
        seconds in -60_000_000_000_i64..=250_000_000_000,
        nanoseconds in 0_i32..1_000_000_000,
        later in 0_i64..10_000,
    ) {
        let exact = Timestamp::new(seconds, nanoseconds).expect("in range");
        let after = exact + jiff::SignedDuration::from_nanos(later);
        prop_assert!((Time::new(exact).timestamp().as_nanosecond() - exact.as_nanosecond()).abs() <= 500);
        prop_assert!(Time::new(exact) <= Time::new(after));
    }

    #[test]
    fn numbers_of_units_are_those_within_their_bounds(units in prop_oneof![any::<i64>(), -3_i64..=3, MAX_UNITS - 3..=MAX_UNITS + 3]) {
        let bounds = (1..=MAX_UNITS).contains(&units);
        prop_assert_eq!(Quantity::new(units).is_ok(), bounds);
        prop_assert_eq!(serde_json::from_value::<Quantity>(json!(units)).is_ok(), bounds);
        prop_assert_eq!(Count::new(units).is_ok(), bounds || units == 0);
        prop_assert_eq!(MinStock::new(units).is_ok(), bounds || units == 0);
        if let Ok(quantity) = Quantity::new(units) {
            prop_assert_eq!(quantity.get(), units);
            prop_assert_eq!(units.to_string().parse::<Quantity>(), Ok(quantity));
            there_and_back(&quantity);
        }
        for wrong in [json!(units as f64), json!(units.to_string()), json!([units])] {
            prop_assert!(serde_json::from_value::<Quantity>(wrong).is_err());
        }
    }

    #[test]
    fn a_stream_is_told_by_its_name(product_id in product_id(), location in location()) {
        there_and_back_as_text(&StockStream { product_id, location });
    }

    #[test]
    fn no_text_makes_a_parser_panic(text in prop_oneof![
        any::<String>(),
        "[0-9TtZz:+.\\-é]{0,40}",
        "[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]{1,12})?([Zz]|[+-][0-9]{2}:[0-9]{2})",
        "[0-9.+eE-]{0,40}",
        "[0-9a-fA-F{}-]{30,40}@\\PC{0,70}",
    ]) {
        if let Ok(time) = Time::parse(&text) {
            prop_assert_eq!(Time::parse(&time.to_string()), Ok(time));
        }
        if let Ok(money) = Money::parse(&text) {
            prop_assert_eq!(Money::parse(&money.to_string()), Ok(money));
        }
        if let Ok(stream) = text.parse::<StockStream>() {
            there_and_back_as_text(&stream);
        }
        if let Ok(quantity) = text.parse::<Quantity>() {
            there_and_back(&quantity);
        }
        if let Ok(currency) = Currency::parse(&text) {
            there_and_back_as_text(&currency);
        }
    }
}
