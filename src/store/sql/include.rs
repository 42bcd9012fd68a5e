//! `_include` and `_revinclude`.
//!
//! What may be included is decided like a read of it: the permit's predicate for its type, with the need to read.

use super::compile::{On, Sql, array};
use super::connection::Connection;
use super::names::type_of;
use super::rows::{COLUMNS, Columns, Whole, WholeRow};
use super::statement::More;
use crate::access::Predicate;
use crate::fhir::search::Include;
use crate::fhir::{Need, ResourceType};
use crate::store::{PageBounds, Row, StoreError};
use diesel::sql_types::{BigInt, Text};
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// What has been collected for a page.
struct Collected {
    rows: Vec<Whole>,
    seen: HashSet<i64>,
    bytes: usize,
    bounds: PageBounds,
    /// There is more than the bounds allow.
    cut: bool,
}

/// What goes with the matches of a page.
#[derive(Debug, Default)]
pub(super) struct Included {
    /// None twice, no match again, within the bounds.
    pub(super) rows: Vec<Row>,
    /// There is more than the bounds allow, and it is not here.
    pub(super) cut: bool,
}

/// Everything that the query wants beside these matches. `:iterate` goes on until it brings nothing new.
pub(super) fn all(
    connection: &mut Connection,
    searched: &super::compile::Searched<'_>,
    matches: &[Whole],
    bounds: PageBounds,
) -> Result<Included, StoreError> {
    let shape = &searched.query.shape;
    if shape.includes.is_empty() && shape.reverse_includes.is_empty() {
        return Ok(Included::default());
    }
    let seen = matches.iter().map(|whole| whole.rid).collect();
    let bytes = matches.iter().map(Whole::bytes).sum();
    let mut collected = Collected { rows: Vec::new(), seen, bytes, bounds, cut: false };
    let mut last: Vec<(i64, ResourceType, String)> = matches.iter().map(address).collect();
    let mut first = true;
    while !last.is_empty() && !collected.cut {
        let before = collected.rows.len();
        for include in shape.includes.iter().filter(|include| first || include.iterate) {
            forward(connection, searched.permit, include, &last, &mut collected)?;
        }
        for include in shape.reverse_includes.iter().filter(|include| first || include.iterate) {
            backward(connection, searched.permit, include, &last, &mut collected)?;
        }
        first = false;
        last = collected.rows.get(before..).unwrap_or_default().iter().map(address).collect();
    }
    Ok(Included { cut: collected.cut, rows: collected.rows.into_iter().map(|whole| whole.row).collect() })
}

fn address(whole: &Whole) -> (i64, ResourceType, String) {
    let key = &whole.row.facts.key;
    (whole.rid, key.resource_type, key.id.to_string())
}

/// What these records refer to.
fn forward(
    connection: &mut Connection,
    permit: &crate::access::Permit,
    include: &Include,
    from: &[(i64, ResourceType, String)],
    collected: &mut Collected,
) -> Result<(), StoreError> {
    let sources = from.iter().filter(|(_, of, _)| *of == include.source).map(|(rid, ..)| *rid);
    let mut sql = Sql::new(connection.dialect());
    sql.say("SELECT DISTINCT f.target_type, f.target_id FROM ").texts(numbers(sources)).say(" j CROSS JOIN index_reference f ");
    sql.say("INDEXED BY index_reference_of WHERE f.rid = CAST(j.value AS BIGINT) AND f.param IN (SELECT CAST(q.value AS BIGINT) FROM ");
    sql.texts(parameters(include)).say(" q)");
    if let Some(target) = include.target {
        sql.say(" AND f.target_type = ").value(i64::from(target.code()));
    }
    let mut targets: BTreeMap<i64, BTreeSet<String>> = BTreeMap::new();
    for (of, id) in sql.statement().rows::<(BigInt, Text), (i64, String)>(connection)? {
        targets.entry(of).or_default().insert(id);
    }
    for (code, ids) in targets {
        let Some(of) = i16::try_from(code).ok().and_then(ResourceType::from_code) else { continue };
        let predicate = permit.rows(of, Need::Read);
        if matches!(predicate, Predicate::None) {
            continue;
        }
        let mut sql = Sql::new(connection.dialect());
        sql.say(&format!("SELECT {COLUMNS} FROM ")).texts(array(ids.iter().map(String::as_str)));
        sql.say(" j CROSS JOIN record r WHERE r.type = ").value(code).say(" AND r.id = j.value AND r.deleted = 0 AND ");
        sql.predicate(&predicate, On::record("r.rid", Some(of)));
        collected.take(connection, sql, "r.id")?;
    }
    Ok(())
}

