//! A record without some of its elements: those with an inline security label (HL7 DS4P), and labels themselves.
//!
//! An element that goes because of who asks leaves a trace: the tags `SUBSETTED` and `REDACTED`, and where it was mandatory, an
//! extension that says `masked`. What could repeat its content goes too: narratives, and signatures, which no longer hold.

use super::ResourceType;
use super::definitions::{Content, Member, Shape, resource};
use super::json::{Document, Element, Kind};
use super::naming::Silence;
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// The extension that labels an element.
pub const INLINE_LABEL: &str = "http://hl7.org/fhir/uv/security-label-ds4p/StructureDefinition/extension-inline-sec-label";

const MASKED: &str = r#"{"url":"http://hl7.org/fhir/StructureDefinition/data-absent-reason","valueCode":"masked"}"#;
const SUBSETTED: &str = r#"{"system":"http://terminology.hl7.org/CodeSystem/v3-ObservationValue","code":"SUBSETTED"}"#;
const REDACTED: &str = r#"{"system":"http://terminology.hl7.org/CodeSystem/v3-ObservationValue","code":"REDACTED"}"#;

/// System (empty for none) and code of a label.
pub type Coding = (String, String);

/// Which labels and labelled elements stay.
pub struct Partial<'p> {
    /// Whether an element with these labels is shown.
    pub shows: &'p dyn Fn(&[Coding]) -> bool,
    /// Whether this label is told.
    pub tells: &'p dyn Fn(&str, &str) -> bool,
    /// What must go of an object because it is a reference to a record that is not shown.
    pub hushes: &'p dyn Fn(Element<'_>) -> Option<Silence>,
}

/// Whether a text may hold an inline label at all; a cheap look before any parse.
pub fn may_hold_inline_labels(text: &[u8]) -> bool {
    // An escape could spell the name differently.
    contains(text, "inline-sec-label") || contains(text, "\\u")
}

/// Whether a text may hold labels in `meta.security`.
pub fn may_hold_labels(text: &[u8]) -> bool {
    contains(text, "\"security\"") || may_hold_inline_labels(text)
}

/// By the search of strings, which is vectorized; what is no text is looked at more closely.
fn contains(text: &[u8], word: &str) -> bool {
    std::str::from_utf8(text).map_or(true, |text| text.contains(word))
}

/// The record as [`Partial`] shows it; `None` when nothing goes.
pub fn partial(document: &Document, rules: &Partial<'_>) -> Option<String> {
    let mut first = Writer { rules, out: String::new(), withheld: 0, untold: 0, redacting: false };
    let shape = own_shape(document.root());
    first.resource(document.root(), shape, true);
    if first.withheld == 0 {
        return (first.untold > 0).then_some(first.out);
    }
    let mut second = Writer { out: String::with_capacity(document.text().len()), redacting: true, ..first };
    second.resource(document.root(), shape, true);
    Some(second.out)
}

/// Whether something of it would be withheld.
pub fn withholds(document: &Document, rules: &Partial<'_>) -> bool {
    let mut writer = Writer { rules, out: String::new(), withheld: 0, untold: 0, redacting: false };
    writer.resource(document.root(), own_shape(document.root()), true);
    writer.withheld > 0
}

struct Writer<'p, 'r> {
    rules: &'r Partial<'p>,
    out: String,
    withheld: usize,
    untold: usize,
    /// Something is known to be withheld: narratives and signatures go, and tags say so.
    redacting: bool,
}

