//! Entries for the tests of this room.

use super::{Agent, Decided, Entry, Event};
use crate::fhir::{Id, Instant, Key, Outcome, ResourceType, Touched, Version};
use proptest::prelude::*;

/// A person reads an Observation of this patient.
pub(super) fn read(patient: &str) -> Entry {
    Entry {
        event: Event::Rest("read"),
        recorded: Instant::parse("2026-01-02T03:04:05.678Z").unwrap(),
        outcome: Outcome::Success,
        reason: String::new(),
        request_id: "req-1".into(),
        agent: person(),
        patients: vec![Id::parse(patient).unwrap()],
        records: vec![touched("Observation/o1", Some(3))],
        query: None,
        decided: Vec::new(),
    }
}

/// A clinician through an app.
pub(super) fn person() -> Agent {
    Agent { user: Key::parse("Practitioner/d1"), purposes: vec!["TREAT".into()], ..system() }
}

/// A client alone.
pub(super) fn system() -> Agent {
    Agent {
        client: "app".into(),
        issuer: "https://idp.example".into(),
        subject: "s-1".into(),
        token_id: Some("jti-1".into()),
        address: "192.0.2.7".into(),
        ..Agent::default()
    }
}

pub(super) fn touched(key: &str, version: Option<i64>) -> Touched {
    let key = Key::parse(key).unwrap();
    Touched { resource_type: key.resource_type, id: key.id, version: version.map(Version) }
}

fn ids() -> impl Strategy<Value = Id> {
    "[A-Za-z0-9.-]{1,64}".prop_filter_map("a step in an address", |text| Id::parse(&text))
}

fn types() -> impl Strategy<Value = ResourceType> {
    prop::sample::select(ResourceType::ALL)
}

fn events() -> impl Strategy<Value = Event> {
    let worded = prop::sample::select(Event::WORDED).prop_flat_map(|(of, words)| prop::sample::select(words).prop_map(of));
    prop_oneof![
        10 => worded,
        1 => Just(Event::Token),
        1 => Just(Event::Start),
        1 => Just(Event::Stop),
    ]
}

fn agents() -> impl Strategy<Value = Agent> {
    let user = prop::option::of((types(), ids()).prop_map(|(resource_type, id)| Key::new(resource_type, id)));
    let purposes = prop::collection::vec(any::<String>(), 0..3);
    let optional = || prop::option::of(any::<String>());
    (any::<[String; 4]>(), user, optional(), purposes, optional()).prop_map(|(texts, user, organization, purposes, token_id)| {
        let [client, issuer, subject, address] = texts;
        Agent { client, issuer, subject, user, organization, purposes, token_id, address }
    })
}

/// Any entry at all.
pub(super) fn entries() -> impl Strategy<Value = Entry> {
    let outcomes = prop::sample::select(vec![Outcome::Success, Outcome::Minor, Outcome::Serious, Outcome::Major]);
    // The moments that R4 can write: the years 0001 to 9999.
    let moments = (-62_135_596_800_000..=253_402_300_799_999_i64).prop_map(Instant);
    let records = prop::collection::vec((types(), ids(), prop::option::of((1..i64::MAX).prop_map(Version))), 0..3);
    let records = records.prop_map(|all| {
        all.into_iter().map(|(resource_type, id, version)| Touched { resource_type, id, version }).collect::<Vec<_>>()
    });
    let patients = prop::collection::vec(ids(), 0..3);
    let consents = prop::collection::vec(ids().prop_map(|id| Key::new(ResourceType::Consent, id)), 0..3);
    let decided = prop::collection::vec((ids(), consents).prop_map(|(patient, consents)| Decided { patient, consents }), 0..2);
    let told = (prop::option::of(any::<String>()), decided);
    (events(), outcomes, moments, any::<[String; 2]>(), agents(), patients, records, told).prop_map(
        |(event, outcome, recorded, [reason, request_id], agent, patients, records, (query, decided))| Entry {
            event,
            recorded,
            outcome,
            reason,
            request_id,
            agent,
            patients,
            records,
            query,
            decided,
        },
    )
}
