//! Histories: versions, newest first.
//!
//! Each version is decided on its own facts and today's labels, by today's consent. That happens here, not in SQL: superseded versions have no index
//! rows, only facts, and facts are read in the order of the answer a stretch at a time, without content. Content is read for what is
//! shown.

use super::compile::Sql;
use super::connection::{Connection, snapshot};
use super::cursor::{self, HistoryPlace};
use super::dialect::Dialect;
use super::gate;
use super::marks;
use super::rows::{COLUMNS, Columns, FACTS, FactsColumns, FactsRow, Found, Whole, WholeRow};
use super::statement::Statement;
use crate::access::{Permit, Predicate};
use crate::fhir::{HistoryQuery, HistoryScope, Need, ResourceType};
use crate::store::{Cursor, HistoryPage, PageBounds, StoreError};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable};
use std::collections::HashMap;
use std::sync::Arc;

/// Versions whose facts are read at once.
const STRETCH: i64 = 256;

/// Reads a page on one state of the database.
pub(super) fn page(
    connection: &mut Connection,
    permit: &Permit,
    query: &HistoryQuery,
    from: Option<&Cursor>,
    bounds: PageBounds,
) -> Result<HistoryPage, StoreError> {
    let from = from.map(cursor::read::<HistoryPlace>).transpose()?;
    snapshot(connection, |connection| page_at(connection, permit, query, from, bounds))
}

/// The permit's predicate for each type that comes up.
struct Predicates<'p> {
    permit: &'p Permit,
    need: Need,
    known: HashMap<ResourceType, Predicate>,
}

impl Predicates<'_> {
    fn of(&mut self, of: ResourceType) -> &Predicate {
        self.known.entry(of).or_insert_with(|| self.permit.rows(of, self.need))
    }
}

/// A version in the order of the answer.
struct Seen {
    found: Found,
    change: i64,
    current: bool,
}

fn page_at(
    connection: &mut Connection,
    permit: &Permit,
    query: &HistoryQuery,
    from: Option<HistoryPlace>,
    bounds: PageBounds,
) -> Result<HistoryPage, StoreError> {
    let need = if matches!(query.scope, HistoryScope::Instance(_)) { Need::Read } else { Need::Search };
    let mut predicates = Predicates { permit, need, known: HashMap::new() };
    let count = query.count.map_or(bounds.count, |asked| asked.min(bounds.count));
    let full = usize::try_from(count).unwrap_or(usize::MAX);
    let first = from.is_none();
    let mut page = HistoryPage::default();
    let (mut place, mut bytes) = (from, 0_usize);
    loop {
        let stretch = stretch(connection, query, place.as_ref())?;
        let done = i64::try_from(stretch.len()).unwrap_or(i64::MAX) < STRETCH;
        for seen in stretch {
            let here = HistoryPlace { updated: seen.found.facts.updated.0, change: seen.change };
            if shown(connection, &mut predicates, &seen)? {
                let whole = whole(connection, &seen)?;
                let over = bytes.saturating_add(whole.bytes()) > bounds.bytes && !page.versions.is_empty();
                if page.versions.len() >= full || over {
                    // With a count of nothing there is no place to go on from, and nobody who asked to.
                    page.next = place.filter(|_| full > 0).map(|place| cursor::write(&place)).transpose()?;
                    return Ok(page);
                }
                bytes += whole.bytes();
                page.versions.push(whole.row);
            }
            place = Some(here);
        }
        if done {
            page.total = first.then(|| u64::try_from(page.versions.len()).unwrap_or(0));
            return Ok(page);
        }
    }
}

fn shown(connection: &mut Connection, predicates: &mut Predicates<'_>, seen: &Seen) -> QueryResult<bool> {
    let facts = &seen.found.facts;
    let predicate = predicates.of(facts.key.resource_type);
    if seen.current {
        gate::current(connection, predicate, seen.found.rid, facts)
    } else {
        gate::superseded(connection, predicate, facts)
    }
}

