use super::{MAX_PROBLEMS, check, check_envelope};
use crate::fhir::corpora;
use crate::fhir::json::{Document, Element};

fn problems(text: &str) -> Vec<(String, &'static str)> {
    let document = Document::parse(text.as_bytes()).unwrap();
    let problems = check(&document).err().unwrap_or_default();
    problems.into_iter().map(|problem| (problem.expression.unwrap(), problem.issue)).collect()
}

fn one(text: &str, expression: &str, issue: &'static str) {
    assert_eq!(problems(text), [(expression.to_owned(), issue)], "{text}");
}

fn fine(text: &str) {
    assert_eq!(problems(text), [], "{text}");
}

fn first_text(text: &str) -> String {
    check(&Document::parse(text.as_bytes()).unwrap()).unwrap_err().remove(0).text
}

#[test]
fn the_root_is_an_object_of_a_known_type() {
    one("[]", "Resource", "structure");
    one(r#"{"id":"a"}"#, "Resource", "structure");
    one(r#"{"resourceType":"Pateint"}"#, "Resource.resourceType", "structure");
    one(r#"{"resourceType":1}"#, "Resource.resourceType", "structure");
    fine(r#"{"resourceType":"Patient"}"#);
    assert!(first_text(r#"{"resourceType":"Pateint"}"#).ends_with("Did you mean `Patient`?"));
}

#[test]
fn unknown_elements_are_told_with_the_nearest_name() {
    one(r#"{"resourceType":"Patient","name":[{"famly":"A"}]}"#, "Patient.name[0].famly", "structure");
    assert!(first_text(r#"{"resourceType":"Patient","brithDate":"2000"}"#).contains("`birthDate`"));
    assert!(first_text(r#"{"resourceType":"Observation","value":1}"#).contains("such as `value"));
    one(r#"{"resourceType":"Patient","_name":[{"id":"x"}]}"#, "Patient._name", "structure");
    one(r#"{"resourceType":"Patient","name":[{"resourceType":"Patient"}]}"#, "Patient.name[0].resourceType", "structure");
    fine(r#"{"resourceType":"ExampleScenario","instance":[{"resourceId":"a","resourceType":"Patient"}]}"#);
}

#[test]
fn json_types_and_repetition_are_those_of_the_element() {
    one(r#"{"resourceType":"Patient","active":"true"}"#, "Patient.active", "structure");
    one(r#"{"resourceType":"Patient","birthDate":2000}"#, "Patient.birthDate", "structure");
    one(r#"{"resourceType":"Patient","name":{"family":"A"}}"#, "Patient.name", "structure");
    one(r#"{"resourceType":"Patient","birthDate":["2000"]}"#, "Patient.birthDate", "structure");
    one(r#"{"resourceType":"Patient","name":["A"]}"#, "Patient.name[0]", "structure");
    one(r#"{"resourceType":"Patient","name":[null]}"#, "Patient.name[0]", "structure");
    one(r#"{"resourceType":"Patient","active":null}"#, "Patient.active", "structure");
}

#[test]
fn nothing_is_empty() {
    one(r#"{"resourceType":"Patient","name":[]}"#, "Patient.name", "structure");
    one(r#"{"resourceType":"Patient","name":[{}]}"#, "Patient.name[0]", "structure");
    one(r#"{"resourceType":"Patient","name":[{"family":""}]}"#, "Patient.name[0].family", "value");
    one(r#"{"resourceType":"Patient","meta":{}}"#, "Patient.meta", "structure");
}

#[test]
fn values_have_the_format_of_their_type() {
    one(r#"{"resourceType":"Patient","birthDate":"2020-02-30"}"#, "Patient.birthDate", "value");
    one(r#"{"resourceType":"Patient","id":"a b"}"#, "Patient.id", "value");
    one(r#"{"resourceType":"Patient","contact":[{"name":{"given":["A",""]}}]}"#, "Patient.contact[0].name.given[1]", "value");
    one(r#"{"resourceType":"Observation","valueDateTime":"yesterday"}"#, "Observation.value", "value");
}

#[test]
fn siblings_of_primitives_are_elements_in_the_same_order() {
    fine(r#"{"resourceType":"Patient","_birthDate":{"extension":[{"url":"u","valueCode":"x"}]}}"#);
    fine(r#"{"resourceType":"Patient","birthDate":"2000","_birthDate":{"id":"b"}}"#);
    fine(r#"{"resourceType":"Patient","name":[{"given":["A",null],"_given":[null,{"id":"b"}]}]}"#);
    fine(r#"{"resourceType":"Patient","name":[{"_given":[{"id":"b"}]}]}"#);
    one(r#"{"resourceType":"Patient","name":[{"given":["A",null]}]}"#, "Patient.name[0].given[1]", "structure");
    one(r#"{"resourceType":"Patient","name":[{"given":["A","B"],"_given":[{"id":"b"}]}]}"#, "Patient.name[0].given", "structure");
    one(r#"{"resourceType":"Patient","name":[{"_given":[null]}]}"#, "Patient.name[0].given[0]", "structure");
    one(r#"{"resourceType":"Patient","_birthDate":{"value":"2000"}}"#, "Patient.birthDate.value", "structure");
    one(r#"{"resourceType":"Patient","_birthDate":"x"}"#, "Patient.birthDate", "structure");
    one(r#"{"resourceType":"Patient","_birthDate":{}}"#, "Patient.birthDate", "structure");
}

#[test]
fn a_choice_has_one_of_its_types() {
    fine(r#"{"resourceType":"Observation","valueString":"a","_valueString":{"id":"b"}}"#);
    one(r#"{"resourceType":"Observation","valueString":"a","valueInteger":1}"#, "Observation.value", "structure");
    one(r#"{"resourceType":"Observation","valueString":"a","_valueInteger":{"id":"b"}}"#, "Observation.value", "structure");
    one(r#"{"resourceType":"Observation","valueAddress":{"text":"x"}}"#, "Observation.valueAddress", "structure");
}

#[test]
fn contained_resources_are_judged_by_their_own_type() {
    one(
        r#"{"resourceType":"Patient","contained":[{"resourceType":"Organization","nam":"x"}]}"#,
        "Patient.contained[0].nam",
        "structure",
    );
    one(r#"{"resourceType":"Patient","contained":[{"id":"x"}]}"#, "Patient.contained[0]", "structure");
    let nested =
        r#"{"resourceType":"Patient","contained":[{"resourceType":"Patient","contained":[{"resourceType":"Patient"}]}]}"#;
    one(nested, "Patient.contained[0].contained[0]", "structure");
    let in_entry = r#"{"resourceType":"Bundle","type":"batch","entry":[{"resource":{"resourceType":"Patient","contained":[{"resourceType":"Organization","id":"o"}]}}]}"#;
    fine(in_entry);
}

#[test]
fn an_extension_has_a_url() {
    one(r#"{"resourceType":"Patient","extension":[{"valueString":"x"}]}"#, "Patient.extension[0]", "required");
    fine(
        r#"{"resourceType":"Patient","extension":[{"url":"u","extension":[{"url":"v","valueReference":{"reference":"Patient/1"}}]}]}"#,
    );
}

#[test]
fn every_problem_is_told_up_to_a_bound() {
    assert_eq!(problems(r#"{"resourceType":"Patient","a":1,"active":"x","birthDate":"2020-02-30"}"#).len(), 3);
    let many: Vec<String> = (0..200).map(|n| format!("\"x{n}\":1")).collect();
    assert_eq!(problems(&format!("{{\"resourceType\":\"Patient\",{}}}", many.join(","))).len(), MAX_PROBLEMS);
}

#[test]
fn an_envelope_is_judged_without_the_resources_inside() {
    let bundle = |skeleton: &str| format!(r#"{{"resourceType":"Bundle","entry":[{{"resource":{{"no":1}}{skeleton}}}]}}"#);
    let check = |text: String| check_envelope(&Document::parse(text.as_bytes()).unwrap());
    assert!(check(bundle("")).is_ok());
    assert!(check(bundle(",\"requets\":{}")).is_err());
}

/// Published examples and generated records are accepted as they are.
#[test]
fn published_records_have_their_shape() {
    let mut seen = 0;
    let (mut bytes, mut parsing, mut checking) = (0, std::time::Duration::ZERO, std::time::Duration::ZERO);
    let mut wrong = Vec::new();
    for (source, text) in [
        "hl7-r4-examples",
        "us-core-6.1-examples",
        "ips-1.1-examples",
        "smoke-12-patients",
        "synthea-uscore-60",
        "ipa-1.0-examples",
        "ihe-balp-auditevents",
        "ihe-pcf-consents",
        "subscriptions-backport-r4-examples",
        "bulkdata-ig-examples",
        "synthea-bulk-100",
        "inferno-reference-data",
    ]
    .into_iter()
    .flat_map(corpora::resources)
    {
        let start = std::time::Instant::now();
        let document = Document::parse(text.as_bytes()).unwrap();
        parsing += start.elapsed();
        let start = std::time::Instant::now();
        let outcome = check(&document);
        checking += start.elapsed();
        (seen, bytes) = (seen + 1, bytes + text.len());
        // The base64 of one published Binary is the name of a file, left there by the tool that built it.
        for problem in outcome.err().unwrap_or_default().into_iter().filter(|_| !text.contains("\"ig-loader-ink.png\"")) {
            wrong.push(format!("{source}: {} {}", problem.expression.unwrap_or_default(), problem.text));
        }
    }
    println!("{seen} records, {bytes} bytes: parse {parsing:?}, check {checking:?}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Every place of a record, as the span of its value.
fn spans(element: Element<'_>, out: &mut Vec<std::ops::Range<usize>>) {
    out.push(element.span());
    for (_, value) in element.members() {
        spans(value, out);
    }
    for item in element.items() {
        spans(item, out);
    }
}

/// Whatever value of a good record becomes an empty object, list or string: the record is refused, and nothing panics.
#[test]
fn no_place_of_a_record_may_be_empty() {
    let small = corpora::resources("hl7-r4-examples").into_iter().filter(|(_, text)| text.len() < 4000).step_by(3);
    for (source, text) in small {
        let document = Document::parse(text.as_bytes()).unwrap();
        let mut places = Vec::new();
        spans(document.root(), &mut places);
        for (at, place) in places.into_iter().enumerate() {
            let empty = ["{}", "[]", "\"\""][at % 3];
            let text = document.text();
            let broken = format!("{}{empty}{}", &text[..place.start], &text[place.end..]);
            let broken = Document::parse(broken.as_bytes()).unwrap();
            assert!(check(&broken).is_err(), "{source}: {empty} at {place:?}");
        }
    }
}

/// What the HL7 validator finds valid is accepted, and what it finds wrong in the shape is refused at the same place.
#[test]
fn the_hl7_validator_agrees_about_shapes() {
    // An id of 65 characters (R4: 64), and two files with comments (RFC 8259 has none).
    const STRICTER_HERE: [&str; 3] = ["contained-resource.json", "json-comments-1.json", "json-comments-2.json"];
    const ABOUT_SHAPE: [&str; 8] = [
        "Unrecognized property",
        "must be a JSON Array",
        "must be an Array",
        "Illegal base64",
        "Not a valid date format",
        "must have a timezone",
        "Invalid Resource id",
        "JSON",
    ];
    let Some(folder) = corpora::folder("fhir-validator-r4") else { return };
    let cases: serde_json::Value = serde_json::from_slice(&std::fs::read(folder.join("cases.json")).unwrap()).unwrap();
    let (mut valid, mut wrong) = (0, 0);
    for case in cases["cases"].as_array().unwrap() {
        let file = case["file"].as_str().unwrap();
        let Some(bytes) = std::fs::read(folder.join("files").join(file)).ok().filter(|bytes| !bytes.starts_with(b"<")) else {
            continue;
        };
        let found = Document::parse(&bytes).map_err(|error| vec![error.to_string()]).and_then(|document| {
            check(&document).map_err(|problems| problems.into_iter().filter_map(|problem| problem.expression).collect())
        });
        if case["base"]["expect"] == "valid" && !STRICTER_HERE.contains(&file) {
            assert!(found.is_ok(), "{file}: {found:?}");
            valid += 1;
        }
        let issues = case["base"]["issues"].as_array().into_iter().flatten();
        for issue in issues.filter(|issue| issue["severity"] == "error" || issue["severity"] == "fatal") {
            let text = issue["text"].as_str().unwrap_or_default();
            if ABOUT_SHAPE.iter().any(|phrase| text.contains(phrase)) {
                let place = issue["at"][0].as_str().unwrap_or_default().replace(".ofType(Attachment)", "");
                let ours = found.as_ref().expect_err(file);
                let unread = ours[0].starts_with("the body");
                assert!(unread || ours.iter().any(|ours| ours.starts_with(&place)), "{file}: {text} at {place}, here {ours:?}");
                wrong += 1;
            }
        }
    }
    println!("{valid} valid cases accepted, {wrong} faults refused");
    assert!(valid >= 49 && wrong >= 12, "{valid} {wrong}");
}
