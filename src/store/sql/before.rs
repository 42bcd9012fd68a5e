//! Where records stood in an order before they were changed.

use super::connection::Connection;
use super::statement::{Bind, Statement};
use crate::fhir::search::{OrderKey, OrderKind, OrderedBefore};
use diesel::prelude::*;

/// The number of a kind in its column.
pub(super) const fn number_of(kind: OrderKind) -> i64 {
    match kind {
        OrderKind::Token => 0,
        OrderKind::Text => 1,
        OrderKind::Reference => 2,
        OrderKind::Uri => 3,
        OrderKind::Date => 4,
        OrderKind::Number => 5,
        OrderKind::Quantity => 6,
    }
}

const INSERT: &str = "INSERT INTO index_before (rid, param, kind, change, low_text, high_text, low_moment, high_moment, low_number, high_number) \
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";

/// Remembers what the change of this number moved.
pub(super) fn remember(connection: &mut Connection, rid: i64, change: i64, moved: Vec<OrderedBefore>) -> QueryResult<()> {
    for one in moved {
        let mut binds: Vec<Bind> = vec![rid.into(), i64::from(one.parameter.0).into(), number_of(one.kind).into(), change.into()];
        binds.extend(columns(connection, one));
        Statement::with(INSERT, binds).run(connection)?;
    }
    Ok(())
}

/// Texts, moments, numbers; of each the lowest and the highest.
fn columns(connection: &Connection, one: OrderedBefore) -> Vec<Bind> {
    let mut columns: Vec<Bind> = (0..6).map(|_| Bind::Null).collect();
    let Some((low, high)) = one.ends else { return columns };
    // Those that are keys of an index are kept as they stand there.
    let is_key = matches!(one.kind, OrderKind::Token | OrderKind::Uri);
    for (at, end) in [low, high].into_iter().enumerate() {
        let (first, bind) = match end {
            OrderKey::Text(text) if is_key => (0, connection.dialect().key(&text).into_owned().into()),
            OrderKey::Text(text) => (0, text.into()),
            OrderKey::Moment(moment) => (2, moment.into()),
            OrderKey::Number(number) => (4, number.into()),
        };
        if let Some(column) = columns.get_mut(first + at) {
            *column = bind;
        }
    }
    columns
}
