//! A criterion as a condition on a record.

use super::super::names::type_of;
use super::beside::is_written;
use super::{Eyes, On, Sql, array, value};
use crate::access::Predicate;
use crate::fhir::definitions::search_parameter;
use crate::fhir::naming::belongs_to_patients;
use crate::fhir::search::{Component, Criterion, DateValue, Modifier, ParameterId, ParameterType, SearchParameter, Value};
use crate::fhir::{Id, ResourceType};

impl Sql {
    /// The condition that a criterion holds for a record.
    pub(in crate::store::sql) fn criterion(&mut self, eyes: Eyes<'_>, criterion: &Criterion, on: On<'_>) {
        match criterion {
            Criterion::Match { parameter, modifier: Modifier::Not, values } => {
                self.say("NOT ");
                self.any_value(parameter, &Modifier::Plain, values, on);
            }
            Criterion::Match { parameter, modifier: Modifier::Unequal, values } => self.unequal(parameter, values, on),
            Criterion::Match { parameter, modifier, values } => {
                self.any_value(parameter, modifier, values, on);
                if let Eyes::Permit(permit) = eyes
                    && asks_words(parameter, modifier)
                {
                    self.not_silent(&permit.consents(), Some(parameter), on);
                }
            }
            Criterion::Missing { parameter, missing } => self.missing(parameter, *missing, on),
            Criterion::Id(ids) => self.is_one_of(ids, on),
            Criterion::LastUpdated(ranges) => self.last_updated(ranges, on),
            Criterion::Has { resource_type, parameter, criterion } => self.has(eyes, (*resource_type, parameter), criterion, on),
            Criterion::Chain { parameter, targets } => self.chain(eyes, parameter, targets, on),
            Criterion::OfEach(each) => {
                self.joined(" OR ", each, |sql, (of, criterion)| {
                    sql.say(&format!("{} = ", type_of(on.rid))).value(i64::from(of.code())).say(" AND ");
                    sql.criterion(eyes, criterion, On { of: Some(*of), ..on });
                });
            }
            Criterion::All(all) if all.is_empty() => self.say("TRUE").end(),
            Criterion::Any(any) if any.is_empty() => self.say("FALSE").end(),
            Criterion::All(all) => self.joined(" AND ", all, |sql, one| sql.criterion(eyes, one, on)).end(),
            Criterion::Any(any) => self.joined(" OR ", any, |sql, one| sql.criterion(eyes, one, on)).end(),
            // What is not known of a record (a system that no record has) does not hold for it.
            Criterion::Not(inner) => {
                self.say("(");
                self.criterion(eyes, inner, on);
                self.say(") IS NOT TRUE").end();
            }
            Criterion::Words(..) | Criterion::Near { .. } | Criterion::Contained { .. } if on.inside.is_some() => {
                self.say("FALSE").end();
            }
            Criterion::Words(parameter, wanted) => {
                self.words(*parameter, wanted, on);
                // Where a reference is silent the narrative is not shown either (L8).
                if let Eyes::Permit(permit) = eyes {
                    self.not_silent(&permit.consents(), None, on);
                }
            }
            Criterion::Near { parameter, circles } => self.near(parameter, circles, on),
            Criterion::Contained { of, criteria } => self.contained(eyes, *of, criteria, on),
        }
    }

    fn any_value(&mut self, parameter: &SearchParameter, modifier: &Modifier, values: &[Value], on: On<'_>) {
        if values.is_empty() {
            self.say("FALSE");
            return;
        }
        self.joined(" OR ", values, |sql, one| match one {
            Value::Composite(parts) => sql.composite(&parameter.components, parts, on),
            Value::Codes(codes) => sql.codes(parameter, codes, on),
            Value::Records(wanted) => sql.records(parameter, wanted, on),
            Value::Text(text) if is_written(parameter, modifier, one) => sql.written_so(parameter, modifier, text, on),
            one => sql.one_value(parameter, modifier, one, on),
        });
    }

