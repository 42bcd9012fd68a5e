//! A value set, as it is stored.

use super::code_system::items;
use super::codes::Codes;
use crate::fhir::json::{Document, Element};

/// The definition of a value set.
#[derive(Debug)]
pub struct ValueSet {
    /// Canonical URL.
    pub url: String,
    /// Its codes, where an expansion is stored with it that is whole.
    pub expansion: Option<Codes>,
    /// `compose.include`: any of these.
    pub include: Vec<Part>,
    /// `compose.exclude`: none of these.
    pub exclude: Vec<Part>,
}

/// One `include` or `exclude`: everything in it must hold of a code.
#[derive(Debug, Default)]
pub struct Part {
    /// From this system.
    pub system: Option<String>,
    /// In this version of it.
    pub version: Option<String>,
    /// These codes; all when there are none.
    pub concepts: Vec<String>,
    /// Which satisfy all of these.
    pub filters: Vec<Filter>,
    /// And lie in all of these value sets.
    pub value_sets: Vec<String>,
}

/// A filter of a [`Part`].
#[derive(Debug, Clone)]
pub struct Filter {
    /// Which property.
    pub property: String,
    /// `is-a`, `descendent-of`, `=`, ...
    pub op: String,
    /// Compared with what.
    pub value: String,
}

impl ValueSet {
    /// Reads a ValueSet.
    pub fn read(document: &Document) -> Self {
        let root = document.root();
        let parts = |name: &str| {
            let compose = root.get("compose").into_iter();
            compose.flat_map(|compose| items(compose, name).map(part).collect::<Vec<_>>()).collect()
        };
        Self {
            url: root.text_at("url").unwrap_or_default().into_owned(),
            expansion: root.get("expansion").and_then(expansion),
            include: parts("include"),
            exclude: parts("exclude"),
        }
    }
}

fn part(element: Element<'_>) -> Part {
    let text = |name: &str| element.text_at(name).map(std::borrow::Cow::into_owned);
    let of = |element: Element<'_>, name: &str| element.text_at(name).map(std::borrow::Cow::into_owned).unwrap_or_default();
    Part {
        system: text("system"),
        version: text("version"),
        concepts: items(element, "concept").map(|one| of(one, "code")).filter(|code| !code.is_empty()).collect(),
        filters: items(element, "filter")
            .map(|one| Filter { property: of(one, "property"), op: of(one, "op"), value: of(one, "value") })
            .collect(),
        value_sets: items(element, "valueSet").filter_map(Element::as_str).map(std::borrow::Cow::into_owned).collect(),
    }
}

/// The codes of an expansion; `None` when it says that it is only a part of the whole.
fn expansion(element: Element<'_>) -> Option<Codes> {
    let mut codes = Codes::default();
    let held = take(element, &mut codes);
    let total = element.get("total").and_then(Element::number_text).and_then(|text| text.parse::<usize>().ok());
    let limited = items(element, "parameter").any(|one| {
        let name = one.text_at("name").unwrap_or_default();
        (name == "limitedExpansion" && one.get("valueBoolean").and_then(Element::as_bool) == Some(true)) || name == "filter"
    });
    (held > 0 && !limited && total.is_none_or(|total| total <= held)).then_some(codes)
}

/// Takes the codes in; how many entries there are. What is abstract groups others and is no code to be found.
fn take(within: Element<'_>, codes: &mut Codes) -> usize {
    let mut held = 0;
    for entry in items(within, "contains") {
        held += 1;
        let selectable = entry.get("abstract").and_then(Element::as_bool) != Some(true);
        if let (true, Some(code)) = (selectable, entry.text_at("code")) {
            codes.insert(&entry.text_at("system").unwrap_or_default(), &code);
        }
        held += take(entry, codes);
    }
    held
}
