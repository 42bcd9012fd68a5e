//! JSON: what is taken is what another strict reader takes, it is written as it was read, and checking, patching and indexing it never fails but
//! with a reason.
#![no_main]

use amanat::fhir::json::Document;
use amanat::fhir::{pretty, search, shape};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(document) = Document::parse(bytes) else { return };
    let other: Result<serde_json::Value, _> = serde_json::from_slice(bytes);
    if let Err(fault) = other {
        // Numbers beyond a double are numbers in FHIR.
        let fault = fault.to_string();
        assert!(
            fault.contains("number out of range") || fault.contains("recursion limit"),
            "taken, where another reader says {fault}"
        );
    }
    let again = Document::parse(document.text().as_bytes()).expect("what was written is read back");
    assert_eq!(again.text(), document.text());
    let laid_out = pretty::pretty(document.text());
    assert!(Document::parse(laid_out.as_bytes()).is_ok(), "laid out it is no JSON: {laid_out}");
    match shape::check(&document) {
        Ok(resource_type) => drop(search::extract(&document, resource_type, "https://own/fhir", &search::STANDARD)),
        Err(problems) => assert!(!problems.is_empty(), "refused without a reason"),
    }
});