fn whole(connection: &mut Connection, seen: &Seen) -> Result<Whole, StoreError> {
    let table = if seen.current { "record" } else { "record_version" };
    let text = format!("SELECT {COLUMNS} FROM {table} r WHERE r.rid = ? AND r.version = ?");
    let statement = Statement::new(text).bind(seen.found.rid).bind(seen.found.facts.version.0);
    let row = statement.row::<Columns, WholeRow>(connection)?;
    let mut whole = row.map(Whole::read).transpose()?.ok_or_else(|| StoreError::Unavailable("a version is gone".into()))?;
    // What it was decided by goes with it: it is looked at once more on its way out.
    Arc::make_mut(&mut whole.row.facts).marks.clone_from(&seen.found.facts.marks);
    Ok(whole)
}

/// The next versions of the scope, both those that are current and those that are not.
fn stretch(connection: &mut Connection, query: &HistoryQuery, after: Option<&HistoryPlace>) -> Result<Vec<Seen>, StoreError> {
    let rows = statement(connection.dialect(), query, after).rows::<SeenColumns, SeenRow>(connection)?;
    rows.into_iter()
        .map(|(facts, change, conf, sens, handling)| {
            let mut found = Found::read(facts)?;
            if let Some(conf) = conf {
                marks::raise(&mut found.facts.marks, (conf, sens, handling));
            }
            Ok(Seen { found, change, current: conf.is_none() })
        })
        .collect()
}

type SeenColumns = (FactsColumns, BigInt, Nullable<BigInt>, Nullable<BigInt>, Nullable<BigInt>);
type SeenRow = (FactsRow, i64, Option<i64>, Option<i64>, Option<i64>);

/// Reads a stretch: two lists, each in order by its index, merged.
pub(super) fn statement(dialect: Dialect, query: &HistoryQuery, after: Option<&HistoryPlace>) -> Statement {
    let mut sql = Sql::new(dialect);
    for superseded in [false, true] {
        sql.say(if superseded { " UNION ALL " } else { "" });
        sql.say(&format!("SELECT {FACTS}, r.change AS change, "));
        // A superseded version is decided by the stricter of its labels and the current ones.
        sql.say(if superseded {
            "c.conf, c.sens, c.handling FROM record_version r CROSS JOIN record c WHERE c.rid = r.rid AND "
        } else {
            "CAST(NULL AS BIGINT), CAST(NULL AS BIGINT), CAST(NULL AS BIGINT) FROM record r WHERE "
        });
        scope(&mut sql, query);
        if let Some(place) = after {
            sql.say(" AND (r.updated, r.change) < (").list([place.updated, place.change]).say(")");
        }
        if let Some(since) = query.since {
            sql.say(" AND r.updated >= ").value(since.0);
        }
        if let Some(at) = &query.at {
            sql.say(" AND r.updated <= ").value(at.last.0);
            for later in ["record", "record_version"] {
                sql.say(&format!(" AND NOT EXISTS (SELECT 1 FROM {later} n WHERE n.rid = r.rid AND n.version > r.version"));
                sql.say(" AND n.updated <= ").value(at.first.0).say(")");
            }
        }
    }
    sql.say(" ORDER BY 5 DESC, 17 DESC LIMIT ").value(STRETCH);
    sql.statement()
}

fn scope(sql: &mut Sql, query: &HistoryQuery) {
    match &query.scope {
        HistoryScope::Instance(key) => {
            sql.say("r.rid = (SELECT rid FROM record WHERE type = ").value(i64::from(key.resource_type.code()));
            sql.say(" AND id = ").value(key.id.as_str()).say(")").end();
        }
        HistoryScope::Type(of) => sql.say("r.type = ").value(i64::from(of.code())).end(),
        HistoryScope::System => sql.say("TRUE").end(),
    }
}
