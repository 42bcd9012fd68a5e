//! CapabilityStatement (<https://hl7.org/fhir/R4/capabilitystatement.html>) of a server.

use crate::bare;
use crate::object::{Object, json};
use fhir_sdk::r4b::codes::ResourceType;
use fhir_sdk::r4b::resources::{
    CapabilityStatementRestResource, CapabilityStatementRestResourceInteraction, CapabilityStatementRestResourceSearchParam,
    CapabilityStatementRestSecurity,
};
use fhir_sdk::r4b::types::{Extension, ExtensionValue};

/// What a server can do. Filled from the tables that route and search, so that it cannot claim what is not there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Capability {
    /// Name of the software.
    pub software: String,
    /// Version of the software.
    pub version: String,
    /// What this installation is, in a sentence.
    pub description: String,
    /// The FHIR base URL.
    pub base: String,
    /// When this statement was made, an R4 `dateTime`.
    pub date: String,
    /// Mime types of content.
    pub formats: Vec<String>,
    /// Mime types of patches.
    pub patch_formats: Vec<String>,
    /// Canonical URLs of the implementation guides that are followed.
    pub implementation_guides: Vec<String>,
    /// How access is secured.
    pub security: Security,
    /// The resource types, in order.
    pub resources: Vec<Served>,
    /// Interactions on the whole system: `transaction`, `batch`, `search-system`, `history-system`.
    pub interactions: Vec<String>,
    /// Parameters of the search over all types.
    pub parameters: Vec<Parameter>,
    /// Canonical URLs of the compartments that can be searched.
    pub compartments: Vec<String>,
}

/// How access is secured.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Security {
    /// Cross-origin requests are answered.
    pub cors: bool,
    /// Tokens are SMART access tokens.
    pub smart: bool,
    /// For people.
    pub description: String,
    /// The OAuth endpoints that exist: `token`, `authorize`, `register`, `introspect`, `revoke`, `manage`, each with its URL.
    pub endpoints: Vec<(String, String)>,
}

/// What can be done with one resource type. Empty text is absent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "R4 has an element for each")]
pub struct Served {
    /// The type, by its R4 name.
    pub resource_type: String,
    /// Canonical URLs of profiles that are known for it.
    pub supported_profiles: Vec<String>,
    /// `read`, `vread`, `update`, ...
    pub interactions: Vec<String>,
    /// `no-version`, `versioned` or `versioned-update`.
    pub versioning: String,
    /// Past versions can be read.
    pub read_history: bool,
    /// An update may create.
    pub update_create: bool,
    /// `If-None-Exist`
    pub conditional_create: bool,
    /// `not-supported`, `modified-since`, `not-match` or `full-support`.
    pub conditional_read: String,
    /// `PUT Type?...`
    pub conditional_update: bool,
    /// `not-supported`, `single` or `multiple`.
    pub conditional_delete: String,
    /// Values of `_include`.
    pub includes: Vec<String>,
    /// Values of `_revinclude`.
    pub reverse_includes: Vec<String>,
    /// Search parameters.
    pub parameters: Vec<Parameter>,
    /// Operations: name and canonical URL of the definition.
    pub operations: Vec<(String, String)>,
}

/// A search parameter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parameter {
    /// Its name in the URL.
    pub name: String,
    /// Canonical URL of its definition; empty for none.
    pub definition: String,
    /// `token`, `string`, `reference`, ...; one that R4 does not know is left out of the statement.
    pub kind: String,
}

const OAUTH_URIS: &str = "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris";
const SECURITY_SERVICE: &str = "http://terminology.hl7.org/CodeSystem/restful-security-service";
const FHIR_VERSION: &str = "4.0.1";

