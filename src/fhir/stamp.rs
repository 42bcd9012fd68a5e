//! The record as it is stored: with the server's id, version and time, and every other byte as the client wrote it.

use super::json::{Document, Element, Kind};
use super::{Id, Instant, ResourceType, Version};
use std::fmt::Write as _;

/// Enough for `"meta":{"versionId":"...","lastUpdated":"..."},` with any version.
const STAMP_LENGTH: usize = 96;

/// A record whose id is set and whose version and time are still open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prepared {
    text: String,
    /// Where the stamp goes.
    at: usize,
    place: MetaPlace,
}

/// What stands where the stamp goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MetaPlace {
    /// Inside `meta`, before its first member.
    BeforeMembers,
    /// Inside a `meta` that is empty.
    Empty,
    /// Behind `id`; there is no `meta`.
    Absent,
}

/// Sets the id and takes the client's `meta.versionId` and `meta.lastUpdated` out (R4 http § create, update: the server ignores them).
///
/// An id that is there is replaced in place; else it goes directly behind `resourceType`.
pub fn prepare(document: &Document, resource_type: ResourceType, id: &Id) -> Prepared {
    let root = document.root();
    let mut text = Rewritten::of(document.text());
    let mut id_end = None;
    let mut meta = None;
    let own_id = root.get("id");
    if own_id.is_none() && root.get("resourceType").is_none() {
        id_end = Some(text.name_the_record(resource_type, id, root.members().next().is_some()));
    }
    for (name, value) in root.members() {
        match name.as_ref() {
            "id" => id_end = Some(text.replace(value, id)),
            "resourceType" if own_id.is_none() => id_end = Some(text.insert_id(value.span().end, id)),
            "meta" => meta = Some(text.open(value)),
            _ => {}
        }
    }
    let (at, place) = meta.unwrap_or((id_end.unwrap_or(0), MetaPlace::Absent));
    Prepared { text: text.finish(), at, place }
}

/// A copy under way: what has been copied, and how far.
struct Rewritten<'t> {
    from: &'t str,
    copied: usize,
    out: String,
}

impl<'t> Rewritten<'t> {
    fn of(from: &'t str) -> Self {
        Self { from, copied: 0, out: String::with_capacity(from.len() + STAMP_LENGTH) }
    }

    fn copy_to(&mut self, to: usize) {
        self.out.push_str(self.from.get(self.copied..to).unwrap_or(""));
        self.copied = self.copied.max(to);
    }

    /// Puts type and id at the front of an object that has neither; gives the end of the id.
    fn name_the_record(&mut self, resource_type: ResourceType, id: &Id, members: bool) -> usize {
        self.copy_to(1);
        let _ = write!(self.out, "\"resourceType\":\"{resource_type}\",\"id\":\"{id}\"");
        let end = self.out.len();
        if members {
            self.out.push(',');
        }
        end
    }

    /// Writes the id where `old` stands; gives the end of it.
    fn replace(&mut self, old: Element<'_>, id: &Id) -> usize {
        self.copy_to(old.span().start);
        let _ = write!(self.out, "\"{id}\"");
        self.copied = old.span().end;
        self.out.len()
    }

    /// Writes the id as a member of its own; gives the end of it.
    fn insert_id(&mut self, at: usize, id: &Id) -> usize {
        self.copy_to(at);
        let _ = write!(self.out, ",\"id\":\"{id}\"");
        self.out.len()
    }

    /// Copies `meta` without what the server sets (a `meta` that is no object becomes one); gives the place behind its brace.
    fn open(&mut self, meta: Element<'_>) -> (usize, MetaPlace) {
        if meta.kind() != Kind::Object {
            self.copy_to(meta.span().start);
            self.out.push_str("{}");
            self.copied = meta.span().end;
            return (self.out.len() - 1, MetaPlace::Empty);
        }
        self.copy_to(meta.span().start + 1);
        let at = self.out.len();
        for (name, value) in meta.members() {
            if !matches!(name.as_ref(), "versionId" | "lastUpdated" | "_versionId" | "_lastUpdated") {
                if self.out.len() > at {
                    self.out.push(',');
                }
                self.copied = value.member_span().start;
                self.copy_to(value.member_span().end);
            }
        }
        self.copied = meta.span().end - 1;
        (at, if self.out.len() > at { MetaPlace::BeforeMembers } else { MetaPlace::Empty })
    }

    fn finish(mut self) -> String {
        self.copy_to(self.from.len());
        self.out
    }
}

impl Prepared {
    /// The record without version and time.
    pub fn body(&self) -> &str {
        &self.text
    }

    /// The record in two halves, and what stands before and behind `"versionId":"n","lastUpdated":"..."` between them.
    pub fn halves(&self) -> (&str, (&'static str, &'static str), &str) {
        let (head, tail) = self.text.split_at_checked(self.at).unwrap_or((&self.text, ""));
        let around = match self.place {
            MetaPlace::BeforeMembers => ("", ","),
            MetaPlace::Empty => ("", ""),
            MetaPlace::Absent => (",\"meta\":{", "}"),
        };
        (head, around, tail)
    }

