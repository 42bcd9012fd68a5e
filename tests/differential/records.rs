//! Small records of ten types with values from small pools, so that searches find some and miss some.

use super::dice::Dice;
use crate::support::BASE;
use serde_json::{Map, Value, json};

pub(super) const TYPES: [&str; 9] = [
    "Patient",
    "Practitioner",
    "Organization",
    "Location",
    "Encounter",
    "Observation",
    "Condition",
    "RiskAssessment",
    "ValueSet",
];
/// Records of each type.
const EACH: [usize; 9] = [5, 3, 4, 3, 5, 14, 6, 4, 4];

pub(super) const WORDS: [&str; 10] =
    ["Müller", "Muller-Khan", "muell", "O'Brien", "KHAN", "Smith, Jones", "A$b|c", "back\\slash", "Núñez  Ortega", "khanate"];
pub(super) const PLACES: [&str; 5] = ["Lahore", "lahti", "São Paulo", "Karachi East", "74000"];
pub(super) const SYSTEMS: [&str; 4] = ["http://loinc.org", "http://snomed.info/sct", "urn:x,y", ""];
pub(super) const CODES: [&str; 6] = ["718-7", "8480-6", "a,b", "final", "true", "x|y"];
pub(super) const MOMENTS: [&str; 12] = [
    "2020",
    "2020-02",
    "2020-02-29",
    "2020-12-31",
    "2019-12-31",
    "1969-07-20",
    "2020-02-29T23:30:00-05:00",
    "2020-03-01T04:30:00Z",
    "2020-03-01T04:30:00.500Z",
    "2021-06-15T10:00:00+05:00",
    "2020-01-01T00:00:00Z",
    "2026-05-30",
];
pub(super) const DAYS: [&str; 6] = ["1960", "1960-05", "1960-05-04", "1999-12-31", "2000-01-01", "1960-05-05"];
pub(super) const NUMBERS: [&str; 10] = ["5.4", "5.404", "5.35", "5", "100", "99.6", "104.9", "0", "-3.5", "0.001"];
pub(super) const UNITS: [(&str, &str, &str); 5] = [
    ("http://unitsofmeasure.org", "mg", "mg"),
    ("http://unitsofmeasure.org", "g/dL", "g/dl"),
    ("", "", "mg"),
    ("", "", ""),
    ("http://snomed.info/sct", "mg", "milligram"),
];
pub(super) const URLS: [&str; 6] = [
    "http://x.example/fhir/ValueSet/a",
    "http://x.example/fhir/ValueSet/a/b",
    "http://x.example/fhir",
    "urn:oid:1.2.3",
    "urn:oid:1.2.34",
    "http://x.example/fhir/ValueSet/ab",
];

/// Adds a member in so many of a hundred cases.
struct Record<'d>(Map<String, Value>, &'d mut Dice);

impl Record<'_> {
    fn may(&mut self, percent: usize, name: &str, make: impl FnOnce(&mut Dice) -> Value) {
        if self.1.hits(percent) {
            let value = make(self.1);
            self.0.insert(name.to_owned(), value);
        }
    }
}

/// One to `most` of them.
fn some(dice: &mut Dice, most: usize, make: impl Fn(&mut Dice) -> Value) -> Value {
    (0..=dice.below(most)).map(|_| make(dice)).collect()
}

fn word(dice: &mut Dice, of: &[&str]) -> Value {
    json!(*dice.one(of))
}

fn coding(dice: &mut Dice) -> Value {
    let mut coding = json!({"code": *dice.one(&CODES)});
    let system = *dice.one(&SYSTEMS);
    if !system.is_empty() {
        coding["system"] = json!(system);
    }
    if dice.hits(50) {
        coding["display"] = json!(*dice.one(&WORDS));
    }
    coding
}

fn concept(dice: &mut Dice) -> Value {
    let mut concept = json!({"coding": some(dice, 2, coding)});
    if dice.hits(40) {
        concept["text"] = json!(*dice.one(&WORDS));
    }
    concept
}

