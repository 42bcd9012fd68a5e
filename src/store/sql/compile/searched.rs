//! What a search looks for: the types that the permit lets it look at, and everything that must hold besides the driver.

use super::super::connection::Connection;
use super::super::dialect::Dialect;
use super::super::names::type_of;
use super::predicate::confined_to;
use super::{Driver, Eyes, On, Sql};
use crate::access::{Permit, Predicate};
use crate::fhir::definitions::{compartment_parameters, search_parameter};
use crate::fhir::search::{Criterion, Modifier, ReferenceValue, SearchQuery, Value};
use crate::fhir::{CompartmentOwner, Id, Need, ResourceType};
use diesel::prelude::*;
use diesel::sql_types::Text;
use std::collections::BTreeSet;

/// Different conditions that one statement may hold before it is worth asking who is concerned.
const MANY: usize = 64;

/// A query under a permit.
pub(in crate::store::sql) struct Searched<'q> {
    pub(in crate::store::sql) query: &'q SearchQuery,
    pub(in crate::store::sql) permit: &'q Permit,
    /// The types that may be looked at, each with the condition on its records. A type without a grant is not here.
    pub(super) types: Vec<(ResourceType, Predicate)>,
    /// Every type there is.
    pub(super) every: bool,
    /// What SQL is written for.
    pub(in crate::store::sql) dialect: Dialect,
}

impl<'q> Searched<'q> {
    /// What a query may look at when it is made with this need.
    pub(in crate::store::sql) fn new(dialect: Dialect, permit: &'q Permit, need: Need, query: &'q SearchQuery) -> Self {
        let containers = query.contained.is_some();
        let asked = if query.types.is_empty() || containers { ResourceType::ALL } else { &query.types };
        let rows = asked.iter().map(|&of| (of, permit.rows(of, need)));
        let types: Vec<_> = rows.filter(|(_, predicate)| !matches!(predicate, Predicate::None)).collect();
        let every = types.len() == ResourceType::ALL.len();
        Self { query, permit, types, every, dialect }
    }

    /// Where very many patients have conditions of their own and all that can be found is about one, only those of that one and of
    /// whoever shares a record with them are asked. A statement with thousands of conditions takes longer to prepare than to run.
    pub(in crate::store::sql) fn settle(&mut self, connection: &mut Connection) -> QueryResult<()> {
        if !self.dialect.is_postgres() || !self.types.iter().any(|(_, predicate)| predicate.says_much(MANY)) {
            return Ok(());
        }
        let Some(patient) = self.settled().cloned() else { return Ok(()) };
        let mut sql = self.sql();
        sql.say("SELECT DISTINCT p.id FROM record_patient m CROSS JOIN record_patient o INDEXED BY record_patient_of ");
        sql.say("CROSS JOIN patient_no p WHERE o.rid = m.rid AND p.no = o.patient_no AND m.patient_no = ")
            .patient_number(&patient);
        if let Some(only) = self.only() {
            sql.say(" AND m.type = ").value(i64::from(only.code())).end();
        }
        let ids = sql.statement().rows::<Text, String>(connection)?;
        let company: BTreeSet<Id> = ids.iter().filter_map(|id| Id::parse(id)).chain([patient]).collect();
        self.types.iter_mut().for_each(|(_, predicate)| *predicate = predicate.of_patients(&company));
        Ok(())
    }

    /// SQL under construction, of nothing yet.
    pub(in crate::store::sql) fn sql(&self) -> Sql {
        Sql::new(self.dialect)
    }

    /// Nothing can be found.
    pub(in crate::store::sql) fn nothing(&self) -> bool {
        self.types.is_empty()
    }

    /// The only type, if there is only one.
    pub(super) fn only(&self) -> Option<ResourceType> {
        match self.types.as_slice() {
            [(only, _)] => Some(*only),
            _ => None,
        }
    }

    /// The patient to whom everything is confined, by the permit or by the query's compartment.
    pub(super) fn confined(&self) -> Option<&Id> {
        let owner = self.query.compartment.as_ref().filter(|owner| owner.resource_type == ResourceType::Patient);
        owner.map(|owner| &owner.id).or_else(|| {
            let mut patients = self.types.iter().map(|(_, predicate)| confined_to(predicate));
            let first = patients.next()??;
            patients.all(|other| other == Some(first)).then_some(first)
        })
    }

