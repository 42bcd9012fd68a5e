//! The permit's predicate on one version, outside a search.

use super::compile::{On, Sql};
use super::connection::number;
use crate::access::Predicate;
use crate::fhir::Facts;
use diesel::prelude::*;

/// Decides on the facts; `None` when index values would have to be looked at.
pub(super) fn by_facts(predicate: &Predicate, facts: &Facts) -> Option<bool> {
    match predicate {
        Predicate::All => Some(true),
        Predicate::None => Some(false),
        Predicate::And(all) => decided(all, facts, false),
        Predicate::Or(any) => decided(any, facts, true),
        Predicate::Patient(patient) => Some(facts.patients.contains(patient)),
        Predicate::WithoutPatient => Some(facts.patients.is_empty()),
        Predicate::Criteria(criteria) => criteria.is_empty().then_some(true),
        Predicate::EveryPatient(verdicts) => verdicts.permit(facts),
    }
}

/// The first part that is `decisive` decides; else all must be known.
fn decided(parts: &[Predicate], facts: &Facts, decisive: bool) -> Option<bool> {
    let mut outcome = Some(!decisive);
    for part in parts {
        match by_facts(part, facts) {
            Some(verdict) if verdict == decisive => return Some(decisive),
            Some(_) => {}
            None => outcome = None,
        }
    }
    outcome
}

/// Whether the current version of a record may be seen. `rid` is its place; the index holds the values of this version, and none of
/// a deleted record, so that what depends on values does not show a deleted one.
pub(super) fn current(connection: &mut SqliteConnection, predicate: &Predicate, rid: i64, facts: &Facts) -> QueryResult<bool> {
    if let Some(decided) = by_facts(predicate, facts) {
        return Ok(decided);
    }
    if facts.deleted {
        return Ok(false);
    }
    let mut sql = Sql::default();
    sql.say("SELECT 1 FROM (SELECT ").value(rid).say(" AS rid) d WHERE ");
    sql.predicate(predicate, On { rid: "d.rid", of: Some(facts.key.resource_type) });
    Ok(number(connection, sql.statement())?.is_some())
}

/// Whether a superseded version may be seen: on its own facts. Its index values are gone, so that a condition on values shows none.
pub(super) fn superseded(predicate: &Predicate, facts: &Facts) -> bool {
    by_facts(predicate, facts).unwrap_or(false)
}