fn identifier(dice: &mut Dice) -> Value {
    let mut identifier = json!({"value": *dice.one(&CODES)});
    let system = *dice.one(&SYSTEMS);
    if !system.is_empty() {
        identifier["system"] = json!(system);
    }
    if dice.hits(40) {
        identifier["type"] = json!({"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "MR"}], "text": *dice.one(&WORDS)});
    }
    identifier
}

fn name(dice: &mut Dice) -> Value {
    let mut name = json!({"family": *dice.one(&WORDS)});
    if dice.hits(60) {
        name["given"] = some(dice, 2, |dice| word(dice, &WORDS));
    }
    if dice.hits(20) {
        name["prefix"] = json!(["Dr."]);
    }
    name
}

fn address(dice: &mut Dice) -> Value {
    let mut address = json!({"city": *dice.one(&PLACES)});
    if dice.hits(50) {
        address["line"] = json!([*dice.one(&WORDS), *dice.one(&PLACES)]);
    }
    for part in ["state", "country", "postalCode"] {
        if dice.hits(40) {
            address[part] = json!(*dice.one(&PLACES));
        }
    }
    address["use"] = json!(*dice.one(&["home", "work"]));
    address
}

fn contact(dice: &mut Dice) -> Value {
    json!({"system": *dice.one(&["phone", "email"]), "value": *dice.one(&CODES)})
}

fn quantity(dice: &mut Dice) -> Value {
    let (system, code, unit) = *dice.one(&UNITS);
    let mut quantity: Value = serde_json::from_str(&format!("{{\"value\":{}}}", dice.one(&NUMBERS))).unwrap();
    for (name, value) in [("system", system), ("code", code), ("unit", unit)] {
        if !value.is_empty() {
            quantity[name] = json!(value);
        }
    }
    quantity
}

fn period(dice: &mut Dice) -> Value {
    // One that ends before it begins says nothing.
    match dice.below(3) {
        0 => json!({"start": *dice.one(&MOMENTS)}),
        1 => json!({"end": *dice.one(&MOMENTS)}),
        _ => {
            json!({"start": *dice.one(&["2019-12-31", "2020-01-01T00:00:00Z", "2020-02"]), "end": *dice.one(&["2020-12-31", "2021-06-15T10:00:00+05:00"])})
        }
    }
}

/// A reference to one of these types: to a record that there is or is not, relative or absolute, or to elsewhere, or by identifier.
pub(super) fn reference(dice: &mut Dice, types: &[&str]) -> Value {
    let of = *dice.one(types);
    let id = format!("{}{}", initial(of), dice.below(6));
    match dice.below(20) {
        0 => json!({"reference": format!("https://elsewhere.example/fhir/{of}/{id}")}),
        1 => json!({"reference": format!("{BASE}/{of}/{id}")}),
        2 => json!({"reference": format!("{of}/{id}/_history/1")}),
        3 if types.len() > 1 => json!({"identifier": identifier(dice), "display": "known by number"}),
        _ => json!({"reference": format!("{of}/{id}")}),
    }
}

pub(super) fn initial(of: &str) -> String {
    of.chars().filter(char::is_ascii_uppercase).collect::<String>().to_lowercase() + &of[1..3]
}

/// The key of the record with this number.
pub(super) fn id(of: &str, at: usize) -> String {
    format!("{}{at}", initial(of))
}

/// Every record of a small store.
pub(super) fn all(dice: &mut Dice) -> Vec<Value> {
    let each = TYPES.iter().zip(EACH).flat_map(|(of, count)| (0..count).map(move |at| (*of, at)));
    each.map(|(of, at)| record(dice, of, &id(of, at))).collect()
}

/// A record of this type.
pub(super) fn record(dice: &mut Dice, of: &str, id: &str) -> Value {
    let mut record = Record(Map::new(), dice);
    record.0.insert("resourceType".to_owned(), json!(of));
    record.0.insert("id".to_owned(), json!(id));
    record.may(40, "meta", |dice| json!({"tag": [coding(dice)], "profile": [*dice.one(&URLS)]}));
    if !matches!(of, "ValueSet") {
        record.may(60, "identifier", |dice| some(dice, 2, identifier));
    }
    match of {
        "Patient" => patient(&mut record),
        "Practitioner" => {
            record.may(90, "name", |dice| some(dice, 2, name));
            record.may(50, "active", |dice| json!(dice.hits(50)));
        }
        "Organization" | "Location" => place(&mut record, of),
        "Encounter" => encounter(&mut record),
        "Observation" => observation(&mut record),
        "Condition" => condition(&mut record),
        "RiskAssessment" => {
            record.0.insert("status".to_owned(), json!("final"));
            record.0.insert("subject".to_owned(), reference(record.1, &["Patient", "Group"]));
            record.may(60, "occurrenceDateTime", |dice| word(dice, &MOMENTS));
            let probability = |dice: &mut Dice| {
                let mut one: Value = serde_json::from_str(&format!("{{\"probabilityDecimal\":{}}}", dice.one(&NUMBERS))).unwrap();
                one["qualitativeRisk"] = concept(dice);
                one
            };
            record.may(80, "prediction", |dice| some(dice, 2, probability));
        }
        _ => {
            record.0.insert("status".to_owned(), json!("active"));
            record.may(90, "url", |dice| word(dice, &URLS));
            record.may(50, "version", |dice| word(dice, &["1.0", "2"]));
            record.may(70, "name", |dice| word(dice, &WORDS));
            record.may(50, "title", |dice| word(dice, &WORDS));
        }
    }
    Value::Object(record.0)
}

fn patient(record: &mut Record<'_>) {
    record.may(90, "name", |dice| some(dice, 2, name));
    record.may(70, "birthDate", |dice| word(dice, &DAYS));
    record.may(80, "gender", |dice| word(dice, &["male", "female", "unknown"]));
    record.may(50, "active", |dice| json!(dice.hits(50)));
    record.may(60, "address", |dice| some(dice, 2, address));
    record.may(60, "telecom", |dice| some(dice, 2, contact));
    match record.1.below(4) {
        0 => record.may(100, "deceasedBoolean", |dice| json!(dice.hits(50))),
        1 => record.may(100, "deceasedDateTime", |dice| word(dice, &MOMENTS)),
        _ => {}
    }
    record.may(60, "generalPractitioner", |dice| some(dice, 2, |dice| reference(dice, &["Practitioner", "Organization"])));
    record.may(60, "managingOrganization", |dice| reference(dice, &["Organization"]));
    record.may(30, "communication", |dice| json!([{"language": concept(dice)}]));
}

fn place(record: &mut Record<'_>, of: &str) {
    record.may(90, "name", |dice| word(dice, &WORDS));
    record.may(40, "alias", |dice| some(dice, 2, |dice| word(dice, &WORDS)));
    if of == "Organization" {
        record.may(50, "active", |dice| json!(dice.hits(50)));
        record.may(60, "address", |dice| some(dice, 2, address));
        record.may(60, "partOf", |dice| reference(dice, &["Organization"]));
        record.may(50, "type", |dice| some(dice, 2, concept));
    } else {
        record.may(60, "address", address);
        record.may(60, "managingOrganization", |dice| reference(dice, &["Organization"]));
        record.may(50, "status", |dice| word(dice, &["active", "suspended"]));
    }
}

fn encounter(record: &mut Record<'_>) {
    record.0.insert("status".to_owned(), word(record.1, &["finished", "planned"]));
    record.0.insert("class".to_owned(), coding(record.1));
    record.may(80, "subject", |dice| reference(dice, &["Patient", "Group"]));
    record.may(70, "period", period);
    record.may(40, "length", quantity);
    record.may(60, "participant", |dice| {
        some(dice, 2, |dice| json!({"individual": reference(dice, &["Practitioner", "RelatedPerson"])}))
    });
    record.may(50, "location", |dice| some(dice, 2, |dice| json!({"location": reference(dice, &["Location"])})));
    record.may(50, "serviceProvider", |dice| reference(dice, &["Organization"]));
    record.may(30, "partOf", |dice| reference(dice, &["Encounter"]));
    record.may(50, "type", |dice| some(dice, 2, concept));
}

fn observation(record: &mut Record<'_>) {
    record.0.insert("status".to_owned(), word(record.1, &["final", "amended"]));
    record.0.insert("code".to_owned(), concept(record.1));
    record.may(80, "subject", |dice| reference(dice, &["Patient", "Patient", "Patient", "Group", "Location"]));
    record.may(50, "category", |dice| some(dice, 2, concept));
    record.may(50, "encounter", |dice| reference(dice, &["Encounter"]));
    record.may(40, "performer", |dice| some(dice, 2, |dice| reference(dice, &["Practitioner", "Organization", "Patient"])));
    record.may(30, "hasMember", |dice| some(dice, 2, |dice| reference(dice, &["Observation"])));
    match record.1.below(4) {
        0 => record.may(100, "effectiveDateTime", |dice| word(dice, &MOMENTS)),
        1 => record.may(100, "effectivePeriod", period),
        2 => record.may(100, "effectiveTiming", |dice| json!({"event": some(dice, 3, |dice| word(dice, &MOMENTS))})),
        _ => {}
    }
    match record.1.below(6) {
        0 | 1 => record.may(100, "valueQuantity", quantity),
        2 => record.may(100, "valueCodeableConcept", concept),
        3 => record.may(100, "valueString", |dice| word(dice, &WORDS)),
        4 => record.may(100, "valueDateTime", |dice| word(dice, &MOMENTS)),
        _ => record.may(100, "dataAbsentReason", concept),
    }
    record.may(40, "component", |dice| some(dice, 2, |dice| json!({"code": concept(dice), "valueQuantity": quantity(dice)})));
}

fn condition(record: &mut Record<'_>) {
    record.0.insert("subject".to_owned(), reference(record.1, &["Patient", "Group"]));
    record.may(80, "code", concept);
    record.may(50, "clinicalStatus", concept);
    record.may(40, "category", |dice| some(dice, 2, concept));
    record.may(40, "severity", concept);
    record.may(50, "encounter", |dice| reference(dice, &["Encounter"]));
    record.may(40, "asserter", |dice| reference(dice, &["Practitioner", "Patient"]));
    match record.1.below(5) {
        0 => record.may(100, "onsetDateTime", |dice| word(dice, &MOMENTS)),
        1 => record.may(100, "onsetPeriod", period),
        2 => record.may(100, "onsetAge", quantity),
        3 => record.may(100, "onsetString", |dice| word(dice, &WORDS)),
        _ => {}
    }
    record.may(40, "recordedDate", |dice| word(dice, &MOMENTS));
    record.may(30, "abatementDateTime", |dice| word(dice, &MOMENTS));
}
