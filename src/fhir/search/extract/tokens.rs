//! Token and uri values.

use super::{Collector, Place};
use crate::fhir::json::Element;
use crate::fhir::search::element_type::ElementType;
use crate::fhir::search::expression::Reached;
use crate::fhir::search::index::IndexValue;
use crate::fhir::search::parameter::BETWEEN;

impl Collector<'_> {
    /// A token; nothing when both parts are empty.
    pub(super) fn token(&mut self, place: Place<'_>, system: &str, code: &str) {
        if !(system.is_empty() && code.is_empty()) {
            self.push(place, IndexValue::Token { system: system.to_owned(), code: code.to_owned() });
        }
    }

    /// Tokens by R4 search § 3.1.1.4.10. A `code` has an implied system that no record spells out: its rows have none.
    pub(super) fn tokens(&mut self, place: Place<'_>, reached: Reached<'_>) {
        let element = reached.element;
        match reached.element_type {
            ElementType::CodeableConcept => {
                for coding in element.get("coding").into_iter().flat_map(Element::flattened) {
                    self.coding(place, coding);
                }
                self.display(place, element, "text");
            }
            ElementType::Coding => self.coding(place, element),
            ElementType::Identifier => {
                self.pair(place, element, "value");
                element.get("type").into_iter().for_each(|kind| {
                    self.display(place, kind, "text");
                    self.typed(place, kind, element);
                });
            }
            // The system of a contact point (phone, email, ...) stands where a code system would.
            ElementType::ContactPoint => self.pair(place, element, "value"),
            ElementType::Boolean => self.token(place, "", if element.as_bool() == Some(true) { "true" } else { "false" }),
            ElementType::String => element.as_str().into_iter().for_each(|text| {
                // Case does not count: it is found in lower case, too.
                self.token(place, "", &text);
                self.token(place, "", &text.to_lowercase());
            }),
            _ => element.as_str().into_iter().for_each(|code| self.token(place, "", &code)),
        }
    }

    /// An identifier with its type, for `:of-type`.
    fn typed(&mut self, place: Place<'_>, kind: Element<'_>, identifier: Element<'_>) {
        let Some(value) = identifier.text_at("value").filter(|_| place.group == 0) else { return };
        for coding in kind.get("coding").into_iter().flat_map(Element::flattened) {
            if let Some(code) = coding.text_at("code") {
                let system = coding.text_at("system").unwrap_or_default();
                self.token(Place { id: place.id.typed(), ..place }, &system, &format!("{code}{BETWEEN}{value}"));
            }
        }
    }

    fn coding(&mut self, place: Place<'_>, coding: Element<'_>) {
        self.pair(place, coding, "code");
        self.display(place, coding, "display");
    }

    /// `system` and the member that holds the code.
    pub(super) fn pair(&mut self, place: Place<'_>, element: Element<'_>, code: &str) {
        let system = element.text_at("system").unwrap_or_default();
        let code = element.text_at(code).unwrap_or_default();
        self.token(place, &system, &code);
    }

    /// A text for `:text`. Components of composites have none: no modifier reaches them.
    pub(super) fn display(&mut self, place: Place<'_>, element: Element<'_>, name: &str) {
        if place.group == 0
            && let Some(text) = element.text_at(name)
        {
            self.text(Place { id: place.id.text(), ..place }, &text);
        }
    }

    pub(super) fn uris(&mut self, place: Place<'_>, reached: Reached<'_>) {
        if let Some(uri) = reached.element.as_str() {
            if reached.element_type == ElementType::Canonical {
                self.canonical(place, &uri);
            } else {
                self.uri(place, &uri);
            }
        }
    }

    pub(super) fn uri(&mut self, place: Place<'_>, uri: &str) {
        if !uri.is_empty() {
            self.push(place, IndexValue::Uri(uri.to_owned()));
        }
    }

    /// A canonical is found by its URL with its version and without.
    pub(super) fn canonical(&mut self, place: Place<'_>, canonical: &str) {
        self.uri(place, canonical);
        if let Some((url, _version)) = canonical.split_once('|') {
            self.uri(place, url);
        }
    }
}
