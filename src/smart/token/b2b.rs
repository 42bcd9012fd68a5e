//! For whom and why a program acts, as it says in its assertion (`extensions.hl7-b2b`, HL7 UDAP Security § 5.2.1.1).

use super::denied::Denied;
use crate::fhir::json::{Element, Kind};
use crate::identity::{Claims, Jws, normalised_purpose};
use crate::smart::client::Client;
use crate::smart::profile::Profile;

/// What it says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct B2b {
    /// The organization that it acts for.
    pub(super) organization: Option<String>,
    /// For which purposes: the token serves no other.
    pub(super) purposes: Option<Vec<String>>,
    /// The role of the person for whom it acts.
    pub(super) roles: Vec<String>,
}

/// The name of the extension.
const NAME: &str = "hl7-b2b";

/// Reads it out of an assertion that has been verified. A UDAP client must say it; others may.
pub(super) fn read(client: &Client, assertion: Option<&str>) -> Result<B2b, Denied> {
    let wrong = |text| Denied::grant("b2b", text);
    let missing = "The assertion needs `extensions.hl7-b2b` with `version` \"1\", `organization_id` and `purpose_of_use`.";
    let jws = assertion.and_then(|assertion| Jws::parse(assertion).ok());
    let claims = jws.and_then(|jws| Claims::parse(&jws.payload).ok());
    let told = claims.as_ref().and_then(|claims| claims.get("extensions")?.get(NAME));
    let Some(told) = told else {
        return if client.profile == Profile::Udap { Err(wrong(missing)) } else { Ok(B2b::default()) };
    };
    let text = |name: &str| told.text_at(name).filter(|text| !text.is_empty()).map(std::borrow::Cow::into_owned);
    if told.kind() != Kind::Object || text("version").as_deref() != Some("1") {
        return Err(wrong(missing));
    }
    let organization = text("organization_id").ok_or_else(|| wrong(missing))?;
    if told.get("consent_reference").is_some() && told.get("consent_policy").is_none() {
        return Err(wrong("`consent_reference` needs `consent_policy` beside it."));
    }
    // Who stands in no community acts for the organization that it is registered for, and for no other.
    let foreign = client.organization.as_ref().map_or(client.profile != Profile::Udap, |registered| *registered != organization);
    if foreign {
        return Err(wrong("`organization_id` is not the organization that this client is registered for."));
    }
    let purposes = purposes(told).ok_or_else(|| wrong("`purpose_of_use` must hold codes of v3-PurposeOfUse, at least one."))?;
    if !client.purposes.is_empty() && !purposes.iter().all(|purpose| client.purposes.contains(purpose)) {
        return Err(wrong("`purpose_of_use` names a purpose that this client is not registered for."));
    }
    let roles = told.get("subject_role").and_then(coded).into_iter().collect();
    Ok(B2b { organization: Some(organization), purposes: Some(purposes), roles })
}

fn purposes(told: Element<'_>) -> Option<Vec<String>> {
    let stated: Option<Vec<String>> =
        told.get("purpose_of_use")?.flattened().map(|one| normalised_purpose(&coded(one)?)).collect();
    stated.filter(|stated| !stated.is_empty())
}

/// A text, or a coding as `system|code`.
fn coded(value: Element<'_>) -> Option<String> {
    if value.kind() != Kind::Object {
        return value.as_str().map(std::borrow::Cow::into_owned);
    }
    let code = value.text_at("code")?;
    Some(value.text_at("system").map_or_else(|| code.to_string(), |system| format!("{system}|{code}")))
}