    /// Some row of the parameter satisfies the value.
    fn one_value(&mut self, parameter: &SearchParameter, modifier: &Modifier, one: &Value, on: On<'_>) {
        let Some(table) = value::table(one, modifier).filter(|_| compiled(modifier)) else {
            self.say("FALSE");
            return;
        };
        let a = self.alias();
        if value::seekable(one) || on.inside.is_some() {
            self.say(&format!("EXISTS (SELECT 1 FROM {table} {a} WHERE {a}.rid = {} AND {a}.param = ", on.rid));
        } else {
            self.say(&format!("{} IN (SELECT {a}.rid FROM {table} {a} WHERE {a}.param = ", on.rid));
        }
        self.value(on.rows(rows(parameter.id, modifier))).say(" AND ");
        value::condition(self, &a, one, modifier, &parameter.targets);
        on.own(self, &a);
        self.say(")");
    }

    /// No reference of the parameter, or none at all, leads to a record that the patients do not let the caller see: what is said beside
    /// the address would
    /// not be shown. For a record of a patient who restricts this caller, one that is not there counts as hidden (L8, L9).
    fn not_silent(&mut self, consents: &Predicate, parameter: Option<&SearchParameter>, on: On<'_>) {
        if matches!(consents, Predicate::All) {
            return;
        }
        let (by, to, of, one) = (self.alias(), self.alias(), self.alias(), self.alias());
        let types = ResourceType::ALL.iter().copied().filter(|of| belongs_to_patients(*of));
        self.say(&format!(
            " AND NOT EXISTS (SELECT 1 FROM index_reference {by} LEFT JOIN record {to} ON {to}.type = {by}.target_type"
        ));
        self.say(&format!(" AND {to}.id = {by}.target_id AND {to}.deleted = 0 WHERE {by}.rid = {}", on.rid));
        if let Some(parameter) = parameter {
            self.say(&format!(" AND {by}.param = ")).value(i64::from(parameter.id.0)).end();
        }
        self.say(&format!(" AND {by}.target_type IN ("));
        self.list(types.map(|of| i64::from(of.code())));
        // What the record contains is shown with it.
        self.say(&format!(
            ") AND substr({by}.target_id, 1, 1) <> '#' AND CASE WHEN {to}.rid IS NULL THEN EXISTS (SELECT 1 FROM record_patient {of} WHERE {of}.rid = {}",
            on.rid
        ));
        self.say(&format!(" AND {of}.patient_no IN (SELECT no FROM patient_no WHERE id IN (SELECT {one}.value FROM "));
        self.texts(array(consents.restricting().iter().map(Id::as_str))).say(&format!(" {one}))) ELSE NOT "));
        self.predicate(consents, On::record(&format!("{to}.rid"), None)).say(" END)");
    }

    /// Rows of all components, from one element of the record, satisfy the parts.
    fn composite(&mut self, components: &[Component], parts: &[Value], on: On<'_>) {
        let tables: Option<Vec<_>> = parts.iter().map(|part| value::table(part, &Modifier::Plain)).collect();
        let Some(tables) = tables.filter(|tables| !tables.is_empty() && tables.len() == components.len()) else {
            self.say("FALSE");
            return;
        };
        let aliases: Vec<String> = tables.iter().map(|_| self.alias()).collect();
        self.say("EXISTS (SELECT 1 FROM ");
        for (at, (table, a)) in tables.iter().zip(&aliases).enumerate() {
            self.say(&format!("{}{table} {a}", if at == 0 { "" } else { " CROSS JOIN " }));
        }
        self.say(" WHERE ");
        for (at, ((part, component), a)) in parts.iter().zip(components).zip(&aliases).enumerate() {
            self.say(if at == 0 { "" } else { " AND " });
            self.say(&format!("{a}.rid = {} AND {a}.param = ", on.rid)).value(on.rows(component.id));
            on.own(self, a);
            if let Some(first) = aliases.first().filter(|first| *first != a) {
                self.say(&format!(" AND {a}.grp = {first}.grp"));
            }
            self.say(" AND ");
            value::condition(self, a, part, &Modifier::Plain, &[]);
        }
        self.say(")");
    }

