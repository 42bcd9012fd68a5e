//! Equality of JSON values, as `test` means it (RFC 6902 § 4.6): numbers by value, objects without order.

use super::tree::Tree;
use crate::fhir::json::{Element, Kind};
use std::borrow::Cow;

/// Whether a value under change equals another one.
pub(super) fn equal(tree: &Tree<'_>, other: Element<'_>) -> bool {
    match tree {
        Tree::Untouched(element) => same(*element, other),
        Tree::Array(items) => {
            other.kind() == Kind::Array
                && items.len() == other.items().count()
                && items.iter().zip(other.items()).all(|(item, other)| equal(item, other))
        }
        Tree::Object(fields) => {
            let mut ours: Vec<_> = fields.iter().map(|field| (field.name(), &field.value)).collect();
            ours.sort_unstable_by(|a, b| a.0.cmp(&b.0));
            let theirs = sorted(other);
            other.kind() == Kind::Object
                && ours.len() == theirs.len()
                && ours.iter().zip(&theirs).all(|(our, their)| our.0 == their.0 && equal(our.1, their.1))
        }
    }
}

fn same(a: Element<'_>, b: Element<'_>) -> bool {
    if a.kind() != b.kind() {
        return false;
    }
    match a.kind() {
        Kind::Number => normal(a.raw()) == normal(b.raw()),
        Kind::String => a.as_str() == b.as_str(),
        Kind::Bool | Kind::Null => a.raw() == b.raw(),
        Kind::Array => a.items().count() == b.items().count() && a.items().zip(b.items()).all(|(a, b)| same(a, b)),
        Kind::Object => {
            let (ours, theirs) = (sorted(a), sorted(b));
            ours.len() == theirs.len() && ours.iter().zip(&theirs).all(|(our, their)| our.0 == their.0 && same(our.1, their.1))
        }
    }
}

fn sorted(object: Element<'_>) -> Vec<(Cow<'_, str>, Element<'_>)> {
    let mut members: Vec<_> = object.members().collect();
    members.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    members
}

/// A number as sign, digits without zeros at either end, and the power of ten of the last digit: equal numbers are equal so.
fn normal(text: &str) -> (bool, String, i64) {
    let (sign, text) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (mantissa, power) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let kept = digits.trim_end_matches('0');
    if kept.is_empty() {
        return (false, String::new(), 0);
    }
    let length = |text: &str| i64::try_from(text.len()).unwrap_or(i64::MAX);
    let far = if power.starts_with('-') { i64::MIN / 2 } else { i64::MAX / 2 };
    let power = power.parse::<i64>().unwrap_or(far).clamp(i64::MIN / 2, i64::MAX / 2);
    (sign, kept.trim_start_matches('0').to_owned(), power - length(fraction) + length(&digits) - length(kept))
}

#[cfg(test)]
mod tests {
    use super::{Tree, equal};
    use crate::fhir::json::Document;

    fn are_equal(a: &str, b: &str) -> bool {
        let (a, b) = (Document::parse(a.as_bytes()).unwrap(), Document::parse(b.as_bytes()).unwrap());
        let mut opened = Tree::Untouched(a.root());
        opened.open();
        let answer = equal(&Tree::Untouched(a.root()), b.root());
        assert_eq!(answer, equal(&opened, b.root()), "open or not is one");
        answer
    }

    #[test]
    fn numbers_are_equal_by_value() {
        for (a, b) in
            [("1", "1.0"), ("1e2", "100"), ("-0", "0.0"), ("0.10e1", "1"), ("1e999999999999999999999", "1e999999999999999999999")]
        {
            assert!(are_equal(a, b), "{a} {b}");
        }
        for (a, b) in [("1", "-1"), ("1", "10"), ("0.1", "0.01"), ("9007199254740993", "9007199254740992"), ("1", "\"1\"")] {
            assert!(!are_equal(a, b), "{a} {b}");
        }
    }

    #[test]
    fn objects_have_no_order_and_lists_have_one() {
        assert!(are_equal(r#"{"a":[1,{"c":"\u0041"}],"b":null}"#, r#"{"b":null,"a":[1.0,{"c":"A"}]}"#));
        assert!(!are_equal(r#"{"a":1}"#, r#"{"a":2}"#));
        assert!(!are_equal(r#"{"a":1}"#, r#"{"a":1,"b":1}"#));
        assert!(!are_equal("[1,2]", "[2,1]"));
        assert!(!are_equal("[]", "{}"));
        assert!(!are_equal("{}", "[]"));
    }
}
