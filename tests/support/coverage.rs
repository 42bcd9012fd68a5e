//! Coverage of the trail: each answer with records of a patient has an entry with that patient and its request id, and each entry reads as
//! events that conform to the profiles that they claim. Looked at whenever the gateway of a test ends.

use super::conformance::Conformance;
use super::postgres;
use super::{BASE, Reply};
use amanat::audit::{Entry, Event, Leaf, Site, audit_events};
use amanat::fhir::json::Document;
use amanat::fhir::{Id, Key, Outcome, ResourceType, patients_of};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{LazyLock, Mutex};

static ANSWERS: AtomicUsize = AtomicUsize::new(0);
static EVENTS: AtomicUsize = AtomicUsize::new(0);
/// Those of them that claim a pattern of BALP for an access to a patient's record.
static PROFILED: AtomicUsize = AtomicUsize::new(0);
static GATEWAYS: AtomicUsize = AtomicUsize::new(0);
static PROFILES: LazyLock<Option<Conformance>> = LazyLock::new(Conformance::load);

/// The answers with records of patients so far: request id and patients.
pub(crate) struct Coverage {
    shown: Mutex<BTreeMap<String, BTreeSet<String>>>,
    database: PathBuf,
    /// The URL of the store, when it is on a server.
    schema: Option<String>,
}

#[derive(QueryableByName)]
struct Lying {
    #[diesel(sql_type = BigInt)]
    seq: i64,
    #[diesel(sql_type = Binary)]
    leaf: Vec<u8>,
}

impl Drop for Coverage {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.check();
        }
    }
}

impl Coverage {
    /// Of the gateway with this store.
    pub(crate) fn of(database: PathBuf, schema: Option<String>) -> Self {
        Self { shown: Mutex::default(), database, schema }
    }

    /// Takes note of an answer.
    pub(crate) fn note(&self, reply: &Reply) {
        if !(200..300).contains(&reply.status) {
            return;
        }
        let (Ok(body), Some(id)) = (serde_json::from_slice::<Value>(&reply.body), reply.header("x-request-id")) else { return };
        let mut patients = BTreeSet::new();
        look(&body, &mut patients);
        if !patients.is_empty() {
            self.shown.lock().unwrap().entry(id.to_owned()).or_default().extend(patients);
        }
    }

    fn leaves(&self) -> Vec<Lying> {
        if let Some(url) = &self.schema {
            let leaves = postgres::ask(url, "SELECT convert_from(leaf, 'UTF8') FROM trail ORDER BY seq");
            let lying = |(seq, leaf): (i64, String)| Lying { seq, leaf: leaf.into_bytes() };
            return (1..).zip(leaves).map(lying).collect();
        }
        let mut connection = SqliteConnection::establish(self.database.to_str().unwrap()).unwrap();
        let rows = diesel::sql_query("SELECT seq, leaf FROM trail ORDER BY seq");
        rows.load(&mut connection).unwrap_or_default()
    }

    /// Compares with the trail.
    fn check(&self) {
        let leaves = self.leaves();
        let mut told: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let site = Site::new("amanat", BASE, "amanat", None).unwrap();
        for Lying { seq, leaf } in &leaves {
            let Ok(leaf) = Leaf::decode(leaf) else { continue };
            let patients = leaf.entry.patients.iter().map(Id::to_string);
            told.entry(leaf.entry.request_id.clone()).or_default().extend(patients);
            let Some(profiles) = &*PROFILES else { continue };
            let mut claimed = 0;
            for (_, text) in audit_events(*seq, &leaf.entry, &site) {
                let event: Value = serde_json::from_str(&text).unwrap();
                assert_eq!(profiles.problems(&event), Vec::<String>::new(), "{event:#}");
                claimed += usize::from(event["meta"]["profile"].to_string().contains("/IHE.BasicAudit.Patient"));
                EVENTS.fetch_add(1, Ordering::Relaxed);
            }
            assert!(claimed > 0 || !is_of_balp(&leaf.entry), "an access without a profile: {:?}", leaf.entry);
            PROFILED.fetch_add(claimed, Ordering::Relaxed);
        }
        let noted = self.shown.lock().unwrap();
        for (id, patients) in noted.iter() {
            let named = told.get(id).cloned().unwrap_or_default();
            let missing: Vec<&String> = patients.difference(&named).collect();
            assert!(missing.is_empty(), "the answer to {id} showed records of {missing:?}, and no entry of it names them");
        }
        let answers = ANSWERS.fetch_add(noted.len(), Ordering::Relaxed) + noted.len();
        let (events, profiled) = (EVENTS.load(Ordering::Relaxed), PROFILED.load(Ordering::Relaxed));
        let told = format!(
            "coverage: {answers} of {answers} answers with records of patients have their entries (100 %); {events} events conform, {profiled} of them claim a pattern of BALP"
        );
        println!("{told}");
        // Now and then so that it is seen without being asked for: the harness keeps what a test that passes prints.
        if GATEWAYS.fetch_add(1, Ordering::Relaxed) % 50 == 49 {
            drop(writeln!(std::io::stderr(), "{told}"));
        }
    }
}

/// Whether BALP has a pattern for it: an access that went well, of somebody known, to records of patients.
fn is_of_balp(entry: &Entry) -> bool {
    let access = matches!(
        entry.event,
        Event::Rest("read" | "vread" | "search" | "search-type" | "search-system" | "create" | "update" | "patch" | "delete")
    );
    let known = !entry.agent.client.is_empty() && !entry.agent.address.is_empty();
    access && known && entry.outcome == Outcome::Success && !entry.patients.is_empty()
}

/// Whose records stand in a document.
fn look(document: &Value, patients: &mut BTreeSet<String>) {
    let Some(name) = document["resourceType"].as_str() else { return };
    if name == "Bundle" {
        for entry in document["entry"].as_array().into_iter().flatten() {
            look(&entry["resource"], patients);
        }
        return;
    }
    let (Some(kind), Some(id)) = (ResourceType::parse(name), document["id"].as_str().and_then(Id::parse)) else { return };
    let Ok(parsed) = Document::parse(document.to_string().as_bytes()) else { return };
    patients.extend(patients_of(&parsed, &Key::new(kind, id), BASE).iter().map(Id::to_string));
}
