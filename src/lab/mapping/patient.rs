//! PID as a Patient.

use super::Context;
use super::codes;
use super::json::Json;
use super::types::{address, concept, date_time, extended_id, identifier, person_name, telecom, time};
use crate::lab::v2::{Message, Precision, Segment};

/// A PID segment as a Patient, without an id.
pub fn patient(pid: Segment<'_>, setting: &Context<'_>) -> Json {
    let ids = [2, 3, 4].into_iter().flat_map(|field| pid.field(field).repetitions()).map(|one| extended_id(one, setting));
    let ssn = identifier("http://hl7.org/fhir/sid/us-ssn", &pid.field(19).text(), "SS");
    let mut identifiers: Vec<Json> = Vec::new();
    for one in ids.chain([ssn]) {
        let same = |other: &Json| other.get("value") == one.get("value") && other.get("system") == one.get("system");
        if one.is_there() && !identifiers.iter().any(same) {
            identifiers.push(one);
        }
    }
    let names = [5, 9].into_iter().flat_map(|field| pid.field(field).repetitions()).map(person_name);
    let telecoms = [(13, "home"), (14, "work"), (40, "home")];
    let telecoms =
        telecoms.into_iter().flat_map(|(field, usual)| pid.field(field).repetitions().map(move |one| telecom(one, usual)));
    let mut addresses: Vec<Json> = pid.field(11).repetitions().map(address).filter(Json::is_there).collect();
    if let Some(county) = pid.field(12).some() {
        match addresses.first_mut() {
            Some(first) if first.get("district").is_none() => first.put("district", Json::text(&county)),
            Some(_) => {}
            None => addresses.push(Json::object([("district", Json::text(&county))])),
        }
    }
    let birth = time(pid.field(7), setting);
    let language = concept(pid.field(15), setting);
    let mut made = Json::object([
        ("resourceType", Json::text("Patient")),
        ("identifier", Json::array(identifiers)),
        ("name", Json::array(names)),
        ("telecom", Json::array(telecoms)),
        ("gender", codes::gender(&pid.field(8).component(1).text()).map_or(Json::Absent, Json::text)),
        ("birthDate", Json::some(birth.as_ref().map(|birth| birth.date().to_owned()))),
        ("address", Json::array(addresses)),
        ("maritalStatus", concept(pid.field(16), setting)),
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
    made
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
pub fn prior_identifiers(message: &Message, setting: &Context<'_>) -> Json {
    let merged = message.first("MRG");
    let ids = merged.into_iter().flat_map(|mrg| mrg.field(1).repetitions().chain(mrg.field(4).repetitions()));
    let ids = Json::array(ids.map(|one| extended_id(one, setting)));
    Json::object([("resourceType", Json::text("Patient")), ("identifier", ids)])
}
