//! PID as a Patient, with PD1 and NK1.

use super::Context;
use super::codes;
use super::json::Json;
use super::types::{address, authority, called_by, concept, date_time, extended_id, hd, identifier, person_name, telecom, time};
use crate::lab::v2::{Message, Part, Precision, Segment};

/// A PID segment as a Patient, without an id; with what PD1 and NK1 tell about them.
pub(super) fn patient(pid: Segment<'_>, relations: &[Segment<'_>], setting: &Context) -> Json {
    let names = [5, 9].into_iter().flat_map(|field| pid.field(field).repetitions());
    let names = names.flat_map(|one| [person_name(one, setting), called_by(one)]);
    let telecoms = [(13, "home"), (14, "work"), (40, "home")];
    let telecoms = telecoms
        .into_iter()
        .flat_map(|(field, usual)| pid.field(field).repetitions().map(move |one| telecom(one, usual, setting)));
    let birth = time(pid.field(7), setting);
    let language = concept(pid.field(15), setting);
    let mut made = Json::object([
        ("resourceType", Json::text("Patient")),
        ("extension", Json::array(extensions(pid, setting))),
        ("identifier", Json::array(identifiers(pid, setting))),
        ("name", Json::array(names)),
        ("telecom", Json::array(telecoms)),
        ("gender", codes::gender(&pid.field(8).component(1).text()).map_or(Json::Absent, Json::text)),
        ("birthDate", Json::some(birth.as_ref().map(|birth| birth.date().to_owned()))),
        ("address", Json::array(addresses(pid, setting))),
        ("maritalStatus", marital_status(pid.field(16), setting)),
        ("communication", Json::one(Json::object([("language", language)]))),
    ]);
    if let Some(birth) = birth.filter(|birth| birth.precision == Precision::Time && !birth.text.contains("T00:00:00")) {
        let url = "http://hl7.org/fhir/StructureDefinition/patient-birthTime";
        let extension = Json::one(Json::extension(url, "valueDateTime", Json::text(&birth.text)));
        made.put("_birthDate", Json::object([("extension", extension)]));
    }
    put_multiple_birth(&mut made, pid);
    let died = date_time(pid.field(29), setting);
    match (died.is_there(), pid.field(30).text().as_str()) {
        (true, _) => made.put("deceasedDateTime", died),
        (false, "Y") => made.put("deceasedBoolean", Json::Bool(true)),
        (false, "N") => made.put("deceasedBoolean", Json::Bool(false)),
        _ => {}
    }
    let of = |name: &'static str| relations.iter().filter(move |segment| segment.name() == name).copied();
    made.put("contact", Json::array(of("NK1").map(|nk1| contact(nk1, setting))));
    made.put("generalPractitioner", Json::array(of("PD1").flat_map(|pd1| practitioners(pd1, setting))));
    made
}

/// PID-2, 3, 4, the social security number and the driver's licence, each once.
fn identifiers(pid: Segment<'_>, setting: &Context) -> Vec<Json> {
    let ids = [2, 3, 4].into_iter().flat_map(|field| pid.field(field).repetitions()).map(|one| extended_id(one, setting));
    let ssn = identifier("http://hl7.org/fhir/sid/us-ssn", &pid.field(19).text(), "SS");
    let licence = pid.field(20);
    let issuer = licence.component(2).text();
    let system = if issuer.is_empty() { String::new() } else { authority(&issuer, "", "", setting) };
    let mut licensed = identifier(&system, &licence.component(1).text(), "DL");
    let until = date_time(licence.component(3), setting);
    licensed.put("period", Json::object([("end", until)]));
    let mut all: Vec<Json> = Vec::new();
    for one in ids.chain([ssn, licensed]) {
        let same = |other: &Json| other.get("value") == one.get("value") && other.get("system") == one.get("system");
        if one.is_there() && !all.iter().any(same) {
            all.push(one);
        }
    }
    all
}

/// PID-11, with the county of PID-12.
fn addresses(pid: Segment<'_>, setting: &Context) -> Vec<Json> {
    let mut all: Vec<Json> = pid.field(11).repetitions().map(|one| address(one, setting)).filter(Json::is_there).collect();
    let Some(county) = pid.field(12).some() else { return all };
    let district = || Json::object([("district", Json::text(&county))]);
    match all.as_mut_slice() {
        [one] if one.get("district").is_none() => one.put("district", Json::text(&county)),
        [one] if one.get("district").and_then(Json::as_text) == Some(&county) => {}
        _ => all.push(district()),
    }
    all
}

