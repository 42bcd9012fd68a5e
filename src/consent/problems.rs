//! What to say to the author of a Consent (`consent` § 12).

use super::compile::{Read, read};
use super::compiled::Status;
use super::directory::Directory;
use super::requester::is_membership;
use super::rule::{Effect, Rule};
use super::site::Site;
use super::span::Span;
use crate::fhir::json::{Document, Element};
use crate::fhir::{Instant, Key, Problem};

/// Clocks may differ by this much.
const SKEW_SECONDS: i64 = 300;
/// A date without time is already tomorrow's where the sun rises first.
const EARLIEST_ZONE_SECONDS: i64 = 14 * 3600;

/// Where a Consent is filed.
#[derive(Clone, Copy)]
pub struct Filing<'f> {
    /// The site.
    pub site: &'f Site,
    /// Whether the members of this Group, `CareTeam`, `PractitionerRole` or `HealthcareService` are known.
    pub resolves: &'f dyn Fn(&Key) -> bool,
    /// The consents on file.
    pub directory: &'f Directory,
    /// The moment.
    pub now: Instant,
}

/// What is wrong with a Consent that is to be written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings {
    /// It must not be stored.
    pub refuse: Vec<Problem>,
    /// It may be stored; its author should know.
    pub warn: Vec<Problem>,
}

/// Looks at a Consent before it is stored. One that is to be in force must be understood to the last element; one that is not (a
/// draft, a revoked one, one entered in error, one that is not about privacy) may say what it likes, else nobody could withdraw what
/// came in another way.
pub fn problems_on_write(document: &Document, filing: &Filing<'_>) -> Findings {
    let Read { compiled, unknown, mut remarks, named } = read(document, filing.site);
    let mut wrong: Vec<Problem> = compiled.faults().iter().cloned().chain(unknown).collect();
    wrong.extend(named.iter().filter(|(_, key)| is_membership(key.resource_type) && !(filing.resolves)(key)).map(
        |(path, key)| {
            let text = format!("{key} is not on file with its members: nobody can tell who belongs to it.");
            Problem::at("not-found", path.as_str(), text)
        },
    ));
    if let Some(rule) = &compiled.rule {
        nested_outside(rule, "Consent.provision", compiled.period, &mut remarks);
    }
    if compiled.status == Status::Active && compiled.base == Some(Effect::Permit) && older_refusal(&compiled, filing.directory) {
        let text = "An older refusal under another policyRule stays in force beside this: set that one to inactive.";
        remarks.push(Problem::at("business-rule", "Consent.policyRule", text));
    }
    let early = compiled.status != Status::Void && given_early(document, filing);
    let mut findings = match compiled.status {
        Status::Active => Findings { refuse: wrong, warn: remarks },
        Status::Inactive | Status::Void => Findings { refuse: Vec::new(), warn: wrong.into_iter().chain(remarks).collect() },
    };
    if early {
        findings.refuse.push(Problem::at("business-rule", "Consent.dateTime", "A consent cannot be given in the future."));
    }
    findings
}

/// It would supersede what comes until then.
fn given_early(document: &Document, filing: &Filing<'_>) -> bool {
    let written = document.root().get("dateTime").and_then(Element::as_str);
    let given = written.as_deref().and_then(|text| Span::of(text, filing.site.zone()).map(|span| (text, span)));
    given.is_some_and(|(text, span)| span.low > filing.now.plus_seconds(tolerance(text)))
}

fn tolerance(text: &str) -> i64 {
    if text.contains('T') { SKEW_SECONDS } else { EARLIEST_ZONE_SECONDS + SKEW_SECONDS }
}

fn nested_outside(rule: &Rule, path: &str, root: Option<Span>, remarks: &mut Vec<Problem>) {
    for (at, exception) in rule.exceptions.iter().enumerate() {
        let path = format!("{path}.provision[{at}]");
        let outside = root.zip(exception.criteria.period).is_some_and(|(root, own)| own.low < root.low || own.high > root.high);
        if outside {
            remarks.push(Problem::at(
                "business-rule",
                format!("{path}.period"),
                "The period of the whole consent bounds this one.",
            ));
        }
        nested_outside(exception, &path, root, remarks);
    }
}

/// Is there an older consent of this patient, in force, that refuses by another `policyRule`?
fn older_refusal(new: &super::Compiled, directory: &Directory) -> bool {
    let Some(patient) = &new.patient else { return false };
    directory.consents(patient).any(|old| {
        let refuses = old.status == Status::Active && old.base == Some(Effect::Deny);
        refuses && old.family != new.family && old.dated < new.dated
    })
}
