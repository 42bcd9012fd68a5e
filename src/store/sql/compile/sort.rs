//! `_sort`: the keys of an order, and where in it a page begins.

use super::super::before::number_of;
use super::super::dialect::Dialect;
use super::Sql;
use crate::fhir::search::{OrderKind, ParameterType, Sort, SortKey};

/// An order by some keys and, between equals, by the record's number. A record without a key comes last in both directions
/// (R4 search § 3.1.1.5.8 leaves it open).
pub(in crate::store::sql) struct Order<'q> {
    keys: &'q [Sort],
}

/// How a key is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store::sql) enum KeyKind {
    Integer,
    Real,
    Text,
}

impl<'q> Order<'q> {
    pub(in crate::store::sql) fn new(keys: &'q [Sort]) -> Self {
        Self { keys }
    }

    /// Only by the record's number.
    pub(in crate::store::sql) fn plain(&self) -> bool {
        self.keys.is_empty()
    }

    /// The kinds of the keys.
    pub(in crate::store::sql) fn kinds(&self) -> impl Iterator<Item = KeyKind> {
        self.keys.iter().map(|key| kind(&key.by))
    }

    /// The keys of the driver's record, as `k0`, `k1`, ... On later pages a record that has changed since the first one keeps the place that
    /// it had then, so that it comes neither twice nor not at all.
    pub(in crate::store::sql) fn columns(&self, sql: &mut Sql, snapshot: Option<i64>) {
        for (at, key) in self.keys.iter().enumerate() {
            sql.say(", ");
            match (&key.by, source(&key.by, key.descending)) {
                (SortKey::Id, _) => sql.say("(SELECT s.id FROM record s WHERE s.rid = d.rid)").end(),
                (SortKey::LastUpdated, _) => last_updated(sql, snapshot),
                (SortKey::Parameter(parameter), Some(source)) => {
                    let was = snapshot.map(|snapshot| (snapshot, kind(&key.by), key.descending));
                    placed(sql, at, i64::from(parameter.id.0), &source, was);
                }
                (SortKey::Parameter(_), None) => sql.say("CAST(NULL AS TEXT)").end(),
            }
            sql.say(&format!(" AS k{at}"));
        }
    }

    /// What must be joined to the driver for them: tables ordered by value are read once and turned around.
    pub(in crate::store::sql) fn joins(&self, sql: &mut Sql) {
        for (at, key) in self.keys.iter().enumerate() {
            let SortKey::Parameter(parameter) = &key.by else { continue };
            if let Some(source) = source(&key.by, key.descending).filter(|source| source.joined) {
                sql.say(&format!(
                    " LEFT JOIN (SELECT s.rid AS rid, {} AS k FROM {} s WHERE s.param = ",
                    source.key, source.table
                ));
                sql.value(i64::from(parameter.id.0)).say(&format!(" GROUP BY s.rid) j{at} ON j{at}.rid = d.rid"));
            }
        }
    }

    /// The keys as one column: a JSON array of their literals.
    pub(in crate::store::sql) fn packed(&self, dialect: Dialect) -> String {
        let literal = |(at, kind): (usize, KeyKind)| match (dialect, kind) {
            (Dialect::Sqlite, _) => format!("quote(k{at})"),
            (Dialect::Postgres, KeyKind::Text) => format!("coalesce('''' || replace(k{at}, '''', '''''') || '''', 'NULL')"),
            (Dialect::Postgres, _) => format!("coalesce(CAST(k{at} AS TEXT), 'NULL')"),
        };
        let keys: Vec<String> = self.kinds().enumerate().map(literal).collect();
        match dialect {
            Dialect::Sqlite => format!("json_array({})", keys.join(", ")),
            Dialect::Postgres => format!("CAST(json_build_array({}) AS TEXT)", keys.join(", ")),
        }
    }

    /// The keys as columns, each after a comma.
    pub(in crate::store::sql) fn names(&self) -> String {
        (0..self.keys.len()).fold(String::new(), |all, at| format!("{all}, k{at}"))
    }

    /// The `ORDER BY` list, of columns after this prefix.
    pub(in crate::store::sql) fn list(&self, of: &str) -> String {
        let direction = |key: &Sort| if key.descending { " DESC" } else { "" };
        let key = |(at, key): (usize, &Sort)| format!("{of}k{at} IS NULL, {of}k{at}{}", direction(key));
        let mut all: Vec<String> = self.keys.iter().enumerate().map(key).collect();
        all.push(format!("{of}rid"));
        all.join(", ")
    }

