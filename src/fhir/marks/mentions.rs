//! What a record names: one walk over its content, by the definitions of R4.

use super::dates::{Moments, dates};
use super::{Dates, Fact, FactSet};
use crate::fhir::definitions::{Content, Primitive, Shape, resource};
use crate::fhir::json::{Document, Element, Kind};
use crate::fhir::naming::{patients_record, silence};
use crate::fhir::search::Pointer;
use crate::fhir::{Key, ResourceType};
use jiff::tz::TimeZone;
use std::collections::BTreeSet;

/// System (empty for none) and code.
pub type Pair = (String, String);

/// How names are read.
#[derive(Debug, Clone, Copy)]
pub struct Reading<'r> {
    /// The server's own base URL: references below it are local.
    pub base: &'r str,
    /// Days, months and years are those of this zone.
    pub zone: &'r TimeZone,
    /// The canonical name of a code system, the same where there is none.
    pub canonical: fn(&str) -> &str,
}

/// What consents may decide by of a record's content (`consent` § 2.2).
#[derive(Debug, Default)]
pub struct Mentions {
    /// Each record that a literal local reference names, contained resources and extensions included.
    pub references: BTreeSet<Key>,
    /// Authors named by local reference.
    pub authors: BTreeSet<Key>,
    /// Authors named otherwise: by URL, or by identifier as `system|value`.
    pub authors_named: BTreeSet<String>,
    /// The codings of the first that exists of `code`, `medicationCodeableConcept`, `vaccineCode` and a single `type`.
    pub primary: BTreeSet<Pair>,
    /// Each Coding anywhere but in `meta`.
    pub codings: BTreeSet<Pair>,
    /// `meta.profile`, each with its version as written and without.
    pub profiles: BTreeSet<String>,
    /// Each `contentType`, as written and without parameters in lower case.
    pub mimes: BTreeSet<String>,
    /// `meta.security`, of the record and of resources inside it.
    pub labels: BTreeSet<Pair>,
    /// Some reference says more of a record of a patient than where it lies ([`Fact::telling`]).
    pub telling: bool,
    /// When.
    pub dates: Dates,
}

/// Elements whose references say who wrote or did it.
const AUTHORS: [&str; 7] = ["author", "recorder", "performer", "requester", "asserter", "informationSource", "sender"];

/// Elements that say what the record is about; the first that exists counts.
const SUBJECTS: [&str; 4] = ["code", "medicationCodeableConcept", "vaccineCode", "type"];

impl Mentions {
    /// Reads a record of this type.
    pub fn read(document: &Document, of: ResourceType, reading: &Reading<'_>) -> Self {
        let mut walk = Walk { base: reading.base, found: Self::default(), moments: Moments::new() };
        let root = document.root();
        if let Some(shape) = resource(of) {
            walk.object(root, shape);
        }
        walk.authors(root, of);
        walk.primary(root);
        let Walk { mut found, moments, .. } = walk;
        let profiles = root.get("meta").and_then(|meta| meta.get("profile")).into_iter().flat_map(Element::flattened);
        for profile in profiles.filter_map(Element::as_str) {
            found.profiles.extend(profile.split_once('|').map(|(url, _)| url.to_owned()));
            found.profiles.insert(profile.into_owned());
        }
        found.dates = dates(document, of, reading.zone, &moments);
        found
    }

    /// Everything but the dates and labels, as a set of facts. Codings count under their system as written and under its canonical name.
    pub fn facts(&self, key: &Key, canonical: fn(&str) -> &str) -> FactSet {
        let mut facts = Vec::with_capacity(8 + self.references.len() + 3 * self.codings.len());
        facts.extend(self.references.iter().map(Fact::names));
        facts.extend(self.authors.iter().map(Fact::author));
        facts.extend(self.authors_named.iter().map(|name| Fact::author_named(name)));
        coded(&mut facts, &self.primary, Fact::primary, canonical);
        coded(&mut facts, &self.codings, Fact::coding, canonical);
        facts.extend(self.codings.iter().map(|(_, code)| Fact::code(code)));
        facts.extend(self.profiles.iter().map(|profile| Fact::profile(profile)));
        facts.extend(self.mimes.iter().map(|kind| Fact::mime(kind)));
        facts.extend(self.telling.then(Fact::telling));
        FactSet::of(key, facts)
    }
}

fn coded(facts: &mut Vec<Fact>, pairs: &BTreeSet<Pair>, fact: fn(&str, &str) -> Fact, canonical: fn(&str) -> &str) {
    for (system, code) in pairs {
        facts.push(fact(system, code));
        let known_as = canonical(system);
        if known_as != system {
            facts.push(fact(known_as, code));
        }
    }
}

struct Walk<'b> {
    base: &'b str,
    found: Mentions,
    moments: Moments,
}

