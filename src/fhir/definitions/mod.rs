//! The R4 definition tables, loaded once from `fhir-profiles`.

use super::ResourceType;
use super::search::SearchParameter;

/// The names of the parameters by which a record of type `member` belongs to the compartment of a record of type `owner`.
pub fn compartment_parameters(_owner: ResourceType, _member: ResourceType) -> &'static [String] {
    &[]
}

/// The parameter of this name for a type, common ones included.
pub fn search_parameter(_resource_type: ResourceType, _code: &str) -> Option<&'static SearchParameter> {
    None
}