    /// The patient in whose compartment everything found lies: confined to it, or asked for by a parameter that makes a member of it.
    pub(super) fn settled(&self) -> Option<&Id> {
        let members = compartment_parameters(ResourceType::Patient, self.only()?);
        let is_member = |code: &str| members.iter().any(|member| member == code);
        // R4 defines `patient` as `subject` narrowed to patients, where the compartment lists the one and not the other.
        let counts = |code: &str| is_member(code) || (code == "patient" && is_member("subject"));
        self.confined().or_else(|| {
            self.query.criteria.iter().find_map(|criterion| match criterion {
                Criterion::Match { parameter, values, modifier: Modifier::Plain | Modifier::Type(ResourceType::Patient) }
                    if counts(&parameter.code) =>
                {
                    match values.as_slice() {
                        [Value::Reference(ReferenceValue::Local(ResourceType::Patient, id))] => Some(id),
                        // `patient` has no values but patients, whatever other types its targets name.
                        [Value::Reference(ReferenceValue::Id(id))] if parameter.code == "patient" => Some(id),
                        _ => None,
                    }
                }
                _ => None,
            })
        })
    }

    /// The patient that the query is likely about: a hint.
    fn about(&self) -> Option<&Id> {
        self.confined().or_else(|| self.query.criteria.iter().find_map(patient_named))
    }

    /// The condition on the type, unless the driver sees to it.
    pub(super) fn type_is(&self, sql: &mut Sql, column: &str) {
        match self.only() {
            Some(only) => sql.say(&format!("{column} = ")).value(i64::from(only.code())).end(),
            None if self.every => sql.say("TRUE").end(),
            None => {
                sql.say(&format!("{column} IN (")).list(self.types.iter().map(|(of, _)| i64::from(of.code()))).say(")");
            }
        }
    }

    /// Everything that must hold of the driver's record `d`: the driver's own conditions, the other criteria, the compartment, and the
    /// permit's predicate.
    pub(in crate::store::sql) fn conditions(&self, sql: &mut Sql, driver: &Driver) {
        let rid = "d.rid";
        sql.append(driver.conditions.clone());
        for (at, criterion) in self.query.criteria.iter().enumerate() {
            if driver.serves != Some(at) {
                sql.say(" AND ");
                sql.criterion(Eyes::Permit(self.permit), criterion, On::record(rid, self.only()));
            }
        }
        if let Some(owner) = &self.query.compartment {
            sql.say(" AND ");
            self.in_compartment(sql, owner, rid);
        }
        sql.say(" AND ");
        self.shown(sql, rid);
    }

    /// The permit's predicate for each type. Types whose conditions read the same stand together.
    fn shown(&self, sql: &mut Sql, rid: &str) {
        let mut groups: Vec<(Vec<ResourceType>, Sql)> = Vec::new();
        for (of, predicate) in &self.types {
            let mut part = sql.part();
            part.predicate_about(predicate, On::record(rid, self.only()), self.about());
            match groups.iter_mut().find(|(_, known)| known.is_as(&part)) {
                Some((types, _)) => types.push(*of),
                None => groups.push((vec![*of], part)),
            }
        }
        let alone = groups.len() == 1;
        sql.joined(" OR ", groups, |sql, (types, part)| {
            if !alone {
                sql.say(&format!("{} IN (", type_of(rid))).list(types.iter().map(|of| i64::from(of.code()))).say(") AND ");
            }
            sql.append(part);
        });
    }

    /// Membership in the compartment in the URL. For a patient it is a fact of the record; for the others, R4 says by which
    /// parameters each type belongs (`CompartmentDefinition`).
    fn in_compartment(&self, sql: &mut Sql, owner: &CompartmentOwner, rid: &str) {
        if owner.resource_type == ResourceType::Patient {
            sql.in_compartment(&owner.id, On::record(rid, self.only()));
            return;
        }
        let mut ids: Vec<i64> = self
            .types
            .iter()
            .flat_map(|(of, _)| {
                let codes = compartment_parameters(owner.resource_type, *of);
                codes.iter().filter_map(|code| search_parameter(*of, code)).map(|parameter| i64::from(parameter.id.0))
            })
            .collect();
        ids.sort_unstable();
        ids.dedup();
        let a = sql.alias();
        sql.say(&format!("EXISTS (SELECT 1 FROM index_reference {a} WHERE {a}.rid = {rid} AND {a}.target_id = "));
        sql.value(owner.id.as_str()).say(&format!(" AND {a}.target_type = ")).value(i64::from(owner.resource_type.code()));
        sql.say(&format!(" AND {a}.param IN (")).list(ids).say("))");
    }
}

fn patient_named(criterion: &Criterion) -> Option<&Id> {
    let Criterion::Match { values, .. } = criterion else { return None };
    match values.as_slice() {
        [Value::Reference(ReferenceValue::Local(ResourceType::Patient, id) | ReferenceValue::Id(id))] => Some(id),
        _ => None,
    }
}