fn own_shape(value: Element<'_>) -> Option<&'static Shape> {
    value.text_at("resourceType").and_then(|name| ResourceType::parse(&name)).and_then(resource)
}

/// The inline labels of an element, from its `extension`; `None` when it has none.
fn inline(element: Element<'_>) -> Option<Vec<Coding>> {
    let labels = element.get("extension")?.flattened().filter(|one| one.text_at("url").as_deref() == Some(INLINE_LABEL));
    let labels: Vec<Coding> = labels.map(|one| one.get("valueCoding").map(coding).unwrap_or_default()).collect();
    (!labels.is_empty()).then_some(labels)
}

fn coding(element: Element<'_>) -> Coding {
    let part = |name: &str| element.text_at(name).unwrap_or_default().into_owned();
    (part("system"), part("code"))
}

/// What is withheld of a primitive: all of it, or items of it.
#[derive(Default)]
struct Gap {
    whole: bool,
    items: BTreeSet<usize>,
}

impl Writer<'_, '_> {
    fn withheld(&mut self, element: Element<'_>) -> bool {
        let hidden = inline(element).is_some_and(|labels| !(self.rules.shows)(&labels));
        self.withheld += usize::from(hidden);
        hidden
    }

    fn resource(&mut self, value: Element<'_>, shape: Option<&Shape>, root: bool) {
        self.out.push('{');
        let has_meta = value.get("meta").is_some();
        let last = if value.get("id").is_some() { "id" } else { "resourceType" };
        for (name, member) in value.members() {
            match name.as_ref() {
                "text" if self.redacting => {}
                "meta" => self.meta(member, root),
                "id" | "resourceType" => self.whole(member),
                _ => self.member(value, &name, member, shape),
            }
            if root && self.redacting && !has_meta && name == last {
                let _ = write!(self.out, ",\"meta\":{{\"security\":[{REDACTED}],\"tag\":[{SUBSETTED}]}}");
            }
        }
        self.out.push('}');
    }

    fn object(&mut self, value: Element<'_>, shape: Option<&Shape>) {
        self.out.push('{');
        for (name, member) in value.members() {
            self.member(value, &name, member, shape);
        }
        self.out.push('}');
    }

    fn member(&mut self, owner: Element<'_>, name: &str, value: Element<'_>, shape: Option<&Shape>) {
        let plain = name.strip_prefix('_').unwrap_or(name);
        let member = shape.and_then(|shape| shape.member(plain));
        let signed = member.and_then(Member::shape).is_some_and(|shape| shape.path() == "Signature");
        if self.redacting && signed {
            return;
        }
        if plain == "extension" {
            return self.extensions(value);
        }
        let sibling = if name == plain { owner.get(&format!("_{plain}")) } else { Some(value) };
        // A primitive and its sibling are withheld together, and counted once.
        let counted = self.withheld;
        let gap = self.gap(sibling);
        if name != plain && owner.get(plain).is_some() {
            self.withheld = counted;
        }
        let required = member.is_some_and(Member::is_required);
        if gap.whole {
            // Once for the pair.
            if required && (name == plain || owner.get(plain).is_none()) {
                self.mask(&format!("_{plain}"), false);
            }
            return;
        }
        let before = self.out.len();
        self.name(value);
        let content = member.map(Member::content);
        if self.value(value, content, &gap) {
            self.out.truncate(before);
            if required {
                self.mask(plain, value.kind() == Kind::Array);
            }
        }
    }

    /// Why a mandatory element is absent.
    fn mask(&mut self, name: &str, several: bool) {
        self.separate();
        let (open, close) = if several { ("[", "]") } else { ("", "") };
        let _ = write!(self.out, "\"{name}\":{open}{{\"extension\":[{MASKED}]}}{close}");
    }

    fn gap(&mut self, sibling: Option<Element<'_>>) -> Gap {
        let Some(sibling) = sibling.filter(|one| one.raw_name().starts_with('_')) else { return Gap::default() };
        match sibling.kind() {
            Kind::Object => Gap { whole: self.withheld(sibling), items: BTreeSet::new() },
            Kind::Array => {
                let items = sibling.items().enumerate().filter(|(_, item)| self.withheld(*item)).map(|(at, _)| at).collect();
                Gap { whole: false, items }
            }
            _ => Gap::default(),
        }
    }

    /// Writes a value; true when nothing of it is left that was there.
    fn value(&mut self, value: Element<'_>, content: Option<Content>, gap: &Gap) -> bool {
        match value.kind() {
            Kind::Object => {
                if self.withheld(value) {
                    return true;
                }
                match (self.rules.hushes)(value) {
                    Some(Silence::Whole) => {
                        self.withheld += 1;
                        return true;
                    }
                    Some(Silence::Words) => {
                        self.withheld += 1;
                        self.address(value);
                        return false;
                    }
                    None => {}
                }
                let before = self.out.len();
                match content {
                    Some(Content::AnyResource) => self.resource(value, own_shape(value), false),
                    content => self.object(value, content.and_then(Content::shape)),
                }
                self.out.len() == before + 2 && value.members().next().is_some()
            }
            Kind::Array => {
                let before = self.out.len();
                self.out.push('[');
                let kept = value.items().enumerate().filter(|(at, _)| !gap.items.contains(at)).map(|(_, item)| item);
                for item in kept {
                    let before = self.out.len();
                    self.separate();
                    if self.value(item, content, &Gap::default()) {
                        self.out.truncate(before);
                    }
                }
                self.out.push(']');
                self.out.len() == before + 2 && value.items().next().is_some()
            }
            _ => {
                self.out.push_str(value.raw());
                false
            }
        }
    }

    /// What is left of a reference: where it leads.
    fn address(&mut self, reference: Element<'_>) {
        self.out.push('{');
        for (name, member) in reference.members() {
            if matches!(name.as_ref(), "reference" | "type" | "id") {
                self.whole(member);
            }
        }
        self.out.push('}');
    }

    /// Extensions, without labels that are not told.
    fn extensions(&mut self, value: Element<'_>) {
        let before = self.out.len();
        self.name(value);
        self.out.push('[');
        let opened = self.out.len();
        for item in value.flattened() {
            let label = item.text_at("url").as_deref() == Some(INLINE_LABEL);
            let (system, code) = item.get("valueCoding").map(coding).unwrap_or_default();
            if label && !(self.rules.tells)(&system, &code) {
                self.untold += 1;
                continue;
            }
            let before = self.out.len();
            self.separate();
            if self.value(item, None, &Gap::default()) {
                self.out.truncate(before);
            }
        }
        if self.out.len() == opened {
            return self.out.truncate(before);
        }
        self.out.push(']');
    }

    /// `meta` with the labels that are told; with `root`, and where something is withheld, the tags that say so.
    fn meta(&mut self, meta: Element<'_>, root: bool) {
        let tags = root && self.redacting;
        let before = self.out.len();
        self.name(meta);
        self.out.push('{');
        let mut pending = vec![("security", REDACTED), ("tag", SUBSETTED)];
        for (name, value) in meta.members() {
            let place = pending.iter().position(|(list, _)| *list == name);
            let Some((list, own)) = place.map(|at| pending.remove(at)) else {
                self.whole(value);
                continue;
            };
            let before = self.out.len();
            self.name(value);
            self.out.push('[');
            let opened = self.out.len();
            for item in value.flattened() {
                let (system, code) = coding(item);
                if list == "security" && !(self.rules.tells)(&system, &code) {
                    self.untold += 1;
                    continue;
                }
                self.separate();
                self.out.push_str(item.raw());
            }
            if tags {
                self.separate();
                self.out.push_str(own);
            }
            if self.out.len() == opened {
                self.out.truncate(before);
            } else {
                self.out.push(']');
            }
        }
        for (list, own) in pending.into_iter().filter(|_| tags) {
            self.separate();
            let _ = write!(self.out, "\"{list}\":[{own}]");
        }
        self.out.push('}');
        if self.out.ends_with(":{}") && meta.members().next().is_some() {
            self.out.truncate(before);
        }
    }

    fn separate(&mut self) {
        if !self.out.ends_with(['{', '[']) {
            self.out.push(',');
        }
    }

    fn name(&mut self, value: Element<'_>) {
        self.separate();
        self.out.push('"');
        self.out.push_str(value.raw_name());
        self.out.push_str("\":");
    }

    fn whole(&mut self, value: Element<'_>) {
        self.name(value);
        self.out.push_str(value.raw());
    }
}

#[cfg(test)]
#[path = "partial_tests.rs"]
mod tests;
