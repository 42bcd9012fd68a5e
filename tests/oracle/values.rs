//! Values as they are written in records and in queries: exact numbers, moments, folded texts, escapes.

/// Billionths: numbers are compared as whole numbers of these, so that nothing is rounded.
pub(super) type Exact = i128;

const UNIT: u32 = 9;

/// Later than everything.
pub(super) const EVER: i64 = i64::MAX;
/// Earlier than everything.
pub(super) const NEVER: i64 = i64::MIN;

/// Splits at a separator that no backslash precedes; the parts keep their escapes.
pub(super) fn split(text: &str, at: char) -> Vec<String> {
    let (mut parts, mut escaped) = (vec![String::new()], false);
    for c in text.chars() {
        if c == at && !escaped {
            parts.push(String::new());
            continue;
        }
        escaped = c == '\\' && !escaped;
        parts.last_mut().unwrap().push(c);
    }
    parts
}

/// Takes the escapes out.
pub(super) fn plain(text: &str) -> String {
    let (mut out, mut escaped) = (String::new(), false);
    for c in text.chars() {
        if c == '\\' && !escaped {
            escaped = true;
            continue;
        }
        out.push(c);
        escaped = false;
    }
    out
}

/// Lower case, without the accents of the letters that these tests write.
pub(super) fn folded(text: &str) -> String {
    let bare = |c: char| match c {
        'á' | 'à' | 'â' | 'ä' | 'å' | 'ã' => 'a',
        'é' | 'è' | 'ê' | 'ë' => 'e',
        'í' | 'ì' | 'î' | 'ï' => 'i',
        'ó' | 'ò' | 'ô' | 'ö' | 'õ' => 'o',
        'ú' | 'ù' | 'û' | 'ü' => 'u',
        'ñ' => 'n',
        'ç' => 'c',
        other => other,
    };
    let lower = text.to_lowercase().chars().map(bare).collect::<String>();
    lower.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A number, and half of its last place: `100` is 100 and 0.5.
pub(super) fn number(text: &str) -> Option<(Exact, Exact)> {
    let (significand, exponent) = match text.split_once(['e', 'E']) {
        Some((significand, exponent)) => (significand, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (sign, digits) = significand.strip_prefix('-').map_or((1, significand), |rest| (-1, rest));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    // R4's one example of an exponent, 1e2, stands for 95 to 105.
    let (unit, behind) = (UNIT.cast_signed(), i32::try_from(fraction.len()).ok()?);
    let places = behind + i32::from(exponent != 0 && fraction.is_empty()) - exponent;
    let all: Exact = format!("{whole}{fraction}").parse().ok()?;
    let shift = unit + exponent - behind;
    let value = if shift >= 0 { all * 10_i128.pow(shift.unsigned_abs()) } else { all / 10_i128.pow(shift.unsigned_abs()) };
    let half = 5 * 10_i128.pow(u32::try_from(unit - 1 - places).ok()?);
    Some((sign * value, half))
}

/// The first millisecond of a date and the first one after it.
pub(super) fn moment(text: &str) -> Option<(i64, i64)> {
    let (date, time) = text.split_once('T').map_or((text, None), |(date, time)| (date, Some(time)));
    let parts: Vec<i64> = date.split('-').map(|part| part.parse().ok()).collect::<Option<_>>()?;
    let day = |year, month, day| days(year, month, day) * 86_400_000;
    let Some(time) = time else {
        return Some(match parts.as_slice() {
            [year] => (day(*year, 1, 1), day(year + 1, 1, 1)),
            [year, 12] => (day(*year, 12, 1), day(year + 1, 1, 1)),
            [year, month] => (day(*year, *month, 1), day(*year, month + 1, 1)),
            [year, month, date] => (day(*year, *month, *date), day(*year, *month, *date) + 86_400_000),
            _ => return None,
        });
    };
    let zone = time.find(['Z', '+', '-']).unwrap_or(time.len());
    let (clock, zone) = time.split_at(zone);
    let hm =
        |text: &str| text.split_once(':').map(|(h, m)| (h.parse::<i64>().unwrap() * 60 + m.parse::<i64>().unwrap()) * 60_000);
    let east = match zone.chars().next() {
        Some('+') => hm(&zone[1..])?,
        Some('-') => -hm(&zone[1..])?,
        _ => 0,
    };
    let fields: Vec<&str> = clock.split(':').collect();
    let whole = |at: usize| fields[at].parse::<i64>().unwrap();
    let start = day(parts[0], parts[1], parts[2]) + (whole(0) * 60 + whole(1)) * 60_000 - east;
    let Some(seconds) = fields.get(2) else { return Some((start, start + 60_000)) };
    let (seconds, fraction) = seconds.split_once('.').unwrap_or((seconds, ""));
    let start = start + seconds.parse::<i64>().ok()? * 1000;
    if fraction.is_empty() {
        return Some((start, start + 1000));
    }
    let milliseconds: i64 = format!("{fraction:0<3}")[..3].parse().ok()?;
    let length = 10_i64.pow(3_u32.saturating_sub(u32::try_from(fraction.len()).unwrap()));
    Some((start + milliseconds, start + milliseconds + length))
}

/// Days since 1970, counted year by year and month by month.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let leap = |year: i64| (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    let years: i64 = if year >= 1970 {
        (1970..year).map(|year| 365 + i64::from(leap(year))).sum()
    } else {
        -(year..1970).map(|year| 365 + i64::from(leap(year))).sum::<i64>()
    };
    let lengths = [31, 28 + i64::from(leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    years + lengths[..usize::try_from(month - 1).unwrap()].iter().sum::<i64>() + day - 1
}

#[test]
fn moments_and_numbers_are_read_as_they_are_written() {
    assert_eq!(moment("1970-01-02"), Some((86_400_000, 172_800_000)));
    assert_eq!(moment("2020-02-29T23:30:00-05:00"), moment("2020-03-01T04:30:00Z"));
    assert_eq!(moment("2000"), Some((946_684_800_000, 978_307_200_000)));
    assert_eq!(moment("1969-12-31T23:59:59.5Z"), Some((-500, -400)));
    assert_eq!(number("100"), Some((100_000_000_000, 500_000_000)));
    assert_eq!(number("1e2"), Some((100_000_000_000, 5_000_000_000)));
    assert_eq!(number("-5.40"), Some((-5_400_000_000, 5_000_000)));
    assert_eq!(split(r"a\,b,c", ',').iter().map(|part| plain(part)).collect::<Vec<_>>(), ["a,b", "c"]);
}
