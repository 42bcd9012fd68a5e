//! The empty form of each FHIR type that the documents are made of, with what R4 requires as arguments.
//!
//! Written out in full, because the alternative (the builders of the model) makes every build of the model dearer and turns
//! a forgotten element into an error at run time; here it is one at compile time.

use fhir_sdk::r4b::codes::{IssueSeverity, IssueType, ResourceType, SearchParamType};
use fhir_sdk::r4b::resources::{
    AuditEventAgent, AuditEventAgentNetwork, AuditEventEntity, AuditEventSource, CapabilityStatementImplementation,
    CapabilityStatementRestResource, CapabilityStatementRestResourceInteraction, CapabilityStatementRestResourceSearchParam,
    CapabilityStatementRestSecurity, CapabilityStatementSoftware, OperationOutcomeIssue,
};
use fhir_sdk::r4b::types::{
    CodeableConcept, CodeableConceptInner, Coding, CodingInner, Extension, ExtensionInner, ExtensionValue, Identifier,
    IdentifierInner, Reference, ReferenceInner,
};

/// A coding.
pub(crate) fn coding() -> Coding {
    Coding(Box::new(CodingInner {
        id: None,
        extension: Vec::new(),
        system: None,
        system_ext: None,
        version: None,
        version_ext: None,
        code: None,
        code_ext: None,
        display: None,
        display_ext: None,
        user_selected: None,
        user_selected_ext: None,
    }))
}

/// A concept.
pub(crate) fn concept() -> CodeableConcept {
    CodeableConcept(Box::new(CodeableConceptInner {
        id: None,
        extension: Vec::new(),
        coding: Vec::new(),
        coding_ext: Vec::new(),
        text: None,
        text_ext: None,
    }))
}

/// An identifier.
pub(crate) fn identifier() -> Identifier {
    Identifier(Box::new(IdentifierInner {
        id: None,
        extension: Vec::new(),
        r#use: None,
        use_ext: None,
        r#type: None,
        type_ext: None,
        system: None,
        system_ext: None,
        value: None,
        value_ext: None,
        period: None,
        period_ext: None,
        assigner: None,
        assigner_ext: None,
    }))
}

/// A reference.
pub(crate) fn reference() -> Reference {
    Reference(Box::new(ReferenceInner {
        id: None,
        extension: Vec::new(),
        reference: None,
        reference_ext: None,
        r#type: None,
        type_ext: None,
        identifier: None,
        identifier_ext: None,
        display: None,
        display_ext: None,
    }))
}

/// An extension.
pub(crate) fn extension(url: String, extension: Vec<Extension>, value: Option<ExtensionValue>) -> Extension {
    Extension(Box::new(ExtensionInner { id: None, extension, url, value, value_ext: None }))
}

/// An agent.
pub(crate) fn agent(requestor: bool) -> AuditEventAgent {
    AuditEventAgent {
        id: None,
        extension: Vec::new(),
        modifier_extension: Vec::new(),
        r#type: None,
        type_ext: None,
        role: Vec::new(),
        role_ext: Vec::new(),
        who: None,
        who_ext: None,
        alt_id: None,
        alt_id_ext: None,
        name: None,
        name_ext: None,
        requestor,
        requestor_ext: None,
        location: None,
        location_ext: None,
        policy: Vec::new(),
        policy_ext: Vec::new(),
        media: None,
        media_ext: None,
        network: None,
        network_ext: None,
        purpose_of_use: Vec::new(),
        purpose_of_use_ext: Vec::new(),
    }
}

/// An address.
pub(crate) fn network() -> AuditEventAgentNetwork {
    AuditEventAgentNetwork {
        id: None,
        extension: Vec::new(),
        modifier_extension: Vec::new(),
        address: None,
        address_ext: None,
        r#type: None,
        type_ext: None,
    }
}

/// A source.
pub(crate) fn source(observer: Reference) -> AuditEventSource {
    AuditEventSource {
        id: None,
        extension: Vec::new(),
        modifier_extension: Vec::new(),
        site: None,
        site_ext: None,
        observer,
        observer_ext: None,
        r#type: Vec::new(),
        type_ext: Vec::new(),
    }
}

