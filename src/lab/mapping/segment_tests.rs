//! Field by field after HL7's segment and data type tables, where [`super::tests`] does not look.

use super::tests::{HEAD, plan, records};
use serde_json::{Value, json};

fn only(text: &str, of: &str) -> Value {
    let found = records(text, of);
    assert_eq!(found.len(), 1, "{of}: {found:?}");
    found[0].clone()
}

fn extension<'v>(of: &'v Value, name: &str) -> &'v Value {
    let all = of["extension"].as_array().unwrap();
    all.iter().find(|one| one["url"].as_str().unwrap().ends_with(name)).unwrap_or_else(|| panic!("{name} in {of}"))
}

/// A segment from its filled fields.
fn segment(name: &str, fields: &[(usize, &str)]) -> String {
    let last = fields.iter().map(|(at, _)| *at).max().unwrap_or(0);
    let text: Vec<&str> =
        (1..=last).map(|at| fields.iter().find(|(field, _)| *field == at).map_or("", |(_, value)| value)).collect();
    format!("{name}|{}\r", text.join("|"))
}

fn observation(fields: &[(usize, &str)]) -> Value {
    let usual = [(1, "1"), (2, "NM"), (3, "2345-7^Glucose^LN"), (5, "5"), (11, "F")];
    let all: Vec<(usize, &str)> =
        usual.into_iter().filter(|(at, _)| fields.iter().all(|(other, _)| other != at)).chain(fields.iter().copied()).collect();
    only(&format!("{HEAD}OBR|1|P1|F1|T^Test^L\r{}", segment("OBX", &all)), "Observation")
}

#[test]
fn structured_numerics_and_ranges_of_values_become_what_r4_has_for_them() {
    let value = |kind: &str, value: &str| observation(&[(2, kind), (5, value), (6, "mg/dL")]);
    assert_eq!(value("SN", "<>^5")["valueString"], "<> 5 mg/dL");
    assert_eq!(value("SN", "^2^+")["valueString"], "2 + mg/dL");
    let range = value("SN", ">^2^-^4");
    assert_eq!(
        (&range["valueRange"]["high"]["value"], &range["valueRange"]["extension"][0]["valueString"]),
        (&json!(4), &json!("> 2 - 4"))
    );
    let odd = value("SN", ">^1^.^3");
    assert_eq!(
        (&odd["valueQuantity"]["comparator"], &odd["valueQuantity"]["extension"][0]["valueString"]),
        (&json!(">"), &json!("> 1 . 3"))
    );
    assert_eq!(value("SN", "?^5")["valueString"], "? 5 mg/dL");
    assert_eq!(value("SN", "^1^/^8")["valueRatio"]["denominator"]["value"], 8);
    assert_eq!(value("SN", "=^7")["valueQuantity"]["comparator"], Value::Null);
    assert_eq!(value("VR", "low^high")["valueString"], "low-high");
}

#[test]
fn what_an_obx_says_beside_its_value_is_kept() {
    let made = observation(&[
        (4, "1.2^1^2^a"),
        (8, "H~A"),
        (10, "A~S"),
        (18, "D1^ANALYSER"),
        (19, "20260501120000+0000"),
        (21, "OBS1^LAB"),
        (23, "City Lab^^^^^LAB&2.1.3&ISO^XX^^^77"),
        (24, "1 Street^^Lahore"),
        (25, "D9^Director^Dana"),
        (33, "S9&HOSP^S10&LAB"),
    ]);
    assert_eq!(made["interpretation"].as_array().unwrap().len(), 2);
    assert_eq!(extension(&made, "observation-v2-subid")["extension"][1], json!({"url": "group", "valueDecimal": 1}));
    assert_eq!(extension(&made, "nature-of-abnormal-test")["valueCodeableConcept"]["coding"][0]["code"], "A");
    assert_eq!(extension(&made, "analysis-date-time")["valueDateTime"], "2026-05-01T12:00:00+00:00");
    assert_eq!(made["device"]["identifier"]["value"], "D1");
    assert_eq!(made["identifier"][0]["value"], "OBS1");
    assert_eq!(made["performer"].as_array().unwrap().len(), 2, "the laboratory and its director");
    assert_eq!(made["specimen"]["identifier"]["value"], "S10");
}

