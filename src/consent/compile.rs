//! From a Consent resource to [`Compiled`]. What is not understood is never skipped: it makes the consent deny.

use super::codes;
use super::compiled::{Compiled, Standing};
use super::name::Name;
use super::requester::Actions;
use super::rule::{Actor, Criteria, Effect, ListedActions, Rule};
use super::span::Span;
use crate::fhir::json::{Document, Element, Kind};
use crate::fhir::{Id, Instant, Problem, ResourceType};
use std::collections::BTreeSet;

/// Provisions may nest this deep.
const MAX_LEVELS: usize = 8;

/// Elements of a provision that decide by the content of a record.
const BEYOND: [&str; 5] = ["securityLabel", "class", "code", "dataPeriod", "data"];

/// Reads a Consent. References to the own server by absolute URL are not known as such: see [`compile_at`].
pub fn compile(document: &Document) -> Compiled {
    compile_at(document, "")
}

/// Reads a Consent of a server with this base URL (no slash at the end), which is stripped from references.
pub fn compile_at(document: &Document, base: &str) -> Compiled {
    Reading { base, faults: Vec::new(), notes: Vec::new(), boundaries: Vec::new() }.consent(document.root()).0
}

/// Reads a Consent, and what there is to say about it to its author beside what makes it unenforceable.
pub(super) fn compile_with_notes(document: &Document, base: &str) -> (Compiled, Vec<Problem>) {
    Reading { base, faults: Vec::new(), notes: Vec::new(), boundaries: Vec::new() }.consent(document.root())
}

struct Reading<'b> {
    base: &'b str,
    faults: Vec<Problem>,
    notes: Vec<Problem>,
    boundaries: Vec<Instant>,
}

