//! Bundles of type `message`: read or refused with a reason, and what is made of one is a Bundle that the gateway itself would take.
#![no_main]

use amanat::fhir::json::Document;
use amanat::lab::fhir_message::FhirMessage;
use amanat_fuzz::context;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(document) = Document::parse(bytes) else { return };
    let message = match FhirMessage::read(&document) {
        Ok(message) => message,
        Err(problems) => return assert!(!problems.is_empty(), "refused without a reason"),
    };
    let subjects: Vec<String> = (0..message.patients().len()).map(|at| format!("Patient/p{at}")).collect();
    if let Ok(plan) = message.map(&subjects, &context()) {
        let bundle = plan.bundle();
        assert!(Document::parse(bundle.as_bytes()).is_ok(), "{bundle}");
    }
});
