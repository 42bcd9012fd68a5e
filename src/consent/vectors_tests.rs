//! The worked vectors of the requirement, by both evaluators.

use super::samples::{Who, at, facts, key, seen_of};
use super::span::Span;
use super::{Actions, BreakGlass, ConsentSettings, Label, Memberships, Site, Vocabulary};
use crate::fhir::json::Document;
use crate::fhir::{Confidentiality, Facts, Instant, Key, Version};
use jiff::tz::TimeZone;
use serde_json::{Value, json};
use std::collections::BTreeSet;

fn file(name: &str) -> Option<Value> {
    let corpora =
        std::env::var("AMANAT_CORPORA").unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/corpora").to_owned());
    let path = format!("{corpora}/../requirements/consent-vectors/{name}");
    let Ok(bytes) = std::fs::read(&path) else {
        println!("skipped: no corpora at {path}");
        return None;
    };
    Some(serde_json::from_slice(&bytes).unwrap())
}

/// The facts of a plain record: as much of the extraction as the vectors' extra records need.
fn described(record: &Value) -> Value {
    let words = Vocabulary::default();
    let labels = record["meta"]["security"].as_array().cloned().unwrap_or_default();
    let read: Vec<Option<Label>> =
        labels.iter().map(|one| words.label(one["system"].as_str().unwrap(), one["code"].as_str().unwrap())).collect();
    let coded = |at: usize| labels[at]["code"].clone();
    let sens: Vec<Value> =
        (0..labels.len()).filter(|at| matches!(read[*at], Some(Label::Sensitivity(_)) | None)).map(coded).collect();
    let confs = read.iter().filter_map(|one| if let Some(Label::Confidentiality(one)) = one { Some(*one) } else { None });
    let conf = confs.max().unwrap_or(Confidentiality::N).code();
    let mut dates = Vec::new();
    let mut date = |start: Option<&str>, end: Option<&str>| {
        let (low, high) =
            (Span::of(start.unwrap(), &TimeZone::UTC).unwrap().low, Span::of(end.unwrap(), &TimeZone::UTC).unwrap().high);
        dates.push(json!([low.to_string(), high.to_string()]));
    };
    if let Some(when) = record["effectiveDateTime"].as_str() {
        date(Some(when), Some(when));
    }
    if record.get("period").is_some() {
        date(record["period"]["start"].as_str(), record["period"]["end"].as_str());
    }
    let mut codings = Vec::new();
    codes(record, &mut codings);
    let mut primary = Vec::new();
    codes(&record["code"], &mut primary);
    let patient = record["subject"]["reference"].as_str().unwrap();
    json!({
        "id": format!("{}/{}", record["resourceType"].as_str().unwrap(), record["id"].as_str().unwrap()), "patients": [patient],
        "references": [patient], "conf": conf, "sens": sens, "dates": dates, "primary_codes": primary, "any_codes": codings,
    })
}

fn codes(value: &Value, found: &mut Vec<String>) {
    if let (Some(system), Some(code)) = (value["system"].as_str(), value["code"].as_str()) {
        found.push(format!("{system}|{code}"));
    }
    let below: Vec<&Value> = match value {
        Value::Array(all) => all.iter().collect(),
        Value::Object(all) => all.iter().filter(|(name, _)| *name != "meta").map(|(_, inner)| inner).collect(),
        _ => Vec::new(),
    };
    for inner in below {
        codes(inner, found);
    }
}

fn cast(fixture: &Value) -> Memberships {
    let mut memberships = Memberships::default();
    for entry in fixture["bundle"]["entry"].as_array().unwrap() {
        let record = &entry["resource"];
        let at = key(&format!("{}/{}", record["resourceType"].as_str().unwrap(), record["id"].as_str().unwrap()));
        let document = Document::parse(record.to_string().as_bytes()).unwrap();
        memberships.put(&at, Version(1), Some(&document), &Site::new(&ConsentSettings::default(), ""));
    }
    memberships
}

fn strings(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().map(|one| one.as_str().unwrap().to_owned()).collect()
}