impl Reading<'_> {
    fn consent(mut self, root: Element<'_>) -> (Compiled, Vec<Problem>) {
        let (privacy, scope_certain) = privacy(root);
        let (patient, patient_certain) = self.patient(root);
        let rule = self.root_rule(root);
        self.foreign_rules(root);
        let organizations: Vec<Vec<Name>> = root
            .get("organization")
            .into_iter()
            .flat_map(Element::flattened)
            .map(|one| Name::of_element(one, self.base))
            .collect();
        let uris = policy_uris(root);
        let base = policy_rule(root);
        let refuses =
            ["Policy-deny", "Policy-break-glass-only"].iter().any(|name| uris.contains(&format!("{}{name}", codes::PCF)));
        if rule.is_none() && base.is_none() && !refuses {
            self.note("Consent", "This consent has no provision, no known policyRule and no known policy: it decides nothing.");
        }
        let standing = self.standing(root, privacy);
        let dated = self.dated(root);
        let compiled = Compiled {
            standing,
            patient,
            may_permit: scope_certain && patient_certain,
            verified: root.get("verification").into_iter().flat_map(Element::flattened).any(is_verified),
            dated,
            family: family(root, &uris, &organizations).into(),
            organizations,
            base,
            refuses,
            period: rule.as_ref().and_then(|rule| rule.criteria.period),
            rule,
            boundaries: self.boundaries.into(),
            faults: self.faults.into(),
        };
        (compiled, self.notes)
    }

    fn standing(&mut self, root: Element<'_>, privacy: bool) -> Standing {
        let status = root.text_at("status");
        match status.as_deref() {
            _ if !privacy => Standing::Void,
            Some("active") => Standing::Active,
            Some("inactive") => Standing::Inactive,
            Some("draft" | "proposed" | "rejected" | "entered-in-error") => Standing::Void,
            _ => {
                self.fault("Consent.status", "The status is missing or unknown.");
                Standing::Active
            }
        }
    }

    /// The patient, and whether it is certain. A URL whose base is not known may mean the patient here: it can deny, not permit.
    fn patient(&mut self, root: Element<'_>) -> (Option<Id>, bool) {
        let reference = root.get("patient").and_then(|patient| patient.text_at("reference"));
        let found = match reference.as_deref().map(|text| Name::of_reference(text, self.base)) {
            Some(Name::Local(key)) if key.resource_type == ResourceType::Patient => (Some(key.id), true),
            Some(Name::Elsewhere(url)) => (patient_in(&url), false),
            _ => (None, false),
        };
        match found {
            (None, _) => self.note(
                "Consent.patient",
                "The patient is not named by a reference to a record here: this consent decides nothing.",
            ),
            (Some(_), false) => self.note(
                "Consent.patient",
                "The patient is named by a URL of an unknown server: this consent can deny, not permit.",
            ),
            _ => {}
        }
        found
    }

    fn dated(&mut self, root: Element<'_>) -> Option<Instant> {
        let Some(written) = root.get("dateTime") else {
            self.note("Consent.dateTime", "Without dateTime this consent neither supersedes another nor is superseded.");
            return None;
        };
        let read = written.as_str().and_then(|text| Span::of(&text));
        if read.is_none() {
            self.fault("Consent.dateTime", "This is no FHIR dateTime.");
        }
        read.map(|span| span.low)
    }

    fn foreign_rules(&mut self, root: Element<'_>) {
        if root.get("implicitRules").is_some() {
            self.fault("Consent.implicitRules", "Rules that are not in the consent itself are not understood.");
        }
        if root.members().any(|(name, value)| name != "contained" && (name == "modifierExtension" || has_modifier(value))) {
            self.fault("Consent.modifierExtension", "No modifier extension is understood here.");
        }
    }

    fn root_rule(&mut self, root: Element<'_>) -> Option<Rule> {
        let provision = root.get("provision")?;
        if provision.kind() == Kind::Object {
            return Some(self.rule(provision, &Criteria::default(), "Consent.provision", 1));
        }
        self.fault("Consent.provision", "The root provision is one object.");
        None
    }

    fn rule(&mut self, provision: Element<'_>, inherited: &Criteria, path: &str, level: usize) -> Rule {
        let effect = match provision.get("type").map(|one| one.as_str().unwrap_or_default()).as_deref() {
            Some("permit") => Some(Effect::Permit),
            Some("deny") => Some(Effect::Deny),
            Some(_) => {
                self.fault(&format!("{path}.type"), "A provision permits or denies; this is neither.");
                None
            }
            None => {
                self.note(path, "A provision without type denies and never grants.");
                None
            }
        };
        for name in BEYOND.into_iter().filter(|name| provision.get(name).is_some()) {
            self.fault(&format!("{path}.{name}"), "This element is not enforced yet, so the whole consent denies.");
        }
        let criteria = self.criteria(provision, inherited, path);
        let nested = provision.get("provision").into_iter().flat_map(Element::flattened);
        if level == MAX_LEVELS && nested.clone().next().is_some() {
            self.fault(&format!("{path}.provision"), "Provisions nest at most 8 levels deep.");
            return Rule { effect, criteria, exceptions: Vec::new() };
        }
        let exceptions = nested
            .enumerate()
            .map(|(at, one)| self.rule(one, &criteria, &format!("{path}.provision[{at}]"), level + 1))
            .collect();
        Rule { effect, criteria, exceptions }
    }

    /// Element by element: what the provision states, else what it inherits.
    fn criteria(&mut self, provision: Element<'_>, inherited: &Criteria, path: &str) -> Criteria {
        let repeated = |name: &str| provision.get(name).map(Element::flattened);
        Criteria {
            period: provision.get("period").map_or(inherited.period, |period| self.period(period, path)),
            actors: repeated("actor")
                .map(|actors| actors.map(|one| actor(one, self.base)).collect())
                .or_else(|| inherited.actors.clone()),
            actions: repeated("action").map(|listed| actions(listed.map(codes_of))).or(inherited.actions),
            purposes: repeated("purpose")
                .map(|purposes| purposes.map(|one| self.purpose(one, path)).collect())
                .or_else(|| inherited.purposes.clone()),
        }
    }

    fn period(&mut self, period: Element<'_>, path: &str) -> Option<Span> {
        let read = (period.kind() == Kind::Object).then(|| Span::of_period(period)).flatten();
        match read {
            Some(span) => self.boundaries.extend([span.low, span.high]),
            None => self.fault(&format!("{path}.period"), "The period cannot be read."),
        }
        read
    }

    fn purpose(&mut self, coding: Element<'_>, path: &str) -> String {
        let (system, code) = (coding.text_at("system").unwrap_or_default(), coding.text_at("code").unwrap_or_default());
        let purpose = codes::purpose_key(&system, &code);
        if !purpose.contains('|') && !codes::is_purpose(&purpose) {
            self.note(&format!("{path}.purpose"), "No such purpose in v3-ActReason: it matches every denial and no permission.");
        }
        purpose
    }

    fn fault(&mut self, path: &str, text: &str) {
        self.faults.push(Problem::at("not-supported", path, text));
    }

    fn note(&mut self, path: &str, text: &str) {
        self.notes.push(Problem::at("business-rule", path, text));
    }
}

