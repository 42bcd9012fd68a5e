//! A part of a record: `_summary` and `_elements` (R4 search § 3.1.1.5.8 and .9).
//!
//! What a record cannot be understood without stays in every part: type, id, meta, mandatory and modifier elements. Each part says
//! that it is one, by the tag `SUBSETTED`.

use super::definitions::{Content, Member, Shape, resource};
use super::json::{Document, Element, Kind};
use super::{Rendering, ResourceType, Summary};

const SYSTEM: &str = "http://terminology.hl7.org/CodeSystem/v3-ObservationValue";
const CODE: &str = "SUBSETTED";
const TAG: &str = r#"{"system":"http://terminology.hl7.org/CodeSystem/v3-ObservationValue","code":"SUBSETTED"}"#;

/// The part of a record that the rendering asks for; `None` when it asks for the whole (or, by `_summary=count`, for none).
pub fn subset(document: &Document, rendering: &Rendering) -> Option<String> {
    let part = Part::of(rendering)?;
    let root = document.root();
    let shape = root.text_at("resourceType").and_then(|name| ResourceType::parse(&name)).and_then(resource)?;
    let mut out = String::with_capacity(document.text().len() + TAG.len() + 32);
    let last_before_meta = if root.get("id").is_some() { "id" } else { "resourceType" };
    let has_meta = root.get("meta").is_some();
    out.push('{');
    for (name, value) in root.members() {
        match name.as_ref() {
            "meta" => {
                separate(&mut out);
                write_meta(value, &mut out);
            }
            "resourceType" | "id" => write_whole(value, &mut out),
            name => write_member(value, shape.member(plain(name)), part.keeps(shape.member(plain(name)), name), &mut out),
        }
        if !has_meta && name == last_before_meta {
            out.push_str(",\"meta\":{\"tag\":[");
            out.push_str(TAG);
            out.push_str("]}");
        }
    }
    out.push('}');
    Some(out)
}

/// Which part.
enum Part<'r> {
    Summary,
    Text,
    Data,
    Elements(&'r [String]),
}

/// What becomes of a member.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keep {
    Not,
    Whole,
    /// Only the summary of it.
    Summary,
}

impl<'r> Part<'r> {
    fn of(rendering: &'r Rendering) -> Option<Self> {
        match rendering.summary {
            Some(Summary::True) => Some(Self::Summary),
            Some(Summary::Text) => Some(Self::Text),
            Some(Summary::Data) => Some(Self::Data),
            Some(Summary::Count) => None,
            None => (!rendering.elements.is_empty()).then_some(Self::Elements(&rendering.elements)),
        }
    }

    fn keeps(&self, member: Option<&Member>, name: &str) -> Keep {
        let Some(member) = member else { return Keep::Not };
        let asked = match self {
            Self::Summary => return summarised(member),
            Self::Text => plain(name) == "text",
            Self::Data => plain(name) != "text",
            Self::Elements(names) => names.iter().any(|asked| asked == member.element() || asked == member.name()),
        };
        if asked || is_needed(member) { Keep::Whole } else { Keep::Not }
    }
}

/// Without it the rest cannot be understood.
fn is_needed(member: &Member) -> bool {
    member.is_required() || member.is_modifier()
}

fn summarised(member: &Member) -> Keep {
    if member.is_summary() {
        Keep::Summary
    } else if is_needed(member) {
        Keep::Whole
    } else {
        Keep::Not
    }
}

/// The name without the `_` of a primitive's sibling.
fn plain(name: &str) -> &str {
    name.strip_prefix('_').unwrap_or(name)
}

fn separate(out: &mut String) {
    if !out.ends_with(['{', '[']) {
        out.push(',');
    }
}

fn write_name(value: Element<'_>, out: &mut String) {
    separate(out);
    out.push('"');
    out.push_str(value.raw_name());
    out.push_str("\":");
}

fn write_whole(value: Element<'_>, out: &mut String) {
    write_name(value, out);
    out.push_str(value.raw());
}

fn write_member(value: Element<'_>, member: Option<&Member>, keep: Keep, out: &mut String) {
    let shape = member.filter(|_| keep == Keep::Summary).and_then(|member| summary_shape(member.content()));
    match (keep, shape) {
        (Keep::Not, _) => {}
        (_, None) => write_whole(value, out),
        (_, Some(shape)) => {
            let before = out.len();
            write_name(value, out);
            if !write_summary(value, shape, out) {
                out.truncate(before);
            }
        }
    }
}

/// The shape of a content that has a summary of its own; contents without one are kept whole.
fn summary_shape(content: Content) -> Option<&'static Shape> {
    content.shape().filter(|shape| shape.members().iter().any(Member::is_summary))
}

/// Writes the summary of an object or list; false when nothing of it belongs to a summary.
fn write_summary(value: Element<'_>, shape: &Shape, out: &mut String) -> bool {
    let before = out.len();
    match value.kind() {
        Kind::Object => {
            out.push('{');
            for (name, value) in value.members() {
                let member = shape.member(plain(&name));
                write_member(value, member, member.map_or(Keep::Not, summarised), out);
            }
            out.push('}');
        }
        Kind::Array => {
            out.push('[');
            for item in value.items() {
                let before = out.len();
                separate(out);
                if !write_summary(item, shape, out) {
                    out.truncate(before);
                }
            }
            out.push(']');
        }
        _ => out.push_str(value.raw()),
    }
    out.len() > before + 2
}