/// The CapabilityStatement that tells exactly this.
pub fn capability_statement(capability: &Capability) -> String {
    let mut document = Object::resource("CapabilityStatement");
    document.member("status", "active");
    document.member("date", &capability.date);
    document.member("kind", "instance");
    let mut software = bare::software(capability.software.clone());
    software.version = text(&capability.version);
    document.member("software", &software);
    let mut implementation = bare::implementation(capability.description.clone());
    implementation.url = text(&capability.base);
    document.member("implementation", &implementation);
    document.member("fhirVersion", FHIR_VERSION);
    document.array("format", &capability.formats);
    document.array("patchFormat", &capability.patch_formats);
    document.array("implementationGuide", &capability.implementation_guides);
    document.raw("rest", &format!("[{}]", rest(capability)));
    document.finish()
}

fn rest(capability: &Capability) -> String {
    let mut rest = Object::new();
    rest.member("mode", "server");
    rest.member("security", &security(&capability.security));
    if !capability.resources.is_empty() {
        let served: Vec<String> = capability.resources.iter().map(served).collect();
        rest.raw("resource", &format!("[{}]", served.join(",")));
    }
    rest.array("interaction", &interactions(&capability.interactions));
    rest.array("searchParam", &parameters(&capability.parameters));
    rest.array("compartment", &capability.compartments);
    rest.finish()
}

fn security(security: &Security) -> CapabilityStatementRestSecurity {
    let mut typed = bare::security();
    typed.cors = Some(security.cors);
    typed.description = text(&security.description);
    if security.smart {
        let mut coding = bare::coding();
        coding.system = Some(SECURITY_SERVICE.to_owned());
        coding.code = Some("SMART-on-FHIR".to_owned());
        let mut service = bare::concept();
        service.coding = vec![Some(coding)];
        typed.service = vec![Some(service)];
    }
    if !security.endpoints.is_empty() {
        let endpoints = security.endpoints.iter().map(|(name, url)| endpoint(name, url)).collect();
        typed.extension = vec![bare::extension(OAUTH_URIS.to_owned(), endpoints, None)];
    }
    typed
}

fn endpoint(name: &str, url: &str) -> Extension {
    bare::extension(name.to_owned(), Vec::new(), Some(ExtensionValue::Uri(url.to_owned())))
}

/// The entry of a type as JSON, its operations at the end.
fn served(served: &Served) -> String {
    let text = named(served);
    let Some(open) = text.strip_suffix('}').filter(|_| !served.operations.is_empty()) else { return text };
    let operations: Vec<String> = served.operations.iter().map(|(name, definition)| operation(name, definition)).collect();
    format!("{open},\"operation\":[{}]}}", operations.join(","))
}

fn operation(name: &str, definition: &str) -> String {
    let mut object = Object::new();
    object.member("name", name);
    object.member("definition", definition);
    object.finish()
}

/// The entry without its operations. R4B lacks some types of R4 (the medicinal products, for one): their name is put in afterwards.
fn named(served: &Served) -> String {
    if let Ok(known) = served.resource_type.parse() {
        return json(&typed(served, known));
    }
    let stand_in = json(&typed(served, ResourceType::Basic));
    let name = format!("\"type\":{}", json(&served.resource_type));
    stand_in.replacen("\"type\":\"Basic\"", &name, 1)
}

fn typed(served: &Served, resource_type: ResourceType) -> CapabilityStatementRestResource {
    let mut typed = bare::served(resource_type);
    typed.supported_profile = some(&served.supported_profiles);
    typed.interaction = interactions(&served.interactions);
    typed.versioning = served.versioning.parse().ok();
    typed.read_history = Some(served.read_history);
    typed.update_create = Some(served.update_create);
    typed.conditional_create = Some(served.conditional_create);
    typed.conditional_read = served.conditional_read.parse().ok();
    typed.conditional_update = Some(served.conditional_update);
    typed.conditional_delete = served.conditional_delete.parse().ok();
    typed.search_include = some(&served.includes);
    typed.search_rev_include = some(&served.reverse_includes);
    typed.search_param = parameters(&served.parameters);
    typed
}

