//! The formats of R4's primitive types (<https://hl7.org/fhir/R4/datatypes.html#primitive>).

use crate::fhir::definitions::Primitive;
use crate::fhir::json::{Element, Kind};

/// The longest `string` and `markdown`, in bytes.
const LONGEST: usize = 1024 * 1024;

/// Why a value is none of the type, as the end of a sentence; the flag tells whether JSON's own type is wrong.
pub(super) enum Fault {
    /// Another JSON type: what was expected.
    Json(&'static str),
    /// The right JSON type with a value that the format does not allow: the format.
    Format(&'static str),
}

/// Judges one value.
pub(super) fn judge(primitive: Primitive, value: Element<'_>) -> Result<(), Fault> {
    match primitive {
        Primitive::Boolean => (value.kind() == Kind::Bool).then_some(()).ok_or(Fault::Json("true or false, without quotes")),
        Primitive::Decimal => number(value).map(|_| ()),
        Primitive::Integer => whole(value, i32::MIN, "a whole number from -2147483648 to 2147483647"),
        Primitive::UnsignedInt => whole(value, 0, "a whole number from 0 to 2147483647"),
        Primitive::PositiveInt => whole(value, 1, "a whole number from 1 to 2147483647"),
        text => {
            let value = value.as_str().ok_or(Fault::Json("a string in double quotes"))?;
            if value.is_empty() {
                return Err(Fault::Format("a string that is not empty; leave the element out instead"));
            }
            written(text, &value).map_or(Ok(()), |format| Err(Fault::Format(format)))
        }
    }
}

fn number(value: Element<'_>) -> Result<&str, Fault> {
    value.number_text().ok_or(Fault::Json("a number, without quotes"))
}

fn whole(value: Element<'_>, least: i32, format: &'static str) -> Result<(), Fault> {
    let fits = number(value)?.parse::<i32>().is_ok_and(|value| value >= least);
    fits.then_some(()).ok_or(Fault::Format(format))
}

/// The format of a type written as a string, when the text does not have it.
fn written(primitive: Primitive, text: &str) -> Option<&'static str> {
    let (fits, format) = match primitive {
        Primitive::Date => (is_date(text), "a date that exists, as YYYY, YYYY-MM or YYYY-MM-DD"),
        Primitive::DateTime => {
            (is_date(text) || is_instant(text), "a date that exists, or one with time and zone: YYYY-MM-DDThh:mm:ss+zz:zz")
        }
        Primitive::Instant => (is_instant(text), "a moment with zone: YYYY-MM-DDThh:mm:ss.sss+zz:zz"),
        Primitive::Time => (is_time(text), "a time of day: hh:mm:ss"),
        Primitive::Id => (is_id(text), "1 to 64 letters, digits, `-` and `.`"),
        Primitive::Code => (is_code(text), "a code without white space around it or double white space inside"),
        Primitive::Uri | Primitive::Url | Primitive::Canonical => (is_uri(text), "a URI without white space"),
        Primitive::Oid => (is_oid(text), "an OID as `urn:oid:1.2.3`"),
        Primitive::Uuid => (is_uuid(text), "a UUID in lower case as `urn:uuid:c757873d-ec9a-4326-a141-556f43239520`"),
        Primitive::Base64Binary => (is_base64(text), "base64 (RFC 4648 section 4)"),
        Primitive::String | Primitive::Markdown => {
            (text.len() <= LONGEST && is_plain(text), "text of at most 1 MB without control characters")
        }
        Primitive::Xhtml => (is_plain(text) && text.trim_start().starts_with('<'), "XHTML that begins with `<div`"),
        Primitive::Boolean | Primitive::Decimal | Primitive::Integer | Primitive::UnsignedInt | Primitive::PositiveInt => {
            (true, "a JSON number or boolean")
        }
    };
    (!fits).then_some(format)
}

/// Control characters other than tab and line ends cannot stand in the XML form of the same record.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|b| b >= b' ' || matches!(b, b'\t' | b'\n' | b'\r'))
}

fn is_id(text: &str) -> bool {
    text.len() <= 64 && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.'))
}

fn is_code(text: &str) -> bool {
    let mut spaced = true;
    for character in text.chars() {
        let space = character.is_whitespace();
        if space && spaced || character < ' ' && !space {
            return false;
        }
        spaced = space;
    }
    !spaced
}

