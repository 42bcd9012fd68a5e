//! What the patients allow: Consents at the level that IHE PCF calls Basic (one provision with period, actor and purpose).
//!
//! Each says under which agreement it was given (`policy.uri`), so that a refusal and a permission given on the same day stand side by side
//! instead of one replacing the other.

use serde_json::{Value, json};

use super::{
    SITE, at,
    cast::{
        DENIED_PATIENT, EXPIRED_PATIENT, HOSPITAL, HOSPITAL_ONLY_PATIENT, LABORATORY, LABORATORY_ONLY_PATIENT,
        NO_RESEARCH_PATIENT, SILENT_PATIENT,
    },
    chart::Chart,
    coding::{LOINC, coding, concept, hl7, hl7_code, reference},
    days_before,
};

/// Treatment, payment and running the house: what people sign at the desk.
const CARE: &[&str] = &["TREAT", "HPAYMT", "HOPERAT"];
const EVERYONE: &[&str] = &[];
const ANY_PURPOSE: &[&str] = &[];

/// A Consent in short.
struct Rule {
    /// Last part of the agreement's URI.
    agreement: &'static str,
    /// `permit` or `deny`.
    verdict: &'static str,
    /// Organizations; none means everyone.
    actors: &'static [&'static str],
    /// Purposes of use; none means any.
    purposes: &'static [&'static str],
    /// Last day, when it has one.
    end: Option<&'static str>,
}

const fn rule(
    agreement: &'static str,
    verdict: &'static str,
    actors: &'static [&'static str],
    purposes: &'static [&'static str],
) -> Rule {
    Rule { agreement, verdict, actors, purposes, end: None }
}

const USUAL: Rule = rule("exchange", "permit", &[HOSPITAL, LABORATORY], CARE);

/// Files what this patient has signed.
pub(super) fn file(chart: &mut Chart<'_>) {
    for rule in signed(&chart.id) {
        let consent = consent(chart, &rule);
        chart.add("Consent", consent);
    }
}

fn signed(patient: &str) -> Vec<Rule> {
    match patient {
        DENIED_PATIENT => {
            vec![rule("refusal", "deny", &[HOSPITAL], ANY_PURPOSE), rule("exchange", "permit", &[LABORATORY], CARE)]
        }
        HOSPITAL_ONLY_PATIENT => vec![rule("exchange", "permit", &[HOSPITAL], &["TREAT"])],
        EXPIRED_PATIENT => vec![Rule { end: Some("2025-06-30"), ..USUAL }],
        LABORATORY_ONLY_PATIENT => vec![rule("exchange", "permit", &[LABORATORY], &["TREAT"])],
        NO_RESEARCH_PATIENT => vec![USUAL, rule("research", "deny", EVERYONE, &["HRESCH"])],
        SILENT_PATIENT => Vec::new(),
        _ => vec![USUAL],
    }
}

fn consent(chart: &Chart<'_>, rule: &Rule) -> Value {
    let signed = days_before(380);
    json!({
        "status": "active",
        "scope": { "coding": [coding(&hl7("consentscope"), "patient-privacy", "Privacy Consent")] },
        "category": [concept(LOINC, "59284-0", "Consent Document")],
        "patient": chart.subject(),
        "dateTime": at(signed, "08:45:00"),
        "performer": [chart.subject()],
        "policy": [{ "uri": format!("{SITE}/policies/{}", rule.agreement) }],
        "provision": provision(rule, &signed.to_string()),
    })
}

fn provision(rule: &Rule, start: &str) -> Value {
    let mut period = json!({ "start": start });
    let mut provision = json!({ "type": rule.verdict });
    if let (Value::Object(period), Some(end)) = (&mut period, rule.end) {
        period.insert("end".to_owned(), end.into());
    }
    if let Value::Object(members) = &mut provision {
        members.insert("period".to_owned(), period);
        insert_some(members, "actor", rule.actors.iter().map(|id| recipient(id)).collect());
        insert_some(members, "purpose", rule.purposes.iter().map(|code| purpose(code)).collect());
    }
    provision
}

/// FHIR has no empty arrays: a list without an item is left out.
fn insert_some(members: &mut serde_json::Map<String, Value>, name: &str, items: Vec<Value>) {
    if !items.is_empty() {
        members.insert(name.to_owned(), Value::Array(items));
    }
}

/// An actor that may, or may not, receive the record.
pub(super) fn recipient(organization: &str) -> Value {
    json!({
        "role": hl7_code("v3-ParticipationType", "IRCP"),
        "reference": reference(&format!("Organization/{organization}")),
    })
}

/// A purpose of use.
pub(super) fn purpose(code: &str) -> Value {
    json!({ "system": hl7("v3-ActReason"), "code": code })
}
