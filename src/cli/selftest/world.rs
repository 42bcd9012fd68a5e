//! Worlds: what a caller sees, and records beside it that the caller may not see, for each reason that hides records.

use super::records::{
    all, but_for, condition, consent, encounter, labelled, list, named, observation, organization, patient, practitioner,
    prescription, provenance, report, with,
};
use super::twin::Asker;
use serde_json::{Value, json};

/// What hides records that carry no label themselves.
pub(super) const LABEL_RULES: &str =
    "version = 1\n[[rule]]\nname = \"tests\"\nsystems = [\"http://loinc.org\"]\ncodes = [\"75622-1\"]\nsensitivity = [\"HIV\"]\n";

/// When.
const RECENT: &str = "2026-05-01T08:00:00Z";
const LONG_AGO: &str = "2015-03-01T08:00:00Z";

/// Why records are hidden.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum World {
    /// An app of one patient; the records are another's.
    Compartment,
    /// A clinician; another patient refuses.
    Refusal,
    /// A clinician; the patient permits but for labels, a type, a time.
    Conditions,
    /// A client of one category.
    Scope,
}

impl World {
    /// Each of them.
    pub const ALL: [Self; 4] = [Self::Compartment, Self::Refusal, Self::Conditions, Self::Scope];

    /// Who asks.
    pub(super) fn asker(self) -> Asker {
        match self {
            Self::Compartment => {
                Asker { scope: "patient/*.cruds", user: Some("Patient/p1"), patient: Some("p1"), ..Asker::default() }
            }
            Self::Refusal | Self::Conditions => {
                Asker { scope: "user/*.cruds", user: Some("Practitioner/d1"), purpose: Some("TREAT"), ..Asker::default() }
            }
            Self::Scope => Asker {
                scope: "system/Observation.cruds?category=laboratory system/Patient.rs system/Encounter.rs system/Practitioner.rs",
                ..Asker::default()
            },
        }
    }

    /// What both stores hold, in steps.
    pub(super) fn seen(self) -> Vec<Vec<Value>> {
        // Where a patient keeps records of her own to herself, what is said of them beside the address goes with them.
        let members = match self {
            Self::Conditions => json!([named("Observation/hidden1"), named("Observation/o1")]),
            _ => all(&["Observation/hidden1", "Observation/o1"]),
        };
        let panel = with(observation("panel", "p1", "laboratory", RECENT), "hasMember", members);
        let derived = with(
            observation("o4", "p1", "laboratory", "2026-02-01"),
            "derivedFrom",
            all(&["Observation/o1", "Observation/hidden2"]),
        );
        let first = vec![
            organization("h1", "Ward"),
            practitioner("d1", "Khan"),
            practitioner("d2", "Aminah"),
            patient("p1", "Amin"),
            encounter("e-p1", "p1"),
            observation("o1", "p1", "laboratory", RECENT),
        ];
        let mut second = vec![panel, observation("o2", "p1", "laboratory", "2026-03-01"), derived];
        // A caller who sees laboratory results only would see these in neither store.
        if self != Self::Scope {
            second.extend([observation("o3", "p1", "vital-signs", "2026-04-01"), condition("c1", "p1")]);
        }
        let changed = with(observation("o1", "p1", "laboratory", RECENT), "status", json!("amended"));
        let mut third = vec![changed, encounter("e2-p1", "p1")];
        if self != Self::Scope {
            third.extend([
                report("dr1", "p1", &["Observation/o1", "Observation/hidden1"]),
                provenance("pr1", &["Observation/o1"]),
            ]);
            third.push(list("l1", "p1", &["Observation/o1", "Condition/c1"]));
        }
        let mut steps = vec![first, second, third, Vec::new()];
        if self == Self::Conditions {
            // Last, as it binds those who fill the stores too.
            steps.push(vec![consent("k1", "p1", &but_for("HIV", "MedicationRequest", ["2014-01-01", "2016-01-01"]))]);
        }
        steps
    }

    /// What only one store holds, in steps: before, between and behind the others.
    pub(super) fn hidden(self) -> Vec<Vec<Value>> {
        match self {
            Self::Compartment => of_another(),
            Self::Refusal => {
                let mut steps = of_another();
                steps.push(vec![consent("k2", "p2", &json!({"type": "deny"}))]);
                steps
            }
            Self::Conditions => of_the_same(),
            Self::Scope => of_other_kinds(),
        }
    }
}

/// Deletes a record.
fn gone(resource_type: &str, id: &str) -> Value {
    json!({"resourceType": resource_type, "id": id, "deleted": true})
}

/// Another patient's records, linked to what is seen.
fn of_another() -> Vec<Vec<Value>> {
    let first = vec![patient("p2", "Aminah"), encounter("e-p2", "p2"), observation("hidden2", "p2", "laboratory", RECENT)];
    let linked = with(observation("hidden1", "p2", "laboratory", RECENT), "hasMember", all(&["Observation/o1"]));
    let second = vec![
        linked.clone(),
        condition("c2", "p2"),
        prescription("m2", "p2"),
        observation("more1", "p2", "vital-signs", LONG_AGO),
    ];
    let third = vec![
        with(linked, "status", json!("amended")),
        report("dr2", "p2", &["Observation/hidden1"]),
        list("l2", "p2", &["Observation/hidden1"]),
        provenance("pr2", &["Observation/hidden1"]),
        labelled(observation("more2", "p2", "laboratory", "2026-05-20"), "HIV"),
    ];
    let last =
        vec![gone("Observation", "hidden2"), observation("more3", "p2", "laboratory", "2026-05-30"), encounter("e2-p2", "p2")];
    vec![first, second, third, last]
}

/// The same patient's records: labelled, found by a rule, of a type, of a time.
fn of_the_same() -> Vec<Vec<Value>> {
    let tested = json!({"coding": [{"system": "http://loinc.org", "code": "75622-1"}]});
    let marked = labelled(observation("hidden1", "p1", "laboratory", RECENT), "HIV");
    let marked = with(marked, "hasMember", all(&["Observation/o1"]));
    let first = vec![prescription("m2", "p1"), observation("hidden2", "p1", "laboratory", LONG_AGO)];
    let second = vec![marked, with(observation("more1", "p1", "laboratory", "2026-03-02"), "code", tested)];
    let third = vec![
        with(observation("hidden1", "p1", "laboratory", RECENT), "derivedFrom", all(&["Observation/o1"])),
        labelled(condition("c2", "p1"), "HIV"),
        labelled(report("dr2", "p1", &["Observation/o1"]), "HIV"),
        labelled(encounter("e-p2", "p1"), "HIV"),
    ];
    let last =
        vec![gone("Observation", "hidden2"), labelled(list("l2", "p1", &["Observation/o1"]), "HIV"), prescription("m3", "p1")];
    vec![first, second, third, last]
}

/// Records of categories and types that no scope names.
fn of_other_kinds() -> Vec<Vec<Value>> {
    let hidden = |id: &str| observation(id, "p1", "vital-signs", RECENT);
    let linked = with(hidden("hidden1"), "hasMember", all(&["Observation/o1"]));
    let first = vec![hidden("hidden2"), condition("c2", "p1")];
    let second = vec![linked.clone(), prescription("m2", "p1"), hidden("more1")];
    let third = vec![
        with(linked, "status", json!("amended")),
        report("dr2", "p1", &["Observation/o1"]),
        list("l2", "p1", &["Observation/o1"]),
    ];
    let last = vec![gone("Observation", "hidden2"), hidden("more3"), provenance("pr2", &["Observation/o1"])];
    vec![first, second, third, last]
}
