//! Why a record may be shown or not, for those who are entitled to know (`consent` § 13).

use crate::fhir::{Key, Problem};
use serde::Serialize;

/// The whole decision on one record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Trace {
    /// `Type/id`
    pub record: String,
    /// Whether every patient of it permits.
    pub permitted: bool,
    /// The version of the labelling rules behind its labels.
    pub ruleset: i64,
    /// Its confidentiality.
    pub confidentiality: &'static str,
    /// What each patient of it says; none for a record without a patient, which is outside consent.
    pub patients: Vec<PatientTrace>,
}

/// What one patient says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PatientTrace {
    /// `Patient/id`
    pub patient: String,
    /// Whether for every purpose.
    pub permitted: bool,
    /// For each purpose of use.
    pub purposes: Vec<PurposeTrace>,
}

/// What holds for one purpose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PurposeTrace {
    /// The purpose; `None` when the caller has none.
    pub purpose: Option<String>,
    /// Whether it may be shown for it.
    pub permitted: bool,
    /// What decided.
    pub ground: Ground,
    /// Whether a break-glass grant was there.
    pub grant: bool,
    /// Every consent of the patient.
    pub consents: Vec<ConsentTrace>,
}

/// What decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ground {
    /// A provision, or the base of a consent without one, denies.
    ExplicitDeny,
    /// A provision, or the base of a consent without one, permits.
    ExplicitPermit,
    /// A consent shuts out what it does not name.
    ImplicitDeny,
    /// The base of a consent permits what no provision names.
    BasePermit,
    /// No consent says anything: the policy of the site.
    ImplicitPolicy,
    /// A break-glass grant.
    Grant,
    /// It is the patient who asks.
    Own,
    /// The record is labelled as not for the patient.
    HiddenFromPatient,
    /// The record is labelled as not for those who stand for the patient.
    HiddenFromProxies,
    /// The law, whatever anybody consents to.
    Legal,
    /// The site does not let the caller's role hold it.
    Ceiling,
}

/// How strongly a consent speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// A rule denies.
    ExplicitDeny,
    /// A rule permits.
    ExplicitPermit,
    /// Nothing said about this record, and what is said shuts the rest out.
    ImplicitDeny,
    /// Nothing said, on a base that permits.
    BasePermit,
}

/// What one consent says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConsentTrace {
    /// `Consent/id`
    pub consent: String,
    /// Whether it applies and no other stands in its place.
    pub in_force: bool,
    /// Why it has no say, when it has none.
    pub apart: Option<&'static str>,
    /// How strongly it speaks; `None` when it says nothing of this record.
    pub verdict: Option<Verdict>,
    /// The provision that decided, such as `provision.provision[1]`.
    pub path: Option<String>,
    /// Provisions that did not match, each with the elements that did not.
    pub failed: Vec<Failed>,
    /// Why it cannot be enforced as written, and therefore denies.
    pub faults: Vec<String>,
}

/// A provision that did not match.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failed {
    /// Where it stands.
    pub path: String,
    /// Which elements did not match.
    pub criteria: Vec<&'static str>,
}

impl ConsentTrace {
    pub(super) fn of(key: &Key, faults: &[Problem]) -> Self {
        let told = |problem: &Problem| format!("{}: {}", problem.expression.as_deref().unwrap_or("Consent"), problem.text);
        Self {
            consent: key.to_string(),
            in_force: false,
            apart: None,
            verdict: None,
            path: None,
            failed: Vec::new(),
            faults: faults.iter().map(told).collect(),
        }
    }
}
