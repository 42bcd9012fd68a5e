//! Consents on their way to the policy: the one use of record content that is neither release nor forward.

use super::record::open;
use super::{Row, Sealed};
use crate::consent::{self, Compiled};
use crate::fhir::{Key, Problem, Refusal, ResourceType, Version};

/// A current Consent, compiled.
///
/// # Errors
/// [`Refusal::Internal`] when stored content is damaged.
pub fn consent_of(row: &Row, site: &consent::Site) -> Result<Compiled, Refusal> {
    row.content.as_ref().ok_or(Refusal::Internal).and_then(|content| compiled(content, site))
}

/// Content of a Consent, compiled.
///
/// # Errors
/// [`Refusal::Internal`] when stored content is damaged.
pub fn compiled(content: &Sealed, site: &consent::Site) -> Result<Compiled, Refusal> {
    open(content).map(|document| consent::compile(&document, site))
}

/// A change of the directory of consents: `None` removes.
pub type ConsentChange = (Key, Version, Option<Compiled>);

/// The consent changes among what was stored.
///
/// # Errors
/// [`Refusal::Internal`] when stored content is damaged.
pub fn consent_changes(stored: &[super::Stored], site: &consent::Site) -> Result<Vec<ConsentChange>, Refusal> {
    let consents = stored.iter().filter(|one| one.key.resource_type == ResourceType::Consent);
    consents
        .map(|one| Ok((one.key.clone(), one.version, one.content.as_ref().map(|content| compiled(content, site)).transpose()?)))
        .collect()
}

/// What speaks against storing a Consent, and what its author should know. Empty for other types.
///
/// # Errors
/// [`Refusal::Unprocessable`] naming the element.
pub fn consent_problems(body: &super::Draft, filing: &consent::Filing<'_>) -> Result<Vec<Problem>, Refusal> {
    if body.resource_type() != ResourceType::Consent {
        return Ok(Vec::new());
    }
    let findings = consent::problems_on_write(body.document(), filing);
    if findings.refuse.is_empty() { Ok(findings.warn) } else { Err(Refusal::Unprocessable(findings.refuse)) }
}
