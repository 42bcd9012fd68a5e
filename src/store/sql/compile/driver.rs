//! The driver of a search: the table that the records to look at are read from.
//!
//! Conditions are cheap to ask of a record at hand (one seek each), so all that matters is to have few records at hand. SQLite keeps
//! the order of a `CROSS JOIN`, so the choice is made here, from what the kinds of parameter are known to select, and where that says
//! little by counting, up to a bound.

use super::super::connection::{Connection, number};
use super::super::names::{range, type_of};
use super::super::point;
use super::super::statement::Statement;
use super::criterion::{asks_words, rows};
use super::ranges::{self, of_dates};
use super::{Searched, Sql, value};
use crate::fhir::ResourceType;
use crate::fhir::search::{
    CONTAINED, Criterion, DateValue, Modifier, Prefix, ReferenceValue, SearchParameter, TokenValue, Value,
};
use diesel::prelude::*;

/// Where the records come from, under the alias `d`, with a column `rid`.
#[derive(Debug)]
pub(in crate::store::sql) struct Driver {
    /// The table, with its alias.
    pub(in crate::store::sql) table: String,
    /// What selects its rows, the type among it.
    pub(super) conditions: Sql,
    /// What to count, where that can stop early and the conditions cannot.
    pub(super) count: Option<Sql>,
    /// Its rows come in the order of `rid` by themselves, one record's next to each other.
    pub(in crate::store::sql) in_order: bool,
    /// The criterion that it stands for.
    pub(super) serves: Option<usize>,
}

/// How few rows a driver promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Promise {
    /// The ids themselves.
    Ids,
    /// What refers to one patient.
    OfPatient,
    /// A patient's compartment.
    Compartment,
    /// Nothing sure: count.
    Count,
}

/// Rows counted to compare drivers: at least, and at most.
const COUNTED: (i64, i64) = (1_000, 20_000);

/// Matches that a page usually has.
const PAGE: i64 = 20;

/// The best driver for a search.
pub(in crate::store::sql) fn choose(connection: &mut Connection, searched: &Searched<'_>) -> QueryResult<Driver> {
    let mut candidates: Vec<(Promise, Driver)> = compartment(searched).into_iter().collect();
    for (at, criterion) in searched.query.criteria.iter().enumerate() {
        candidates.extend(of_criterion(searched, at, criterion));
    }
    candidates.extend(of_dates(searched));
    candidates.sort_by_key(|(promise, _)| *promise);
    if candidates.first().is_some_and(|(promise, _)| *promise != Promise::Ids)
        && let Some(home) = home(connection, searched)?
        && let Some(driver) = at_home(connection, home, &mut candidates)?
    {
        return Ok(driver);
    }
    let sure = candidates.iter().position(|(promise, _)| *promise != Promise::Count);
    if let Some(at) = sure {
        return Ok(candidates.swap_remove(at).1);
    }
    let mut drivers: Vec<Driver> = candidates.into_iter().map(|(_, driver)| driver).collect();
    if drivers.len() > 1 || drivers.iter().any(|driver| !driver.in_order) {
        drivers = fewest(connection, drivers)?;
    }
    Ok(drivers.pop().unwrap_or_else(|| scan(searched)))
}

/// Where all records of the type lie that belong to the patient whom the search is about: in the patient's own cluster, unless some
/// lie elsewhere (they came to this patient later, or name another patient first).
fn home(connection: &mut Connection, searched: &Searched<'_>) -> QueryResult<Option<(i64, i64)>> {
    let (Some(of), Some(patient)) = (searched.only(), searched.settled()) else { return Ok(None) };
    let no = number(connection, Statement::new("SELECT no FROM patient_no WHERE id = ?").bind(patient.as_str()))?;
    let Some(no) = no else { return Ok(None) };
    let (first, last) = range(no, of);
    let code = i64::from(of.code());
    let strays = Statement::new(
        "SELECT CAST(CASE WHEN EXISTS (SELECT 1 FROM record_patient WHERE patient_no = ? AND type = ? AND rid < ?) \
         OR EXISTS (SELECT 1 FROM record_patient WHERE patient_no = ? AND type = ? AND rid > ?) THEN 1 ELSE 0 END AS BIGINT)",
    );
    let strays = strays.bind(no).bind(code).bind(first).bind(no).bind(code).bind(last);
    Ok((number(connection, strays)? == Some(0)).then_some((first, last)))
}

