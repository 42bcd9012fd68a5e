//! Consents on their way to the policy: the one use of record content that is neither release nor forward.

use super::record::open;
use super::{Row, Sealed};
use crate::consent::{self, Compiled};
use crate::fhir::json::Element;
use crate::fhir::{Key, Problem, Refusal, ResourceType, Version};
use std::hash::{DefaultHasher, Hasher as _};

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

/// Takes what a record says about who belongs to whom over into the memberships; `None` for a deletion. Nothing to take of other types.
///
/// # Errors
/// [`Refusal::Internal`] when stored content is damaged.
pub fn take_membership(
    memberships: &mut consent::Memberships,
    (key, version): (&Key, Version),
    content: Option<&Sealed>,
    site: &consent::Site,
) -> Result<(), Refusal> {
    if consent::Memberships::TYPES.contains(&key.resource_type) {
        let document = content.map(open).transpose()?;
        memberships.put(key, version, document.as_ref(), site);
    }
    Ok(())
}

/// By what a record that decisions are made with is known again: other content, another print.
pub fn print_of(row: &Row) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(row.content.as_ref().map_or(&[], Sealed::bytes));
    hasher.finish()
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

/// What a rule says of somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// It permits, or may be read as permitting.
    Permit,
    /// It denies.
    Deny,
}

/// Does some rule of this Consent say this of one of these records by name? Custodians are no recipients.
pub fn says_of(body: &super::Draft, said: Said, names: &[Key], base: &str) -> bool {
    body.document().root().get("provision").is_some_and(|rule| rule_says(rule, said, names, base))
}

fn rule_says(rule: Element<'_>, said: Said, names: &[Key], base: &str) -> bool {
    let denies = rule.text_at("type").is_some_and(|word| word == "deny");
    let fits = denies == (said == Said::Deny);
    let meant = || items(rule, "actor").any(|actor| !is_custodian(actor) && is_named(actor, names, base));
    (fits && meant()) || items(rule, "provision").any(|inner| rule_says(inner, said, names, base))
}

fn is_custodian(actor: Element<'_>) -> bool {
    let codings = actor.get("role").into_iter().flat_map(|role| items(role, "coding"));
    codings.filter_map(|coding| coding.text_at("code")).any(|code| code == "CST")
}

fn is_named(actor: Element<'_>, names: &[Key], base: &str) -> bool {
    let reference = actor.get("reference").and_then(|reference| reference.text_at("reference"));
    let key = reference.and_then(|text| {
        let own = text.strip_prefix(base).map_or(&*text, |rest| rest.trim_start_matches('/'));
        Key::parse(own.split_once("/_history/").map_or(own, |(key, _)| key))
    });
    key.is_some_and(|key| names.contains(&key))
}

fn items<'d>(at: Element<'d>, name: &str) -> impl Iterator<Item = Element<'d>> {
    at.get(name).into_iter().flat_map(Element::flattened)
}

/// Was this Consent in force in one of these versions?
///
/// # Errors
/// [`Refusal::Internal`] when stored content is damaged.
pub fn was_in_force(versions: &[Row]) -> Result<bool, Refusal> {
    for content in versions.iter().filter_map(|row| row.content.as_ref()) {
        let status = open(content)?.root().text_at("status").map(std::borrow::Cow::into_owned);
        if matches!(status.as_deref(), Some("active" | "inactive")) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// New content of a Consent, compiled.
pub fn compiled_draft(body: &super::Draft, site: &consent::Site) -> Compiled {
    consent::compile(body.document(), site)
}

impl super::Draft {
    /// Is the status `active`?
    pub fn is_active(&self) -> bool {
        self.document().root().text_at("status").as_deref() == Some("active")
    }
}
