//! The table of the authorization server's documents. Plain functions over a connection, as in [`super::storage`].

use super::state::{Kind, StateRow};
use crate::fhir::Instant;
use crate::on;
use crate::store::sql::Connection;
use diesel::prelude::*;

/// Expired rows that one addition sweeps away.
const SWEPT: i64 = 50;

diesel::table! {
    /// Documents.
    authorization_state (kind, id) {
        /// [`Kind::name`]
        kind -> Text,
        /// Key within the kind.
        id -> Text,
        /// Whose.
        owner -> Text,
        /// Milliseconds.
        expires -> BigInt,
        /// Counts changes.
        version -> BigInt,
        /// JSON.
        body -> Text,
    }
}

use authorization_state as table;

type Columns = (table::id, table::owner, table::expires, table::version, table::body);
type Row = (String, String, i64, i64, String);

const COLUMNS: Columns = (table::id, table::owner, table::expires, table::version, table::body);

fn read((id, owner, expires, version, body): Row) -> StateRow {
    StateRow { id, owner, expires: Instant(expires), version, body }
}

/// The document with this key.
///
/// # Errors
/// Those of the database.
pub(super) fn state(connection: &mut Connection, kind: Kind, id: &str) -> QueryResult<Option<StateRow>> {
    let row = table::table.find((kind.name(), id)).select(COLUMNS);
    Ok(on!(connection, c => row.first::<Row>(c)).optional()?.map(read))
}

/// Those that have not expired, of one owner or of all.
///
/// # Errors
/// Those of the database.
pub(super) fn states(connection: &mut Connection, kind: Kind, owner: Option<&str>, now: Instant) -> QueryResult<Vec<StateRow>> {
    let live = table::table.filter(table::kind.eq(kind.name())).filter(table::expires.gt(now.0)).select(COLUMNS);
    let rows = if let Some(owner) = owner {
        let own = live.filter(table::owner.eq(owner)).order(table::id);
        on!(connection, c => own.load::<Row>(c))?
    } else {
        let all = live.order(table::id);
        on!(connection, c => all.load::<Row>(c))?
    };
    Ok(rows.into_iter().map(read).collect())
}

/// Adds a document; `false` when the key is taken by one that has not expired.
///
/// # Errors
/// Those of the database.
pub(super) fn add(connection: &mut Connection, kind: Kind, row: &StateRow, now: Instant) -> QueryResult<bool> {
    let old = table::table.filter(table::expires.le(now.0)).select((table::kind, table::id)).limit(SWEPT);
    for (kind, id) in on!(&mut *connection, c => old.load::<(String, String)>(c))? {
        let delete = diesel::delete(table::table.find((kind, id)));
        on!(&mut *connection, c => delete.execute(c))?;
    }
    let stale = diesel::delete(table::table.find((kind.name(), &row.id)).filter(table::expires.le(now.0)));
    on!(&mut *connection, c => stale.execute(c))?;
    let values = (
        table::kind.eq(kind.name()),
        table::id.eq(&row.id),
        table::owner.eq(&row.owner),
        table::expires.eq(row.expires.0),
        table::version.eq(0_i64),
        table::body.eq(&row.body),
    );
    let insert = diesel::insert_into(table::table).values(values).on_conflict_do_nothing();
    Ok(on!(connection, c => insert.execute(c))? == 1)
}

/// Replaces a document whose version is the row's.
///
/// # Errors
/// Those of the database.
pub(super) fn change(connection: &mut Connection, kind: Kind, row: &StateRow) -> QueryResult<bool> {
    let same = table::table.find((kind.name(), &row.id)).filter(table::version.eq(row.version));
    let values = (
        table::owner.eq(&row.owner),
        table::expires.eq(row.expires.0),
        table::version.eq(row.version + 1),
        table::body.eq(&row.body),
    );
    let update = diesel::update(same).set(values);
    Ok(on!(connection, c => update.execute(c))? == 1)
}

/// Removes a document; `false` when there is none.
///
/// # Errors
/// Those of the database.
pub(super) fn remove(connection: &mut Connection, kind: Kind, id: &str) -> QueryResult<bool> {
    let delete = diesel::delete(table::table.find((kind.name(), id)));
    Ok(on!(connection, c => delete.execute(c))? == 1)
}