/// A code, sought among this patient's records alone: the rows of a code stand in the order of the records, so that those of one
/// patient are one stretch. Takes the candidates of this kind out of the others.
fn at_home(
    connection: &mut Connection,
    (first, last): (i64, i64),
    candidates: &mut Vec<(Promise, Driver)>,
) -> QueryResult<Option<Driver>> {
    let (coded, others): (Vec<_>, Vec<_>) =
        std::mem::take(candidates).into_iter().partition(|(_, driver)| driver.table == "index_token d");
    *candidates = others;
    let mut drivers: Vec<Driver> = Vec::new();
    for (_, mut driver) in coded {
        // In these words: of `BETWEEN` beside an `EXISTS` SQLite 3.53 seeks the lower end alone, and reads to the end of the code's rows.
        driver.conditions.say(" AND d.rid >= ").value(first).say(" AND d.rid <= ").value(last);
        drivers.push(driver);
    }
    if drivers.len() > 1 || drivers.iter().any(|driver| !driver.in_order) {
        drivers = fewest(connection, drivers)?;
    }
    Ok(drivers.pop())
}

/// How many rows are worth sorting for a page. Of N rows among T records, all N are looked at to sort them, and a page's worth of T/N to
/// find enough in the order of the records: the two are the same when N is the root of T times the page.
fn worth_sorting(connection: &mut Connection) -> QueryResult<i64> {
    let records = point::last_change(connection)?;
    Ok(records.saturating_mul(PAGE).max(0).isqrt().clamp(COUNTED.0, COUNTED.1))
}

/// The driver with the fewest rows; when all have many, one that needs no sorting, or none.
fn fewest(connection: &mut Connection, mut drivers: Vec<Driver>) -> QueryResult<Vec<Driver>> {
    let most = worth_sorting(connection)?;
    // What lies behind references is dear to count. It comes last: nothing is counted further than to see that it is not fewer.
    drivers.sort_by_key(|driver| driver.count.is_some());
    let (mut counted, mut limit) = (Vec::new(), most);
    for driver in drivers {
        let mut sql = Sql::new(connection.dialect());
        match driver.count.clone() {
            Some(set) => sql.say("SELECT count(*) FROM (SELECT s.rid FROM (").append(set).say(") s"),
            None => {
                sql.say(&format!("SELECT count(*) FROM (SELECT 1 FROM {} WHERE ", driver.table)).append(driver.conditions.clone())
            }
        };
        sql.say(" LIMIT ").value(limit).say(") n");
        let rows = number(connection, sql.statement())?.unwrap_or(0);
        limit = limit.min(rows.saturating_add(1));
        counted.push((rows, !driver.in_order, driver));
    }
    counted.sort_by_key(|(rows, unordered, _)| (*rows, *unordered));
    let best = counted.into_iter().next().filter(|(rows, unordered, _)| *rows < most || !unordered);
    Ok(best.into_iter().map(|(_, _, driver)| driver).collect())
}

/// Every record of the types.
fn scan(searched: &Searched<'_>) -> Driver {
    let mut conditions = searched.sql();
    searched.type_is(&mut conditions, "d.type");
    conditions.say(" AND d.deleted = 0");
    // Several types come in the order of the table itself; one type has an index in that order.
    let table = if searched.only().is_some() { "record d INDEXED BY record_live" } else { "record d NOT INDEXED" };
    Driver { table: table.to_owned(), conditions, count: None, in_order: true, serves: None }
}

fn compartment(searched: &Searched<'_>) -> Option<(Promise, Driver)> {
    let patient = searched.confined()?;
    let mut conditions = searched.sql();
    conditions.say("d.patient_no = ").patient_number(patient).say(" AND ");
    searched.type_is(&mut conditions, "d.type");
    let in_order = searched.only().is_some();
    Some((Promise::Compartment, Driver { table: "record_patient d".to_owned(), conditions, count: None, in_order, serves: None }))
}

fn of_criterion(searched: &Searched<'_>, at: usize, criterion: &Criterion) -> Option<(Promise, Driver)> {
    match criterion {
        Criterion::Id(ids) => {
            let mut conditions = searched.sql();
            searched.type_is(&mut conditions, "d.type");
            if searched.every {
                // Named, so that the key is sought by type and id.
                conditions = searched.sql();
                conditions.say("d.type IN (").list(ResourceType::ALL.iter().map(|of| i64::from(of.code()))).say(")");
            }
            conditions.say(" AND d.id IN (").list(ids.iter().map(crate::fhir::Id::as_str)).say(") AND d.deleted = 0");
            let in_order = ids.len() == 1 && searched.only().is_some();
            Some((Promise::Ids, Driver { table: "record d".to_owned(), conditions, count: None, in_order, serves: Some(at) }))
        }
        // All that is said of one date is one driver.
        dated if ranges::dated(dated).is_some() => None,
        Criterion::Match { parameter, modifier, values } if plain(parameter, modifier, values) => {
            of_match(searched, at, (parameter, modifier), values)
        }
        Criterion::LastUpdated(_) => last_updated(searched, at),
        Criterion::OfEach(each) => of_each(searched, each),
        Criterion::Contained { of, .. } => Some((Promise::Count, containing(searched, *of))),
        Criterion::Missing { .. } | Criterion::Not(_) | Criterion::Near { .. } => None,
        behind => among(searched, behind),
    }
}

