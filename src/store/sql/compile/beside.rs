//! Conditions beside those that compare one value with one row: sets of codes and records, words, nearness, contained resources.

use super::super::dialect::Dialect;
use super::super::words;
use super::criterion::rows;
use super::{Eyes, On, Sql, value};
use crate::fhir::Key;
use crate::fhir::ResourceType;
use crate::fhir::search::{
    CONTAINED, Circle, Criterion, Globe, Modifier, ParameterId, ParameterType, SearchParameter, Value, Words, chord_square,
};
use crate::fhir::terms::{Codes, Of};
use std::collections::{BTreeMap, BTreeSet};

/// Codes up to which each is sought with the record at hand; of more, the records that have one of them are gathered first.
const FEW: usize = 64;

impl Sql {
    /// The record has a token among these.
    pub(super) fn codes(&mut self, parameter: &SearchParameter, codes: &Codes, on: On<'_>) {
        if codes.is_empty() {
            self.say("FALSE").end();
            return;
        }
        let seek = on.inside.is_some() || codes.systems().all(|(_, of)| matches!(of, Of::Only(codes) if codes.len() <= FEW));
        self.joined(" OR ", codes.systems(), |sql, (system, of)| {
            let a = sql.alias();
            if seek {
                sql.say(&format!("EXISTS (SELECT 1 FROM index_token {a} WHERE {a}.rid = {} AND {a}.param = ", on.rid));
            } else {
                sql.say(&format!("{} IN (SELECT {a}.rid FROM index_token {a} WHERE {a}.param = ", on.rid));
            }
            sql.value(on.rows(parameter.id));
            sql.code_among(&a, system, of);
            on.own(sql, &a);
            sql.say(")").end();
        });
    }

    /// ` AND` the row of this alias has one of these codes of the system.
    pub(super) fn code_among(&mut self, a: &str, system: &str, of: &Of) {
        let (word, codes) = match of {
            Of::Only(codes) => ("IN", codes),
            Of::AllBut(codes) => ("NOT IN", codes),
        };
        let keys: Vec<String> = codes.iter().map(|code| self.dialect().key(code).into_owned()).collect();
        self.say(&format!(" AND {a}.code {word} (SELECT value FROM "));
        self.each_text(keys.iter().map(String::as_str)).say(&format!(") AND {a}.system = "));
        value::system_number(self, system);
    }

    /// The record refers to one of these.
    pub(super) fn records(&mut self, parameter: &SearchParameter, wanted: &BTreeSet<Key>, on: On<'_>) {
        let a = self.alias();
        self.say(&format!("EXISTS (SELECT 1 FROM index_reference {a} WHERE {a}.rid = {} AND {a}.param = ", on.rid));
        self.value(on.rows(parameter.id)).say(" AND ");
        self.target_among(&a, wanted);
        on.own(self, &a);
        self.say(")").end();
    }

    /// The row of this alias refers to one of these.
    pub(super) fn target_among(&mut self, a: &str, wanted: &BTreeSet<Key>) {
        let mut types: BTreeMap<ResourceType, Vec<&str>> = BTreeMap::new();
        for key in wanted {
            types.entry(key.resource_type).or_default().push(key.id.as_str());
        }
        if types.is_empty() {
            self.say("FALSE").end();
            return;
        }
        self.joined(" OR ", types, |sql, (of, ids)| {
            sql.say(&format!("({a}.target_type = ")).value(i64::from(of.code()));
            sql.say(&format!(" AND {a}.target_id IN (SELECT value FROM ")).each_text(ids.into_iter()).say("))").end();
        });
    }

    /// `ne` of a `_filter`: some row of the parameter is none of these.
    pub(super) fn unequal(&mut self, parameter: &SearchParameter, values: &[Value], on: On<'_>) {
        let tables = value::tables(parameter.parameter_type);
        if tables.is_empty() {
            self.say("FALSE").end();
            return;
        }
        self.joined(" OR ", tables, |sql, table| {
            let a = sql.alias();
            sql.open_rows(table, &a, on);
            sql.value(on.rows(parameter.id));
            on.own(sql, &a);
            let comparable: Vec<&Value> =
                values.iter().filter(|one| value::table(one, &Modifier::Equal) == Some(table)).collect();
            if !comparable.is_empty() {
                sql.say(" AND ").joined(" OR ", comparable, |sql, one| {
                    value::condition(sql, &a, one, &Modifier::Equal, &parameter.targets);
                });
                sql.say(" IS NOT TRUE").end();
            }
            sql.say(")").end();
        });
    }

    /// `co`, `sw`, `ew` of a `_filter` on codes and addresses.
    pub(super) fn written_so(&mut self, parameter: &SearchParameter, modifier: &Modifier, text: &str, on: On<'_>) {
        let (table, column) = match parameter.parameter_type {
            ParameterType::Uri => ("index_uri", "value"),
            _ => ("index_token", "code"),
        };
        let a = self.alias();
        self.open_rows(table, &a, on);
        self.value(on.rows(parameter.id)).say(" AND ");
        value::text_in(self, &format!("{a}.{column}"), text, modifier);
        on.own(self, &a);
        self.say(")").end();
    }

    /// Opens a condition on rows of a table, up to the number of the parameter: by the record where the table can be sought by it.
    fn open_rows(&mut self, table: &str, a: &str, on: On<'_>) {
        if on.inside.is_none() && matches!(table, "index_token" | "index_uri") {
            self.say(&format!("{} IN (SELECT {a}.rid FROM {table} {a} WHERE {a}.param = ", on.rid)).end();
        } else {
            self.say(&format!("EXISTS (SELECT 1 FROM {table} {a} WHERE {a}.rid = {} AND {a}.param = ", on.rid)).end();
        }
    }