impl Walk<'_> {
    /// JSON that was parsed nests to a bounded depth, so this ends.
    fn object(&mut self, value: Element<'_>, shape: &Shape) {
        match shape.path() {
            "Coding" => self.found.codings.extend(pair(value)),
            "Reference" => self.reference(value),
            "Meta" => return self.labels(value),
            _ => {}
        }
        for (name, value) in value.members() {
            let plain = name.strip_prefix('_');
            let Some(member) = shape.member(plain.unwrap_or(&name)) else { continue };
            let content = if plain.is_some() { Content::element() } else { Some(member.content()) };
            let Some(content) = content else { continue };
            for item in value.flattened() {
                self.content(item, content, &name);
            }
        }
    }

    fn content(&mut self, value: Element<'_>, content: Content, name: &str) {
        match content {
            Content::Primitive(Primitive::Instant) => {
                self.moments.insert(value.span().start);
            }
            Content::Primitive(_) if name == "contentType" => self.mime(value),
            Content::Primitive(_) => {}
            Content::Complex(_) => content.shape().into_iter().for_each(|shape| self.object(value, shape)),
            Content::AnyResource => {
                let named = value.text_at("resourceType").and_then(|name| ResourceType::parse(&name));
                named.and_then(resource).into_iter().for_each(|shape| self.object(value, shape));
            }
        }
    }

    fn reference(&mut self, value: Element<'_>) {
        self.found.telling |= patients_record(value, self.base).is_some() && silence(value).is_some();
        if let Some(Pointer::Local(resource_type, id)) = value.text_at("reference").map(|text| Pointer::read(&text, self.base)) {
            self.found.references.insert(Key::new(resource_type, id));
        }
    }

    fn labels(&mut self, meta: Element<'_>) {
        let security = meta.get("security").into_iter().flat_map(Element::flattened);
        self.found.labels.extend(security.filter_map(label));
    }

    fn mime(&mut self, value: Element<'_>) {
        let Some(text) = value.as_str() else { return };
        let bare = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        self.found.mimes.extend([bare, text.into_owned()]);
    }

    /// The references in these elements, or in `actor` inside them; of a Provenance, its agents that are authors.
    fn authors(&mut self, root: Element<'_>, of: ResourceType) {
        for element in AUTHORS.iter().filter_map(|name| root.get(name)).flat_map(Element::flattened) {
            match element.get("actor") {
                Some(actors) => actors.flattened().for_each(|actor| self.author(actor)),
                None => self.author(element),
            }
        }
        if of == ResourceType::Provenance {
            let agents = root.get("agent").into_iter().flat_map(Element::flattened);
            agents.filter(|agent| is_author(*agent)).filter_map(|agent| agent.get("who")).for_each(|who| self.author(who));
        }
    }

    fn author(&mut self, reference: Element<'_>) {
        match reference.text_at("reference").map(|text| Pointer::read(&text, self.base)) {
            Some(Pointer::Local(resource_type, id)) => {
                self.found.authors.insert(Key::new(resource_type, id));
            }
            Some(Pointer::Elsewhere(url)) => {
                self.found.authors_named.insert(url);
            }
            Some(Pointer::Inside) | None => {}
        }
        if let Some(identifier) = reference.get("identifier")
            && let Some(value) = identifier.text_at("value")
        {
            let system = identifier.text_at("system").unwrap_or_default();
            self.found.authors_named.insert(format!("{system}|{value}"));
        }
    }

    fn primary(&mut self, root: Element<'_>) {
        let mut all = SUBJECTS.iter().filter_map(|name| root.get(name).map(|value| (*name, value)));
        let Some((_, subject)) = all.find(|(name, value)| *name != "type" || value.kind() != Kind::Array) else { return };
        for concept in subject.flattened() {
            self.found.primary.extend(pair(concept));
            self.found.primary.extend(concept.get("coding").into_iter().flat_map(Element::flattened).filter_map(pair));
        }
    }
}

/// `author` of the participants of a Provenance, under any of the systems that have named it, and its v3 word.
fn is_author(agent: Element<'_>) -> bool {
    let concepts = ["type", "role"].into_iter().filter_map(|name| agent.get(name)).flat_map(Element::flattened);
    let mut codings = concepts.filter_map(|concept| concept.get("coding")).flat_map(Element::flattened);
    codings.any(|coding| coding.text_at("code").is_some_and(|code| code == "author" || code == "AUT"))
}

/// System and code of a coding that has a code.
fn pair(coding: Element<'_>) -> Option<Pair> {
    let code = coding.text_at("code")?.into_owned();
    Some((coding.text_at("system").unwrap_or_default().into_owned(), code))
}

/// The same of a label, which counts even when it has no code: nobody knows what it wants.
fn label(coding: Element<'_>) -> Option<Pair> {
    let part = |name: &str| coding.text_at(name).unwrap_or_default().into_owned();
    (coding.kind() == Kind::Object).then(|| (part("system"), part("code")))
}
