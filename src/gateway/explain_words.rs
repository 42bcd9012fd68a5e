//! An explanation as Parameters: whole, or in plain words.

use super::explain::{Explained, Somebody};
use crate::consent::reference::{ConsentTrace, Ground, PurposeTrace, Verdict};
use serde_json::{Value, json};

/// The whole of it, member by member: what is an object becomes parts, what is a list repeats.
pub(super) fn parts(explained: &[Explained]) -> Vec<Value> {
    let whole = |one: &Explained| {
        let value = serde_json::to_value(one).unwrap_or_default();
        json!({"name": "explanation", "part": members(&value)})
    };
    explained.iter().map(whole).collect()
}

fn members(value: &Value) -> Vec<Value> {
    value.as_object().into_iter().flatten().flat_map(|(name, value)| named(name, value)).collect()
}

fn named(name: &str, value: &Value) -> Vec<Value> {
    match value {
        Value::Null => Vec::new(),
        Value::Bool(truth) => vec![json!({"name": name, "valueBoolean": truth})],
        Value::Number(number) => vec![json!({"name": name, "valueInteger": number})],
        Value::String(text) if text.is_empty() => Vec::new(),
        Value::String(text) => vec![json!({"name": name, "valueString": text})],
        Value::Array(list) => list.iter().flat_map(|one| named(name, one)).collect(),
        Value::Object(_) => vec![json!({"name": name, "part": members(value)})],
    }
}

/// For patients: one sentence for each record and purpose, and nothing of how it was computed.
pub(super) fn plain(somebody: &Somebody, explained: &[Explained]) -> Vec<Value> {
    let who = who(somebody);
    let mut sentences = Vec::new();
    for one in explained {
        for said in one.decision.patients.iter().flat_map(|patient| &patient.purposes) {
            sentences.push(sentence(&who, &one.decision.record, said));
        }
        if one.scopes.as_ref().is_some_and(Vec::is_empty) {
            sentences.push(format!("{who} has no permission from this system to ask for {}.", one.decision.record));
        }
    }
    sentences.into_iter().map(|text| json!({"name": "explanation", "valueString": text})).collect()
}

fn who(somebody: &Somebody) -> String {
    match (&somebody.user, &somebody.organization, &somebody.client) {
        (Some(user), Some(organization), _) => format!("{user} of {organization}"),
        (Some(user), None, _) => user.to_string(),
        (None, Some(organization), _) => format!("Somebody who acts for {organization}"),
        (None, None, Some(client)) => format!("The program {client}"),
        (None, None, None) => "Somebody whom you have not named".to_owned(),
    }
}

fn sentence(who: &str, record: &str, said: &PurposeTrace) -> String {
    let purpose = said.purpose.as_deref().map_or("no stated purpose", purpose_words);
    let verb = if said.permitted { "may see" } else { "may not see" };
    format!("{who} {verb} {record} for {purpose}, because {}.", because(said))
}

fn because(said: &PurposeTrace) -> String {
    let deciding = |verdict: Verdict| said.consents.iter().find(|one| one.in_force && one.verdict == Some(verdict));
    let yours =
        |found: Option<&ConsentTrace>| found.map_or("your consent".to_owned(), |one| format!("your consent {}", one.consent));
    match said.ground {
        Ground::ExplicitDeny => format!("{} says no", yours(deciding(Verdict::ExplicitDeny))),
        Ground::ExplicitPermit => format!("{} says yes", yours(deciding(Verdict::ExplicitPermit))),
        Ground::ImplicitDeny => format!("{} names who may, and this is not among it", yours(deciding(Verdict::ImplicitDeny))),
        Ground::BasePermit => format!("{} shares all that it does not except", yours(deciding(Verdict::BasePermit))),
        Ground::ImplicitPolicy => "you have said nothing about it, and this is the rule of this place then".to_owned(),
        Ground::Grant => "it was opened for an emergency; you have been told, and somebody reviews it".to_owned(),
        Ground::Own => "it is your own record".to_owned(),
        Ground::HiddenFromPatient => "it is marked as not to be shown to you without a talk".to_owned(),
        Ground::HiddenFromProxies => "it is marked as not for those who act for you".to_owned(),
        Ground::Legal => "the law forbids it".to_owned(),
        Ground::Ceiling => "this place does not show such records to people of that role".to_owned(),
    }
}

fn purpose_words(code: &str) -> &str {
    match code {
        "TREAT" => "treatment",
        "BTG" | "ETREAT" | "ERTREAT" => "an emergency",
        "HPAYMT" => "payment",
        "HOPERAT" => "running the hospital",
        "HRESCH" => "research",
        "PUBHLTH" => "public health",
        "HMARKT" => "marketing",
        "PATRQT" => "your own request",
        other => other,
    }
}
