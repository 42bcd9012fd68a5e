//! Search parameters that a site defines beside those of R4 (<https://hl7.org/fhir/R4/searchparameter.html>).

use super::parameter::SearchParameter;
use crate::fhir::ResourceType;
use crate::fhir::definitions::{Defined, Definition, definitions, search_parameter};

/// The parameters that a site defined, as they stand at one moment.
///
/// A definition lives as long as the process: queries and index rows refer to it without keeping count.
#[derive(Debug, Clone, Default)]
pub struct CustomParameters {
    all: Vec<Custom>,
}

/// One of them, for one type.
#[derive(Debug, Clone, Copy)]
pub struct Custom {
    pub(crate) definition: &'static Definition,
    /// Every record has its values in the index: it can be searched by.
    pub indexed: bool,
}

impl Custom {
    /// A definition, which stays as long as the process.
    pub fn new(defined: Defined, indexed: bool) -> Self {
        Self { definition: Box::leak(Box::new(defined.0)), indexed }
    }

    /// The same, now in the index for every record.
    #[must_use]
    pub fn ready(self) -> Self {
        Self { indexed: true, ..self }
    }

    /// What it is.
    pub fn parameter(&self) -> &'static SearchParameter {
        &self.definition.parameter
    }
}

/// No parameters but those of R4.
pub static STANDARD: CustomParameters = CustomParameters { all: Vec::new() };

impl CustomParameters {
    /// These.
    pub fn new(all: Vec<Custom>) -> Self {
        Self { all }
    }

    /// All, whether they can be searched by or not.
    pub fn all(&self) -> &[Custom] {
        &self.all
    }

    /// The parameter of this name for a type: R4's, or one that the site defined and that can be searched by.
    pub fn find(&self, resource_type: ResourceType, code: &str) -> Option<&'static SearchParameter> {
        search_parameter(resource_type, code).or_else(|| self.own(resource_type).find(|one| one.code == code))
    }

    /// Every parameter of a type that can be searched by: R4's, then those of the site.
    pub fn of(&self, resource_type: ResourceType) -> impl Iterator<Item = &'static SearchParameter> {
        definitions(resource_type).iter().map(|one| &one.parameter).chain(self.own(resource_type))
    }

    fn own(&self, resource_type: ResourceType) -> impl Iterator<Item = &'static SearchParameter> {
        let ready = self.all.iter().filter(|one| one.indexed).map(Custom::parameter);
        ready.filter(move |one| one.resource_type == resource_type)
    }

    /// Those whose values a record of the type has in the index, or is to have.
    pub(crate) fn extracted(&self, resource_type: ResourceType) -> impl Iterator<Item = &'static Definition> {
        self.all.iter().map(|one| one.definition).filter(move |one| one.parameter.resource_type == resource_type)
    }
}
