//! A moment, to the millisecond.

use std::fmt::{self, Write as _};

const DAY: i64 = 86_400_000;

/// A moment in UTC, in milliseconds since 1970-01-01T00:00:00Z. Written as a FHIR `instant` with exactly three decimals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(pub i64);

impl Instant {
    /// The length of the written form, `2026-01-02T03:04:05.678Z`.
    pub const TEXT_LENGTH: usize = 24;

    /// Reads an RFC 3339 timestamp with offset.
    pub fn parse(text: &str) -> Option<Self> {
        text.parse::<jiff::Timestamp>().ok().map(|moment| Self(moment.as_millisecond()))
    }

    /// Whole seconds since the epoch, as JWT claims count them.
    pub fn seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// The moment this many seconds later.
    #[must_use]
    pub fn plus_seconds(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds.saturating_mul(1000)))
    }

    /// The `Last-Modified` form of RFC 9110, whole seconds.
    pub fn http_date(self) -> String {
        const WEEK: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
        const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
        let (year, month, day) = civil(self.0.div_euclid(DAY));
        let second = self.0.rem_euclid(DAY) / 1000;
        let name = |names: &[&'static str], at: i64| usize::try_from(at).ok().and_then(|at| names.get(at)).copied().unwrap_or("");
        let mut text = String::with_capacity(29);
        text.push_str(name(&WEEK, self.0.div_euclid(DAY).rem_euclid(7)));
        push_digits(&mut text, ", ", day, 10);
        text.push(' ');
        text.push_str(name(&MONTHS, month - 1));
        push_year(&mut text, " ", year);
        push_digits(&mut text, " ", second / 3600, 10);
        push_digits(&mut text, ":", second / 60 % 60, 10);
        push_digits(&mut text, ":", second % 60, 10);
        text.push_str(" GMT");
        text
    }

    /// Appends the written form.
    pub fn write_to(self, out: &mut String) {
        let (year, month, day) = civil(self.0.div_euclid(DAY));
        let milli = self.0.rem_euclid(DAY);
        push_year(out, "", year);
        push_digits(out, "-", month, 10);
        push_digits(out, "-", day, 10);
        push_digits(out, "T", milli / 3_600_000, 10);
        push_digits(out, ":", milli / 60_000 % 60, 10);
        push_digits(out, ":", milli / 1000 % 60, 10);
        push_digits(out, ".", milli % 1000, 100);
        out.push('Z');
    }

    /// Reads the preferred date form of RFC 9110.
    pub fn parse_http_date(text: &str) -> Option<Self> {
        let moment = jiff::fmt::rfc2822::parse(text.trim()).ok()?;
        Some(Self(moment.timestamp().as_millisecond()))
    }
}

/// Year, month and day of a count of days since 1970-01-01 in the proleptic Gregorian calendar.
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// Appends a separator and the digits of a number, from the one of this place on. Each answer and each entry of the trail has moments in
/// it, and the general way of writing numbers costs several times as much.
fn push_digits(out: &mut String, separator: &str, value: i64, mut place: i64) {
    out.push_str(separator);
    while place > 0 {
        out.push(u8::try_from(value / place % 10).map_or('0', |digit| char::from(b'0' + digit)));
        place /= 10;
    }
}

fn push_year(out: &mut String, separator: &str, year: i64) {
    if (0..10_000).contains(&year) {
        return push_digits(out, separator, year, 1000);
    }
    // Writing to a String cannot fail.
    let _written = write!(out, "{separator}{year:04}");
}

impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::with_capacity(Self::TEXT_LENGTH);
        self.write_to(&mut text);
        f.write_str(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::Instant;

    #[test]
    fn writes_what_it_reads() {
        for text in [
            "1970-01-01T00:00:00.000Z",
            "2024-02-29T23:59:59.999Z",
            "1899-12-31T12:00:00.001Z",
            "0033-04-03T15:00:00.090Z",
            "9999-12-30T21:59:59.999Z",
        ] {
            let instant = Instant::parse(text).unwrap();
            assert_eq!(instant.to_string(), text);
            assert_eq!(text.len(), Instant::TEXT_LENGTH);
        }
        assert_eq!(Instant(253_402_300_800_000).to_string(), "10000-01-01T00:00:00.000Z");
    }

    #[test]
    fn http_dates_round_trip_to_the_second() {
        let instant = Instant::parse("2026-11-21T20:59:16.000Z").unwrap();
        assert_eq!(instant.http_date(), "Sat, 21 Nov 2026 20:59:16 GMT");
        assert_eq!(Instant::parse_http_date(&instant.http_date()), Some(instant));
    }
}
