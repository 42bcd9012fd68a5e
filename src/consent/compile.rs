//! From a Consent resource to [`Compiled`]. What is not understood is never skipped: it makes the consent deny.

use super::codes;
use super::compiled::{Compiled, Refused, Status};
use super::criteria::{action, actions, actor, class, codes_of, concept, datum, label, labels};
use super::name::Name;
use super::program::Own;
use super::rule::{Class, Criteria, Effect, Rule};
use super::site::Site;
use super::span::Span;
use crate::fhir::json::{Document, Element, Kind};
use crate::fhir::{Id, Instant, Key, Problem, ResourceType};
use std::collections::BTreeSet;

/// Provisions may nest this deep.
const MAX_LEVELS: usize = 8;

/// Reads a Consent as this site understands it.
pub fn compile(document: &Document, site: &Site) -> Compiled {
    read(document, site).compiled
}

/// Reads a Consent, and what there is to say about it to its author.
pub(super) fn read(document: &Document, site: &Site) -> Read {
    let mut reading = Reading::at(site);
    let compiled = reading.consent(document.root());
    Read { compiled, unknown: reading.unknown, remarks: reading.remarks, named: reading.named }
}

/// The criteria of something that is like a provision, by itself.
///
/// # Errors
/// What cannot be read.
pub(super) fn criteria_alone(provision: Element<'_>, site: &Site) -> Result<Criteria, String> {
    let mut reading = Reading::at(site);
    let criteria = reading.criteria(provision, &Criteria::default(), "residual");
    reading.faults.first().map_or(Ok(criteria), |fault| Err(fault.expression.clone().unwrap_or_default()))
}

/// A Consent that was read.
pub(super) struct Read {
    pub(super) compiled: Compiled,
    /// What it says that nobody here understands; it is enforced all the same, at the strictest.
    pub(super) unknown: Vec<Problem>,
    /// What its author may not have meant.
    pub(super) remarks: Vec<Problem>,
    /// Records that actors name, each with its place.
    pub(super) named: Vec<(String, Key)>,
}

struct Reading<'s> {
    site: &'s Site,
    faults: Vec<Problem>,
    unknown: Vec<Problem>,
    remarks: Vec<Problem>,
    named: Vec<(String, Key)>,
    boundaries: Vec<Instant>,
}

impl<'s> Reading<'s> {
    fn at(site: &'s Site) -> Self {
        Self { site, faults: Vec::new(), unknown: Vec::new(), remarks: Vec::new(), named: Vec::new(), boundaries: Vec::new() }
    }

    fn consent(&mut self, root: Element<'_>) -> Compiled {
        let (privacy, scope_certain) = privacy(root);
        let (patient, patient_certain) = self.patient(root);
        let rule = self.root_rule(root);
        self.foreign_rules(root);
        let organizations: Vec<Vec<Name>> =
            each(root, "organization").map(|one| Name::of_element(one, &self.site.base)).collect();
        let uris = policy_uris(root);
        let base = policy_rule(root);
        let names_policy = |name: &str| uris.contains(&format!("{}{name}", codes::PCF));
        let policy = match (names_policy("Policy-deny"), names_policy("Policy-break-glass-only")) {
            (true, _) => Some(Refused::Always),
            (false, true) => Some(Refused::ButInEmergencies),
            (false, false) => None,
        };
        if rule.is_none() && base.is_none() && policy.is_none() {
            let text = "This consent has no provision, no known policyRule and no known policy: it decides nothing.";
            self.unknown("Consent", text);
        }
        Compiled {
            status: self.status(root, privacy),
            patient,
            may_permit: scope_certain && patient_certain,
            verified: each(root, "verification").any(is_verified),
            dated: self.dated(root),
            family: family(root, &uris, &organizations).into(),
            organizations,
            base,
            policy,
            period: rule.as_ref().and_then(|rule| rule.criteria.period),
            rule,
            boundaries: std::mem::take(&mut self.boundaries).into(),
            faults: std::mem::take(&mut self.faults).into(),
        }
    }

