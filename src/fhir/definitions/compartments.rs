//! The compartments of R4, from `fhir-profiles/r4/compartments.json`: which parameters make a record a member.

use super::DefinitionError;
use crate::fhir::ResourceType;
use std::collections::HashMap;
use std::sync::LazyLock;

const SOURCE: &str = include_str!("../../../fhir-profiles/r4/compartments.json");

/// Owner to members, each with the names of the parameters that make it one.
type Table = HashMap<ResourceType, Vec<(ResourceType, Vec<String>)>>;

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    read(SOURCE).unwrap_or_else(|error| {
        tracing::error!(%error, "the embedded table of compartments cannot be read");
        Table::new()
    })
});

/// The names of the parameters by which a record of type `member` belongs to the compartment of a record of type `owner`.
/// Empty when records of the type are never members, and when `owner` has no compartment. That the owner belongs to its own
/// compartment goes without saying.
pub fn compartment_parameters(owner: ResourceType, member: ResourceType) -> &'static [String] {
    let members = compartment_members(owner);
    let at = members.binary_search_by_key(&member, |(resource_type, _)| *resource_type).ok();
    at.and_then(|at| members.get(at)).map_or(&[], |(_, codes)| codes.as_slice())
}

/// The types whose records can be members of the compartment of a record of type `owner`, with the names of the parameters.
pub fn compartment_members(owner: ResourceType) -> &'static [(ResourceType, Vec<String>)] {
    TABLE.get(&owner).map_or(&[], Vec::as_slice)
}

fn read(source: &str) -> Result<Table, DefinitionError> {
    let file: HashMap<&str, HashMap<&str, Vec<String>>> =
        serde_json::from_str(source).map_err(|error| DefinitionError(error.to_string()))?;
    let type_of = |name: &str| ResourceType::parse(name).ok_or_else(|| DefinitionError(format!("`{name}` is no resource type")));
    let mut table = Table::new();
    for (owner, members) in file {
        let mut list = Vec::with_capacity(members.len());
        for (member, codes) in members {
            list.push((type_of(member)?, codes));
        }
        list.sort_unstable_by_key(|(member, _)| *member);
        table.insert(type_of(owner)?, list);
    }
    Ok(table)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fhir::definitions::search_parameter;
    use crate::fhir::search::ParameterType;

    #[test]
    fn the_five_compartments_of_r4_are_there() {
        let table = read(SOURCE).unwrap();
        assert_eq!(table.len(), 5);
        assert_eq!(compartment_members(ResourceType::Patient).len(), 66);
        assert_eq!(compartment_parameters(ResourceType::Patient, ResourceType::Observation), ["subject", "performer"]);
        assert!(compartment_parameters(ResourceType::Patient, ResourceType::Medication).is_empty());
        assert!(compartment_members(ResourceType::Organization).is_empty());
    }

    #[test]
    fn every_parameter_of_a_compartment_is_a_reference_that_can_be_searched() {
        for (owner, members) in TABLE.iter() {
            for (member, codes) in members {
                for code in codes {
                    let parameter = search_parameter(*member, code).unwrap_or_else(|| panic!("{owner} {member} {code}"));
                    assert_eq!(parameter.parameter_type, ParameterType::Reference, "{owner} {member} {code}");
                }
            }
        }
    }
}
