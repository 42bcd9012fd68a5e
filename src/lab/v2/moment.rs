//! TS and DTM: `YYYY[MM[DD[HH[MM[SS[.S[S[S[S]]]]]]]]][+/-ZZZZ]` (HL7 v2.8.2 chapter 2A § 2A.3.22).

use crate::fhir::Instant;
use jiff::civil;
use jiff::tz::TimeZone;

/// How much of a moment was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Precision {
    /// The year.
    Year,
    /// The month.
    Month,
    /// The day.
    Day,
    /// Hour, minute or second.
    Time,
}

/// A moment, as FHIR writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    /// A FHIR `dateTime`.
    pub text: String,
    /// How much of it was said.
    pub precision: Precision,
    /// Its first instant.
    pub instant: Instant,
}

impl Moment {
    /// The day alone, as a FHIR `date`.
    pub fn date(&self) -> &str {
        self.text.get(..10).unwrap_or(&self.text)
    }
}

/// Reads one. Without an offset it is a time of `zone`.
pub fn moment(text: &str, zone: &TimeZone) -> Option<Moment> {
    let text = text.trim();
    let (stamp, offset) = match text.rfind(['+', '-']).filter(|at| *at >= 4) {
        Some(at) => (text.get(..at)?, Some(text.get(at..)?)),
        None => (text, None),
    };
    let (digits, fraction) = stamp.split_once('.').map_or((stamp, ""), |(digits, fraction)| (digits, fraction));
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let two = |at: usize| digits.get(at..at + 2).map_or(Some(None), |part| part.parse::<i8>().ok().map(Some));
    let year = digits.get(..4)?.parse::<i16>().ok().filter(|year| *year > 0)?;
    let (month, day, hour, minute, second) = (two(4)?, two(6)?, two(8)?, two(10)?, two(12)?);
    if digits.len() > 14 || !digits.len().is_multiple_of(2) {
        return None;
    }
    let date = civil::Date::new(year, month.unwrap_or(1), day.unwrap_or(1)).ok()?;
    let precision = match (month, day, hour) {
        (None, ..) => Precision::Year,
        (_, None, _) => Precision::Month,
        (_, _, None) => Precision::Day,
        _ => Precision::Time,
    };
    let time =
        civil::Time::new(hour.unwrap_or(0), minute.unwrap_or(0), second.unwrap_or(0).min(59), nanoseconds(fraction)).ok()?;
    let zone = offset.map_or_else(|| Some(zone.clone()), fixed)?;
    let zoned = date.to_datetime(time).to_zoned(zone).ok()?;
    let text = match precision {
        Precision::Year => format!("{year:04}"),
        Precision::Month => format!("{year:04}-{:02}", date.month()),
        Precision::Day => date.to_string(),
        Precision::Time => zoned.strftime(if fraction.is_empty() { "%FT%T%:z" } else { "%FT%T%.3f%:z" }).to_string(),
    };
    Some(Moment { text, precision, instant: Instant(zoned.timestamp().as_millisecond()) })
}

fn nanoseconds(fraction: &str) -> i32 {
    let padded: String = fraction.chars().chain("000000000".chars()).take(9).collect();
    padded.parse().unwrap_or(0)
}

fn fixed(offset: &str) -> Option<TimeZone> {
    let sign = if offset.starts_with('-') { -1 } else { 1 };
    let digits = offset.get(1..)?;
    let (hours, minutes) = match digits.len() {
        2 => (digits.parse::<i32>().ok()?, 0),
        4 => (digits.get(..2)?.parse::<i32>().ok()?, digits.get(2..)?.parse::<i32>().ok()?),
        5 => (digits.get(..2)?.parse::<i32>().ok()?, digits.get(3..)?.parse::<i32>().ok()?),
        _ => return None,
    };
    if hours > 14 || minutes > 59 {
        return None;
    }
    jiff::tz::Offset::from_seconds(sign * (hours * 3600 + minutes * 60)).ok().map(TimeZone::fixed)
}

/// TM: `HH[MM[SS[.S]]][+/-ZZZZ]` as a FHIR `time`, the offset left out (FHIR has none there).
pub fn time_of_day(text: &str) -> Option<String> {
    let text = text.trim().split(['+', '-']).next()?.replace(':', "");
    let (digits, fraction) = text.split_once('.').map_or((text.as_str(), ""), |(digits, fraction)| (digits, fraction));
    let all_digits = digits.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit());
    if !all_digits || !matches!(digits.len(), 2 | 4 | 6) {
        return None;
    }
    let two = |at: usize| digits.get(at..at + 2).map_or(Some(0), |part| part.parse::<i8>().ok());
    let time = civil::Time::new(two(0)?, two(2)?, two(4)?, nanoseconds(fraction)).ok()?;
    Some(time.strftime(if fraction.is_empty() { "%T" } else { "%T%.3f" }).to_string())
}
