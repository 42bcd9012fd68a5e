//! One patient's chart: who they are and the visits around which the rest is arranged.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde_json::{Value, json};

use super::{
    at, care,
    cast::{CLINIC, CLINICIAN, HOSPITAL},
    coding::{SNOMED, concept, hl7, hl7_code, reference},
    consents, days_before, measures, orders,
    people::Person,
    random::Random,
    record, synthetic,
};

/// A chart while it is being written.
pub(super) struct Chart<'a> {
    /// Whose chart it is.
    pub(super) person: &'a Person,
    /// The number of the patient in the cast, from 1. Decides what only some charts have.
    pub(super) number: u32,
    /// The patient's logical id.
    pub(super) id: String,
    /// The chart's own sequence: editing one chart leaves the others as they are.
    pub(super) random: Random,
    records: Vec<Value>,
    counts: BTreeMap<&'static str, usize>,
}

/// A visit to the clinic.
pub(super) struct Visit {
    /// `Encounter/id`.
    pub(super) encounter: String,
    /// The day.
    pub(super) day: Date,
}

/// Every record of this person, the Consents included.
pub(super) fn records((person, number): (&Person, u32)) -> Vec<Value> {
    let mut chart = Chart {
        person,
        number,
        id: format!("p{number:02}"),
        random: Random::new(u64::from(number)),
        records: Vec::new(),
        counts: BTreeMap::new(),
    };
    chart.patient();
    let earlier = chart.random.between(280, 420);
    let earlier = chart.visit(days_before(earlier));
    measures::blood_pressure(&mut chart, &earlier);
    let recent = chart.random.between(10, 90);
    let recent = chart.visit(days_before(recent));
    measures::blood_pressure(&mut chart, &recent);
    measures::vital_signs(&mut chart, &recent);
    let report = measures::laboratory(&mut chart, &recent);
    if chart.one_in(2) {
        orders::note(&mut chart, &recent);
        orders::provenance(&mut chart, &recent, &report);
    }
    orders::problems(&mut chart);
    care::around(&mut chart);
    consents::file(&mut chart);
    chart.records
}

impl Chart<'_> {
    /// Adds a record under the next free id of its type and gives back its `Type/id`. Ids say nothing about what they name.
    pub(super) fn add(&mut self, resource_type: &'static str, body: Value) -> String {
        let count = self.counts.entry(resource_type).or_default();
        *count += 1;
        let id = format!("{}-{count}", self.id);
        self.records.push(record(resource_type, &id, body));
        format!("{resource_type}/{id}")
    }

    /// The reference to the patient.
    pub(super) fn subject(&self) -> Value {
        reference(&format!("Patient/{}", self.id))
    }

    /// True for one chart in `n`, always the same ones.
    pub(super) fn one_in(&self, n: u32) -> bool {
        self.number % n == 1 % n
    }

    fn patient(&mut self) {
        let person = self.person;
        let (language, language_name) = person.language;
        let body = json!({
            "meta": synthetic(),
            "active": true,
            "identifier": self.identifiers(),
            "name": names(person),
            "telecom": [{ "system": "phone", "value": format!("+999-555-01{:02}", self.number), "use": "mobile" }],
            "gender": person.gender,
            "birthDate": person.born,
            "address": [{
                "use": "home",
                "line": [format!("{} Garden Road", self.random.between(1, 120))],
                "city": person.city,
                "postalCode": format!("00{:03}", self.number),
            }],
            "communication": [{ "language": concept("urn:ietf:bcp:47", language, language_name), "preferred": true }],
            "generalPractitioner": [reference(&format!("Practitioner/{CLINICIAN}"))],
            "managingOrganization": reference(&format!("Organization/{HOSPITAL}")),
        });
        self.records.push(record("Patient", &self.id, body));
    }

    /// A hospital number, and a number shaped like a CNIC whose first digit no authority issues.
    fn identifiers(&self) -> Value {
        let check = self.number % 10;
        json!([
            {
                "use": "usual",
                "type": hl7_code("v2-0203", "MR"),
                "system": format!("{}/hospital/mrn", super::SITE),
                "value": format!("MRN-{:06}", self.number),
            },
            {
                "use": "official",
                "type": hl7_code("v2-0203", "NI"),
                "system": format!("{}/synthetic-national-id", super::SITE),
                "value": format!("00000-{:07}-{check}", self.number),
            },
        ])
    }

    fn visit(&mut self, day: Date) -> Visit {
        let body = json!({
            "status": "finished",
            "class": { "system": hl7("v3-ActCode"), "code": "AMB", "display": "ambulatory" },
            "type": [concept(SNOMED, "185349003", "Encounter for check up")],
            "subject": self.subject(),
            "participant": [{ "individual": reference(&format!("Practitioner/{CLINICIAN}")) }],
            "period": { "start": at(day, "09:00:00"), "end": at(day, "09:30:00") },
            "location": [{ "location": reference(&format!("Location/{CLINIC}")) }],
            "serviceProvider": reference(&format!("Organization/{HOSPITAL}")),
        });
        Visit { encounter: self.add("Encounter", body), day }
    }
}

fn names(person: &Person) -> Value {
    let mut names = vec![json!({ "use": "official", "family": person.family, "given": [person.given] })];
    names.extend(person.urdu.map(|(text, family, given)| {
        json!({
            "extension": [{
                "url": "http://hl7.org/fhir/StructureDefinition/iso21090-EN-representation",
                "valueCode": "SYL",
            }],
            "use": "usual",
            "text": text,
            "family": family,
            "given": [given],
        })
    }));
    Value::Array(names)
}