/// Whether the values are those of one row each, and not sets of codes or records, or amounts in several units.
fn plain(parameter: &SearchParameter, modifier: &Modifier, values: &[Value]) -> bool {
    values.iter().all(|one| match one {
        Value::Codes(_) | Value::Records(_) | Value::ValueSet(_) => false,
        one => !super::beside::is_written(parameter, modifier, one),
    })
}

/// Records that contain a resource of this type.
fn containing(searched: &Searched<'_>, of: ResourceType) -> Driver {
    let mut conditions = searched.sql();
    conditions.say("d.param = ").value(i64::from(CONTAINED.0)).say(" AND d.code = ").value(of.name()).say(" AND ");
    searched.type_is(&mut conditions, &type_of("d.rid"));
    Driver { table: "index_token d".to_owned(), conditions, count: None, in_order: true, serves: None }
}

/// What is sought by something behind a reference, or in several ways at once. Worth it when it is few.
fn among(searched: &Searched<'_>, criterion: &Criterion) -> Option<(Promise, Driver)> {
    let mut conditions = searched.sql();
    let set = conditions.selected(searched.only(), criterion)?;
    let count = Some(set.clone());
    conditions.among_selected("d.rid", set).say(" AND ");
    searched.type_is(&mut conditions, "d.type + 0");
    conditions.say(" AND d.deleted = 0");
    Some((Promise::Count, Driver { table: "record d".to_owned(), conditions, count, in_order: false, serves: None }))
}

/// All that is said of the time of the last update, at the first of these criteria.
fn last_updated(searched: &Searched<'_>, at: usize) -> Option<(Promise, Driver)> {
    let range = |criterion: &Criterion| match criterion {
        Criterion::LastUpdated(ranges) => match ranges.as_slice() {
            [range] if range.prefix != Prefix::Ne => Some(*range),
            _ => None,
        },
        _ => None,
    };
    let all: Vec<(usize, DateValue)> =
        searched.query.criteria.iter().enumerate().filter_map(|(at, one)| range(one).map(|range| (at, range))).collect();
    if all.first().is_none_or(|(first, _)| *first != at) {
        return None;
    }
    let mut conditions = searched.sql();
    conditions.say("d.type = ").value(i64::from(searched.only()?.code())).say(" AND d.deleted = 0");
    for (_, range) in &all {
        conditions.say(" AND ");
        value::date_is(&mut conditions, ("d.updated", "d.updated"), 1, range);
    }
    let serves = (all.len() == 1).then_some(at);
    Some((
        Promise::Count,
        Driver { table: "record d INDEXED BY record_updated".to_owned(), conditions, count: None, in_order: false, serves },
    ))
}

/// Values that can be sought in an index.
fn of_match(
    searched: &Searched<'_>,
    at: usize,
    (parameter, modifier): (&SearchParameter, &Modifier),
    values: &[Value],
) -> Option<(Promise, Driver)> {
    let (promise, table) = match values {
        [one] => (promise(parameter, one, modifier)?, value::table(one, modifier)?),
        _ => (Promise::Count, sought_in(values, modifier)?.0),
    };
    let mut conditions = searched.sql();
    conditions.say("d.param = ").value(i64::from(rows(parameter.id, modifier).0)).say(" AND ");
    if let Some((_, column, keys)) = sought_in(values, modifier).filter(|_| values.len() > 1) {
        // The list is what the index is sought by; what each value says beyond it (a system, a type) follows.
        let keys: Vec<String> = keys.iter().map(|key| searched.dialect.key(key).into_owned()).collect();
        conditions.say(&format!("d.{column} IN (")).list(keys).say(") AND ");
    }
    conditions.joined(" OR ", values, |sql, one| value::condition(sql, "d", one, modifier, &parameter.targets));
    conditions.say(" AND ");
    searched.type_is(&mut conditions, &type_of("d.rid"));
    // These tables are ordered by value, then by record; with several values the records come in no order.
    let ordered = matches!(table, "index_token" | "index_reference" | "index_uri");
    let in_order = ordered && values.len() == 1 && !matches!(modifier, Modifier::Below | Modifier::Above);
    // What a reference says is asked again, of the record that it names.
    let serves = (!asks_words(parameter, modifier)).then_some(at);
    Some((promise, Driver { table: by_value(table), conditions, count: None, in_order, serves }))
}