/// Writes `meta` with the tag, unless it has it already.
fn write_meta(meta: Element<'_>, out: &mut String) {
    out.push_str("\"meta\":{");
    let mut tagged = false;
    for (name, value) in meta.members() {
        if name == "tag" {
            tagged = true;
            write_tags(value, out);
        } else {
            write_whole(value, out);
        }
    }
    if !tagged {
        separate(out);
        out.push_str("\"tag\":[");
        out.push_str(TAG);
        out.push(']');
    }
    out.push('}');
}

fn write_tags(tags: Element<'_>, out: &mut String) {
    let is_ours =
        |tag: Element<'_>| tag.text_at("system").as_deref() == Some(SYSTEM) && tag.text_at("code").as_deref() == Some(CODE);
    separate(out);
    out.push_str("\"tag\":[");
    for tag in tags.items() {
        separate(out);
        out.push_str(tag.raw());
    }
    if !tags.items().any(is_ours) {
        separate(out);
        out.push_str(TAG);
    }
    out.push(']');
}

#[cfg(test)]
mod tests {
    use super::{TAG, subset};
    use crate::fhir::json::Document;
    use crate::fhir::{Rendering, Summary, corpora, shape};

    const RECORD: &str = concat!(
        r#"{"resourceType":"Observation","id":"o","meta":{"versionId":"3","tag":[{"code":"t"}]},"text":{"status":"generated","div":"<div/>"},"#,
        r#""extension":[{"url":"u","valueCode":"x"}],"modifierExtension":[{"url":"m","valueCode":"x"}],"status":"final","#,
        r#""_status":{"id":"s"},"category":[{"text":"c"}],"code":{"id":"i","coding":[{"code":"1","extension":[{"url":"e"}]}]},"#,
        r#""valueQuantity":{"value":1.50},"note":[{"text":"n"}]}"#
    );

    fn part(rendering: &Rendering) -> Option<String> {
        subset(&Document::parse(RECORD.as_bytes()).unwrap(), rendering)
    }

    fn expected(members: &str) -> String {
        let head = r#"{"resourceType":"Observation","id":"o","meta":{"versionId":"3","tag":[{"code":"t"},"#;
        format!("{head}{TAG}]}},{members}}}")
    }

    fn summary(summary: Summary) -> Rendering {
        Rendering { summary: Some(summary), ..Rendering::default() }
    }

    const MODIFIER: &str = r#""modifierExtension":[{"url":"m","valueCode":"x"}],"status":"final","_status":{"id":"s"}"#;
    const CODE: &str = r#""code":{"id":"i","coding":[{"code":"1","extension":[{"url":"e"}]}]}"#;

    #[test]
    fn a_summary_has_the_summary_elements_of_each_level() {
        let code = r#""code":{"coding":[{"code":"1"}]}"#;
        let members = format!(r#"{MODIFIER},{code},"valueQuantity":{{"value":1.50}}"#);
        assert_eq!(part(&summary(Summary::True)), Some(expected(&members)));
    }

    #[test]
    fn text_and_data_are_the_two_halves() {
        let text = r#""text":{"status":"generated","div":"<div/>"}"#;
        assert_eq!(part(&summary(Summary::Text)), Some(expected(&format!("{text},{MODIFIER},{CODE}"))));
        let data = part(&summary(Summary::Data)).unwrap();
        assert!(!data.contains("<div/>") && data.contains(r#""note":[{"text":"n"}]"#) && data.contains(TAG));
    }

    #[test]
    fn elements_are_kept_by_their_name_with_all_that_must_be() {
        let rendering = Rendering { elements: vec!["value".into(), "subject".into()], ..Rendering::default() };
        assert_eq!(part(&rendering), Some(expected(&format!(r#"{MODIFIER},{CODE},"valueQuantity":{{"value":1.50}}"#))));
    }

    #[test]
    fn the_whole_and_the_count_are_no_part() {
        assert_eq!(part(&Rendering::default()), None);
        assert_eq!(part(&summary(Summary::Count)), None);
    }

    #[test]
    fn a_record_without_meta_gets_one_for_the_tag() {
        let document = Document::parse(br#"{"resourceType":"Patient","active":true,"text":{"div":"x"}}"#).unwrap();
        let expected = format!(r#"{{"resourceType":"Patient","meta":{{"tag":[{TAG}]}},"active":true}}"#);
        assert_eq!(subset(&document, &summary(Summary::True)), Some(expected));
    }

    #[test]
    fn a_record_that_carries_the_tag_is_not_tagged_twice() {
        let text = format!(r#"{{"resourceType":"Patient","meta":{{"tag":[{TAG}]}},"active":true}}"#);
        let document = Document::parse(text.as_bytes()).unwrap();
        assert_eq!(subset(&document, &summary(Summary::Data)), Some(text));
    }

    #[test]
    fn parts_of_published_records_have_the_shape_of_their_type() {
        let elements = Rendering { elements: vec!["identifier".into()], ..Rendering::default() };
        let renderings = [summary(Summary::True), summary(Summary::Text), summary(Summary::Data), elements];
        for (source, text) in ["hl7-r4-examples", "us-core-6.1-examples"].into_iter().flat_map(corpora::resources) {
            let document = Document::parse(text.as_bytes()).unwrap();
            for rendering in &renderings {
                let part = subset(&document, rendering).unwrap();
                let parsed = Document::parse(part.as_bytes()).unwrap();
                assert_eq!(parsed.text(), part, "{source}");
                assert!(shape::check(&parsed).is_ok(), "{source} {rendering:?} {:?}", shape::check(&parsed));
            }
        }
    }
}