    fn status(&mut self, root: Element<'_>, privacy: bool) -> Status {
        match root.text_at("status").as_deref() {
            _ if !privacy => Status::Void,
            Some("active") => Status::Active,
            Some("inactive") => Status::Inactive,
            Some("draft" | "proposed" | "rejected" | "entered-in-error") => Status::Void,
            _ => {
                self.fault("Consent.status", "The status is missing or unknown.");
                Status::Active
            }
        }
    }

    /// The patient, and whether it is certain. A URL whose base is not known may mean the patient here: it can deny, not permit.
    fn patient(&mut self, root: Element<'_>) -> (Option<Id>, bool) {
        let reference = root.get("patient").and_then(|patient| patient.text_at("reference"));
        let found = match reference.as_deref().map(|text| Name::of_reference(text, &self.site.base)) {
            Some(Name::Local(key)) if key.resource_type == ResourceType::Patient => (Some(key.id), true),
            Some(Name::Elsewhere(url)) => {
                (key_in(&url).filter(|key| key.resource_type == ResourceType::Patient).map(|key| key.id), false)
            }
            _ => (None, false),
        };
        match found {
            (None, _) => self.unknown("Consent.patient", "The patient must be named by a reference to a record here."),
            (Some(_), false) => self.remark(
                "Consent.patient",
                "The patient is named by a URL of an unknown server: this consent can deny, not permit.",
            ),
            _ => {}
        }
        found
    }