#[test]
fn a_status_that_means_more_than_its_fhir_word_keeps_its_code() {
    let cancelled = observation(&[(5, ""), (11, "X")]);
    assert_eq!(cancelled["status"], "cancelled");
    let code = &cancelled["_status"]["extension"][0]["valueCodeableConcept"]["coding"][0];
    assert_eq!((&code["system"], &code["code"]), (&json!("http://terminology.hl7.org/CodeSystem/v2-0085"), &json!("X")));
    assert!(observation(&[])["_status"].is_null());
}

#[test]
fn an_order_has_all_its_numbers_its_group_and_its_callback() {
    let text = format!(
        "{HEAD}{}{}OBX|1|NM|T^Test^L||5||||||F\r",
        segment("ORC", &[(1, "RE"), (2, "P1^HIS"), (3, "F1^LAB"), (4, "G1&HIS^G2&LAB"), (14, "^WPN^PH^^^42^1234567"), (28, "R")]),
        segment("OBR", &[(1, "1"), (4, "T^Test^L"), (6, "20260430"), (11, "G"), (46, "D^Detail^L"), (53, "P2^^^HIS")])
    );
    let order = only(&text, "ServiceRequest");
    let typed: Vec<(&Value, &Value)> =
        order["identifier"].as_array().unwrap().iter().map(|one| (&one["type"]["coding"][0]["code"], &one["value"])).collect();
    let wanted = [("PLAC", "P1"), ("FILL", "F1"), ("PLAC", "P2"), ("FGN", "G2")].map(|(kind, value)| (json!(kind), json!(value)));
    assert_eq!(typed, wanted.iter().map(|(kind, value)| (kind, value)).collect::<Vec<_>>());
    assert_eq!(order["requisition"]["value"], "G1");
    assert_eq!((&order["intent"], &order["occurrenceDateTime"]), (&json!("reflex-order"), &json!("2026-04-30")));
    assert_eq!(extension(&order["requester"], "callback-phone-number")["valueContactPoint"]["value"], "42 1234567");
    for of in ["ServiceRequest", "DiagnosticReport", "Observation"] {
        assert_eq!(only(&text, of)["meta"]["security"][0]["code"], "R", "{of} is as confidential as its order");
    }
}

#[test]
fn results_that_came_of_a_result_are_tied_to_it() {
    let parent = segment("OBR", &[(1, "1"), (2, "P1^HIS"), (3, "F1^LAB"), (4, "600-7^Culture^LN")]);
    let child = segment(
        "OBR",
        &[
            (1, "2"),
            (2, "P2^HIS"),
            (3, "F2^LAB"),
            (4, "18769-0^Susceptibility^LN"),
            (26, "600-7&Culture&LN^1"),
            (29, "P1&HIS^F1&LAB"),
        ],
    );
    let text = format!(
        "{HEAD}{parent}OBX|1|CWE|600-7^Culture^LN|1|112283007^E. coli^SCT||||||F\rOBX|2|CWE|600-7^Culture^LN|2|3092008^S. aureus^SCT||||||F\r\
         {child}OBX|1|SN|18906-8^Cipro^LN|1|<=^0.25||||||F\r"
    );
    let (orders, observations) = (records(&text, "ServiceRequest"), records(&text, "Observation"));
    let keys: Vec<String> = plan(&text).unwrap().observations.iter().map(ToString::to_string).collect();
    assert_eq!(observations[2]["derivedFrom"][0]["reference"], keys[0]);
    assert!(observations[0]["derivedFrom"].is_null());
    let reference = orders[1]["basedOn"][0]["reference"].as_str().unwrap();
    assert!(reference.starts_with("ServiceRequest/"));
    // Where the parent is in another message it is named by its number.
    let alone = format!("{HEAD}{child}OBX|1|SN|18906-8^Cipro^LN|1|<=^0.25||||||F\r");
    let named: Vec<Value> = only(&alone, "ServiceRequest")["basedOn"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["identifier"]["value"].clone())
        .collect();
    assert_eq!(named, [json!("P1"), json!("F1")]);
}