    /// `:missing`: no row of any kind. A reference that only names an identifier, and a code that only has a text, are there.
    fn missing(&mut self, parameter: &SearchParameter, missing: bool, on: On<'_>) {
        if missing {
            self.say("NOT ");
        }
        let (first, last) = (on.rows(parameter.id), on.rows(parameter.id.identifier()));
        self.joined(" OR ", places(parameter), |sql, table| {
            let a = sql.alias();
            if matches!(table, "index_token" | "index_uri") && on.inside.is_none() {
                // These are ordered by value: one pass over the parameter, shared by all records looked at.
                sql.say(&format!("{} IN (SELECT {a}.rid FROM {table} {a} WHERE {a}.param BETWEEN ", on.rid));
            } else {
                sql.say(&format!("EXISTS (SELECT 1 FROM {table} {a} WHERE {a}.rid = {} AND {a}.param BETWEEN ", on.rid));
            }
            sql.value(first).say(" AND ").value(last);
            on.own(sql, &a);
            sql.say(")");
        });
    }

    fn is_one_of(&mut self, ids: &[Id], on: On<'_>) {
        let a = self.alias();
        if let (Some(_), Some(of)) = (on.inside, on.of) {
            let Some(parameter) = search_parameter(of, "_id") else { return self.say("FALSE").end() };
            self.say(&format!("EXISTS (SELECT 1 FROM index_token {a} WHERE {a}.rid = {} AND {a}.param = ", on.rid));
            self.value(on.rows(parameter.id)).say(&format!(" AND {a}.code IN (")).list(ids.iter().map(Id::as_str)).say(")");
            on.own(self, &a);
            return self.say(")").end();
        }
        self.say(&format!("EXISTS (SELECT 1 FROM record {a} WHERE {a}.rid = {} AND {a}.id IN (", on.rid));
        self.list(ids.iter().map(Id::as_str)).say("))");
    }

    fn last_updated(&mut self, ranges: &[DateValue], on: On<'_>) {
        if ranges.is_empty() || on.inside.is_some() {
            self.say("FALSE");
            return;
        }
        let a = self.alias();
        let column = format!("{a}.updated");
        self.say(&format!("EXISTS (SELECT 1 FROM record {a} WHERE {a}.rid = {} AND ", on.rid));
        self.joined(" OR ", ranges, |sql, range| value::date_is(sql, (&column, &column), 1, range));
        self.say(")");
    }

    /// Some record that the caller may see refers to this one and satisfies the criterion.
    fn has(&mut self, eyes: Eyes<'_>, (of, parameter): (ResourceType, &SearchParameter), criterion: &Criterion, on: On<'_>) {
        let (Eyes::Permit(permit), None) = (eyes, on.inside) else {
            self.say("FALSE");
            return;
        };
        let (own, by) = (self.alias(), self.alias());
        self.say(&format!("EXISTS (SELECT 1 FROM record {own} CROSS JOIN index_reference {by} WHERE {own}.rid = {}", on.rid));
        self.say(&format!(" AND {by}.param = ")).value(i64::from(parameter.id.0));
        self.say(&format!(" AND {by}.target_id = {own}.id AND {by}.target_type = {own}.type AND "));
        let rid = format!("{by}.rid");
        self.say(&format!("{} = ", type_of(&rid))).value(i64::from(of.code())).say(" AND ");
        self.criterion(eyes, criterion, On::record(&rid, Some(of)));
        self.say(" AND ").visible(permit, of, &rid).say(")");
    }