fn is_uri(text: &str) -> bool {
    text.bytes().all(|b| b > b' ') && !text.chars().any(char::is_whitespace)
}

fn is_oid(text: &str) -> bool {
    let Some((first, rest)) = text.strip_prefix("urn:oid:").and_then(|oid| oid.split_once('.')) else {
        return false;
    };
    let arc = |arc: &str| all_digits(arc) && (arc == "0" || !arc.starts_with('0'));
    matches!(first, "0" | "1" | "2") && rest.split('.').all(arc)
}

fn is_uuid(text: &str) -> bool {
    let groups = text.strip_prefix("urn:uuid:").map(|uuid| uuid.split('-'));
    let hex = |group: &str| group.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    groups.is_some_and(|groups| groups.clone().map(str::len).eq([8, 4, 4, 4, 12]) && groups.clone().all(hex))
}

fn is_base64(text: &str) -> bool {
    let (mut count, mut padding) = (0_usize, 0_usize);
    for byte in text.bytes() {
        match byte {
            b' ' | b'\t' | b'\n' | b'\r' => continue,
            b'=' => padding += 1,
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'+' | b'/' if padding == 0 => {}
            _ => return false,
        }
        count += 1;
    }
    count > 0 && count.is_multiple_of(4) && padding <= 2
}

fn all_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

/// A number of exactly so many digits.
fn digits(text: &str, length: usize) -> Option<u32> {
    (text.len() == length && all_digits(text)).then(|| text.parse().ok()).flatten()
}

fn is_date(text: &str) -> bool {
    let mut parts = text.split('-');
    let year = parts.next().and_then(|year| digits(year, 4)).filter(|&year| year > 0);
    let month = parts.next().map(|month| digits(month, 2).filter(|month| (1..=12).contains(month)));
    let day = parts.next().map(|day| digits(day, 2));
    match (year, month, day) {
        (Some(_), None | Some(Some(_)), None) => true,
        (Some(year), Some(Some(month)), Some(Some(day))) => {
            parts.next().is_none() && (1..=days_of_month(year, month)).contains(&day)
        }
        _ => false,
    }
}

fn days_of_month(year: u32, month: u32) -> u32 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 => 28 + u32::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

fn is_instant(text: &str) -> bool {
    let Some((date, rest)) = text.split_once('T') else {
        return false;
    };
    let zone_at = rest.find(['Z', '+', '-']).unwrap_or(rest.len());
    let (time, zone) = rest.split_at(zone_at);
    date.len() == 10 && is_date(date) && is_time(time) && is_zone(zone)
}

fn is_time(text: &str) -> bool {
    let (whole, fraction) = text.split_once('.').map_or((text, None), |(whole, fraction)| (whole, Some(fraction)));
    let mut parts = whole.split(':');
    let mut part = |most: u32| parts.next().and_then(|part| digits(part, 2)).is_some_and(|value| value <= most);
    // A second of 60 is a leap second; R4 allows it.
    part(23) && part(59) && part(60) && parts.next().is_none() && fraction.is_none_or(all_digits)
}

fn is_zone(text: &str) -> bool {
    if text == "Z" {
        return true;
    }
    let Some((hours, minutes)) = text.strip_prefix(['+', '-']).and_then(|offset| offset.split_once(':')) else {
        return false;
    };
    matches!((digits(hours, 2), digits(minutes, 2)), (Some(0..=13), Some(0..=59)) | (Some(14), Some(0)))
}

#[cfg(test)]
mod tests {
    use super::{Primitive, judge};
    use crate::fhir::json::Document;

    fn fits(primitive: Primitive, json: &str) -> bool {
        judge(primitive, Document::parse(json.as_bytes()).unwrap().root()).is_ok()
    }

    fn law(primitive: Primitive, good: &[&str], bad: &[&str]) {
        for json in good {
            assert!(fits(primitive, json), "{} {json}", primitive.name());
        }
        for json in bad {
            assert!(!fits(primitive, json), "{} {json}", primitive.name());
        }
    }