    /// The record as this version of this moment.
    pub fn stamp(&self, version: Version, updated: Instant) -> String {
        let (head, (before, after), tail) = self.halves();
        let mut text = String::with_capacity(self.text.len() + STAMP_LENGTH);
        text.push_str(head);
        let _ = write!(text, "{before}\"versionId\":\"{version}\",\"lastUpdated\":\"{updated}\"{after}");
        text.push_str(tail);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::prepare;
    use crate::fhir::json::Document;
    use crate::fhir::{Id, Instant, ResourceType, Version, corpora};
    use proptest::prelude::*;

    const STAMP: &str = r#""versionId":"7","lastUpdated":"2026-01-02T03:04:05.678Z""#;

    fn stamped(text: &str) -> String {
        let document = Document::parse(text.as_bytes()).unwrap();
        let prepared = prepare(&document, ResourceType::Patient, &Id::parse("new").unwrap());
        Document::parse(prepared.body().as_bytes()).unwrap();
        prepared.stamp(Version(7), Instant::parse("2026-01-02T03:04:05.678Z").unwrap())
    }

    #[test]
    fn a_record_without_id_and_meta_gets_both_behind_its_type() {
        let expected = format!(r#"{{"resourceType":"Patient","id":"new","meta":{{{STAMP}}},"active":true}}"#);
        assert_eq!(stamped(r#"{"resourceType":"Patient","active":true}"#), expected);
        let expected = format!(r#"{{"resourceType":"Patient","id":"new","meta":{{{STAMP}}}}}"#);
        assert_eq!(stamped(r#"{"resourceType":"Patient"}"#), expected);
    }

    #[test]
    fn an_id_and_a_meta_stay_where_the_client_put_them() {
        let text = r#"{"active":true,"meta":{"profile":["p"]},"id":"a much longer id","resourceType":"Patient","n":1.50}"#;
        let expected =
            format!(r#"{{"active":true,"meta":{{{STAMP},"profile":["p"]}},"id":"new","resourceType":"Patient","n":1.50}}"#);
        assert_eq!(stamped(text), expected);
    }

    #[test]
    fn the_clients_version_and_time_go_wherever_they_stand() {
        let expected =
            format!(r#"{{"resourceType":"Patient","id":"new","meta":{{{STAMP},"source":"s","tag":[{{"code":"c"}}]}}}}"#);
        let old = r#""versionId":"99""#;
        let time = r#""lastUpdated":"1999-01-01T00:00:00Z""#;
        let (source, tag) = (r#""source":"s""#, r#""tag":[{"code":"c"}]"#);
        for members in [[old, source, time, tag], [source, old, tag, time], [old, time, source, tag], [source, tag, old, time]] {
            let text = format!(r#"{{"resourceType":"Patient","meta":{{{}}}}}"#, members.join(","));
            assert_eq!(stamped(&text), expected);
        }
        let text = format!(r#"{{"resourceType":"Patient","meta":{{{old},{time},"_lastUpdated":{{"id":"x"}}}},"id":"x"}}"#);
        assert_eq!(stamped(&text), format!(r#"{{"resourceType":"Patient","meta":{{{STAMP}}},"id":"new"}}"#));
    }

    #[test]
    fn only_the_records_own_id_and_meta_are_touched() {
        let inner = r#""contained":[{"resourceType":"Patient","id":"c","meta":{"versionId":"3"}}]"#;
        let expected = format!(r#"{{"resourceType":"Patient","id":"new","meta":{{{STAMP}}},{inner}}}"#);
        assert_eq!(stamped(&format!(r#"{{"resourceType":"Patient",{inner}}}"#)), expected);
    }

    #[test]
    fn a_meta_that_is_no_object_becomes_one() {
        let expected = format!(r#"{{"resourceType":"Patient","id":"new","meta":{{{STAMP}}},"active":true}}"#);
        assert_eq!(stamped(r#"{"resourceType":"Patient","meta":"x","active":true}"#), expected);
    }

    #[test]
    fn a_record_without_type_is_named() {
        assert_eq!(stamped("{}"), format!(r#"{{"resourceType":"Patient","id":"new","meta":{{{STAMP}}}}}"#));
    }

    proptest! {
        #[test]
        fn members_in_any_order_come_out_once_each(
            order in Just(vec![
                r#""resourceType":"Patient""#, r#""id":"old""#, r#""active":true"#, r#""_id":{"id":"x"}"#,
                r#""meta":{"source":"s","versionId":"9"}"#, r#""name":[{"family":"id"}]"#,
            ]).prop_shuffle(),
            count in 0_usize..=6,
        ) {
            let text = format!("{{{}}}", order[..count].join(","));
            let stamped = stamped(&text);
            let document = Document::parse(stamped.as_bytes()).unwrap();
            let id = document.root().text_at("id");
            prop_assert_eq!(id.as_deref(), Some("new"));
            let meta = document.root().get("meta").unwrap();
            let front = format!("{{{STAMP}");
            prop_assert!(meta.raw().starts_with(&front));
            for kept in order[..count].iter().filter(|member| !member.contains("old") && !member.contains("meta")) {
                prop_assert!(stamped.contains(kept), "{} lacks {}", stamped, kept);
            }
        }
    }

    /// Everything but id, version and time is what the client sent.
    #[test]
    fn published_records_are_otherwise_unchanged() {
        let bare = |text: &str| {
            let mut value: serde_json::Value = serde_json::from_str(text).unwrap();
            let members = value.as_object_mut().unwrap();
            members.remove("id");
            if let Some(meta) = members.get_mut("meta").and_then(|meta| meta.as_object_mut()) {
                meta.retain(|name, _| name != "versionId" && name != "lastUpdated");
            }
            members.retain(|name, value| name != "meta" || value.as_object().is_none_or(|meta| !meta.is_empty()));
            value
        };
        for (source, text) in ["hl7-r4-examples", "us-core-6.1-examples"].into_iter().flat_map(corpora::resources) {
            let stamped = stamped(&text);
            let document = Document::parse(stamped.as_bytes()).unwrap();
            assert_eq!(document.text(), stamped, "{source}");
            assert_eq!(document.root().text_at("id").as_deref(), Some("new"), "{source}");
            assert_eq!(document.root().get("meta").unwrap().text_at("versionId").as_deref(), Some("7"), "{source}");
            assert_eq!(bare(&stamped), bare(&text), "{source}");
        }
    }
}
