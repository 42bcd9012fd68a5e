//! Reference values.

use super::{Collector, Place};
use crate::fhir::json::Element;
use crate::fhir::search::element_type::ElementType;
use crate::fhir::search::expression::Reached;
use crate::fhir::search::index::IndexValue;
use crate::fhir::search::reference::Pointer;
use crate::fhir::{Id, ResourceType};

impl Collector<'_> {
    pub(super) fn reference(&mut self, place: Place<'_>, reached: Reached<'_>) {
        let element = reached.element;
        match reached.element_type {
            ElementType::Reference => {
                element.text_at("reference").into_iter().for_each(|text| self.pointer(place, &text));
                if place.group == 0 {
                    let identifiers = Place { id: place.id.identifier(), ..place };
                    element.get("identifier").into_iter().for_each(|one| self.pair(identifiers, one, "value"));
                }
                self.display(place, element, "display");
            }
            ElementType::Canonical => {
                if let Some(text) = element.as_str() {
                    self.canonical(place, &text);
                    self.local(place, &text);
                }
            }
            ElementType::Resource => self.inline(place, element),
            _ => element.as_str().into_iter().for_each(|text| self.uri(place, &text)),
        }
    }

    fn pointer(&mut self, place: Place<'_>, text: &str) {
        match Pointer::read(text, self.base) {
            Pointer::Local(resource_type, id) => self.record(place, resource_type, &id),
            Pointer::Elsewhere(url) => self.uri(place, &url),
            // What is contained has no address: it stands under what refers to it, for chains that lead inside.
            Pointer::Inside => {
                let resource_type = self.inside.type_of(text).filter(|of| place.targets.is_empty() || place.targets.contains(of));
                if let Some(resource_type) = resource_type {
                    self.push(place, IndexValue::Reference { resource_type, id: text.to_owned() });
                }
            }
        }
    }

    /// A canonical that is the address of a record of this server.
    fn local(&mut self, place: Place<'_>, text: &str) {
        if let Pointer::Local(resource_type, id) = Pointer::read(text, self.base) {
            self.record(place, resource_type, &id);
        }
    }

    /// A resource that stands where a reference would (the first entry of a document or message).
    fn inline(&mut self, place: Place<'_>, resource: Element<'_>) {
        let resource_type = resource.text_at("resourceType").and_then(|name| ResourceType::parse(&name));
        let id = resource.text_at("id").and_then(|id| Id::parse(&id));
        if let (Some(resource_type), Some(id)) = (resource_type, id)
            && (place.targets.is_empty() || place.targets.contains(&resource_type))
        {
            self.record(place, resource_type, &id);
        }
    }

    fn record(&mut self, place: Place<'_>, resource_type: ResourceType, id: &Id) {
        self.push(place, IndexValue::Reference { resource_type, id: id.as_str().to_owned() });
    }
}