    fn dated(&mut self, root: Element<'_>) -> Option<Instant> {
        let Some(written) = root.get("dateTime") else {
            self.unknown("Consent.dateTime", "Without dateTime this consent neither supersedes another nor is superseded.");
            return None;
        };
        let read = written.as_str().and_then(|text| Span::of(&text, self.site.zone()));
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
                self.remark(path, "A provision without type will deny and never grant.");
                None
            }
        };
        let criteria = self.criteria(provision, inherited, path);
        if effect != Some(Effect::Permit) {
            self.empty_concepts(&criteria, path);
        }
        let nested = each(provision, "provision");
        let exceptions = if level == MAX_LEVELS && nested.clone().next().is_some() {
            self.fault(&format!("{path}.provision"), "Provisions nest at most 8 levels deep.");
            Vec::new()
        } else {
            let below = nested.enumerate();
            below.map(|(at, one)| self.rule(one, &criteria, &format!("{path}.provision[{at}]"), level + 1)).collect()
        };
        Rule { effect, own: Own::of(&criteria), criteria, exceptions }
    }

    /// Element by element: what the provision states, else what it inherits.
    fn criteria(&mut self, provision: Element<'_>, inherited: &Criteria, path: &str) -> Criteria {
        let site = self.site;
        Criteria {
            period: provision.get("period").map_or(inherited.period, |one| self.period(one, path)),
            actors: self
                .listed(provision, "actor", path, |element, reading, at| {
                    let actor = actor(element, &site.base);
                    let local = actor.names.iter().filter_map(|name| if let Name::Local(key) = name { Some(key) } else { None });
                    reading.named.extend(local.map(|key| (format!("{at}.reference"), key.clone())));
                    actor
                })
                .or_else(|| inherited.actors.clone()),
            actions: self
                .listed(provision, "action", path, |element, reading, at| {
                    reading.known(action(element), at, "No such action in consentaction.")
                })
                .map(|all| actions(&all))
                .or_else(|| inherited.actions.clone()),
            purposes: self
                .listed(provision, "purpose", path, |element, reading, at| reading.purpose(element, at))
                .or_else(|| inherited.purposes.clone()),
            labels: self
                .listed(provision, "securityLabel", path, |element, reading, at| {
                    reading.known(label(element, site), at, "No such confidentiality or sensitivity is known here.")
                })
                .map(|all| labels(&all, site))
                .or_else(|| inherited.labels.clone()),
            classes: self
                .listed(provision, "class", path, |element, reading, at| {
                    let class = class(element);
                    let known = (class != Class::Unknown).then_some(());
                    reading.known(known, at, "No such type, or a system that does not class records here.");
                    class
                })
                .or_else(|| inherited.classes.clone()),
            codes: self.listed(provision, "code", path, |element, _, _| concept(element)).or_else(|| inherited.codes.clone()),
            data_period: provision.get("dataPeriod").map_or(inherited.data_period, |one| self.data_period(one, path)),
            records: self
                .listed(provision, "data", path, |element, reading, at| {
                    let datum = datum(element, &site.base);
                    if datum.is_none() {
                        reading.fault(&format!("{at}.meaning"), "How the record is meant is missing or unknown.");
                    }
                    datum
                })
                .map(|all| all.into_iter().flatten().collect())
                .or_else(|| inherited.records.clone()),
        }
    }

    /// Every item of a repeating element, read; `None` when the element is absent. One without items cannot be evaluated.
    fn listed<T>(
        &mut self,
        provision: Element<'_>,
        name: &str,
        path: &str,
        mut one: impl FnMut(Element<'_>, &mut Self, &str) -> T,
    ) -> Option<Vec<T>> {
        let found = provision.get(name)?;
        let all: Vec<T> =
            found.flattened().enumerate().map(|(at, item)| one(item, self, &format!("{path}.{name}[{at}]"))).collect();
        if all.is_empty() {
            self.fault(&format!("{path}.{name}"), "The element is empty.");
        }
        Some(all)
    }

    fn period(&mut self, period: Element<'_>, path: &str) -> Option<Span> {
        let read = self.span(period, &format!("{path}.period"));
        self.boundaries.extend(read.into_iter().flat_map(|span| [span.low, span.high]));
        read
    }

    fn data_period(&mut self, period: Element<'_>, path: &str) -> Option<Span> {
        self.span(period, &format!("{path}.dataPeriod"))
    }

    fn span(&mut self, period: Element<'_>, path: &str) -> Option<Span> {
        let read = (period.kind() == Kind::Object).then(|| Span::of_period(period, self.site.zone())).flatten();
        if read.is_none() {
            self.fault(path, "The period cannot be read.");
        }
        read
    }

    fn purpose(&mut self, coding: Element<'_>, path: &str) -> String {
        let (system, code) = (coding.text_at("system").unwrap_or_default(), coding.text_at("code").unwrap_or_default());
        let purpose = codes::purpose_key(&system, &code);
        let known = self.site.knows_purpose(&purpose).then_some(());
        self.known(known, path, "No such purpose of use in v3-ActReason, nor one of this site.");
        purpose
    }

    /// A concept without a coding matches everything that a denial is about.
    fn empty_concepts(&mut self, criteria: &Criteria, path: &str) {
        let empty = |concept: &super::rule::Concept| concept.0.iter().all(|(_, code)| code.is_empty());
        if criteria.codes.iter().flatten().any(empty) {
            self.unknown(&format!("{path}.code"), "A code without coding cannot be compared: it denies everything.");
        }
    }

    fn known<T>(&mut self, read: Option<T>, path: &str, text: &str) -> Option<T> {
        if read.is_none() {
            self.unknown(path, text);
        }
        read
    }

    fn fault(&mut self, path: &str, text: &str) {
        self.faults.push(Problem::at("not-supported", path, text));
    }

    fn unknown(&mut self, path: &str, text: &str) {
        self.unknown.push(Problem::at("value", path, text));
    }

    fn remark(&mut self, path: &str, text: &str) {
        self.remarks.push(Problem::at("business-rule", path, text));
    }
}

fn each<'d>(element: Element<'d>, name: &str) -> impl Iterator<Item = Element<'d>> + Clone {
    element.get(name).into_iter().flat_map(Element::flattened)
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
    each(root, "policy").filter_map(|policy| policy.text_at("uri").map(std::borrow::Cow::into_owned)).collect()
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

/// The address of a record at the end of a URL of another server.
pub(super) fn key_in(url: &str) -> Option<Key> {
    let unversioned = url.split_once("/_history/").map_or(url, |(url, _)| url);
    let (rest, id) = unversioned.rsplit_once('/')?;
    Some(Key::new(ResourceType::parse(rest.rsplit('/').next()?)?, Id::parse(id)?))
}
