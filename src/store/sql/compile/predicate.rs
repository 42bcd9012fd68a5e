//! The permit's predicate as a condition on a record.

use super::super::names::type_of;
use super::{On, Sql};
use crate::access::{Condition, Permit, Predicate, Verdicts};
use crate::fhir::{Id, Need, ResourceType};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Under whose eyes a condition looks at further records.
#[derive(Clone, Copy)]
pub(in crate::store::sql) enum Eyes<'p> {
    /// The caller's: a further record counts when the permit shows it to a search.
    Permit(&'p Permit),
    /// Nobody's: inside a predicate there are no further records, and a condition that needs some does not hold.
    Closed,
}

impl Sql {
    /// The condition that the caller may see this record of a known type, as the target of a hop.
    pub(super) fn visible(&mut self, permit: &Permit, of: ResourceType, rid: &str) -> &mut Self {
        self.predicate(&permit.rows(of, Need::Search), On { rid, of: Some(of) })
    }

    /// The condition that a predicate holds for a record.
    pub(in crate::store::sql) fn predicate(&mut self, predicate: &Predicate, on: On<'_>) -> &mut Self {
        self.predicate_about(predicate, on, None)
    }

    /// The same, when most records looked at are expected to be about one patient. The hint makes it faster, never different.
    pub(super) fn predicate_about(&mut self, predicate: &Predicate, on: On<'_>, about: Option<&Id>) -> &mut Self {
        let confined = confined_to(predicate).or(about);
        self.predicate_within(predicate, on, confined)
    }

    fn predicate_within(&mut self, predicate: &Predicate, on: On<'_>, confined: Option<&Id>) -> &mut Self {
        match predicate {
            Predicate::All => self.say("1"),
            Predicate::None => self.say("0"),
            Predicate::And(all) if all.is_empty() => self.say("1"),
            Predicate::Or(any) if any.is_empty() => self.say("0"),
            Predicate::And(all) => self.joined(" AND ", all, |sql, one| sql.predicate_within(one, on, confined).end()),
            Predicate::Or(any) => self.joined(" OR ", any, |sql, one| sql.predicate_within(one, on, confined).end()),
            Predicate::Patient(patient) => self.in_compartment(patient, on),
            Predicate::WithoutPatient => {
                let a = self.alias();
                self.say(&format!("NOT EXISTS (SELECT 1 FROM record_patient {a} WHERE {a}.rid = {})", on.rid))
            }
            Predicate::Criteria(criteria) if criteria.is_empty() => self.say("1"),
            Predicate::Criteria(criteria) => {
                self.joined(" AND ", criteria.iter(), |sql, one| sql.criterion(Eyes::Closed, one, on))
            }
            Predicate::EveryPatient(verdicts) => self.every_patient(verdicts, on, confined),
        }
    }

    /// The condition that the record lies in a patient's compartment.
    pub(super) fn in_compartment(&mut self, patient: &Id, on: On<'_>) -> &mut Self {
        let a = self.alias();
        self.say(&format!("EXISTS (SELECT 1 FROM record_patient {a} WHERE {a}.patient_no = "));
        self.patient_number(patient).say(&format!(" AND {a}.rid = {} AND {a}.type = ", on.rid));
        match on.of {
            Some(of) => self.value(i64::from(of.code())),
            None => self.say(&type_of(on.rid)),
        };
        self.say(")")
    }

    pub(super) fn patient_number(&mut self, patient: &Id) -> &mut Self {
        self.say("(SELECT no FROM patient_no WHERE id = ").value(patient.as_str()).say(")")
    }

    /// No patient of the record is denied. Most records have one patient, and most searches are about one: that one's own verdict is
    /// looked up here, so that the sets of patients are opened for records of several patients only.
    fn every_patient(&mut self, verdicts: &Verdicts, on: On<'_>, confined: Option<&Id>) -> &mut Self {
        if verdicts.permit_all() {
            return self.say("1");
        }
        let a = self.alias();
        self.say(&format!("NOT EXISTS (SELECT 1 FROM record_patient {a} WHERE {a}.rid = {}", on.rid));
        if let Some(patient) = confined.filter(|patient| *verdicts.of(patient) == Condition::All) {
            self.say(&format!(" AND {a}.patient_no <> ")).patient_number(patient);
        }
        self.say(" AND NOT CASE");
        for group in verdicts.groups() {
            let (set, each) = (self.alias(), self.alias());
            self.say(&format!(" WHEN {a}.patient_no IN (SELECT {each}.no FROM json_each("));
            self.value(listed(&group.patients));
            self.say(&format!(") {set} CROSS JOIN patient_no {each} ON {each}.id = {set}.value) THEN "));
            self.condition(&group.condition, on);
        }
        self.say(" ELSE ").condition(verdicts.otherwise(), on).say(" END)")
    }

    /// A condition on the marks of a record.
    fn condition(&mut self, condition: &Condition, _on: On<'_>) -> &mut Self {
        self.say(if *condition == Condition::All { "1" } else { "0" })
    }
}

/// The patient to whose compartment a predicate confines everything, if it does.
pub(super) fn confined_to(predicate: &Predicate) -> Option<&Id> {
    match predicate {
        Predicate::Patient(patient) => Some(patient),
        Predicate::And(all) => all.iter().find_map(confined_to),
        _ => None,
    }
}

/// Sets written lately, each with the set itself, so that its address cannot be another's.
type Written = Vec<(Arc<BTreeSet<Id>>, Arc<str>)>;

thread_local! {
    static WRITTEN: RefCell<Written> = const { RefCell::new(Vec::new()) };
}

const REMEMBERED: usize = 4;

/// A set of ids as a JSON array. The same set comes with every request until a consent changes, so the last few are kept as text.
fn listed(set: &Arc<BTreeSet<Id>>) -> Arc<str> {
    WRITTEN.with(|written| {
        let mut written = written.borrow_mut();
        if let Some((_, text)) = written.iter().find(|(known, _)| Arc::ptr_eq(known, set)) {
            return Arc::clone(text);
        }
        let text: Arc<str> = Arc::from(array(set.iter().map(Id::as_str)));
        if written.len() >= REMEMBERED {
            written.remove(0);
        }
        written.push((Arc::clone(set), Arc::clone(&text)));
        text
    })
}

/// A JSON array of ids. No id contains a character that JSON escapes.
pub(in crate::store::sql) fn array<'i>(ids: impl Iterator<Item = &'i str>) -> String {
    let mut text = String::from("[");
    for (at, id) in ids.enumerate() {
        text.push_str(if at == 0 { "\"" } else { ",\"" });
        text.push_str(id);
        text.push('"');
    }
    text.push(']');
    text
}
