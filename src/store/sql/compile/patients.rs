//! Whether every patient of a record permits it, as SQL.

use super::predicate::array;
use super::{On, Sql};
use crate::access::{Condition, Group, Verdicts};
use crate::fhir::Id;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Groups of patients asked one after the other. More are asked in a tree of so many branches: a row of somebody in the last of five
/// thousand groups then costs forty look-ups, not five thousand.
const BRANCHES: usize = 16;

impl Sql {
    /// No patient of the record denies it, and none leaves it open.
    ///
    /// Most records have one patient, and most searches are about one: what holds for that one stands first, so that the sets of
    /// patients are opened for records of others only. `confined` is a hint: records of others are decided as well.
    pub(super) fn every_patient(&mut self, verdicts: &Verdicts, on: On<'_>, confined: Option<&Id>) -> &mut Self {
        if verdicts.permit_all() {
            return self.say("TRUE");
        }
        let a = self.alias();
        self.say(&format!("NOT EXISTS (SELECT 1 FROM record_patient {a} WHERE {a}.rid = {} AND ", on.rid));
        match confined.map(|patient| (patient, verdicts.of(patient))) {
            // A patient without a number has no records: IS DISTINCT FROM, so that a NULL does not let everybody's pass.
            Some((patient, Condition::All)) => {
                self.say(&format!("{a}.patient_no IS DISTINCT FROM ")).patient_number(patient).say(" AND ");
                self.arms(&a, verdicts.groups(), verdicts.otherwise(), on);
            }
            Some((patient, own)) => {
                self.say(&format!("CASE WHEN {a}.patient_no = "))
                    .patient_number(patient)
                    .say(" THEN ")
                    .condition(own, on)
                    .say(" ELSE ");
                self.arms(&a, verdicts.groups(), verdicts.otherwise(), on);
                self.say(" END").end();
            }
            None => self.arms(&a, verdicts.groups(), verdicts.otherwise(), on),
        }
        self.say(" IS NOT TRUE)")
    }

    /// What holds for the patient of row `a`.
    fn arms(&mut self, a: &str, groups: &[Group], otherwise: &Condition, on: On<'_>) {
        if groups.is_empty() {
            return self.condition(otherwise, on).end();
        }
        self.say("CASE").end();
        if groups.len() <= BRANCHES {
            for group in groups {
                self.among(a, listed(&group.patients)).condition(&group.condition, on);
            }
        } else {
            for part in groups.chunks(groups.len().div_ceil(BRANCHES)) {
                let all = array(part.iter().flat_map(|group| group.patients.iter()).map(Id::as_str));
                self.among(a, all.into());
                self.arms(a, part, &Condition::None, on);
            }
        }
        self.say(" ELSE ").condition(otherwise, on).say(" END").end();
    }

    /// ` WHEN` the patient of row `a` is among these ` THEN `.
    fn among(&mut self, a: &str, ids: Arc<str>) -> &mut Self {
        let (set, each) = (self.alias(), self.alias());
        self.say(&format!(" WHEN {a}.patient_no IN (SELECT {each}.no FROM ")).texts(ids);
        self.say(&format!(" {set} CROSS JOIN patient_no {each} WHERE {each}.id = {set}.value) THEN "))
    }
}

/// Sets written lately, each with the set itself, so that its address cannot be another's.
type Written = Vec<(Arc<BTreeSet<Id>>, Arc<str>)>;

thread_local! {
    static WRITTEN: RefCell<Written> = const { RefCell::new(Vec::new()) };
}

const REMEMBERED: usize = 2 * BRANCHES;

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
