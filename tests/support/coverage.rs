//! Coverage of the trail: each answer with records of a patient has an entry with that patient and its request id, and each entry reads as
//! events that conform to the profiles that they claim. Looked at whenever the gateway of a test ends.

use super::conformance::Conformance;
use super::postgres;
use super::{BASE, Reply};
use amanat::audit::{Leaf, Site, audit_events};
use amanat::fhir::json::Document;
use amanat::fhir::{Id, Key, ResourceType, patients_of};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{LazyLock, Mutex};

static ANSWERS: AtomicUsize = AtomicUsize::new(0);
static EVENTS: AtomicUsize = AtomicUsize::new(0);
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
            for (_, text) in audit_events(*seq, &leaf.entry, &site) {
                let event: Value = serde_json::from_str(&text).unwrap();
                assert_eq!(profiles.problems(&event), Vec::<String>::new(), "{event:#}");
                EVENTS.fetch_add(1, Ordering::Relaxed);
            }
        }
        let noted = self.shown.lock().unwrap();
        for (id, patients) in noted.iter() {
            let named = told.get(id).cloned().unwrap_or_default();
            let missing: Vec<&String> = patients.difference(&named).collect();
            assert!(missing.is_empty(), "the answer to {id} showed records of {missing:?}, and no entry of it names them");
        }
        let answers = ANSWERS.fetch_add(noted.len(), Ordering::Relaxed) + noted.len();
        let events = EVENTS.load(Ordering::Relaxed);
        println!(
            "coverage: {answers} of {answers} answers with records of patients have their entries (100 %); {events} events conform"
        );
    }
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
