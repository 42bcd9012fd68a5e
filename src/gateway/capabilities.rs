//! The CapabilityStatement, generated from the tables that route and search, so that it cannot claim what is not there.

use crate::fhir::definitions::search_parameters;
use crate::fhir::search::{CustomParameters, ParameterType, SearchParameter};
use crate::fhir::{Called, Instant, OPERATIONS, ResourceType, methods};
use crate::store::Served as Behind;
use amanat_documents::{Capability, Parameter, Security, Served, capability_statement};

const COMPARTMENTS: [&str; 5] = ["device", "encounter", "patient", "practitioner", "relatedPerson"];

/// The statement for a FHIR base.
pub(super) fn statement(
    base: &str,
    endpoints: Vec<(String, String)>,
    now: Instant,
    known: &CustomParameters,
    behind: Option<&Behind>,
) -> String {
    let mut statement = Capability {
        software: "Amanat".to_owned(),
        // Nobody learns from it which mistakes are mended.
        version: concat!(env!("CARGO_PKG_VERSION_MAJOR"), ".", env!("CARGO_PKG_VERSION_MINOR")).to_owned(),
        description: "FHIR R4 gateway: scopes, consent and trail on every path".to_owned(),
        base: base.to_owned(),
        date: now.to_string(),
        formats: words(&["application/fhir+json", "json"]),
        patch_formats: words(&["application/json-patch+json"]),
        implementation_guides: Vec::new(),
        security: Security {
            cors: true,
            smart: true,
            description:
                "OAuth 2.0 bearer tokens with SMART scopes; clients authenticate at the token endpoint with a signed assertion"
                    .to_owned(),
            endpoints,
        },
        resources: ResourceType::ALL.iter().map(|&resource_type| served(resource_type, known)).collect(),
        interactions: words(&["transaction", "batch", "search-system", "history-system"]),
        parameters: common(),
        compartments: COMPARTMENTS.iter().map(|name| format!("http://hl7.org/fhir/CompartmentDefinition/{name}")).collect(),
    };
    if let Some(behind) = behind {
        reduced(&mut statement, behind);
    }
    capability_statement(&statement)
}

/// Only what the server behind can do too. The trail is the gateway's own.
fn reduced(statement: &mut Capability, behind: &Behind) {
    statement.resources.retain_mut(|served| {
        let Some(of) = ResourceType::parse(&served.resource_type).filter(|of| *of != ResourceType::AuditEvent) else {
            return true;
        };
        let Some(can) = behind.types.get(&of) else { return false };
        let creates = can.creates_by_update;
        served.interactions.retain(|code| match code.as_str() {
            "create" => creates,
            // A patch is read, applied here, and put.
            "patch" => can.interactions.contains("update"),
            code => can.interactions.contains(code),
        });
        served.parameters.retain(|parameter| parameter.name.starts_with('_') || can.parameters.contains(&parameter.name));
        served.update_create &= creates;
        served.conditional_create &= creates;
        served.conditional_update &= can.interactions.contains("update");
        if !can.interactions.contains("delete") {
            "not-supported".clone_into(&mut served.conditional_delete);
        }
        served.read_history &= can.interactions.contains("vread");
        if !can.versions {
            "no-version".clone_into(&mut served.versioning);
        }
        true
    });
    if !behind.transactions {
        statement.interactions.retain(|code| code != "transaction");
    }
}

fn served(resource_type: ResourceType, known: &CustomParameters) -> Served {
    let parameters: Vec<&SearchParameter> = known.of(resource_type).collect();
    let references = |of: ResourceType| known.of(of).filter(|parameter| parameter.parameter_type == ParameterType::Reference);
    let reverse = ResourceType::ALL.iter().flat_map(|&other| {
        references(other)
            .filter(move |parameter| parameter.targets.contains(&resource_type))
            .map(move |parameter| format!("{other}:{}", parameter.code))
    });
    let changes = methods(resource_type.name()).contains("PUT");
    let mut interactions = words(&["read", "vread", "history-instance", "history-type", "search-type", "create"]);
    if changes {
        interactions.extend(words(&["update", "patch", "delete"]));
    }
    Served {
        resource_type: resource_type.name().to_owned(),
        supported_profiles: Vec::new(),
        interactions,
        versioning: if changes { "versioned-update" } else { "versioned" }.to_owned(),
        read_history: true,
        update_create: changes,
        conditional_create: true,
        conditional_read: "full-support".to_owned(),
        conditional_update: changes,
        conditional_delete: if changes { "single" } else { "not-supported" }.to_owned(),
        includes: references(resource_type).map(|parameter| format!("{resource_type}:{}", parameter.code)).collect(),
        reverse_includes: reverse.collect(),
        parameters: parameters.into_iter().map(told).collect(),
        operations: operations(resource_type),
    }
}

/// The operations that are called on a type or on a record of it.
fn operations(resource_type: ResourceType) -> Vec<(String, String)> {
    let here = [Called::OnType(resource_type), Called::OnInstance(resource_type)];
    let rows = OPERATIONS.iter().filter(|row| here.contains(&row.called));
    rows.map(|row| (row.name.to_owned(), row.definition.to_owned())).collect()
}

/// The parameters that every type has.
fn common() -> Vec<Parameter> {
    let all = search_parameters(ResourceType::Basic).filter(|parameter| parameter.code.starts_with('_'));
    let filter = Parameter {
        name: "_filter".to_owned(),
        definition: "http://hl7.org/fhir/SearchParameter/filter".to_owned(),
        kind: "special".to_owned(),
    };
    all.map(told).chain([filter]).collect()
}

fn told(parameter: &SearchParameter) -> Parameter {
    // R4 calls them strings, though they are searched in a way of their own.
    let words = matches!(parameter.code.as_str(), "_text" | "_content");
    let kind = if words { "string" } else { kind(parameter.parameter_type) };
    Parameter { name: parameter.code.clone(), definition: parameter.url.clone(), kind: kind.to_owned() }
}

fn words(list: &[&str]) -> Vec<String> {
    list.iter().map(|&word| word.to_owned()).collect()
}

const fn kind(parameter_type: ParameterType) -> &'static str {
    match parameter_type {
        ParameterType::Token => "token",
        ParameterType::String => "string",
        ParameterType::Reference => "reference",
        ParameterType::Date => "date",
        ParameterType::Number => "number",
        ParameterType::Quantity => "quantity",
        ParameterType::Uri => "uri",
        ParameterType::Composite => "composite",
        ParameterType::Special => "special",
    }
}
