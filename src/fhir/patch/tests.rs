use super::{JsonPatch, MAX_OPERATIONS, PatchFault, apply, parse};
use crate::fhir::corpora;
use crate::fhir::json::Document;
use serde::Deserialize;
use serde_json::value::RawValue;

fn patch(text: &str) -> JsonPatch {
    parse(&Document::parse(text.as_bytes()).unwrap()).unwrap()
}

fn applied(operations: &str, text: &str) -> Result<String, PatchFault> {
    apply(&patch(operations), &Document::parse(text.as_bytes()).unwrap()).map(Document::into_text)
}

#[test]
fn what_is_not_named_keeps_its_bytes() {
    let text = r#"{"b\u0041":1.50,"a":[{"x":-0.0,"y":"\u00e9"},2E1],"c":"d"}"#;
    let done = applied(r#"[{"op":"replace","path":"/a/0/x","value":1.10},{"op":"add","path":"/n\"m","value":[ 1.00 ]}]"#, text);
    assert_eq!(done.unwrap(), r#"{"b\u0041":1.50,"a":[{"x":1.10,"y":"\u00e9"},2E1],"c":"d","n\"m":[1.00]}"#);
}

#[test]
fn a_member_that_is_there_is_replaced_in_its_place() {
    assert_eq!(applied(r#"[{"op":"add","path":"/a","value":2}]"#, r#"{"a":1,"b":1}"#).unwrap(), r#"{"a":2,"b":1}"#);
    assert_eq!(applied(r#"[{"op":"add","path":"/bA","value":2}]"#, r#"{"b\u0041":1}"#).unwrap(), r#"{"b\u0041":2}"#);
}

#[test]
fn a_failed_test_and_a_missing_target_are_told_apart() {
    let failed = applied(r#"[{"op":"add","path":"/b","value":2},{"op":"test","path":"/a","value":2}]"#, r#"{"a":1}"#);
    assert_eq!(failed.unwrap_err(), PatchFault::TestFailed { operation: 1, path: "/a".into() });
    let missing = applied(r#"[{"op":"copy","from":"/x","path":"/a"}]"#, r#"{"a":1}"#).unwrap_err();
    assert!(matches!(missing, PatchFault::Target { operation: 0, path, .. } if path == "/x"));
}

#[test]
fn a_value_does_not_move_into_itself_and_the_record_stays() {
    for operations in [r#"[{"op":"move","from":"/a","path":"/a/b"}]"#, r#"[{"op":"remove","path":""}]"#] {
        assert!(matches!(applied(operations, r#"{"a":{}}"#), Err(PatchFault::Target { .. })), "{operations}");
    }
    assert_eq!(applied(r#"[{"op":"move","from":"/a","path":"/a"}]"#, r#"{"a":1,"b":2}"#).unwrap(), r#"{"a":1,"b":2}"#);
}

#[test]
fn copies_of_copies_end_at_a_bound() {
    let doubling = vec![r#"{"op":"copy","from":"","path":"/a/-"}"#; 60].join(",");
    assert_eq!(applied(&format!("[{doubling}]"), r#"{"a":["x"]}"#), Err(PatchFault::TooLarge));
    let deeper: Vec<String> =
        (1..200).map(|depth| format!(r#"{{"op":"add","path":"{}","value":{{}}}}"#, "/a".repeat(depth))).collect();
    assert_eq!(applied(&format!("[{}]", deeper.join(",")), "{}"), Err(PatchFault::TooLarge));
}

#[test]
fn moves_into_each_other_end_at_a_bound() {
    let item = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let record = |depth: usize| format!("[{}]", vec![item(depth); 5].join(","));
    let moves = |depth: usize| {
        let path = format!("/0{}/-", "/0".repeat(depth - 1));
        format!(r#"[{{"op":"move","from":"/1","path":"{path}"}}]"#)
    };
    assert!(applied(&moves(40), &record(40)).is_ok());
    assert_eq!(applied(&moves(60), &record(60)), Err(PatchFault::TooLarge));
}

#[test]
fn a_patch_that_cannot_be_read_is_refused_whole() {
    let problems = |text: &str| parse(&Document::parse(text.as_bytes()).unwrap()).unwrap_err().len();
    assert_eq!(problems(r#"{"op":"add"}"#), 1);
    assert_eq!(problems(r#"[{"op":"spam","path":""},{"path":""},{"op":"add","path":"/a"},{"op":"move","path":"/a"},1]"#), 5);
    assert_eq!(problems(r#"[{"op":"remove","path":"a"},{"op":"remove","path":"/~2"},{"op":"remove"},{"op":1,"path":""}]"#), 4);
    let many = vec![r#"{"op":"test","path":"","value":1}"#; MAX_OPERATIONS + 1].join(",");
    assert_eq!(problems(&format!("[{many}]")), 1);
}

#[derive(Deserialize)]
struct Case<'c> {
    comment: Option<String>,
    #[serde(borrow)]
    doc: Option<&'c RawValue>,
    #[serde(borrow)]
    patch: Option<&'c RawValue>,
    #[serde(borrow)]
    expected: Option<&'c RawValue>,
    error: Option<String>,
    #[serde(default)]
    disabled: bool,
}

/// The outcome of a case: the new text, or where it was refused.
fn outcome(doc: &str, patch: &str) -> Result<String, String> {
    let document = Document::parse(doc.as_bytes()).map_err(|error| error.to_string())?;
    let patch = Document::parse(patch.as_bytes()).map_err(|error| error.to_string())?;
    let patch = parse(&patch).map_err(|problems| problems[0].text.clone())?;
    apply(&patch, &document).map(Document::into_text).map_err(|fault| fault.to_string())
}

/// The published suites; of the cases that they disable themselves, those that end in an error run too.
#[test]
fn the_published_suites_pass() {
    let Some(folder) = corpora::folder("json-patch") else { return };
    let (mut ran, mut skipped) = (0, Vec::new());
    for name in ["tests.json", "spec_tests.json", "fhir-json-patch-tests.json"] {
        let text = std::fs::read_to_string(folder.join(name)).unwrap();
        for case in serde_json::from_str::<Vec<Case<'_>>>(&text).unwrap() {
            let comment = case.comment.unwrap_or_default();
            let (Some(doc), Some(patch)) = (case.doc, case.patch) else { continue };
            if case.disabled && case.error.is_none() {
                skipped.push(format!("{name}: {comment} (disabled there)"));
                continue;
            }
            let outcome = outcome(doc.get(), patch.get());
            let place = format!("{name}: {comment} {} {}", doc.get(), patch.get());
            match (case.expected, &case.error) {
                (_, Some(error)) => assert!(outcome.is_err(), "{place}: no error ({error})"),
                (Some(expected), None) => {
                    let value = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
                    assert_eq!(value(&outcome.expect(&place)), value(expected.get()), "{place}");
                }
                (None, None) => assert!(outcome.is_ok(), "{place}: {outcome:?}"),
            }
            ran += 1;
        }
    }
    println!("{ran} cases; skipped: {skipped:#?}");
    assert!(ran > 110, "{ran}");
}