    /// The words of the record satisfy this. What is found has no order by how well it fits: that would tell of records not shown.
    pub(super) fn words(&mut self, parameter: ParameterId, wanted: &Words, on: On<'_>) {
        self.say(&format!("{} IN (", on.rid));
        self.with_words(parameter, wanted);
        self.say(")").end();
    }

    /// The numbers of the records whose words satisfy this.
    pub(super) fn with_words(&mut self, parameter: ParameterId, wanted: &Words) {
        let table = words::table(parameter);
        match self.dialect() {
            Dialect::Sqlite => {
                self.say(&format!("SELECT rowid AS rid FROM {table} WHERE {table} MATCH ")).value(words::fts5(wanted)).end();
            }
            Dialect::Postgres => {
                self.say(&format!("SELECT rid FROM {table} WHERE words @@ CAST("))
                    .value(words::tsquery(wanted))
                    .say(" AS TSQUERY)")
                    .end();
            }
        }
    }

    /// The record lies within one of these circles.
    pub(super) fn near(&mut self, parameter: &SearchParameter, circles: &[Circle], on: On<'_>) {
        if circles.is_empty() {
            self.say("FALSE").end();
            return;
        }
        self.joined(" OR ", circles, |sql, circle| {
            let [x, y, z] = [sql.alias(), sql.alias(), sql.alias()];
            sql.say(&format!(
                "EXISTS (SELECT 1 FROM index_number {x} CROSS JOIN index_number {y} CROSS JOIN index_number {z} WHERE "
            ));
            for (which, row) in (0..).zip([&x, &y, &z]) {
                sql.say(&format!("{}{row}.rid = {} AND {row}.param = ", if which == 0 { "" } else { " AND " }, on.rid));
                sql.value(i64::from(parameter.id.component(which).0)).end();
            }
            let (Globe { x: cx, y: cy, z: cz }, square) = (circle.centre, chord_square(circle.radius));
            for (at, (row, centre)) in [(&x, cx), (&y, cy), (&z, cz)].into_iter().enumerate() {
                sql.say(if at == 0 { " AND " } else { " + " }).say(&format!("({row}.low - ")).value(centre);
                sql.say(&format!(") * ({row}.low - ")).value(centre).say(")").end();
            }
            sql.say(" <= ").value(square).say(")").end();
        });
    }

    /// The record contains a resource of this type for which all of these hold.
    pub(super) fn contained(&mut self, eyes: Eyes<'_>, of: ResourceType, criteria: &[Criterion], on: On<'_>) {
        let a = self.alias();
        let group = format!("{a}.grp");
        self.say(&format!("EXISTS (SELECT 1 FROM index_token {a} WHERE {a}.param = ")).value(i64::from(CONTAINED.0));
        self.say(&format!(" AND {a}.code = ")).value(of.name()).say(&format!(" AND {a}.rid = {}", on.rid)).end();
        for criterion in criteria {
            self.say(" AND ").end();
            self.criterion(eyes, criterion, On { rid: on.rid, of: Some(of), inside: Some(&group) });
        }
        self.say(")").end();
    }

    /// Texts as a table with a column `value`: one value however many there are.
    pub(super) fn each_text<'t>(&mut self, texts: impl Iterator<Item = &'t str>) -> &mut Self {
        let array = serde_json::Value::Array(texts.map(|text| serde_json::Value::String(text.to_owned())).collect()).to_string();
        let a = self.alias();
        self.texts(array).say(&format!(" {a}"))
    }
}

/// Whether a value is compared with rows of a parameter by text where the parameter has no texts.
pub(super) fn is_written(parameter: &SearchParameter, modifier: &Modifier, one: &Value) -> bool {
    let written = matches!(modifier, Modifier::Contains | Modifier::Begins | Modifier::Ends);
    written && matches!(one, Value::Text(_)) && matches!(parameter.parameter_type, ParameterType::Token | ParameterType::Uri)
}

/// The rows of a parameter that a value is sought in, with what selects them; none when it selects too much, or needs another way.
pub(super) fn sought(
    sql: &mut Sql,
    a: &str,
    parameter: &SearchParameter,
    modifier: &Modifier,
    one: &Value,
) -> Option<&'static str> {
    let (table, id) = match one {
        Value::Codes(codes) => {
            if codes.is_empty() || codes.systems().any(|(_, of)| matches!(of, Of::AllBut(_))) {
                return None;
            }
            ("index_token", parameter.id)
        }
        Value::Records(_) => ("index_reference", parameter.id),
        Value::Token(token) if token.code.is_none() => return None,
        Value::Token(_) | Value::Reference(_) | Value::Uri(_) => (value::table(one, modifier)?, rows(parameter.id, modifier)),
        Value::Text(_)
            if matches!(modifier, Modifier::Plain | Modifier::Text | Modifier::Equal)
                && !is_written(parameter, modifier, one) =>
        {
            (value::table(one, modifier)?, rows(parameter.id, modifier))
        }
        Value::Date(_) | Value::Number(_) => (value::table(one, modifier)?, parameter.id),
        _ => return None,
    };
    sql.say(&format!("{a}.param = ")).value(i64::from(id.0)).end();
    match one {
        Value::Codes(codes) => {
            sql.say(" AND ").joined(" OR ", codes.systems(), |sql, (system, of)| {
                sql.say("TRUE").end();
                sql.code_among(a, system, of);
            });
        }
        Value::Records(wanted) => {
            sql.say(" AND ").end();
            sql.target_among(a, wanted);
        }
        one => {
            sql.say(" AND ").end();
            value::condition(sql, a, one, modifier, &parameter.targets);
        }
    }
    Some(table)
}
