//! The permit's predicate as a condition on a record.

use super::super::names::type_of;
use super::{On, Sql};
use crate::access::{Permit, Predicate};
use crate::fhir::{Id, Need, ResourceType};

/// Tests that are written out; where there are more, the embedded database asks this process ([`super::super::judge`]).
const SHORT: usize = 4;

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
        self.predicate(&permit.rows(of, Need::Search), On::record(rid, Some(of)))
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
            Predicate::All => self.say("TRUE"),
            Predicate::None => self.say("FALSE"),
            Predicate::And(all) if all.is_empty() => self.say("TRUE"),
            Predicate::Or(any) if any.is_empty() => self.say("FALSE"),
            Predicate::And(all) => self.joined(" AND ", all, |sql, one| sql.predicate_within(one, on, confined).end()),
            Predicate::Or(any) => self.joined(" OR ", any, |sql, one| sql.predicate_within(one, on, confined).end()),
            Predicate::Patient(patient) => self.in_compartment(patient, on),
            Predicate::WithoutPatient => {
                let a = self.alias();
                self.say(&format!("NOT EXISTS (SELECT 1 FROM record_patient {a} WHERE {a}.rid = {})", on.rid))
            }
            Predicate::Criteria(criteria) if criteria.is_empty() => self.say("TRUE"),
            Predicate::Criteria(criteria) => {
                self.joined(" AND ", criteria.iter(), |sql, one| sql.criterion(Eyes::Closed, one, on))
            }
            Predicate::EveryPatient(verdicts) if !self.dialect().is_postgres() && verdicts.ask_more_than(SHORT) => {
                self.judged(verdicts, on)
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
}

/// The patient to whose compartment a predicate confines everything, if it does.
pub(super) fn confined_to(predicate: &Predicate) -> Option<&Id> {
    match predicate {
        Predicate::Patient(patient) => Some(patient),
        Predicate::And(all) => all.iter().find_map(confined_to),
        _ => None,
    }
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
