//! Membership in compartments, from the definitions.

use super::definitions::{compartment_parameters, definition};
use super::json::Element;
use super::search::{IndexValue, values_of};
use super::{Id, ResourceType};

/// The records of type `owner` of whose compartment a resource is a member, by the parameters that R4 names for its type.
/// In the order of the parameters, perhaps with repetitions. `base` is the server's own base URL.
///
/// That an owner belongs to its own compartment is not told here: the resource may be one without an address.
pub fn compartments_of(resource: Element<'_>, resource_type: ResourceType, owner: ResourceType, base: &str) -> Vec<Id> {
    let codes = compartment_parameters(owner, resource_type).iter();
    let definitions = codes.filter_map(|code| definition(resource_type, code));
    let values = definitions.flat_map(|definition| values_of(definition, resource, base));
    values
        .filter_map(|entry| match entry.value {
            IndexValue::Reference { resource_type, id } if resource_type == owner => Id::parse(&id),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::compartments_of;
    use crate::fhir::ResourceType;
    use crate::fhir::json::Document;

    #[test]
    fn each_parameter_of_the_definition_makes_a_member() {
        let json = r#"{"resourceType":"Observation","subject":{"reference":"Patient/a"},"performer":[{"reference":"Patient/b"},
            {"reference":"Practitioner/c"}],"focus":[{"reference":"Patient/d"}],"encounter":{"reference":"Encounter/e"}}"#;
        let document = Document::parse(json.as_bytes()).unwrap();
        let of = |owner| -> Vec<String> {
            let owners = compartments_of(document.root(), ResourceType::Observation, owner, "");
            owners.iter().map(ToString::to_string).collect()
        };
        assert_eq!(of(ResourceType::Patient), ["a", "b"]);
        assert_eq!(of(ResourceType::Practitioner), ["c"]);
        assert_eq!(of(ResourceType::Encounter), ["e"]);
        assert!(of(ResourceType::Device).is_empty() && of(ResourceType::Organization).is_empty());
    }
}