/// An entity.
pub(crate) fn entity() -> AuditEventEntity {
    AuditEventEntity {
        id: None,
        extension: Vec::new(),
        modifier_extension: Vec::new(),
        what: None,
        what_ext: None,
        r#type: None,
        type_ext: None,
        role: None,
        role_ext: None,
        lifecycle: None,
        lifecycle_ext: None,
        security_label: Vec::new(),
        security_label_ext: Vec::new(),
        name: None,
        name_ext: None,
        description: None,
        description_ext: None,
        query: None,
        query_ext: None,
        detail: Vec::new(),
        detail_ext: Vec::new(),
    }
}

/// An issue.
pub(crate) fn issue(severity: IssueSeverity, code: IssueType) -> OperationOutcomeIssue {
    OperationOutcomeIssue {
        id: None,
        extension: Vec::new(),
        modifier_extension: Vec::new(),
        severity,
        severity_ext: None,
        code,
        code_ext: None,
        details: None,
        details_ext: None,
        diagnostics: None,
        diagnostics_ext: None,
        location: Vec::new(),
        location_ext: Vec::new(),
        expression: Vec::new(),
        expression_ext: Vec::new(),
    }
}

/// How access is secured.
pub(crate) fn security() -> CapabilityStatementRestSecurity {
    CapabilityStatementRestSecurity {
        id: None,
        extension: Vec::new(),
        modifier_extension: Vec::new(),
        cors: None,
        cors_ext: None,
        service: Vec::new(),
        service_ext: Vec::new(),
        description: None,
        description_ext: None,
    }
}

/// A resource type that is served.
pub(crate) fn served(kind: ResourceType) -> CapabilityStatementRestResource {
    CapabilityStatementRestResource {
        id: None,
        extension: Vec::new(),
        modifier_extension: Vec::new(),
        r#type: kind,
        type_ext: None,
        profile: None,
        profile_ext: None,
        supported_profile: Vec::new(),
        supported_profile_ext: Vec::new(),
        documentation: None,
        documentation_ext: None,
        interaction: Vec::new(),
        interaction_ext: Vec::new(),
        versioning: None,
        versioning_ext: None,
        read_history: None,
        read_history_ext: None,
        update_create: None,
        update_create_ext: None,
        conditional_create: None,
        conditional_create_ext: None,
        conditional_read: None,
        conditional_read_ext: None,
        conditional_update: None,
        conditional_update_ext: None,
        conditional_delete: None,
        conditional_delete_ext: None,
        reference_policy: Vec::new(),
        reference_policy_ext: Vec::new(),
        search_include: Vec::new(),
        search_include_ext: Vec::new(),
        search_rev_include: Vec::new(),
        search_rev_include_ext: Vec::new(),
        search_param: Vec::new(),
        search_param_ext: Vec::new(),
        operation: Vec::new(),
        operation_ext: Vec::new(),
    }
}

/// An interaction on a type.
pub(crate) fn interaction(code: String) -> CapabilityStatementRestResourceInteraction {
    CapabilityStatementRestResourceInteraction {
        id: None,
        extension: Vec::new(),
        modifier_extension: Vec::new(),
        code,
        code_ext: None,
        documentation: None,
        documentation_ext: None,
    }
}

/// A search parameter.
pub(crate) fn parameter(name: String, kind: SearchParamType) -> CapabilityStatementRestResourceSearchParam {
    CapabilityStatementRestResourceSearchParam {
        id: None,
        extension: Vec::new(),
        modifier_extension: Vec::new(),
        name,
        name_ext: None,
        definition: None,
        definition_ext: None,
        r#type: kind,
        type_ext: None,
        documentation: None,
        documentation_ext: None,
    }
}

/// The software.
pub(crate) fn software(name: String) -> CapabilityStatementSoftware {
    CapabilityStatementSoftware {
        id: None,
        extension: Vec::new(),
        modifier_extension: Vec::new(),
        name,
        name_ext: None,
        version: None,
        version_ext: None,
        release_date: None,
        release_date_ext: None,
    }
}

/// The installation.
pub(crate) fn implementation(description: String) -> CapabilityStatementImplementation {
    CapabilityStatementImplementation {
        id: None,
        extension: Vec::new(),
        modifier_extension: Vec::new(),
        description,
        description_ext: None,
        url: None,
        url_ext: None,
        custodian: None,
        custodian_ext: None,
    }
}
