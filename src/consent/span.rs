//! Dates with the precision that they were written in, as stretches of time (`consent` § 2.2, dates).

use crate::fhir::Instant;
use crate::fhir::json::Element;
use jiff::civil::Date;
use jiff::{Span as Length, tz::TimeZone};

/// `[low, high)`; an open end is the end of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) low: Instant,
    pub(super) high: Instant,
}

impl Span {
    /// The whole day, month or year in this zone; for a time with seconds, that second or part of it. `None` when it is no FHIR `dateTime`.
    pub(super) fn of(text: &str, zone: &TimeZone) -> Option<Self> {
        if text.contains('T') {
            return second(text);
        }
        let mut parts = text.split('-');
        let mut number = |digits: usize| match parts.next() {
            Some(part) if part.len() == digits && part.bytes().all(|b| b.is_ascii_digit()) => part.parse::<i16>().ok().map(Some),
            Some(_) => None,
            None => Some(None),
        };
        let (year, month, day) = (number(4)??, number(2)?, number(2)?);
        let length = match (month, day) {
            (Some(_), Some(_)) => Length::new().days(1),
            (Some(_), None) => Length::new().months(1),
            _ => Length::new().years(1),
        };
        if parts.next().is_some() {
            return None;
        }
        let first = Date::new(year, i8::try_from(month.unwrap_or(1)).ok()?, i8::try_from(day.unwrap_or(1)).ok()?).ok()?;
        let after = first.checked_add(length).ok().and_then(|after| midnight(after, zone));
        Some(Self { low: midnight(first, zone)?, high: after.unwrap_or(Instant(i64::MAX)) })
    }

    /// A `Period`; an absent end is open. `None` when an end is no date or nothing lies between.
    pub(super) fn of_period(period: Element<'_>, zone: &TimeZone) -> Option<Self> {
        let end = |name: &str| period.get(name).map(|one| one.as_str().and_then(|text| Self::of(&text, zone)));
        let low = end("start").map_or(Some(Instant(i64::MIN)), |one| one.map(|one| one.low))?;
        let high = end("end").map_or(Some(Instant(i64::MAX)), |one| one.map(|one| one.high))?;
        (low < high).then_some(Self { low, high })
    }

    /// Does the moment lie inside?
    pub(super) fn contains(self, moment: Instant) -> bool {
        self.low <= moment && (moment < self.high || self.high == Instant(i64::MAX))
    }
}

/// The first moment of a day, which need not be at midnight where clocks are put forward then.
fn midnight(date: Date, zone: &TimeZone) -> Option<Instant> {
    let moment = date.to_zoned(zone.clone()).ok()?;
    Some(Instant(moment.timestamp().as_millisecond()))
}

/// `YYYY-MM-DDThh:mm:ss[.f]` with offset. The stretch is one unit of the last digit written, a millisecond at least.
fn second(text: &str) -> Option<Span> {
    let time = text.split_once('T').map(|(_, time)| time)?;
    let clock = time.split(['Z', '+', '-']).next()?;
    if clock.len() < "hh:mm:ss".len() {
        return None;
    }
    let low = Instant::parse(text)?;
    let unit = match clock.split_once('.').map_or(0, |(_, fraction)| fraction.len()) {
        0 => 1000,
        1 => 100,
        2 => 10,
        _ => 1,
    };
    Some(Span { low, high: Instant(low.0.saturating_add(unit)) })
}

#[cfg(test)]
mod tests {
    use super::Span;
    use crate::fhir::Instant;
    use jiff::tz::TimeZone;

    #[test]
    fn a_part_of_a_date_is_the_whole_of_what_it_names() {
        for (text, low, high) in [
            ("2022", "2022-01-01T00:00:00.000Z", "2023-01-01T00:00:00.000Z"),
            ("2024-02", "2024-02-01T00:00:00.000Z", "2024-03-01T00:00:00.000Z"),
            ("2022-12-31", "2022-12-31T00:00:00.000Z", "2023-01-01T00:00:00.000Z"),
            ("2022-12-31T10:00:00+05:00", "2022-12-31T05:00:00.000Z", "2022-12-31T05:00:01.000Z"),
            ("2022-12-31T10:00:00.5Z", "2022-12-31T10:00:00.500Z", "2022-12-31T10:00:00.600Z"),
        ] {
            let span = Span::of(text, &TimeZone::UTC).unwrap();
            assert_eq!((span.low.to_string().as_str(), span.high.to_string().as_str()), (low, high), "{text}");
        }
    }

    #[test]
    fn what_is_no_date_has_no_stretch() {
        for text in
            ["", "22", "2022-1", "2022-13", "2022-02-30", "2022-01-01-01", "2022-01-01T10:00", "2022-01-01T10:00:00", "soon"]
        {
            assert_eq!(Span::of(text, &TimeZone::UTC), None, "{text}");
        }
    }

    #[test]
    fn the_end_of_a_stretch_is_outside() {
        let day = Span::of("2022-12-31", &TimeZone::UTC).unwrap();
        assert!(day.contains(Instant::parse("2022-12-31T23:59:59.999Z").unwrap()));
        assert!(!day.contains(Instant::parse("2023-01-01T00:00:00.000Z").unwrap()));
    }

    #[test]
    fn a_day_is_a_day_of_the_tenant() {
        let zone = crate::consent::Zone::parse("Asia/Karachi").unwrap();
        let day = Span::of("2022-12-31", zone.rules()).unwrap();
        assert_eq!(
            (day.low.to_string().as_str(), day.high.to_string().as_str()),
            ("2022-12-30T19:00:00.000Z", "2022-12-31T19:00:00.000Z")
        );
        let exact = Span::of("2022-12-31T10:00:00Z", zone.rules());
        assert_eq!(exact, Span::of("2022-12-31T10:00:00Z", &TimeZone::UTC), "a time with an offset is the same everywhere");
        let long = Span::of("2024-10-27", crate::consent::Zone::parse("Europe/Berlin").unwrap().rules()).unwrap();
        assert_eq!(long.high.0 - long.low.0, 25 * 3_600_000, "the day on which clocks are put back has 25 hours");
    }
}