/// A table of the index, read in the order of its values.
fn by_value(table: &str) -> String {
    let by = match table {
        "index_string" => " INDEXED BY index_string_value",
        "index_date" => " INDEXED BY index_date_value",
        "index_number" => " INDEXED BY index_number_value",
        "index_quantity" => " INDEXED BY index_quantity_value",
        _ => "",
    };
    format!("{table} d{by}")
}

/// One value, sought under the parameters of several types. It gives more than it must (a reference to a type that only one of the
/// parameters allows), so that the criterion is asked as well.
fn of_each(searched: &Searched<'_>, each: &[(ResourceType, Criterion)]) -> Option<(Promise, Driver)> {
    let matches: Option<Vec<_>> = each
        .iter()
        .map(|(_, criterion)| match criterion {
            Criterion::Match { parameter, modifier, values } => Some((*parameter, modifier, values.as_slice())),
            _ => None,
        })
        .collect();
    let matches = matches?;
    let &(_, modifier, values) = matches.first()?;
    let [one] = values else { return None };
    if matches.iter().any(|other| (other.1, other.2) != (modifier, values)) {
        return None;
    }
    let promises: Option<Vec<_>> = matches.iter().map(|(parameter, ..)| promise(parameter, one, modifier)).collect();
    let promise = promises?.into_iter().max()?;
    let mut conditions = searched.sql();
    let parameters = matches.iter().map(|(parameter, ..)| i64::from(rows(parameter.id, modifier).0));
    conditions.say("d.param IN (").list(parameters).say(") AND (");
    value::condition(&mut conditions, "d", one, modifier, &[]);
    conditions.say(") AND ");
    searched.type_is(&mut conditions, &type_of("d.rid"));
    let table = by_value(value::table(one, modifier)?);
    Some((promise, Driver { table, conditions, count: None, in_order: false, serves: None }))
}

/// The table, column and keys by which all values are sought, when they are sought alike.
fn sought_in<'v>(values: &'v [Value], modifier: &Modifier) -> Option<(&'static str, &'static str, Vec<&'v str>)> {
    let code = |value: &'v Value| match value {
        Value::Token(TokenValue { code, .. }) => code.as_deref(),
        _ => None,
    };
    let target = |value: &'v Value| match value {
        Value::Reference(ReferenceValue::Local(_, id) | ReferenceValue::Id(id)) => Some(id.as_str()),
        _ => None,
    };
    let codes = || values.iter().map(code).collect::<Option<Vec<_>>>();
    let targets = || values.iter().map(target).collect::<Option<Vec<_>>>();
    match modifier {
        Modifier::Plain | Modifier::Identifier | Modifier::Type(_) if !values.is_empty() => codes()
            .map(|keys| ("index_token", "code", keys))
            .or_else(|| targets().map(|keys| ("index_reference", "target_id", keys))),
        _ => None,
    }
}

/// What a value promises; `None` when it selects no range that could be read.
fn promise(parameter: &SearchParameter, one: &Value, modifier: &Modifier) -> Option<Promise> {
    let sought = match one {
        Value::Token(TokenValue { code: Some(_), .. }) => {
            matches!(modifier, Modifier::Plain | Modifier::Identifier | Modifier::OfType)
        }
        Value::Text(_) => matches!(modifier, Modifier::Plain | Modifier::Text | Modifier::Equal),
        Value::Uri(_) | Value::Reference(ReferenceValue::Url(_)) => {
            matches!(modifier, Modifier::Plain | Modifier::Below | Modifier::Above)
        }
        Value::Reference(_) => matches!(modifier, Modifier::Plain | Modifier::Type(_)),
        Value::Date(date) => date.prefix != Prefix::Ne,
        Value::Number(number) => number.prefix != Prefix::Ne,
        Value::Quantity(quantity) => quantity.number.prefix != Prefix::Ne,
        Value::Token(_) | Value::Composite(_) | Value::ValueSet(_) | Value::Codes(_) | Value::Records(_) => false,
    };
    let patient = match one {
        Value::Reference(ReferenceValue::Local(of, _)) => *of == ResourceType::Patient,
        Value::Reference(ReferenceValue::Id(_)) => parameter.targets == [ResourceType::Patient],
        _ => false,
    };
    sought.then_some(if patient { Promise::OfPatient } else { Promise::Count })
}
