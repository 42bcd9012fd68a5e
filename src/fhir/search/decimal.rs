//! Numbers with the precision that they were written in.

/// The most digits of a number that take part in its precision; a double holds 17.
const MOST_DIGITS: usize = 30;

/// The value of a number and the interval `[low, high)` that its precision implies: half a unit of its last digit to each side.
///
/// `100` is 99.5 to 100.5, `5.000` is 4.9995 to 5.0005. For a number with an exponent R4 gives one example: `1e2` is 95 to 105,
/// as if it were `1.0e2`; so an exponent implies one decimal place at least.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Decimal {
    pub(crate) exact: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

impl Decimal {
    /// Reads `[+-]digits[.digits][e[+-]digits]`. `None` for anything else, and for what no finite double can stand for.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let exact = finite(text)?;
        let (significand, exponent) = match text.find(['e', 'E']) {
            Some(at) => {
                let (significand, exponent) = text.split_at_checked(at)?;
                (significand, Some(exponent.get(1..)?.parse::<i32>().ok()?))
            }
            None => (text, None),
        };
        let (whole, fraction) = significand.split_once('.').unwrap_or((significand, ""));
        let implied = if exponent.is_some() && fraction.is_empty() { "0" } else { "" };
        if whole.len() + fraction.len() > MOST_DIGITS {
            return Some(Self { exact, low: exact, high: exact.next_up() });
        }
        let digits: i128 = format!("{whole}{fraction}{implied}").parse().ok()?;
        let places = i32::try_from(fraction.len() + implied.len()).ok()?;
        let last_digit = exponent.unwrap_or(0).checked_sub(places)?.checked_sub(1)?;
        let bound = |half: i128| finite(&format!("{}e{last_digit}", digits * 10 + half));
        Some(Self { exact, low: bound(-5)?, high: bound(5)? })
    }
}

/// A finite double in the notation of JSON, with an optional leading `+`.
pub(crate) fn finite(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (significand, exponent) = match unsigned.find(['e', 'E']) {
        Some(at) => unsigned.split_at_checked(at)?,
        None => (unsigned, "e0"),
    };
    let (whole, fraction) = significand.split_once('.').unwrap_or((significand, "0"));
    let all_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let exponent = exponent.get(1..)?;
    let legal = all_digits(whole) && all_digits(fraction) && all_digits(exponent.strip_prefix(['+', '-']).unwrap_or(exponent));
    legal.then(|| text.parse::<f64>().ok()).flatten().filter(|value| value.is_finite())
}

#[cfg(test)]
mod tests {
    use super::Decimal;
    use proptest::prelude::*;

    #[test]
    fn precision_follows_the_digits_written() {
        for (text, exact, low, high) in [
            ("100", 100.0, 99.5, 100.5),
            ("100.00", 100.0, 99.995, 100.005),
            ("1e2", 100.0, 95.0, 105.0),
            ("1.5e2", 150.0, 145.0, 155.0),
            ("5.000", 5.0, 4.9995, 5.0005),
            ("-5.4", -5.4, -5.45, -5.35),
            ("0", 0.0, -0.5, 0.5),
            ("21.17", 21.17, 21.165, 21.175),
            ("1.0E-3", 0.001, 0.00095, 0.00105),
        ] {
            let read = Decimal::parse(text).unwrap();
            assert_eq!((read.exact, read.low, read.high), (exact, low, high), "{text}");
        }
    }

    #[test]
    fn what_is_no_number_is_none() {
        for bad in ["", "-", ".5", "5.", "1e", "e5", "1e999", "NaN", "inf", "infinity", "1_0", " 1", "0x1", "1e+-5", "1.2.3"] {
            assert_eq!(Decimal::parse(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn the_interval_holds_the_number_and_more_digits_narrow_it(whole in -1_000_000i64..1_000_000, places in 1usize..6) {
            let short = Decimal::parse(&whole.to_string()).unwrap();
            let long = Decimal::parse(&format!("{whole}.{}", "0".repeat(places))).unwrap();
            prop_assert!(short.low < short.exact && short.exact < short.high);
            prop_assert!(short.low < long.low && long.high < short.high);
            prop_assert!((short.exact - long.exact).abs() < f64::EPSILON);
        }

        #[test]
        fn no_text_makes_it_panic(text in "[-+0-9.eE]{0,40}") {
            if let Some(read) = Decimal::parse(&text) {
                prop_assert!(read.low <= read.exact && read.exact <= read.high);
            }
        }
    }
}
