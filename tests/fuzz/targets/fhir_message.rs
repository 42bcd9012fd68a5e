//! Bundles of type `message`: read or refused with a reason, and what is made of one is a Bundle that the gateway itself would take.
#![no_main]

use amanat::fhir::Instant;
use amanat::fhir::json::Document;
use amanat::lab::Namer;
use amanat::lab::fhir_message::FhirMessage;
use amanat::lab::mapping::Context;
use amanat::lab::tables::{Sender, Tables};
use libfuzzer_sys::fuzz_target;
use std::sync::{Arc, LazyLock};

static TABLES: LazyLock<Arc<Tables>> = LazyLock::new(|| Arc::new(Tables::built_in().expect("its own tables")));

fuzz_target!(|bytes: &[u8]| {
    let Ok(document) = Document::parse(bytes) else { return };
    let message = match FhirMessage::read(&document) {
        Ok(message) => message,
        Err(problems) => return assert!(!problems.is_empty(), "refused without a reason"),
    };
    let setting = Context {
        tables: Arc::clone(&TABLES),
        sender: Sender::default(),
        zone: jiff::tz::TimeZone::UTC,
        namer: Namer::new(b"k", "c"),
        message: "m1".to_owned(),
        replay: 0,
        received: Instant(0),
    };
    let subjects: Vec<String> = (0..message.patients().len()).map(|at| format!("Patient/p{at}")).collect();
    if let Ok(plan) = message.map(&subjects, &setting) {
        let bundle = plan.bundle();
        assert!(Document::parse(bundle.as_bytes()).is_ok(), "{bundle}");
    }
});