/// The codings of a `CodeableConcept` or a Coding, as canonical system (empty when there is none) and code.
fn codes_of(concept: Element<'_>) -> Vec<(String, String)> {
    let part = |coding: Element<'_>, name: &str| coding.text_at(name).unwrap_or_default().into_owned();
    let codings = concept.get("coding").map_or_else(|| concept.flattened(), Element::flattened);
    codings.map(|coding| (codes::canonical(&part(coding, "system")).to_owned(), part(coding, "code"))).collect()
}

/// Is it about privacy, and is that certain? A code without a system says so too, but not enough to permit anything.
fn privacy(root: Element<'_>) -> (bool, bool) {
    let codings: Vec<_> = root.get("scope").map(codes_of).unwrap_or_default();
    let named = |system: &str| codings.iter().any(|(named, code)| named == system && code == "patient-privacy");
    (named(codes::SCOPE) || named(""), named(codes::SCOPE))
}

/// What the codes of `policyRule` say; a denial among them wins, and a permission needs its system.
fn policy_rule(root: Element<'_>) -> Option<Effect> {
    let codings = root.get("policyRule").map(codes_of).unwrap_or_default();
    let says = |effect: Effect, systems: &[&str]| {
        codings.iter().any(|(system, code)| systems.contains(&system.as_str()) && codes::base(code) == Some(effect))
    };
    if says(Effect::Deny, &[codes::ACT_CODE, ""]) {
        return Some(Effect::Deny);
    }
    says(Effect::Permit, &[codes::ACT_CODE]).then_some(Effect::Permit)
}

fn policy_uris(root: Element<'_>) -> BTreeSet<String> {
    let policies = root.get("policy").into_iter().flat_map(Element::flattened);
    policies.filter_map(|policy| policy.text_at("uri").map(std::borrow::Cow::into_owned)).collect()
}

/// The policy's identity (its URIs, or else the codes of `policyRule`) with the organizations.
fn family(root: Element<'_>, uris: &BTreeSet<String>, organizations: &[Vec<Name>]) -> String {
    let rules: BTreeSet<_> = root.get("policyRule").map(codes_of).unwrap_or_default().into_iter().collect();
    let organizations: BTreeSet<_> = organizations.iter().collect();
    if uris.is_empty() { format!("{rules:?} {organizations:?}") } else { format!("{uris:?} {organizations:?}") }
}

fn is_verified(verification: Element<'_>) -> bool {
    verification.get("verified").and_then(Element::as_bool) == Some(true)
}

fn has_modifier(value: Element<'_>) -> bool {
    value.members().any(|(name, inner)| name == "modifierExtension" || has_modifier(inner)) || value.items().any(has_modifier)
}

fn patient_in(url: &str) -> Option<Id> {
    let unversioned = url.split_once("/_history/").map_or(url, |(url, _)| url);
    let (rest, id) = unversioned.rsplit_once('/')?;
    rest.ends_with("/Patient").then(|| Id::parse(id)).flatten()
}

fn actor(element: Element<'_>, base: &str) -> Actor {
    let roles = element.get("role").map(codes_of).unwrap_or_default();
    let custodian = roles.iter().any(|(system, code)| system == codes::PARTICIPATION && code == "CST");
    let names = element.get("reference").map_or_else(|| vec![Name::Unreadable], |one| Name::of_element(one, base));
    Actor { custodian, names }
}

/// Each concept is one alternative; one that none of its codings makes known is unknown.
fn actions(listed: impl Iterator<Item = Vec<(String, String)>>) -> ListedActions {
    let mut all = ListedActions { known: Actions::NONE, expanded: Actions::NONE, any_unknown: false };
    for concept in listed {
        let known = concept.iter().filter(|(system, _)| system == codes::ACTION).find_map(|(_, code)| Actions::parse(code));
        match known {
            Some(action) => {
                all.known = all.known.with(action);
                all.expanded = all.expanded.with(action.expanded());
            }
            None => all.any_unknown = true,
        }
    }
    all
}