/// What refers to these records.
fn backward(
    connection: &mut Connection,
    permit: &crate::access::Permit,
    include: &Include,
    from: &[(i64, ResourceType, String)],
    collected: &mut Collected,
) -> Result<(), StoreError> {
    let predicate = permit.rows(include.source, Need::Read);
    if matches!(predicate, Predicate::None) {
        return Ok(());
    }
    let mut targets: BTreeMap<ResourceType, Vec<&str>> = BTreeMap::new();
    for (_, of, id) in from.iter().filter(|(_, of, _)| include.target.is_none_or(|target| target == *of)) {
        targets.entry(*of).or_default().push(id);
    }
    for (of, ids) in targets {
        let mut sql = Sql::new(connection.dialect());
        sql.say(&format!("SELECT {COLUMNS} FROM (SELECT DISTINCT f.rid AS rid FROM ")).texts(array(ids.into_iter()));
        sql.say(" j CROSS JOIN ").texts(parameters(include));
        sql.say(" q CROSS JOIN index_reference f WHERE f.param = CAST(q.value AS BIGINT) AND f.target_id = j.value AND f.target_type = ");
        sql.value(i64::from(of.code())).say(&format!(" AND {} = ", type_of("f.rid"))).value(i64::from(include.source.code()));
        sql.say(" AND ").predicate(&predicate, On::record("f.rid", Some(include.source)));
        sql.say(") p CROSS JOIN record r WHERE r.rid = p.rid");
        collected.take(connection, sql, "r.rid")?;
    }
    Ok(())
}

impl Collected {
    /// Reads what is not there yet. SQLite gives it in the order in which it was asked for, PostgreSQL in the order of this column.
    fn take(&mut self, connection: &mut Connection, mut sql: Sql, order: &str) -> Result<(), StoreError> {
        if connection.dialect().is_postgres() {
            let known = i64::try_from(self.seen.len()).unwrap_or(i64::MAX);
            let room = i64::from(self.bounds.included).saturating_add(1);
            sql.say(&format!(" ORDER BY {order}")).at_most(known.saturating_add(room));
        }
        let mut damaged = None;
        let most = usize::try_from(self.bounds.included).unwrap_or(usize::MAX);
        sql.statement().each::<Columns, WholeRow>(connection, |row| match Whole::read(row) {
            Ok(whole) if self.seen.contains(&whole.rid) => More::Please,
            Ok(whole) if self.rows.len() >= most || self.bytes.saturating_add(whole.bytes()) > self.bounds.bytes => {
                self.cut = true;
                More::Enough
            }
            Ok(whole) => {
                self.seen.insert(whole.rid);
                self.bytes += whole.bytes();
                self.rows.push(whole);
                More::Please
            }
            Err(error) => {
                damaged = Some(error);
                More::Enough
            }
        })?;
        damaged.map_or(Ok(()), Err)
    }
}

fn parameters(include: &Include) -> String {
    numbers(include.parameters.iter().map(|id| i64::from(id.0)))
}

/// A JSON array of numbers: one value however many there are, so that the SQL stays the same.
fn numbers(all: impl Iterator<Item = i64>) -> String {
    let all: Vec<String> = all.map(|one| one.to_string()).collect();
    format!("[{}]", all.join(","))
}
