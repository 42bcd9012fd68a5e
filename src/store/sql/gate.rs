//! The permit's predicate on one version, outside a search.

use super::compile::{On, Sql};
use super::connection::{Connection, number};
use super::judge;
use crate::access::{Predicate, Verdicts, decided};
use crate::fhir::{Fact, Facts};
use diesel::prelude::*;

/// Decides on the facts; `None` when index values or other records would have to be looked at.
pub(super) fn by_facts(predicate: &Predicate, facts: &Facts) -> Option<bool> {
    match predicate {
        Predicate::All => Some(true),
        Predicate::None => Some(false),
        Predicate::And(all) => decided(all, false, |one| by_facts(one, facts)),
        Predicate::Or(any) => decided(any, true, |one| by_facts(one, facts)),
        Predicate::Patient(patient) => Some(facts.patients.contains(patient)),
        Predicate::WithoutPatient => Some(facts.patients.is_empty()),
        Predicate::Criteria(criteria) => criteria.is_empty().then_some(true),
        Predicate::EveryPatient(verdicts) => verdicts.permit(facts),
    }
}

/// What is left of a predicate once everything is decided but the conditions on index values: `All`, `None`, or those.
fn rest(connection: &mut Connection, predicate: &Predicate, facts: &Facts) -> QueryResult<Predicate> {
    let known = |holds: bool| if holds { Predicate::All } else { Predicate::None };
    Ok(match predicate {
        Predicate::And(all) => {
            let mut left = Predicate::All;
            for one in all {
                left = left.and(rest(connection, one, facts)?);
            }
            left
        }
        Predicate::Or(any) => {
            let mut left = Predicate::None;
            for one in any {
                left = left.or(rest(connection, one, facts)?);
            }
            left
        }
        Predicate::EveryPatient(verdicts) => known(permitted(connection, verdicts, facts)?),
        one => by_facts(one, facts).map_or_else(|| one.clone(), known),
    })
}

/// Every patient of the record permits it. What stays unknown does not hold.
fn permitted(connection: &mut Connection, verdicts: &Verdicts, facts: &Facts) -> QueryResult<bool> {
    let (mut failed, name) = (None, Fact::names(&facts.key));
    let permitted = verdicts.permit_given(facts, &mut |key| {
        judge::refers(connection, key, name).unwrap_or_else(|error| {
            failed = Some(error);
            None
        })
    });
    failed.map_or(Ok(permitted == Some(true)), Err)
}

/// Whether the current version of a record may be seen. `rid` is its place; the index holds the values of this version, and none of
/// a deleted record, so that what depends on values does not show a deleted one.
pub(super) fn current(connection: &mut Connection, predicate: &Predicate, rid: i64, facts: &Facts) -> QueryResult<bool> {
    if let Some(decided) = by_facts(predicate, facts) {
        return Ok(decided);
    }
    let left = match rest(connection, predicate, facts)? {
        Predicate::All => return Ok(true),
        Predicate::None => return Ok(false),
        left => left,
    };
    if facts.deleted {
        return Ok(false);
    }
    let mut sql = Sql::new(connection.dialect());
    sql.say("SELECT CAST(1 AS BIGINT) FROM (SELECT ").value(rid).say(" AS rid) d WHERE ");
    sql.predicate(&left, On::record("d.rid", Some(facts.key.resource_type)));
    Ok(number(connection, sql.statement())?.is_some())
}

/// Whether a superseded version may be seen: on its own facts, its labels raised to those of the current one. Its index values are
/// gone, so that a condition on values shows none.
pub(super) fn superseded(connection: &mut Connection, predicate: &Predicate, facts: &Facts) -> QueryResult<bool> {
    match by_facts(predicate, facts) {
        Some(decided) => Ok(decided),
        None => Ok(matches!(rest(connection, predicate, facts)?, Predicate::All)),
    }
}
