//! The houses and the people who work in them: what every chart refers to and no consent covers.

use serde_json::{Value, json};

use super::{
    SITE,
    cast::{CLINIC, CLINICIAN, HOSPITAL, INSURER, LABORATORY, NURSE, PATHOLOGIST},
    coding::{SNOMED, concept, hl7, reference},
    record,
};

/// Organizations, Location, Practitioners and their roles.
pub(super) fn records() -> Vec<Value> {
    let mut records = vec![
        organization(HOSPITAL, "Amanat Demo Hospital", ("prov", "Healthcare Provider"), 1),
        organization(LABORATORY, "Amanat Demo Laboratory", ("prov", "Healthcare Provider"), 2),
        organization(INSURER, "Amanat Demo Insurance", ("ins", "Insurance Company"), 3),
        clinic(),
    ];
    for worker in WORKERS {
        records.push(practitioner(&worker));
        records.push(role(&worker));
    }
    records
}

struct Worker {
    id: &'static str,
    family: &'static str,
    given: &'static str,
    gender: &'static str,
    house: &'static str,
    /// SNOMED CT occupation.
    occupation: (&'static str, &'static str),
    number: u32,
}

const WORKERS: [Worker; 3] = [
    Worker {
        id: CLINICIAN,
        family: "Jamali",
        given: "Sara",
        gender: "female",
        house: HOSPITAL,
        occupation: ("309343006", "Physician"),
        number: 11,
    },
    Worker {
        id: NURSE,
        family: "Masih",
        given: "Daniel",
        gender: "male",
        house: HOSPITAL,
        occupation: ("224535009", "Registered nurse"),
        number: 12,
    },
    Worker {
        id: PATHOLOGIST,
        family: "Butt",
        given: "Naveed",
        gender: "male",
        house: LABORATORY,
        occupation: ("61207006", "Medical pathologist"),
        number: 13,
    },
];

fn phone(number: u32) -> Value {
    json!([{ "system": "phone", "value": format!("+999-555-03{number:02}"), "use": "work" }])
}

fn address(number: u32) -> Value {
    json!({ "use": "work", "line": [format!("{number} Canal Road")], "city": "Lahore", "postalCode": "00000", "country": "PK" })
}

fn organization(id: &str, name: &str, (code, words): (&str, &str), number: u32) -> Value {
    let body = json!({
        "identifier": [{ "system": format!("{SITE}/organizations"), "value": format!("ORG-{number:03}") }],
        "active": true,
        "type": [concept(&hl7("organization-type"), code, words)],
        "name": name,
        "telecom": phone(number),
        "address": [address(number)],
    });
    record("Organization", id, body)
}

fn clinic() -> Value {
    let body = json!({
        "status": "active",
        "name": "Amanat Demo Hospital, outpatient clinic",
        "telecom": phone(1),
        "address": address(1),
        "position": { "longitude": super::text::decimal(743_400, 4), "latitude": super::text::decimal(315_500, 4) },
        "managingOrganization": reference(&format!("Organization/{HOSPITAL}")),
    });
    record("Location", CLINIC, body)
}

fn practitioner(worker: &Worker) -> Value {
    let body = json!({
        "identifier": [{ "system": format!("{SITE}/staff"), "value": format!("STAFF-{:03}", worker.number) }],
        "active": true,
        "name": [{ "use": "official", "family": worker.family, "given": [worker.given] }],
        "telecom": phone(worker.number),
        "gender": worker.gender,
    });
    record("Practitioner", worker.id, body)
}

fn role(worker: &Worker) -> Value {
    let (code, words) = worker.occupation;
    let body = json!({
        "active": true,
        "practitioner": reference(&format!("Practitioner/{}", worker.id)),
        "organization": reference(&format!("Organization/{}", worker.house)),
        "code": [concept(SNOMED, code, words)],
        "telecom": phone(worker.number),
    });
    record("PractitionerRole", worker.id, body)
}