/// PID-16 in the codes of FHIR, behind them as it came.
fn marital_status(part: Part<'_>, setting: &Context) -> Json {
    let mut made = concept(part, setting);
    if let Some((system, code, display)) = codes::marital_status(&part.component(1).text()) {
        let came = match made.get("coding") {
            Some(Json::List(items)) if part.component(3).is_valued() => items.clone(),
            _ => Vec::new(),
        };
        made.put("coding", Json::array([Json::coding(system, code, display)].into_iter().chain(came)));
    }
    made
}

/// What R4 knows as extensions of a Patient.
fn extensions(pid: Segment<'_>, setting: &Context) -> Vec<Json> {
    let url = |name: &str| format!("http://hl7.org/fhir/StructureDefinition/patient-{name}");
    let nested = |name: &str, field: usize| {
        let code = Json::extension("code", "valueCodeableConcept", concept(pid.field(field), setting));
        Json::extension(&url(name), "extension", Json::one(code))
    };
    let mother = Json::text(&pid.field(6).component(1).subcomponent(1).text());
    let place = Json::object([("text", Json::text(&pid.field(23).text()))]);
    vec![
        Json::extension(&url("mothersMaidenName"), "valueString", mother),
        Json::extension(&url("religion"), "valueCodeableConcept", concept(pid.field(17), setting)),
        Json::extension(&url("birthPlace"), "valueAddress", place),
        nested("citizenship", 26),
        nested("nationality", 28),
        nested("citizenship", 39),
    ]
}

/// NK1: somebody who belongs to the patient.
fn contact(nk1: Segment<'_>, setting: &Context) -> Json {
    let phones = [(5, "home"), (6, "work"), (40, "home"), (41, "home")];
    let phones =
        phones.into_iter().flat_map(|(field, usual)| nk1.field(field).repetitions().map(move |one| telecom(one, usual, setting)));
    let at = |field: usize| date_time(nk1.field(field), setting);
    let organization = nk1.field(13).component(1).text();
    Json::object([
        ("relationship", Json::array([3, 7].map(|field| concept(nk1.field(field), setting)))),
        ("name", person_name(nk1.field(2).first(), setting)),
        ("telecom", Json::array(phones)),
        ("address", address(nk1.field(4).first(), setting)),
        ("gender", codes::gender(&nk1.field(15).component(1).text()).map_or(Json::Absent, Json::text)),
        ("organization", Json::object([("display", Json::text(&organization))])),
        ("period", Json::object([("start", at(8)), ("end", at(9))])),
    ])
}

/// PD1-3 and PD1-4: who cares for the patient, by number and name; nobody is made of it.
fn practitioners(pd1: Segment<'_>, setting: &Context) -> Vec<Json> {
    let organizations = pd1.field(3).repetitions().map(|one| {
        let number = [10, 3].into_iter().find_map(|at| one.component(at).some()).unwrap_or_default();
        (number, one.component(6), one.component(1).text())
    });
    let people = pd1.field(4).repetitions().map(|one| {
        let words = [6, 3, 4, 2].map(|at| one.component(at).text());
        let name = words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
        (one.component(1).text(), one.component(9), name)
    });
    let named = |(number, system, display): (String, Part<'_>, String)| {
        let id = identifier(&hd(system, setting), &number, "");
        Json::object([("identifier", id), ("display", Json::text(&display))])
    };
    organizations.map(named).chain(people.map(named)).collect()
}

fn put_multiple_birth(made: &mut Json, pid: Segment<'_>) {
    match (pid.field(25).text().parse::<u32>(), pid.field(24).text().as_str()) {
        (Ok(order), _) => made.put("multipleBirthInteger", Json::Number(order.to_string())),
        (_, "Y") => made.put("multipleBirthBoolean", Json::Bool(true)),
        (_, "N") => made.put("multipleBirthBoolean", Json::Bool(false)),
        _ => {}
    }
}

/// MRG-1: the identifiers under which a patient was known before, as a Patient that holds nothing else.
pub fn prior_identifiers(message: &Message, setting: &Context) -> Json {
    let merged = message.first("MRG");
    let ids = merged.into_iter().flat_map(|mrg| mrg.field(1).repetitions().chain(mrg.field(4).repetitions()));
    let ids = Json::array(ids.map(|one| extended_id(one, setting)));
    Json::object([("resourceType", Json::text("Patient")), ("identifier", ids)])
}
