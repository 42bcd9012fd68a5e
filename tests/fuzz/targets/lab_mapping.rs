//! Messages of any kind mapped to FHIR: each result is accounted for, and each record that is made is one that the gateway itself would take.
#![no_main]

use amanat::fhir::json::Document;
use amanat::fhir::shape;
use amanat::lab::mapping::{Matter, map, patients, testify};
use amanat::lab::v2::{Charset, Message};
use amanat_fuzz::context;
use libfuzzer_sys::fuzz_target;

fn is_good(text: &str) {
    let document = Document::parse(text.as_bytes()).unwrap_or_else(|fault| panic!("{fault:?} in {text}"));
    let checked = shape::check(&document);
    assert!(checked.is_ok(), "{:?} in {text}", checked.err());
}

fuzz_target!(|bytes: &[u8]| {
    let Ok(message) = Message::read(bytes, Charset::Utf8) else { return };
    let setting = context();
    let matter = Matter::of(&message);
    for patient in patients(&message, &setting).unwrap_or_default() {
        is_good(&patient.to_string());
    }
    let subjects: Vec<String> = (0..message.all("PID").count()).map(|at| format!("Patient/p{at}")).collect();
    let Ok(mut plan) = map(&message, &subjects, &setting) else { return };
    if matches!(matter, Ok(Matter::Results)) && message.kind().starts_with("ORU") {
        assert_eq!(plan.observations.len(), message.all("OBX").count(), "a result is lost");
    }
    testify(&message, &setting, &mut plan);
    for record in &plan.records {
        is_good(&record.content.to_string());
    }
    is_good(&plan.bundle());
});
