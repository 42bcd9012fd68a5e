//! Random changes: of what is seen, of what is hidden, and of what never was.

use super::case::{Case, place};
use super::draw::{Draw, bundle};
use super::{records, words};
use crate::fhir::{Method, ResourceType};
use serde_json::{Value, json};

/// Hidden in one world or another, seen in some, or nowhere at all.
const OBSERVATIONS: &[&str] = &["hidden1", "hidden2", "more1", "o1", "o2", "nope"];

/// The id in the body of a create, which the gateway replaces.
const NEW: &str = "x";

impl Draw {
    /// A change of any kind. With `creating`, also one that lets the gateway make an id up.
    pub(super) fn change(&mut self, creating: bool) -> Case {
        match self.up_to(if creating { 10 } else { 7 }) {
            0 | 1 => self.put(),
            2 => self.patch(),
            3 => self.delete(),
            4 => self.conditional(),
            5 | 6 => self.create_if_none(),
            7 => self.bundle_of_changes(),
            8 => self.create(),
            9 => self.referring(),
            _ => self.batch_of_creates(),
        }
    }

    fn observation(&mut self, id: &str) -> Value {
        // Who creates a record for a patient that refuses them cannot read it back, and so learns of the refusal: no fault of any answer.
        let patient = if id == NEW || self.chance(90) { "p1" } else { "p2" };
        let category = if self.chance(85) { "laboratory" } else { "vital-signs" };
        let body = records::observation(id, patient, category, "2026-05-01T08:00:00Z");
        if self.chance(20) { records::with(body, "status", json!("corrected")) } else { body }
    }

    fn guarded(&mut self, case: Case) -> Case {
        match self.up_to(9) {
            0 => case.header("If-Match", "W/\"1\""),
            1 => case.header("If-Match", "W/\"2\""),
            2 if case.method == Method::Put => case.header("If-None-Match", "*"),
            3 => case.header("Prefer", "return=OperationOutcome"),
            4 => case.header("Prefer", "return=minimal"),
            _ => case,
        }
    }

    fn put(&mut self) -> Case {
        let id = self.one(OBSERVATIONS);
        let body = self.observation(id);
        let case = Case::new(Method::Put, format!("Observation/{id}")).json(&body);
        self.guarded(case)
    }

    fn steps(&mut self) -> Value {
        match self.up_to(2) {
            0 => json!([{"op": "test", "path": "/status", "value": "final"}]),
            1 => json!([{"op": "replace", "path": "/status", "value": "amended"}]),
            _ => json!([{"op": "add", "path": "/note", "value": [{"text": "x"}]}]),
        }
    }

    fn patch(&mut self) -> Case {
        let case = Case::new(Method::Patch, format!("Observation/{}", self.one(OBSERVATIONS)));
        let steps = self.steps();
        self.guarded(case.json(&steps))
    }

    fn delete(&mut self) -> Case {
        // What is seen stays, mostly: a world that is deleted teaches little.
        let key = if self.chance(95) {
            self.one(&["Observation/hidden1", "Observation/hidden2", "Observation/nope", "Condition/c2", "Patient/p2", "List/l2"])
        } else {
            "Observation/o2"
        };
        let case = Case::new(Method::Delete, key);
        self.guarded(case)
    }

    fn conditional(&mut self) -> Case {
        let kind = self.up_to(2);
        // A condition that selects what is seen may delete it: only by identifiers of what is hidden, or of nothing.
        let pairs = match kind {
            0 => vec![("identifier".to_owned(), self.one(&["urn:obs|hidden1", "urn:obs|more1", "urn:obs|nope"]).to_owned())],
            _ => self.condition(ResourceType::Observation),
        };
        let path = place("Observation", &pairs);
        match kind {
            0 => Case::new(Method::Delete, path),
            1 => {
                let steps = self.steps();
                Case::new(Method::Patch, path).json(&steps)
            }
            _ => {
                let id = self.one(OBSERVATIONS);
                let body = self.observation(id);
                Case::new(Method::Put, path).json(&body)
            }
        }
    }

    /// Finds what is seen, or creates where nothing is.
    fn create_if_none(&mut self) -> Case {
        let identifier =
            if self.made { self.one(words::IDENTIFIERS) } else { self.one(&["urn:obs|o1", "urn:obs|o2", "urn:obs|panel"]) };
        let body = self.observation(NEW);
        let condition = place("", &[("identifier".to_owned(), identifier.to_owned())]);
        Case::new(Method::Post, "Observation").header("If-None-Exist", condition.trim_start_matches('?')).json(&body)
    }

    fn entry(&mut self) -> Value {
        let id = self.one(OBSERVATIONS);
        let url = format!("Observation/{id}");
        match self.up_to(3) {
            0 => json!({"request": {"method": "GET", "url": url}}),
            1 => json!({"resource": self.observation(id), "request": {"method": "PUT", "url": url}}),
            2 => {
                json!({"request": {"method": "DELETE", "url": self.one(&["Observation/hidden1", "Observation/nope", "Observation/hidden2"])}})
            }
            _ => json!({"request": {"method": "PUT", "url": url, "ifMatch": "W/\"1\""}, "resource": self.observation(id)}),
        }
    }

    fn bundle_of_changes(&mut self) -> Case {
        let entries: Vec<Value> = (0..=self.up_to(2)).map(|_| self.entry()).collect();
        bundle(self.one(&["batch", "transaction"]), &entries)
    }

    fn create(&mut self) -> Case {
        let body = self.observation(NEW);
        let case = Case::new(Method::Post, "Observation").json(&body);
        self.guarded(case)
    }

    /// A conditional reference selects within what is seen.
    fn referring(&mut self) -> Case {
        let member = format!("Observation?identifier={}", self.one(words::IDENTIFIERS));
        let body = records::with(self.observation(NEW), "hasMember", records::all(&[&member]));
        Case::new(Method::Post, "Observation").json(&body)
    }

    fn batch_of_creates(&mut self) -> Case {
        let condition = format!("identifier={}", self.one(words::IDENTIFIERS));
        let create = json!({"resource": self.observation(NEW), "request": {"method": "POST", "url": "Observation", "ifNoneExist": condition}});
        let entries = [create, self.entry()];
        bundle(self.one(&["batch", "transaction"]), &entries)
    }
}
