//! A code system, as it is stored.

use crate::fhir::json::{Document, Element};
use std::collections::{BTreeSet, HashMap};

/// The concepts of a stored code system and how they lie above and below each other.
#[derive(Debug)]
pub struct CodeSystem {
    /// Canonical URL.
    pub url: String,
    concepts: Vec<Concept>,
    at: HashMap<String, usize>,
    children: Vec<Vec<usize>>,
    parents: Vec<Vec<usize>>,
}

/// A concept with what filters may ask of it.
#[derive(Debug)]
pub struct Concept {
    /// Its code.
    pub code: String,
    /// Its display.
    pub display: String,
    /// Code and value of each property.
    pub properties: Vec<(String, String)>,
}

impl CodeSystem {
    /// Reads a CodeSystem. Hierarchy is nesting, and the properties `parent`, `subsumedBy` and `child`.
    pub fn read(document: &Document) -> Self {
        let root = document.root();
        let mut system = Self {
            url: root.text_at("url").unwrap_or_default().into_owned(),
            concepts: Vec::new(),
            at: HashMap::new(),
            children: Vec::new(),
            parents: Vec::new(),
        };
        system.take(root, None);
        system.link();
        system
    }

    fn take(&mut self, within: Element<'_>, parent: Option<usize>) {
        for element in items(within, "concept") {
            let Some(code) = element.text_at("code") else { continue };
            let own = self.concepts.len();
            let properties = items(element, "property").filter_map(|one| {
                let value = one.members().find(|(name, _)| name.starts_with("value")).and_then(|(_, value)| scalar(value))?;
                Some((one.text_at("code")?.into_owned(), value))
            });
            let display = element.text_at("display").unwrap_or_default().into_owned();
            self.concepts.push(Concept { code: code.clone().into_owned(), display, properties: properties.collect() });
            self.parents.push(parent.into_iter().collect());
            self.at.entry(code.into_owned()).or_insert(own);
            self.take(element, Some(own));
        }
    }

    fn link(&mut self) {
        let mut further = Vec::new();
        for (own, concept) in self.concepts.iter().enumerate() {
            for (name, value) in &concept.properties {
                let Some(&other) = self.at.get(value) else { continue };
                match name.as_str() {
                    "parent" | "subsumedBy" => further.push((own, other)),
                    "child" => further.push((other, own)),
                    _ => {}
                }
            }
        }
        for (child, parent) in further {
            if let Some(parents) = self.parents.get_mut(child) {
                parents.push(parent);
            }
        }
        self.children = vec![Vec::new(); self.concepts.len()];
        for (child, parents) in self.parents.iter().enumerate() {
            for parent in parents {
                if let Some(children) = self.children.get_mut(*parent) {
                    children.push(child);
                }
            }
        }
    }

    /// Every concept.
    pub fn concepts(&self) -> &[Concept] {
        &self.concepts
    }

    /// The concept of this code.
    pub fn find(&self, code: &str) -> Option<&Concept> {
        self.at.get(code).and_then(|at| self.concepts.get(*at))
    }

    /// The code and everything below it; `None` when there is no such code.
    pub fn below(&self, code: &str) -> Option<BTreeSet<String>> {
        self.reach(code, &self.children)
    }

    /// The code and everything above it; `None` when there is no such code.
    pub fn above(&self, code: &str) -> Option<BTreeSet<String>> {
        self.reach(code, &self.parents)
    }

    fn reach(&self, code: &str, links: &[Vec<usize>]) -> Option<BTreeSet<String>> {
        let first = *self.at.get(code)?;
        let (mut seen, mut next) = (BTreeSet::from([first]), vec![first]);
        while let Some(at) = next.pop() {
            for &other in links.get(at).into_iter().flatten() {
                if seen.insert(other) {
                    next.push(other);
                }
            }
        }
        Some(seen.into_iter().filter_map(|at| self.concepts.get(at)).map(|concept| concept.code.clone()).collect())
    }
}

pub(super) fn items<'d>(at: Element<'d>, name: &str) -> impl Iterator<Item = Element<'d>> {
    at.get(name).into_iter().flat_map(Element::flattened)
}

/// The text of a primitive, or the code of a Coding.
fn scalar(value: Element<'_>) -> Option<String> {
    let text = value.as_str().map(std::borrow::Cow::into_owned);
    text.or_else(|| value.as_bool().map(|truth| truth.to_string()))
        .or_else(|| value.number_text().map(str::to_owned))
        .or_else(|| value.text_at("code").map(std::borrow::Cow::into_owned))
}