#[test]
fn a_visit_with_a_number_is_an_encounter_and_one_without_is_nothing() {
    let visit = |pv1: &str| format!("{HEAD}{pv1}OBR|1|P1|F1|T^Test^L\rOBX|1|NM|T^Test^L||5||||||F\r");
    let pv1 =
        segment("PV1", &[(2, "I"), (3, "Ward^12^B^City"), (7, "D1^Doc^Dora"), (10, "CAR"), (19, "V77^^^HIS"), (44, "20260501")]);
    let text = visit(&pv1);
    let made = only(&text, "Encounter");
    assert_eq!((&made["status"], &made["class"]["code"]), (&json!("in-progress"), &json!("IMP")));
    assert_eq!(made["identifier"][0]["type"]["coding"][0]["code"], "VN");
    assert_eq!(made["participant"][0]["type"][0]["coding"][0]["code"], "ATND");
    assert_eq!(made["location"][0]["location"]["display"], "Ward, 12, B, City");
    assert_eq!(made["period"]["start"], "2026-05-01");
    for of in ["ServiceRequest", "DiagnosticReport", "Observation"] {
        assert!(only(&text, of)["encounter"]["reference"].as_str().unwrap().starts_with("Encounter/"), "{of}");
    }
    let done = visit(&segment("PV1", &[(2, "O"), (19, "V1"), (45, "20260502")]));
    assert_eq!(only(&done, "Encounter")["status"], "finished");
    assert!(records(&visit("PV1|1|I|Ward^12\r"), "Encounter").is_empty());
}

#[test]
fn an_order_of_old_messages_tells_of_its_specimen() {
    let obr = segment(
        "OBR",
        &[
            (1, "1"),
            (3, "F1"),
            (4, "T^Test^L"),
            (7, "20260501"),
            (8, "20260502"),
            (9, "5^mL"),
            (10, "C1^Collector^Cora"),
            (14, "20260503"),
            (15, "BLD&Blood&HL70487^EDTA^drawn cold^LA&Left arm"),
        ],
    );
    let made = only(&format!("{HEAD}{obr}OBX|1|NM|T^Test^L||5||||||F\r"), "Specimen");
    assert_eq!(made["type"]["coding"][0]["code"], "BLD");
    assert_eq!(made["collection"]["collectedPeriod"], json!({"start": "2026-05-01", "end": "2026-05-02"}));
    assert_eq!((&made["collection"]["quantity"]["value"], &made["receivedTime"]), (&json!(5), &json!("2026-05-03")));
    assert!(made["collection"]["collector"]["reference"].is_string());
    assert_eq!(made["note"][0]["text"], "drawn cold");
    assert_eq!(made["collection"]["bodySite"]["text"], "Left arm");
}

#[test]
fn codes_keep_their_versions_and_all_three_of_a_kind() {
    let made = observation(&[(3, "2345-7^Glucose^LN^GLU^Glu^L^2.74^1^the text^G^Gl^99X^^3")]);
    let codings = made["code"]["coding"].as_array().unwrap();
    assert_eq!(codings.len(), 3);
    assert_eq!((&codings[0]["version"], &codings[1]["version"]), (&json!("2.74"), &json!("1")));
    assert_eq!(made["code"]["text"], "the text");
}