    /// Some record that this one refers to, and that the caller may see, satisfies the criterion for its type.
    fn chain(&mut self, eyes: Eyes<'_>, parameter: &SearchParameter, targets: &[(ResourceType, Criterion)], on: On<'_>) {
        let Eyes::Permit(permit) = eyes else {
            self.say("FALSE");
            return;
        };
        if targets.is_empty() {
            self.say("FALSE");
            return;
        }
        self.joined(" OR ", targets, |sql, (of, criterion)| {
            let (by, to) = (sql.alias(), sql.alias());
            let rid = format!("{to}.rid");
            sql.say(&format!("EXISTS (SELECT 1 FROM index_reference {by} CROSS JOIN record {to} WHERE {by}.rid = {}", on.rid));
            sql.say(&format!(" AND {by}.param = ")).value(on.rows(parameter.id));
            on.own(sql, &by);
            // The sums keep PostgreSQL from seeking targets by their type, or among all live records: they are sought by type and id together.
            sql.say(&format!(" AND {by}.target_type + 0 = ")).value(i64::from(of.code()));
            sql.say(&format!(" AND {to}.type = {by}.target_type AND {to}.id = {by}.target_id AND {to}.deleted + 0 = 0 AND "));
            sql.criterion(eyes, criterion, On::record(&rid, Some(*of)));
            sql.say(" AND ").visible(permit, *of, &rid).say(")");
            sql.chain_inside(eyes, parameter, (*of, criterion), on);
        });
    }

    /// ` OR` the reference leads to a resource that the record contains, and that satisfies the criterion: it is shown with the record
    /// (R4 search § 3.1.1.5.5).
    fn chain_inside(
        &mut self,
        eyes: Eyes<'_>,
        parameter: &SearchParameter,
        (of, criterion): (ResourceType, &Criterion),
        on: On<'_>,
    ) {
        let Some(ids) = search_parameter(of, "_id") else { return };
        let (by, to) = (self.alias(), self.alias());
        self.say(&format!(
            " OR EXISTS (SELECT 1 FROM index_reference {by} CROSS JOIN index_token {to} WHERE {by}.rid = {}",
            on.rid
        ));
        self.say(&format!(" AND {by}.param = ")).value(on.rows(parameter.id)).end();
        on.own(self, &by);
        self.say(&format!(" AND {by}.target_type + 0 = ")).value(i64::from(of.code())).end();
        self.say(&format!(" AND substr({by}.target_id, 1, 1) = '#' AND {to}.param = ")).value(i64::from(ids.id.inside().0)).end();
        self.say(&format!(" AND {to}.code = substr({by}.target_id, 2) AND {to}.rid = {} AND ", on.rid)).end();
        let group = format!("{to}.grp");
        self.criterion(eyes, criterion, On { rid: on.rid, of: Some(of), inside: Some(&group) });
        self.say(")").end();
    }
}

/// The rows that a modifier compares with.
pub(super) const fn rows(id: ParameterId, modifier: &Modifier) -> ParameterId {
    match modifier {
        Modifier::Text => id.text(),
        Modifier::Identifier => id.identifier(),
        Modifier::OfType => id.typed(),
        _ => id,
    }
}

/// Whether a criterion asks for what a reference says beside where it leads.
pub(super) fn asks_words(parameter: &SearchParameter, modifier: &Modifier) -> bool {
    parameter.parameter_type == ParameterType::Reference && matches!(modifier, Modifier::Text | Modifier::Identifier)
}

/// Whether a modifier has SQL of its own. Those of terminology have not: what they mean was looked up before.
fn compiled(modifier: &Modifier) -> bool {
    !matches!(modifier, Modifier::In | Modifier::NotIn | Modifier::Not)
}

/// The tables that rows of the parameter, of whatever kind, stand in.
fn places(parameter: &SearchParameter) -> Vec<&'static str> {
    let beside: &[&str] = match parameter.parameter_type {
        ParameterType::Reference => &["index_token", "index_string"],
        ParameterType::Token => &["index_string"],
        _ => &[],
    };
    let parts = parameter.components.iter().map(|component| component.parameter_type);
    let own = parts.chain([parameter.parameter_type]).flat_map(|of| value::tables(of));
    let mut all: Vec<&'static str> = own.chain(beside).copied().collect();
    all.sort_unstable();
    all.dedup();
    if parameter.parameter_type == ParameterType::Special {
        all.push("index_number");
    }
    if all.is_empty() {
        all.push("index_token");
    }
    all
}
