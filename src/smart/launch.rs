//! The context in which an app is used (SMART App Launch 2.2, "Launch context"), and a launch from an EHR.

use super::state::{Kind, Stored};
use crate::fhir::{Id, Instant, ResourceType};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// Where the colours of the gateway's own pages are told; other colours have another number.
pub const STYLE_PATH: &str = "/assets/smart-style-1.json";

/// How long a launch handle holds, in seconds.
pub const LAUNCH_LIFE: i64 = 300;

/// What an app is told beside its token.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Context {
    /// The patient.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patient: Option<String>,
    /// The encounter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encounter: Option<String>,
    /// Further records: objects with `reference`, `canonical` or `identifier`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fhir_context: Vec<Value>,
    /// What the user is about to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intent: Option<String>,
    /// Must the app show who the patient is? Told for launches from an EHR.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub need_patient_banner: Option<bool>,
    /// Where the colours of the EHR are told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub smart_style_url: Option<String>,
    /// An opaque name of the site.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
}

impl Context {
    /// The patient, as an id.
    pub fn patient(&self) -> Option<Id> {
        self.patient.as_deref().and_then(Id::parse)
    }

    /// The encounter, as an id.
    pub fn encounter(&self) -> Option<Id> {
        self.encounter.as_deref().and_then(Id::parse)
    }

    /// The members of a token response.
    pub fn members(&self) -> Map<String, Value> {
        let mut members = Map::new();
        let mut put = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                members.insert(name.to_owned(), value);
            }
        };
        put("patient", self.patient.as_ref().map(|id| json!(id)));
        put("encounter", self.encounter.as_ref().map(|id| json!(id)));
        put("fhirContext", (!self.fhir_context.is_empty()).then(|| json!(self.fhir_context)));
        put("intent", self.intent.as_ref().map(|intent| json!(intent)));
        put("need_patient_banner", self.need_patient_banner.map(|needed| json!(needed)));
        put("smart_style_url", self.smart_style_url.as_ref().map(|url| json!(url)));
        put("tenant", self.tenant.as_ref().map(|tenant| json!(tenant)));
        members
    }
}

/// A launch from an EHR: what the handle in the app's launch URL stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Launch {
    /// For which app.
    pub client: String,
    /// By whom; they must be the one who signs in.
    pub username: String,
    /// The session that it was begun in, by its name.
    pub session: String,
    /// What the app is told.
    pub context: Context,
    /// When it ends, in milliseconds.
    pub ends: i64,
    /// The authorization request that used it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used: Option<String>,
}

impl Stored for Launch {
    const KIND: Kind = Kind::Launch;

    fn owner(&self) -> &str {
        &self.session
    }

    fn expires(&self) -> Instant {
        Instant(self.ends)
    }
}

/// What is wrong with an entry of `fhirContext` (SMART App Launch 2.2, "fhirContext"); `None` when nothing is.
pub fn context_fault(entry: &Value) -> Option<&'static str> {
    let Some(entry) = entry.as_object() else { return Some("must be an object") };
    let text = |name: &str| entry.get(name).and_then(Value::as_str);
    let reference = text("reference");
    let canonical = text("canonical");
    let identifier = entry.get("identifier").filter(|value| value.is_object());
    if reference.is_none() && canonical.is_none() && identifier.is_none() {
        return Some("needs one of `reference`, `canonical` and `identifier`");
    }
    if reference.is_some_and(|reference| crate::fhir::Key::parse(reference).is_none()) {
        return Some("`reference` must be relative, as `Type/id`");
    }
    if canonical.is_some_and(|canonical| !canonical.starts_with("http")) {
        return Some("`canonical` must be an absolute URL");
    }
    let role = text("role");
    if entry.contains_key("role") && !role.is_some_and(|role| role == "launch" || role.contains(':')) {
        return Some("`role` must be `launch` or an absolute URI");
    }
    let told = text("type").or_else(|| reference.and_then(|reference| reference.split('/').next()));
    if entry.contains_key("type") && text("type").and_then(ResourceType::parse).is_none() {
        return Some("`type` must be a resource type");
    }
    let own_place = told.is_some_and(|of| matches!(of, "Patient" | "Encounter"));
    (own_place && role.is_none_or(|role| role == "launch"))
        .then_some("the patient and the encounter of a launch have parameters of their own; others need a `role`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn l7_entries_of_fhir_context_are_held_to_the_guide() {
        for good in [
            json!({"reference": "ImagingStudy/1"}),
            json!({"canonical": "http://a/Questionnaire/q", "type": "Questionnaire"}),
            json!({"identifier": {"value": "1"}, "type": "ServiceRequest", "role": "https://a/role"}),
            json!({"reference": "Patient/2", "role": "https://a/sibling"}),
        ] {
            assert_eq!(context_fault(&good), None, "{good}");
        }
        for bad in [
            json!("ImagingStudy/1"),
            json!({}),
            json!({"reference": "https://a/ImagingStudy/1"}),
            json!({"canonical": "Questionnaire/q"}),
            json!({"reference": "Patient/2"}),
            json!({"reference": "Encounter/2", "role": "launch"}),
            json!({"reference": "Basic/1", "role": ""}),
            json!({"reference": "Basic/1", "type": "Nonsense"}),
        ] {
            assert!(context_fault(&bad).is_some(), "{bad}");
        }
    }

    #[test]
    fn a_context_tells_only_what_there_is_and_the_banner_as_a_boolean() {
        let context = Context { patient: Some("p1".to_owned()), need_patient_banner: Some(false), ..Context::default() };
        assert_eq!(Value::Object(context.members()), json!({"patient": "p1", "need_patient_banner": false}));
    }
}