    /// The condition that a record comes after one with these keys and this number.
    pub(in crate::store::sql) fn after(&self, sql: &mut Sql, keys: &[Option<super::super::statement::Bind>], rid: i64) {
        for (at, (key, last)) in self.keys.iter().zip(keys).enumerate() {
            match last {
                None => sql.say(&format!("(k{at} IS NULL AND ")).end(),
                Some(last) => {
                    let sign = if key.descending { "<" } else { ">" };
                    sql.say(&format!("(k{at} {sign} ")).value(last.clone()).say(&format!(" OR k{at} IS NULL OR k{at} = "));
                    sql.value(last.clone()).say(" AND ");
                }
            }
        }
        sql.say("rid > ").value(rid);
        sql.say(&")".repeat(self.keys.len()));
    }
}

/// The key by a parameter: what it was when the first page was read, where a change has moved it since; else what it is.
fn placed(sql: &mut Sql, at: usize, param: i64, source: &Source, was: Option<(i64, KeyKind, bool)>) {
    if let Some((snapshot, of, descending)) = was {
        let since = |sql: &mut Sql, what: &str| {
            sql.say(&format!("SELECT {what} FROM index_before b WHERE b.rid = d.rid AND b.param = ")).value(param);
            sql.say(" AND b.kind = ").value(number_of(source.kind)).say(" AND b.change > ").value(snapshot).end();
        };
        sql.say("CASE WHEN EXISTS (");
        since(sql, "1");
        sql.say(") THEN (");
        // The first change since tells what there was before all of them.
        since(sql, column(of, descending));
        sql.say(" ORDER BY b.change LIMIT 1) ELSE ");
    }
    if source.joined {
        sql.say(&format!("j{at}.k")).end();
    } else {
        sql.say(&format!("(SELECT {} FROM {} s WHERE s.rid = d.rid AND s.param = ", source.key, source.table));
        sql.value(param).say(")").end();
    }
    if was.is_some() {
        sql.say(" END").end();
    }
}

/// The column of `index_before` that such a key stands in.
const fn column(of: KeyKind, descending: bool) -> &'static str {
    match (of, descending) {
        (KeyKind::Text, false) => "b.low_text",
        (KeyKind::Text, true) => "b.high_text",
        (KeyKind::Integer, false) => "b.low_moment",
        (KeyKind::Integer, true) => "b.high_moment",
        (KeyKind::Real, false) => "b.low_number",
        (KeyKind::Real, true) => "b.high_number",
    }
}

fn last_updated(sql: &mut Sql, snapshot: Option<i64>) {
    let Some(snapshot) = snapshot else { return sql.say("(SELECT s.updated FROM record s WHERE s.rid = d.rid)").end() };
    sql.say("(SELECT CASE WHEN s.change > ").value(snapshot);
    sql.say(" THEN coalesce((SELECT max(v.updated) FROM record_version v WHERE v.rid = s.rid AND v.change <= ").value(snapshot);
    sql.say("), s.updated) ELSE s.updated END FROM record s WHERE s.rid = d.rid)").end();
}

struct Source {
    table: &'static str,
    kind: OrderKind,
    key: &'static str,
    joined: bool,
}

/// The lowest value when ascending, the highest when descending. A period counts by its beginning.
fn source(key: &SortKey, descending: bool) -> Option<Source> {
    let SortKey::Parameter(parameter) = key else { return None };
    let (table, kind, low, high, joined) = match parameter.parameter_type {
        ParameterType::Token => ("index_token", OrderKind::Token, "min(s.code)", "max(s.code)", true),
        ParameterType::Uri => ("index_uri", OrderKind::Uri, "min(s.value)", "max(s.value)", true),
        ParameterType::String => ("index_string", OrderKind::Text, "min(s.folded)", "max(s.folded)", false),
        ParameterType::Reference => ("index_reference", OrderKind::Reference, "min(s.target_id)", "max(s.target_id)", false),
        ParameterType::Date => ("index_date", OrderKind::Date, "min(s.low)", "max(s.low)", false),
        ParameterType::Number => ("index_number", OrderKind::Number, "min(s.low)", "max(s.high)", false),
        ParameterType::Quantity => ("index_quantity", OrderKind::Quantity, "min(s.low)", "max(s.high)", false),
        ParameterType::Composite | ParameterType::Special => return None,
    };
    Some(Source { table, kind, key: if descending { high } else { low }, joined })
}

fn kind(key: &SortKey) -> KeyKind {
    match key {
        SortKey::Id => KeyKind::Text,
        SortKey::LastUpdated => KeyKind::Integer,
        SortKey::Parameter(parameter) => match parameter.parameter_type {
            ParameterType::Date => KeyKind::Integer,
            ParameterType::Number | ParameterType::Quantity => KeyKind::Real,
            _ => KeyKind::Text,
        },
    }
}
