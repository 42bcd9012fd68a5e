//! Synthetic people for `amanat demo` and for the bench: made by arithmetic from a fixed seed, so every run, machine and
//! release has the same ones. No clock: dates count back from [`ANCHOR`].
//!
//! The shapes follow US Core where R4 leaves a choice; no record claims a profile. Every Patient carries the tag `synthetic`.

mod care;
mod cast;
mod chart;
mod coding;
mod consents;
mod measures;
mod medicine;
mod orders;
mod people;
pub(super) mod random;
mod shared;
mod text;
mod workload;

pub use cast::{
    APP_PATIENT, CLINIC, CLINICIAN, DENIED_PATIENT, EXPIRED_PATIENT, HOSPITAL, HOSPITAL_ONLY_PATIENT, INSURER, LABORATORY,
    LABORATORY_ONLY_PATIENT, NO_RESEARCH_PATIENT, NURSE, PATHOLOGIST, SILENT_PATIENT,
};
pub use workload::workload;

use jiff::{
    ToSpan as _,
    civil::{Date, date},
};
use serde_json::{Value, json};

/// The namespace of every identifier and tag that the generator invents. `.example` belongs to nobody (RFC 2606).
pub const SITE: &str = "https://amanat.example";

/// The day from which all dates count back.
pub const ANCHOR: Date = date(2026, 1, 15);

/// The demo's records as transaction Bundles of updates at fixed ids: first the organizations and their people, then one Bundle a patient.
///
/// A patient's Consent lies in the patient's own Bundle, so that no record is on file before the rule about it.
pub fn bundles() -> Vec<String> {
    std::iter::once(shared::records())
        .chain(people::PEOPLE.iter().zip(1..).map(chart::records))
        .map(|records| text::transaction(&records))
        .collect()
}

/// The day that lies `days` before [`ANCHOR`].
fn days_before(days: u32) -> Date {
    ANCHOR.saturating_sub(i64::from(days).days())
}

/// An instant of that day in the clinic's zone, as FHIR writes it.
fn at(day: Date, time: &str) -> String {
    format!("{day}T{time}+05:00")
}

/// The `meta` of a Patient: tells an invented person from a real one.
fn synthetic() -> Value {
    json!({ "tag": [{ "system": format!("{SITE}/tags"), "code": "synthetic" }] })
}

/// A record with its type and id; `body` has the other elements.
fn record(resource_type: &str, id: &str, mut body: Value) -> Value {
    if let Value::Object(members) = &mut body {
        members.insert("resourceType".to_owned(), resource_type.into());
        members.insert("id".to_owned(), id.into());
    }
    body
}

#[cfg(test)]
mod tests;