    #[test]
    fn dates_are_days_of_the_calendar() {
        let good = [r#""2020""#, r#""2020-02""#, r#""2020-02-29""#, r#""2000-02-29""#, r#""0001-01-01""#];
        let bad = [
            r#""2020-02-30""#,
            r#""1900-02-29""#,
            r#""2021-02-29""#,
            r#""2020-13""#,
            r#""2020-00-01""#,
            r#""2020-1-1""#,
            r#""0000""#,
            r#""20""#,
            r#""2020-04-31""#,
            r#""2020-01-01T00:00:00Z""#,
            r#""2020-01-01-01""#,
            "2020",
            r#""""#,
            r#"" 2020""#,
            r#""+020""#,
        ];
        law(Primitive::Date, &good, &bad);
    }

    #[test]
    fn moments_have_seconds_and_a_zone() {
        let good = [r#""2015-02-07T13:28:17.239+02:00""#, r#""2017-01-01T00:00:00Z""#, r#""2016-12-31T23:59:60.5-14:00""#];
        let bad = [
            r#""2015-02-07T13:28:17""#,
            r#""2015-02-07T13:28Z""#,
            r#""2015-02-30T13:28:17Z""#,
            r#""2015-02-07T24:00:00Z""#,
            r#""2015-02-07T13:28:17.Z""#,
            r#""2015-02-07T13:28:17+14:30""#,
            r#""2015-02T13:28:17Z""#,
            r#""2015-02-07 13:28:17Z""#,
        ];
        law(Primitive::Instant, &good, &bad);
        law(Primitive::DateTime, &good, &bad);
        law(Primitive::DateTime, &[r#""2015-02""#], &[]);
        law(Primitive::Instant, &[], &[r#""2015-02-07""#]);
        law(
            Primitive::Time,
            &[r#""13:28:17""#, r#""00:00:00.123""#],
            &[r#""13:28""#, r#""24:00:00""#, r#""13:28:17Z""#, r#""1:2:3""#],
        );
    }

    #[test]
    fn numbers_are_numbers_in_their_range() {
        law(
            Primitive::Integer,
            &["0", "-0", "2147483647", "-2147483648"],
            &["2147483648", "1.0", "1e3", "\"1\"", "true", "null"],
        );
        law(Primitive::UnsignedInt, &["0", "7"], &["-1"]);
        law(Primitive::PositiveInt, &["1"], &["0", "-1"]);
        law(Primitive::Decimal, &["1.50", "-0.0", "1e-30"], &["\"1.5\"", "{}"]);
        law(Primitive::Boolean, &["true", "false"], &["\"true\"", "1", "null"]);
    }

    #[test]
    fn texts_have_the_form_of_their_type() {
        law(Primitive::Id, &[r#""a-1.B""#], &[r#""a_b""#, r#""""#, r#""a b""#]);
        law(Primitive::Code, &[r#""a""#, r#""a b""#], &[r#"" a""#, r#""a ""#, r#""a  b""#, r#""a\u0001""#]);
        law(Primitive::Uri, &[r#""urn:x""#, r#""Patient/1""#], &[r#""a b""#, r#""a\n""#, "1"]);
        law(
            Primitive::Oid,
            &[r#""urn:oid:1.2.840""#, r#""urn:oid:2.0.1""#],
            &[r#""urn:oid:3.1""#, r#""1.2""#, r#""urn:oid:1.02""#, r#""urn:oid:1.""#],
        );
        let uuid = r#""urn:uuid:c757873d-ec9a-4326-a141-556f43239520""#;
        law(Primitive::Uuid, &[uuid], &[r#""c757873d-ec9a-4326-a141-556f43239520""#, r#""urn:uuid:c757873d-ec9a-4326-a141-55""#]);
        law(
            Primitive::Base64Binary,
            &[r#""YQ==""#, r#""YWJj\nYWJj""#],
            &[r#""YQ=""#, r#""Y===""#, r#""YQ==YQ==""#, r#""Y-_=""#, r#"" ""#],
        );
        law(Primitive::String, &[r#""a\tb""#, r#""é""#], &[r#""a\u0000""#, r#""\u001b""#, r#""""#, "1"]);
        law(Primitive::Xhtml, &[r#""<div/>""#], &[r#""text""#]);
        let long = format!("\"{}\"", "x".repeat(super::LONGEST + 1));
        law(Primitive::Markdown, &[r##""# x""##], &[&long]);
    }
}
