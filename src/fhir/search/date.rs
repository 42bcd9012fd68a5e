//! Dates and parts of dates as intervals.

use crate::fhir::Instant;

const MINUTE: i64 = 60_000;
const DAY: i64 = 86_400_000;

/// The interval `[low, high)` that a date, dateTime or instant of any precision stands for, in UTC when it names no zone.
/// `None` when the text is no date. A search may leave out the seconds; a leap second is the second before it.
pub(crate) fn interval(text: &str) -> Option<(Instant, Instant)> {
    let (date, time) = match text.split_once('T') {
        Some((date, time)) => (date, Some(time)),
        None => (text, None),
    };
    let mut parts = date.splitn(3, '-');
    let year = digits(parts.next()?, 4)?;
    let month = parts.next().map(|part| digits(part, 2)).map_or(Some(None), |month| month.map(Some))?;
    let day = parts.next().map(|part| digits(part, 2)).map_or(Some(None), |day| day.map(Some))?;
    let (low, high) = match (month, day, time) {
        (None, None, None) => (midnight(year, 1, 1)?, midnight(year + 1, 1, 1)?),
        (Some(month), None, None) => {
            let (next_year, next_month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
            (midnight(year, month, 1)?, midnight(next_year, next_month, 1)?)
        }
        (Some(month), Some(day), None) => {
            let low = midnight(year, month, day)?;
            (low, low + DAY)
        }
        (Some(month), Some(day), Some(time)) => {
            let (offset, length) = time_of_day(time)?;
            let low = midnight(year, month, day)? + offset;
            (low, low + length)
        }
        _ => return None,
    };
    Some((Instant(low), Instant(high)))
}

/// Exactly so many digits.
fn digits(text: &str, count: usize) -> Option<i64> {
    let fits = text.len() == count && text.bytes().all(|b| b.is_ascii_digit());
    fits.then(|| text.parse().ok()).flatten()
}

/// Milliseconds from midnight UTC to the beginning of `hh:mm[:ss[.fff]][zone]`, and how long it lasts.
fn time_of_day(text: &str) -> Option<(i64, i64)> {
    let zone_at = text.find(['Z', '+', '-', ' ']).unwrap_or(text.len());
    let (clock, zone) = text.split_at_checked(zone_at)?;
    let mut parts = clock.splitn(3, ':');
    let hour = digits(parts.next()?, 2).filter(|hour| *hour < 24)?;
    let minute = digits(parts.next()?, 2).filter(|minute| *minute < 60)?;
    let (second, length) = parts.next().map_or(Some((0, MINUTE)), seconds)?;
    let offset = zone_offset(zone)?;
    Some((hour * 60 * MINUTE + minute * MINUTE + second - offset, length))
}

/// `ss` or `ss.f...`: milliseconds into the minute, and the precision in milliseconds (never below one).
fn seconds(text: &str) -> Option<(i64, i64)> {
    let (whole, fraction) = text.split_once('.').map_or((text, None), |(whole, fraction)| (whole, Some(fraction)));
    let whole = digits(whole, 2).filter(|second| *second <= 60)?.min(59) * 1000;
    let Some(fraction) = fraction else { return Some((whole, 1000)) };
    if fraction.is_empty() || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let kept: String = fraction.chars().chain("00".chars()).take(3).collect();
    let length = match fraction.len() {
        1 => 100,
        2 => 10,
        _ => 1,
    };
    Some((whole + kept.parse::<i64>().ok()?, length))
}

/// `Z`, `+hh:mm` or nothing, in milliseconds east of UTC. A space is a `+` that was not percent-encoded.
fn zone_offset(text: &str) -> Option<i64> {
    if text.is_empty() || text == "Z" {
        return Some(0);
    }
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix(['+', ' '])?),
    };
    let (hours, minutes) = rest.split_once(':')?;
    let hours = digits(hours, 2).filter(|hours| *hours <= 14)?;
    let minutes = digits(minutes, 2).filter(|minutes| *minutes < 60)?;
    Some(sign * (hours * 60 + minutes) * MINUTE)
}

/// Midnight UTC of a civil date, in milliseconds; `None` when there is no such day.
fn midnight(year: i64, month: i64, day: i64) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=length).contains(&day) || year == 0 {
        return None;
    }
    let shifted_year = if month <= 2 { year - 1 } else { year };
    let era = shifted_year.div_euclid(400);
    let year_of_era = shifted_year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    Some((era * 146_097 + day_of_era - 719_468) * DAY)
}

#[cfg(test)]
mod tests {
    use super::interval;

    fn text(of: &str) -> Option<String> {
        interval(of).map(|(low, high)| format!("{low} {high}"))
    }

    #[test]
    fn precision_is_the_length_of_the_interval() {
        for (date, expected) in [
            ("2020", "2020-01-01T00:00:00.000Z 2021-01-01T00:00:00.000Z"),
            ("2020-02", "2020-02-01T00:00:00.000Z 2020-03-01T00:00:00.000Z"),
            ("2020-12", "2020-12-01T00:00:00.000Z 2021-01-01T00:00:00.000Z"),
            ("2020-02-29", "2020-02-29T00:00:00.000Z 2020-03-01T00:00:00.000Z"),
            ("2020-02-29T10:30Z", "2020-02-29T10:30:00.000Z 2020-02-29T10:31:00.000Z"),
            ("2020-02-29T10:30:05+05:00", "2020-02-29T05:30:05.000Z 2020-02-29T05:30:06.000Z"),
            ("2020-02-29T10:30:05 05:00", "2020-02-29T05:30:05.000Z 2020-02-29T05:30:06.000Z"),
            ("2020-02-29T10:30:05.5-01:30", "2020-02-29T12:00:05.500Z 2020-02-29T12:00:05.600Z"),
            ("2020-02-29T10:30:05.123456Z", "2020-02-29T10:30:05.123Z 2020-02-29T10:30:05.124Z"),
            ("0001-01-01", "0001-01-01T00:00:00.000Z 0001-01-02T00:00:00.000Z"),
        ] {
            assert_eq!(text(date).as_deref(), Some(expected), "{date}");
        }
    }

    #[test]
    fn what_is_no_date_is_none() {
        for bad in [
            "",
            "20",
            "2020-13",
            "2021-02-29",
            "2020-1-1",
            "2020-01-01T",
            "2020-01-01T25:00",
            "2020T10:00",
            "2020-01-01T10:00:00.Z",
            "2020-01-01T10:00+5",
            "x",
            "2020-01-01-01",
            "0000",
        ] {
            assert_eq!(text(bad), None, "{bad}");
        }
    }
}