fn interactions(codes: &[String]) -> Vec<Option<CapabilityStatementRestResourceInteraction>> {
    codes.iter().map(|code| Some(bare::interaction(code.clone()))).collect()
}

fn parameters(parameters: &[Parameter]) -> Vec<Option<CapabilityStatementRestResourceSearchParam>> {
    let typed = |parameter: &Parameter| {
        let mut typed = bare::parameter(parameter.name.clone(), parameter.kind.parse().ok()?);
        typed.definition = text(&parameter.definition);
        Some(Some(typed))
    };
    parameters.iter().filter_map(typed).collect()
}

fn text(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

fn some(texts: &[String]) -> Vec<Option<String>> {
    texts.iter().cloned().map(Some).collect()
}

#[cfg(test)]
mod tests {
    use super::{Capability, Parameter, Security, Served, capability_statement};
    use serde_json::{Value, json};

    fn statement(capability: &Capability) -> Value {
        serde_json::from_str(&capability_statement(capability)).unwrap()
    }

    #[test]
    fn an_empty_server_claims_nothing() {
        let document = statement(&Capability::default());
        assert_eq!(document["rest"], json!([{"mode": "server", "security": {"cors": false}}]));
        assert_eq!(document["fhirVersion"], "4.0.1");
    }

    #[test]
    fn a_type_tells_what_the_tables_say() {
        let served = Served {
            resource_type: "Observation".into(),
            interactions: vec!["read".into(), "search-type".into()],
            versioning: "versioned-update".into(),
            conditional_read: "full-support".into(),
            conditional_delete: "single".into(),
            includes: vec!["Observation:subject".into()],
            parameters: vec![
                Parameter { name: "code".into(), definition: "http://x/code".into(), kind: "token".into() },
                Parameter { name: "odd".into(), definition: String::new(), kind: "no-such-type".into() },
            ],
            operations: vec![("stats".into(), "http://x/stats".into())],
            ..Served::default()
        };
        let document = statement(&Capability { resources: vec![served], ..Capability::default() });
        let expected = json!({"type": "Observation", "interaction": [{"code": "read"}, {"code": "search-type"}],
            "versioning": "versioned-update", "readHistory": false, "updateCreate": false, "conditionalCreate": false,
            "conditionalRead": "full-support", "conditionalUpdate": false, "conditionalDelete": "single",
            "searchInclude": ["Observation:subject"],
            "searchParam": [{"name": "code", "definition": "http://x/code", "type": "token"}],
            "operation": [{"name": "stats", "definition": "http://x/stats"}]});
        assert_eq!(document["rest"][0]["resource"], json!([expected]));
    }

    #[test]
    fn types_that_r4b_dropped_keep_their_name() {
        let served = |name: &str| Served { resource_type: name.into(), interactions: vec!["read".into()], ..Served::default() };
        let resources = vec![served("Basic"), served("EffectEvidenceSynthesis"), served("MedicinalProduct")];
        let document = statement(&Capability { resources, ..Capability::default() });
        let names: Vec<_> = (0..3).map(|at| document["rest"][0]["resource"][at]["type"].clone()).collect();
        assert_eq!(names, ["Basic", "EffectEvidenceSynthesis", "MedicinalProduct"]);
    }

    #[test]
    fn security_names_only_the_endpoints_that_exist() {
        let endpoints = vec![("token".to_owned(), "https://x/token".to_owned())];
        let security = Security { cors: true, smart: true, description: String::new(), endpoints };
        let document = statement(&Capability { security, ..Capability::default() });
        let told = &document["rest"][0]["security"];
        let expected = json!([{"url": super::OAUTH_URIS, "extension": [{"url": "token", "valueUri": "https://x/token"}]}]);
        assert_eq!(told["extension"], expected);
        assert_eq!(told["service"][0]["coding"][0]["code"], "SMART-on-FHIR");
    }
}
