//! Reading the records that a query selects, in an order, from a place on.

use super::compile::{Driver, Order, Searched, Sql, choose};
use super::connection::Connection;
use super::cursor::SearchPlace;
use super::rows::{COLUMNS, Columns, Whole, WholeRow};
use super::statement::{More, Statement};
use super::terms;
use crate::access::Permit;
use crate::fhir::search::SearchQuery;
use crate::fhir::{Key, Need};
use crate::store::{Row, StoreError};
use diesel::sql_types::Text;

/// A page as it was read.
#[derive(Debug, Default)]
pub(super) struct Selected {
    /// In order, none twice.
    pub(super) rows: Vec<Whole>,
    /// The sort keys of the last one, as SQL literals.
    pub(super) keys: String,
    /// There are more.
    pub(super) more: bool,
}

/// How much to read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bound {
    pub(super) count: u32,
    pub(super) bytes: usize,
}

type WithKeys = (Columns, Text);
type WithKeysRow = (WholeRow, String);

/// At most `limit` records, whole.
pub(super) fn rows(
    connection: &mut Connection,
    permit: &Permit,
    need: Need,
    query: &SearchQuery,
    limit: u32,
) -> Result<Vec<Row>, StoreError> {
    let query = &*terms::settled(connection, permit, query)?;
    let mut searched = Searched::new(connection.dialect(), permit, need, query);
    if searched.nothing() {
        return Ok(Vec::new());
    }
    searched.settle(connection)?;
    let driver = choose(connection, &searched)?;
    let bound = Bound { count: limit, bytes: usize::MAX };
    let selected = page(connection, &searched, &driver, None, bound)?;
    Ok(selected.rows.into_iter().map(|whole| whole.row).collect())
}

/// The keys of at most `limit` records.
pub(super) fn keys(
    connection: &mut Connection,
    permit: &Permit,
    need: Need,
    query: &SearchQuery,
    limit: u32,
) -> Result<Vec<Key>, StoreError> {
    rows(connection, permit, need, query, limit).map(|rows| rows.iter().map(|row| row.facts.key.clone()).collect())
}

/// How many records match.
pub(super) fn count(
    connection: &mut Connection,
    searched: &Searched<'_>,
    driver: &Driver,
    snapshot: Option<i64>,
) -> Result<u64, StoreError> {
    let mut sql = searched.sql();
    let what = if driver.in_order && driver.table.starts_with("record") { "*" } else { "DISTINCT d.rid" };
    sql.say(&format!("SELECT count({what}) FROM {} WHERE ", driver.table));
    searched.conditions(&mut sql, driver);
    created_by(&mut sql, snapshot);
    let counted = super::connection::number(connection, sql.statement())?.unwrap_or(0);
    Ok(u64::try_from(counted).unwrap_or(0))
}

/// Reads a page.
pub(super) fn page(
    connection: &mut Connection,
    searched: &Searched<'_>,
    driver: &Driver,
    from: Option<&SearchPlace>,
    bound: Bound,
) -> Result<Selected, StoreError> {
    read(connection, statement(searched, driver, from, bound.count)?, bound)
}

/// The statement that reads a page. It may give more rows than `count`, in order.
pub(super) fn statement(
    searched: &Searched<'_>,
    driver: &Driver,
    from: Option<&SearchPlace>,
    count: u32,
) -> Result<Statement, StoreError> {
    let order = Order::new(&searched.query.shape.sort);
    match (order.plain(), driver.in_order) {
        (true, true) => streamed(searched, driver, from, i64::from(count) + 1),
        _ => sorted(searched, driver, &order, from, i64::from(count) + 1),
    }
}

/// The driver gives the order: rows are read until the page is full, and no further.
fn streamed(searched: &Searched<'_>, driver: &Driver, from: Option<&SearchPlace>, limit: i64) -> Result<Statement, StoreError> {
    let mut sql = searched.sql();
    // A limit is one of records, of which the driver may give several rows.
    let once = if searched.dialect.is_postgres() { "DISTINCT ON (d.rid) " } else { "" };
    sql.say(&format!("SELECT {once}{COLUMNS}, '[]' FROM {} CROSS JOIN record r WHERE r.rid = d.rid AND ", driver.table));
    searched.conditions(&mut sql, driver);
    if let Some(place) = from {
        if !place.keys.is_empty() {
            return Err(StoreError::Cursor);
        }
        sql.say(" AND d.rid > ").value(place.rid);
        sql.say(" AND r.created <= ").value(place.snapshot);
    }
    sql.say(" ORDER BY d.rid").at_most(limit);
    Ok(sql.statement())
}

/// The records are found and sorted first, by their numbers and keys alone; only those of the page are then read.
fn sorted(
    searched: &Searched<'_>,
    driver: &Driver,
    order: &Order<'_>,
    from: Option<&SearchPlace>,
    limit: i64,
) -> Result<Statement, StoreError> {
    let mut sql = searched.sql();
    let (packed, names) = (order.packed(searched.dialect), order.names());
    sql.say(&format!("SELECT {COLUMNS}, p.k FROM (SELECT rid{names}, {packed} AS k FROM (SELECT DISTINCT d.rid AS rid"));
    order.columns(&mut sql, from.map(|place| place.snapshot));
    sql.say(&format!(" FROM {}", driver.table));
    order.joins(&mut sql);
    sql.say(" WHERE ");
    searched.conditions(&mut sql, driver);
    created_by(&mut sql, from.map(|place| place.snapshot));
    sql.say(") f");
    if let Some(place) = from {
        sql.say(" WHERE ");
        order.after(&mut sql, &place.binds(order.kinds())?, place.rid);
    }
    sql.say(&format!(" ORDER BY {} LIMIT ", order.list(""))).value(limit);
    sql.say(") p CROSS JOIN record r WHERE r.rid = p.rid");
    // SQLite hands over the rows of a subquery with a limit in its order, and a cross join keeps it.
    if searched.dialect.is_postgres() {
        sql.say(&format!(" ORDER BY {}", order.list("p.")));
    }
    Ok(sql.statement())
}

fn created_by(sql: &mut Sql, snapshot: Option<i64>) {
    if let Some(snapshot) = snapshot {
        let a = sql.alias();
        sql.say(&format!(" AND EXISTS (SELECT 1 FROM record {a} WHERE {a}.rid = d.rid AND {a}.created <= "))
            .value(snapshot)
            .say(")");
    }
}

fn read(connection: &mut Connection, statement: Statement, bound: Bound) -> Result<Selected, StoreError> {
    let mut selected = Selected::default();
    let mut bytes = 0_usize;
    let mut damaged = None;
    let full = usize::try_from(bound.count).unwrap_or(usize::MAX);
    statement.each::<WithKeys, WithKeysRow>(connection, |(row, keys)| {
        if selected.rows.last().is_some_and(|last| last.rid == row.0.0) {
            return More::Please;
        }
        match Whole::read(row) {
            Ok(whole) => {
                let over = bytes.saturating_add(whole.bytes()) > bound.bytes && !selected.rows.is_empty();
                if selected.rows.len() >= full || over {
                    selected.more = true;
                    return More::Enough;
                }
                bytes += whole.bytes();
                selected.keys = keys;
                selected.rows.push(whole);
                More::Please
            }
            Err(error) => {
                damaged = Some(error);
                More::Enough
            }
        }
    })?;
    damaged.map_or(Ok(selected), Err)
}
