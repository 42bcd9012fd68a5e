//! Whether a record that came back is the one that was sent, when nobody said so.

use crate::fhir::json::{Document, Element, Kind};
use std::borrow::Cow;
use std::collections::BTreeMap;

type Fields<'d> = BTreeMap<Cow<'d, str>, Element<'d>>;

/// Whether both have the same content: members in any order, numbers to the letter, id, version and time aside. A server that has `moved`
/// on to a new version may have added what servers add by themselves: a narrative, and where the record came from. One that has not has
/// added nothing, and an update that only takes these away must not look as if it had been made.
pub(super) fn is_echo(sent: &Document, told: &Document, moved: bool) -> bool {
    let (sent, told) = (sent.root(), told.root());
    let added = |names: &'static [&'static str]| if moved { names } else { &[] };
    are_same(&meta(sent), meta(told), added(&["source"]))
        && are_same(&without(sent, &["id", "meta"]), without(told, &["id", "meta"]), added(&["text"]))
}

fn meta(record: Element<'_>) -> Fields<'_> {
    record.get("meta").map(|meta| without(meta, &["versionId", "lastUpdated"])).unwrap_or_default()
}

fn without<'d>(object: Element<'d>, names: &[&str]) -> Fields<'d> {
    object.members().filter(|(name, _)| !names.contains(&name.as_ref())).collect()
}

/// `told` may have these besides.
fn are_same(sent: &Fields<'_>, mut told: Fields<'_>, added: &[&str]) -> bool {
    told.retain(|name, _| sent.contains_key(name) || !added.contains(&name.as_ref()));
    sent.len() == told.len() && sent.iter().all(|(name, value)| told.get(name).is_some_and(|other| is_same(*value, *other)))
}

fn is_same(a: Element<'_>, b: Element<'_>) -> bool {
    match (a.kind(), b.kind()) {
        (Kind::Object, Kind::Object) => are_same(&without(a, &[]), without(b, &[]), &[]),
        (Kind::Array, Kind::Array) => {
            a.items().count() == b.items().count() && a.items().zip(b.items()).all(|(a, b)| is_same(a, b))
        }
        (Kind::String, Kind::String) => a.as_str() == b.as_str(),
        (a_kind, b_kind) => a_kind == b_kind && a.raw() == b.raw(),
    }
}

#[cfg(test)]
mod tests {
    use super::is_echo;
    use crate::fhir::json::Document;

    fn echoes(sent: &str, told: &str) -> [bool; 2] {
        let [sent, told] = [sent, told].map(|text| Document::parse(text.as_bytes()).unwrap());
        [false, true].map(|moved| is_echo(&sent, &told, moved))
    }

    #[test]
    fn what_a_server_writes_of_its_own_makes_no_other_record() {
        let sent = r#"{"resourceType":"Observation","id":"a","status":"final","valueQuantity":{"value":1.50,"unit":"g"}}"#;
        let told = r#"{ "valueQuantity": {"unit": "g", "value": 1.50}, "status": "\u0066inal", "id": "a", "resourceType": "Observation",
            "meta": {"lastUpdated": "2026-06-01T12:00:00Z", "versionId": "2"} }"#;
        assert_eq!(echoes(sent, told), [true, true]);
        let more = told.replace(r#""versionId": "2""#, r##""versionId": "2", "source": "#x""##).replacen(
            '{',
            r#"{"text": {"status": "generated"},"#,
            1,
        );
        assert_eq!(echoes(sent, &more), [false, true], "of a new version only");
    }

    #[test]
    fn anything_else_does() {
        let sent =
            r#"{"resourceType":"Observation","id":"a","meta":{"tag":[{"code":"t"}]},"note":[{"text":"1"},{"text":"2"}],"n":1.5}"#;
        for (from, to) in [
            (r#""n":1.5"#, r#""n":1.50"#),
            (r#""n":1.5"#, r#""n":"1.5""#),
            (r#""n":1.5"#, r#""n":1.5,"status":"final""#),
            (r#"{"text":"1"},{"text":"2"}"#, r#"{"text":"2"},{"text":"1"}"#),
            (r#"{"text":"1"}"#, r#"{"text":"1","time":"2026"}"#),
            (r#"[{"code":"t"}]"#, r#"[{"code":"u"}]"#),
            (r#""meta":{"tag":[{"code":"t"}]},"#, ""),
        ] {
            let told = sent.replace(from, to);
            assert_ne!(sent, told);
            assert_eq!(echoes(sent, &told), [false, false], "{told}");
        }
        let narrated = sent.replacen('{', r#"{"text":{"status":"generated"},"#, 1);
        assert_eq!(echoes(&narrated, sent), [false, false], "what was sent is there");
    }
}