/// Somebody of whom everything is told.
fn ludwig() -> Value {
    use super::{Context, Json, patients};
    let pid = segment(
        "PID",
        &[
            (1, "1"),
            (3, "77^3^M11^MRN^MR"),
            (5, "van Beethoven&van&Beethoven^Ludwig^Maria^Jr^Dr^PhD^L^^^^^20200101^20300101^^Lou~Brentano^^^^^^M"),
            (6, "Keverich^Maria"),
            (7, "20200203101500+0000"),
            (8, "M"),
            (11, "Street 1&Street&1^Flat 2^Bonn^NW^53111^DEU^H^^^Tract^^20200101&20210101"),
            (12, "Rhine"),
            (13, "^PRN^PH^^49^228^12345^9~^NET^Internet^lou@example.org"),
            (15, "de^German^ISO"),
            (16, "S"),
            (17, "CAT"),
            (19, "123-45-6789"),
            (20, "DL77^NW^20301231"),
            (23, "Bonn"),
            (26, "DE"),
            (30, "N"),
        ],
    );
    let text = format!(
        "MSH|^~\\&|LAB|CITY|||20260501||ADT^A04|c|P|2.5\r{pid}PD1|||Practice^^^^^MRN^XX^^^88|D1^Doc^Dora\rNK1|1|Keverich^Maria|MTH^Mother^HL70063|Street 2^^Bonn|^PRN^PH^^^^777\r"
    );
    let message = crate::lab::v2::Message::parse(&text).unwrap();
    let context: Context = super::tests::context();
    let made: Vec<Json> = patients(&message, &context).unwrap();
    serde_json::from_str(&made[0].to_string()).unwrap()
}

#[test]
fn a_patient_is_what_pid_pd1_and_nk1_tell() {
    let made = ludwig();
    let name = &made["name"][0];
    assert_eq!(
        (&name["family"], &name["use"], &name["suffix"]),
        (&json!("van Beethoven"), &json!("official"), &json!(["Jr", "PhD"]))
    );
    assert_eq!(name["_family"]["extension"][0]["valueString"], "van");
    assert_eq!(name["period"], json!({"start": "2020-01-01", "end": "2030-01-01"}));
    assert_eq!(made["name"][1], json!({"use": "nickname", "given": ["Lou"]}));
    assert_eq!(made["name"][2]["use"], "maiden");
    assert_eq!(made["telecom"][0]["value"], "+49 228 12345 X9");
    assert_eq!((&made["telecom"][1]["system"], &made["telecom"][1]["value"]), (&json!("email"), &json!("lou@example.org")));
    assert_eq!(made["address"][0]["line"], json!(["Street 1", "Street", "1", "Flat 2"]));
    assert_eq!((&made["address"][0]["district"], &made["address"][0]["period"]["end"]), (&json!("Rhine"), &json!("2021-01-01")));
    assert_eq!(
        made["maritalStatus"]["coding"][0],
        json!({"system": "http://terminology.hl7.org/CodeSystem/v3-MaritalStatus", "code": "S", "display": "Never Married"})
    );
    let kinds: Vec<&Value> = made["identifier"].as_array().unwrap().iter().map(|one| &one["type"]["coding"][0]["code"]).collect();
    assert_eq!(kinds, ["MR", "SS", "DL"]);
    assert_eq!(extension(&made["identifier"][0], "identifier-checkDigit")["valueString"], "3");
    assert_eq!(extension(&made, "mothersMaidenName")["valueString"], "Keverich");
    assert_eq!(extension(&made, "birthPlace")["valueAddress"]["text"], "Bonn");
    assert_eq!(extension(&made, "citizenship")["extension"][0]["valueCodeableConcept"]["coding"][0]["code"], "DE");
    assert_eq!(made["_birthDate"]["extension"][0]["valueDateTime"], "2020-02-03T10:15:00+00:00");
    assert_eq!(made["contact"][0]["relationship"][0]["coding"][0]["code"], "MTH");
    assert_eq!(made["generalPractitioner"][0]["identifier"]["value"], "88");
    assert_eq!(made["generalPractitioner"][1]["display"], "Dora Doc");
    let document = crate::fhir::json::Document::parse(made.to_string().as_bytes()).unwrap();
    crate::fhir::shape::check(&document).unwrap();
}

#[test]
fn a_confidential_document_is_labelled() {
    let txa = segment("TXA", &[(1, "1"), (2, "CN^Consult^L"), (12, "D1^LAB"), (17, "AU"), (18, "V")]);
    let text = format!("{}{txa}OBX|1|TX|1^Text^L||text||||||F\r", HEAD.replace("ORU^R01", "MDM^T02"));
    let made = only(&text, "DocumentReference");
    assert_eq!(
        (&made["meta"]["security"][0]["code"], &made["securityLabel"][0]["coding"][0]["code"]),
        (&json!("V"), &json!("V"))
    );
}
