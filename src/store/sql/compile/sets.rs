//! The records that a criterion selects, as a table: for criteria that are sought by what lies behind a reference. It holds every record
//! for which the criterion holds, and may hold others; whoever reads from it asks the criterion as well.

use super::super::names::type_of;
use super::{Sql, beside};
use crate::fhir::ResourceType;
use crate::fhir::definitions::search_parameter;
use crate::fhir::search::{Criterion, Modifier, SearchParameter, Value};

impl Sql {
    /// `SELECT ... AS rid ...`: the numbers of the records of a type that a criterion selects. `None` when it would be most of them,
    /// or cannot be sought.
    pub(super) fn selected(&self, of: Option<ResourceType>, criterion: &Criterion) -> Option<Self> {
        match criterion {
            Criterion::Id(ids) => {
                let (mut sql, a) = self.begun();
                sql.say(&format!("SELECT {a}.rid AS rid FROM record {a} WHERE {a}.type = ")).value(i64::from(of?.code()));
                sql.say(&format!(" AND {a}.id IN (")).list(ids.iter().map(crate::fhir::Id::as_str)).say(")");
                Some(sql)
            }
            Criterion::Match { modifier: Modifier::Not | Modifier::NotIn | Modifier::Unequal, .. } => None,
            Criterion::Match { parameter, modifier, values } => self.with_values(parameter, modifier, values),
            Criterion::Words(parameter, wanted) => {
                let (mut sql, a) = self.begun();
                sql.say(&format!("SELECT {a}.rid AS rid FROM ("));
                sql.with_words(*parameter, wanted);
                sql.say(&format!(") {a}"));
                Some(sql)
            }
            Criterion::Has { resource_type, parameter, criterion } => self.referred_to(*resource_type, parameter, criterion),
            Criterion::Chain { parameter, targets } => self.referring(parameter, targets),
            Criterion::All(all) => all.iter().find_map(|one| self.selected(of, one)),
            Criterion::Any(any) => self.union(any.iter().map(|one| (of, one))),
            Criterion::OfEach(each) => self.union(each.iter().map(|(of, one)| (Some(*of), one))),
            _ => None,
        }
    }

    fn begun(&self) -> (Self, String) {
        let mut sql = self.part();
        let a = sql.alias();
        (sql, a)
    }

    fn union<'c>(&self, all: impl Iterator<Item = (Option<ResourceType>, &'c Criterion)>) -> Option<Self> {
        let mut union = self.part();
        let mut first = true;
        for (of, one) in all {
            let one = union.selected(of, one)?;
            union.say(if first { "" } else { " UNION ALL " }).append(one);
            first = false;
        }
        (!first).then_some(union)
    }

    fn with_values(&self, parameter: &SearchParameter, modifier: &Modifier, values: &[Value]) -> Option<Self> {
        let mut union = self.part();
        for (at, one) in values.iter().enumerate() {
            let a = union.alias();
            let mut conditions = union.part();
            let table = beside::sought(&mut conditions, &a, parameter, modifier, one)?;
            union.say(if at == 0 { "" } else { " UNION ALL " });
            union.say(&format!("SELECT {a}.rid AS rid FROM {table} {a} WHERE ")).append(conditions);
        }
        (!values.is_empty()).then_some(union)
    }

    /// What is referred to by records that satisfy a criterion.
    fn referred_to(&self, by: ResourceType, parameter: &SearchParameter, criterion: &Criterion) -> Option<Self> {
        let (mut sql, s) = self.begun();
        let (f, t) = (sql.alias(), sql.alias());
        let inner = sql.selected(Some(by), criterion)?;
        sql.say(&format!("SELECT {t}.rid AS rid FROM (")).append(inner);
        sql.say(&format!(
            ") {s} CROSS JOIN index_reference {f} INDEXED BY index_reference_of CROSS JOIN record {t} WHERE {f}.rid = {s}.rid"
        ));
        sql.say(&format!(" AND {} = ", type_of(&format!("{s}.rid")))).value(i64::from(by.code()));
        sql.say(&format!(" AND {f}.param = ")).value(i64::from(parameter.id.0));
        sql.say(&format!(" AND {t}.type = {f}.target_type AND {t}.id = {f}.target_id"));
        Some(sql)
    }

    /// ` UNION ALL` what refers to a resource of this type that it contains itself.
    fn referring_inside(&mut self, parameter: &SearchParameter, of: ResourceType) {
        let Some(ids) = search_parameter(of, "_id") else { return };
        let (c, f) = (self.alias(), self.alias());
        self.say(&format!(
            " UNION ALL SELECT {f}.rid AS rid FROM index_token {c} CROSS JOIN index_reference {f} WHERE {c}.param = "
        ));
        self.value(i64::from(ids.id.inside().0)).say(&format!(" AND {f}.rid = {c}.rid AND {f}.param = "));
        self.value(i64::from(parameter.id.0)).say(&format!(" AND {f}.target_type + 0 = ")).value(i64::from(of.code()));
        self.say(&format!(" AND {f}.target_id = '#' || {c}.code")).end();
    }

    /// What refers to records that satisfy the criterion for their type.
    fn referring(&self, parameter: &SearchParameter, targets: &[(ResourceType, Criterion)]) -> Option<Self> {
        let mut union = self.part();
        for (at, (of, criterion)) in targets.iter().enumerate() {
            let (s, t, f) = (union.alias(), union.alias(), union.alias());
            let inner = union.selected(Some(*of), criterion)?;
            union.say(if at == 0 { "" } else { " UNION ALL " });
            union.say(&format!("SELECT {f}.rid AS rid FROM (")).append(inner);
            union.say(&format!(
                ") {s} CROSS JOIN record {t} CROSS JOIN index_reference {f} WHERE {t}.rid = {s}.rid AND {t}.type + 0 = "
            ));
            // The sum keeps PostgreSQL from reading every record of the type instead.
            union.value(i64::from(of.code())).say(&format!(" AND {f}.param = ")).value(i64::from(parameter.id.0));
            union.say(&format!(" AND {f}.target_type = {t}.type AND {f}.target_id = {t}.id"));
            union.referring_inside(parameter, *of);
        }
        (!targets.is_empty()).then_some(union)
    }
}
