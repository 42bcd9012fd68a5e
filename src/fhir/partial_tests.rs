use super::{Coding, INLINE_LABEL, Partial, may_hold_inline_labels, partial};
use crate::fhir::json::Document;
use crate::fhir::naming::Silence;

const ALL: &dyn Fn(&str, &str) -> bool = &|_, _| true;

fn label(code: &str) -> String {
    format!(r#"{{"url":"{INLINE_LABEL}","valueCoding":{{"system":"s","code":"{code}"}}}}"#)
}

fn cut(json: &str, shows: &dyn Fn(&[Coding]) -> bool, tells: &dyn Fn(&str, &str) -> bool) -> Option<String> {
    partial(&Document::parse(json.as_bytes()).unwrap(), &Partial { shows, tells, hushes: &|_| None })
}

fn without(json: &str) -> String {
    let cut = cut(json, &|labels| labels.iter().all(|(_, code)| code != "R"), ALL).unwrap();
    Document::parse(cut.as_bytes()).unwrap_or_else(|error| panic!("{error}: {cut}"));
    cut
}

#[test]
fn a_labelled_element_goes_with_narrative_and_leaves_tags() {
    let json = format!(
        r#"{{"resourceType":"Patient","id":"p","text":{{"div":"<div>1</div>"}},"identifier":[{{"extension":[{}],"value":"1"}},{{"value":"2"}}],"active":true}}"#,
        label("R")
    );
    let cut = without(&json);
    assert!(!cut.contains("\"1\"") && !cut.contains("div"), "{cut}");
    assert!(cut.contains(r#""identifier":[{"value":"2"}],"active":true"#), "{cut}");
    assert!(cut.contains("SUBSETTED") && cut.contains("REDACTED"), "{cut}");
    let open = json.replace("\"R\"", "\"N\"");
    assert_eq!(
        super::partial(&Document::parse(open.as_bytes()).unwrap(), &Partial { shows: &|_| true, tells: ALL, hushes: &|_| None }),
        None
    );
}

#[test]
fn a_primitive_goes_with_its_sibling_and_a_list_keeps_its_alignment() {
    let json = format!(
        r#"{{"resourceType":"Patient","id":"p","birthDate":"1980","_birthDate":{{"extension":[{}]}},"name":[{{"given":["A","B"],"_given":[{{"extension":[{}]}},null]}}]}}"#,
        label("R"),
        label("R")
    );
    let cut = without(&json);
    assert!(!cut.contains("1980") && !cut.contains("\"A\"") && !cut.contains("birthDate"), "{cut}");
    assert!(cut.contains(r#""given":["B"],"_given":[null]"#), "{cut}");
}

#[test]
fn what_is_mandatory_is_masked() {
    let json = format!(
        r#"{{"resourceType":"Observation","id":"o","status":"final","_status":{{"extension":[{}]}},"code":{{"extension":[{}],"text":"secret"}}}}"#,
        label("R"),
        label("R")
    );
    let cut = without(&json);
    let masked = r#"{"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/data-absent-reason","valueCode":"masked"}]}"#;
    assert!(cut.contains(&format!(r#""_status":{masked}"#)) && cut.contains(&format!(r#""code":{masked}"#)), "{cut}");
    assert!(!cut.contains("secret") && !cut.contains("final"), "{cut}");
}

#[test]
fn labels_that_are_not_told_go_without_a_trace() {
    let json = format!(
        r#"{{"resourceType":"Observation","id":"o","meta":{{"security":[{{"system":"s","code":"HIV"}},{{"system":"h","code":"NORDSCLCD"}}]}},"code":{{"extension":[{}],"text":"x"}}}}"#,
        label("R")
    );
    let cut = cut(&json, &|_| true, &|system, _| system == "h").unwrap();
    let left =
        r#"{"resourceType":"Observation","id":"o","meta":{"security":[{"system":"h","code":"NORDSCLCD"}]},"code":{"text":"x"}}"#;
    assert_eq!(cut, left);
}

#[test]
fn a_contained_resource_and_a_signature_go_by_the_same_rules() {
    let json = format!(
        r#"{{"resourceType":"Provenance","id":"v","contained":[{{"resourceType":"Device","id":"d","text":{{"div":"t"}},"extension":[{}]}},{{"resourceType":"Device","id":"e","text":{{"div":"t"}}}}],"signature":[{{"data":"x"}}]}}"#,
        label("R")
    );
    let cut = without(&json);
    assert!(cut.contains(r#""contained":[{"resourceType":"Device","id":"e"}]"#) && !cut.contains("signature"), "{cut}");
}

#[test]
fn a_name_written_in_escapes_is_looked_for() {
    assert!(may_hold_inline_labels(br#"{"url":"x/extension-inline-sec-l\u0061bel"}"#));
    assert!(!may_hold_inline_labels(br#"{"url":"x"}"#));
}

#[test]
fn a_reference_that_is_hushed_keeps_its_address_at_most() {
    let json = r#"{"resourceType":"DiagnosticReport","id":"r","text":{"div":"<div>x</div>"},"status":"final","code":{},
        "result":[{"id":"a","reference":"Observation/1","type":"Observation","display":"x"},{"reference":"Observation/2","display":"y"}]}"#;
    let hushed = |of: &'static str, silence| {
        move |value: crate::fhir::json::Element<'_>| (value.text_at("reference").as_deref() == Some(of)).then_some(silence)
    };
    let cut = |hushes: &dyn Fn(crate::fhir::json::Element<'_>) -> Option<Silence>| {
        partial(&Document::parse(json.as_bytes()).unwrap(), &Partial { shows: &|_| true, tells: ALL, hushes }).unwrap()
    };
    let words = cut(&hushed("Observation/1", Silence::Words));
    let result =
        r#""result":[{"id":"a","reference":"Observation/1","type":"Observation"},{"reference":"Observation/2","display":"y"}]"#;
    assert!(words.contains(result) && words.contains("REDACTED") && !words.contains("<div>"), "{words}");
    let whole = cut(&hushed("Observation/1", Silence::Whole));
    assert!(whole.contains(r#""result":[{"reference":"Observation/2","display":"y"}]"#), "{whole}");
}
