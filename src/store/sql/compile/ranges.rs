//! Dates as drivers: everything that a search says of one date parameter is one range of its index.
//!
//! The index is ordered by where a date begins. A date that lasts at most [`LONG`] and reaches into a range begins at most so long before
//! it; the few that last longer have an index of their own. Where a record has several dates, one of them may lie before the end of the
//! range and another one behind its beginning: such records are listed, and looked at one by one.

use super::super::statement::Bind;
use super::driver::{Driver, Promise};
use super::{Searched, Sql, value};
use crate::fhir::search::{Criterion, DateValue, Modifier, Prefix, SearchParameter, Value};

/// Milliseconds: 31 days. The index of those that last longer says the same number.
const LONG: i64 = 2_678_400_000;

/// A driver for each date parameter that the search says something of.
pub(super) fn of_dates(searched: &Searched<'_>) -> Vec<(Promise, Driver)> {
    let all: Vec<(usize, &SearchParameter, &DateValue)> =
        searched.query.criteria.iter().enumerate().filter_map(|(at, one)| dated(one).map(|(by, date)| (at, by, date))).collect();
    let mut drivers = Vec::new();
    for (nth, (at, by, _)) in all.iter().enumerate() {
        if all.iter().take(nth).any(|(_, other, _)| other.id == by.id) {
            continue;
        }
        let dates: Vec<&DateValue> = all.iter().filter(|(_, other, _)| other.id == by.id).map(|(.., date)| *date).collect();
        let serves = (dates.len() == 1).then_some(*at);
        drivers.push((Promise::Count, driver(searched, by, &dates, serves)));
    }
    drivers
}

/// A criterion that is one date, compared in a way that selects a range.
pub(super) fn dated(criterion: &Criterion) -> Option<(&SearchParameter, &DateValue)> {
    match criterion {
        Criterion::Match { parameter, modifier: Modifier::Plain, values } => match values.as_slice() {
            [Value::Date(date)] if date.prefix != Prefix::Ne => Some((parameter, date)),
            _ => None,
        },
        _ => None,
    }
}

fn driver(searched: &Searched<'_>, by: &SearchParameter, dates: &[&DateValue], serves: Option<usize>) -> Driver {
    let mut conditions = searched.sql();
    let mut set = conditions.part();
    within(&mut set, i64::from(by.id.0), dates);
    conditions.among_selected("d.rid", set.clone()).say(" AND ");
    searched.type_is(&mut conditions, "d.type + 0");
    conditions.say(" AND d.deleted = 0");
    Driver { table: "record d".to_owned(), conditions, count: Some(set), in_order: false, serves }
}

/// The records with a date that satisfies all of these, and those of which that cannot be said by one row.
fn within(sql: &mut Sql, param: i64, dates: &[&DateValue]) {
    let begin = dates.iter().filter_map(|date| begins_after(date)).max();
    let end = dates.iter().filter_map(|date| begins_before(date)).min();
    let rows = |sql: &mut Sql, index: &str, begin: Option<i64>| {
        sql.say(&format!("SELECT s.rid AS rid FROM index_date s INDEXED BY {index} WHERE s.param = ")).value(param);
        bound(sql, " AND s.low > ", begin);
        bound(sql, " AND s.low < ", end);
        for date in dates {
            sql.say(" AND ");
            value::date_is(sql, ("s.low", "s.high"), 0, date);
        }
    };
    rows(sql, "index_date_value", begin);
    if begin.is_some() {
        sql.say(" UNION ALL ");
        rows(sql, "index_date_long", None);
        sql.say(&format!(" AND s.high > s.low + {LONG}"));
    }
    if dates.len() > 1 {
        sql.say(" UNION ALL SELECT s.rid AS rid FROM index_date_several s WHERE s.param = ").value(param);
    }
}

fn bound(sql: &mut Sql, text: &str, at: Option<i64>) {
    if let Some(at) = at {
        sql.say(text).value(Bind::Int(at));
    }
}

/// Behind which moment a date that satisfies this begins, if it does not last longer than [`LONG`].
fn begins_after(date: &DateValue) -> Option<i64> {
    let (low, high) = (date.low.0, date.high.0);
    match date.prefix {
        Prefix::Eq => Some(low.saturating_sub(1)),
        Prefix::Gt => Some(high.saturating_sub(LONG)),
        Prefix::Ge => Some(high.saturating_sub(LONG).min(low.saturating_sub(1))),
        Prefix::Sa => Some(high.saturating_sub(1)),
        Prefix::Ap => Some(low.saturating_sub(LONG)),
        Prefix::Lt | Prefix::Le | Prefix::Eb | Prefix::Ne => None,
    }
}

/// Before which moment a date that satisfies this begins.
fn begins_before(date: &DateValue) -> Option<i64> {
    match date.prefix {
        Prefix::Lt | Prefix::Eb => Some(date.low.0),
        Prefix::Eq | Prefix::Le | Prefix::Ap => Some(date.high.0),
        Prefix::Gt | Prefix::Ge | Prefix::Sa | Prefix::Ne => None,
    }
}