/// The id behind a reference, for as long as the tests run.
fn ids(value: &Value) -> Vec<&'static str> {
    strings(value).into_iter().map(|one| &*Box::leak(one.trim_start_matches("Patient/").to_owned().into_boxed_str())).collect()
}

fn asked(vector: &Value, memberships: &Memberships) -> Who {
    let (request, caller) = (&vector["request"], &vector["request"]["caller"]);
    let purposes = request["purposes"].as_array().unwrap().iter();
    let purposes = purposes.map(|one| format!("{}|{}", one["system"].as_str().unwrap(), one["code"].as_str().unwrap())).collect();
    let actions = strings(&request["action"]).iter().map(|one| Actions::parse(one).unwrap()).reduce(Actions::with).unwrap();
    let named: BTreeSet<String> =
        ["Group/btg", "Group/gone", "PractitionerRole/ali-ghb", "PractitionerRole/er-gha"].map(str::to_owned).into();
    Who {
        references: strings(&caller["references"]),
        roles: strings(&caller["roles"]),
        own: ids(&json!([caller["self_patient"].as_str().unwrap_or("none")])).into_iter().find(|one| *one != "none"),
        proxy_for: ids(&caller["proxy_for"]),
        grants: ids(&caller["break_glass"]),
        purposes,
        actions,
        now: at(request["now"].as_str().unwrap()),
        resolved: named.into_iter().filter(|one| memberships.resolves(&key(one))).collect(),
    }
}

fn chosen(vector: &Value, fixture: &Value) -> ConsentSettings {
    let mut given = vector["settings"].as_object().cloned().unwrap_or_default();
    let mut flag = |name: &str| given.remove(name).is_some_and(|one| one == json!(true));
    let (override_denials, override_absolute) = (flag("break_glass_override"), flag("break_glass_override_absolute"));
    let mut settings: ConsentSettings = serde_json::from_value(Value::Object(given)).unwrap();
    settings.break_glass = BreakGlass { override_denials, override_absolute, ..BreakGlass::default() };
    settings.custodian = vec![fixture["custodian"].as_str().unwrap().to_owned()];
    settings.local_purposes = strings(&fixture["local_purposes"]);
    settings
}

#[test]
fn every_worked_vector_comes_out_both_ways() {
    let (Some(vectors), Some(fixture), Some(described_)) =
        (file("vectors.json"), file("fixture.json"), file("fixture-facts.json"))
    else {
        return;
    };
    let fixed: Vec<Facts> = described_.as_array().unwrap().iter().map(facts).collect();
    let memberships = cast(&fixture);
    let mut wrong = Vec::new();
    for vector in vectors["vectors"].as_array().unwrap() {
        let extra = vector["extra_resources"].as_array().cloned().unwrap_or_default();
        let records: Vec<Facts> = fixed.iter().cloned().chain(extra.iter().map(|one| facts(&described(one)))).collect();
        let seen =
            seen_of(&records, vector["consents"].as_array().unwrap(), &asked(vector, &memberships), &chosen(vector, &fixture));
        let expected: BTreeSet<String> = strings(&vector["expect"]["visible"]).into_iter().collect();
        if seen != expected {
            wrong.push(format!(
                "{} {}: {:?}",
                vector["id"],
                vector["title"],
                seen.symmetric_difference(&expected).collect::<Vec<_>>()
            ));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_callers_of_the_vectors_stand_for_what_these_say() {
    let (Some(vectors), Some(fixture)) = (file("vectors.json"), file("fixture.json")) else { return };
    let memberships = cast(&fixture);
    for vector in vectors["vectors"].as_array().unwrap() {
        let expected = strings(&vector["request"]["caller"]["references"]);
        let first = key(&expected[0]);
        let organization = (first.resource_type == crate::fhir::ResourceType::Organization).then(|| expected[0].clone());
        let user = Some(&first).filter(|_| organization.is_none());
        let standing = memberships.standing(user, organization.as_deref(), None, Instant(0));
        let expected: BTreeSet<Key> = expected.iter().map(|one| key(one)).collect();
        assert_eq!(standing.references, expected, "{}", vector["id"]);
    }
}
