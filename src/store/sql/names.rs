//! Small numbers for long names: code systems and patients; and where the next record goes.

use super::connection::{Connection, number};
use super::statement::Statement;
use crate::fhir::{Id, ResourceType};
use diesel::prelude::*;
use std::collections::HashMap;

/// Bits of a record's number within cluster and type.
const WITHIN: u32 = 20;
/// Bits of number and type: what stands right of the cluster.
const CLUSTER: u32 = 28;
/// Numbers of clusters: what is left of a row number, which is never negative.
const CLUSTERS: u64 = (1 << 35) - 1;
/// The cluster of records without a patient. No id can be empty, so no patient has this name.
const NOBODY: &str = "";
/// Names remembered at most, of each kind.
const REMEMBERED: usize = 20_000;

/// SQL for the type of a record, from the SQL of its number.
pub(super) fn type_of(rid: &str) -> String {
    format!("(({rid} >> {WITHIN}) & 255)")
}

/// First and last number of the records of a type in a cluster.
pub(super) fn range(cluster: i64, of: ResourceType) -> (i64, i64) {
    let first = (cluster << CLUSTER) | (i64::from(of.code()) << WITHIN);
    (first, first | ((1 << WITHIN) - 1))
}

/// What the writer remembers. Everything in it is in the database too, so it may be forgotten at any time, and must be when a
/// transaction that added to it is undone.
#[derive(Debug, Default)]
pub(super) struct Names {
    systems: HashMap<String, i64>,
    patients: HashMap<String, i64>,
    /// By cluster and type: the number that the next record takes.
    next: HashMap<(i64, i16), i64>,
}

impl Names {
    /// Forgets where records lie, which changes with every write of another node. Numbers, once committed, stay.
    pub(super) fn forget_places(&mut self) {
        self.next.clear();
    }

    /// Forgets where records lie when that is too much. Only while none waits to be put in: what is forgotten is read from the table.
    pub(super) fn bound_places(&mut self) {
        if self.next.len() >= REMEMBERED {
            self.next.clear();
        }
    }

    /// Forgets all.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }

    /// The number of a code system, new or known; 0 for none.
    pub(super) fn system(&mut self, connection: &mut Connection, url: &str) -> QueryResult<i64> {
        if url.is_empty() {
            return Ok(0);
        }
        let url = connection.dialect().key(url);
        let url = url.as_ref();
        if let Some(&id) = self.systems.get(url) {
            return Ok(id);
        }
        let known = number(connection, Statement::new("SELECT id FROM code_system WHERE url = ?").bind(url))?;
        let id = match known {
            Some(id) => id,
            None => assigned(connection, Statement::new("INSERT INTO code_system (url) VALUES (?) RETURNING id").bind(url))?,
        };
        remember(&mut self.systems, url, id);
        Ok(id)
    }

    /// The number of a patient, new or known.
    pub(super) fn patient(&mut self, connection: &mut Connection, id: &str) -> QueryResult<i64> {
        if let Some(&no) = self.patients.get(id) {
            return Ok(no);
        }
        let known = number(connection, Statement::new("SELECT no FROM patient_no WHERE id = ?").bind(id))?;
        let no = match known {
            Some(no) => no,
            None => numbered(connection, id)?,
        };
        remember(&mut self.patients, id, no);
        Ok(no)
    }

    /// A place for a new record beside the others of its first patient.
    pub(super) fn place(&mut self, connection: &mut Connection, of: ResourceType, first: Option<&Id>) -> QueryResult<i64> {
        let mut name = first.map_or(NOBODY, Id::as_str).to_owned();
        loop {
            let cluster = self.patient(connection, &name)?;
            if let Some(rid) = self.next_in(connection, cluster, of)? {
                return Ok(rid);
            }
            // A full cluster goes on in another. `+` stands in no id, so the name is no patient's.
            name.push('+');
        }
    }

    fn next_in(&mut self, connection: &mut Connection, cluster: i64, of: ResourceType) -> QueryResult<Option<i64>> {
        let (base, end) = range(cluster, of);
        let rid = if let Some(&next) = self.next.get(&(cluster, of.code())) {
            next
        } else {
            let last = Statement::new("SELECT max(rid) FROM record WHERE rid BETWEEN ? AND ?").bind(base).bind(end);
            let last = last.row::<diesel::sql_types::Nullable<diesel::sql_types::BigInt>, Option<i64>>(connection)?;
            last.flatten().map_or(base, |last| last + 1)
        };
        self.next.insert((cluster, of.code()), rid + 1);
        Ok((rid <= end).then_some(rid))
    }
}

/// A number for a new patient, made of the id alone: numbers given in order of arrival would let the order of results tell that
/// somebody hidden came first.
fn numbered(connection: &mut Connection, id: &str) -> QueryResult<i64> {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, id.as_bytes());
    let hash = digest.as_ref().iter().take(8).fold(0u64, |all, &byte| (all << 8) | u64::from(byte));
    let mut no = i64::try_from(hash & CLUSTERS).unwrap_or_default();
    loop {
        let insert = Statement::new("INSERT INTO patient_no (id, no) VALUES (?, ?) ON CONFLICT (no) DO NOTHING RETURNING no");
        if let Some(no) = number(connection, insert.bind(id).bind(no))? {
            return Ok(no);
        }
        // Two ids with one hash, once in a great many: the next number is as good.
        no = (no + 1) & i64::try_from(CLUSTERS).unwrap_or(i64::MAX);
    }
}

fn assigned(connection: &mut Connection, insert: Statement) -> QueryResult<i64> {
    number(connection, insert)?.ok_or(diesel::result::Error::NotFound)
}

fn remember(map: &mut HashMap<String, i64>, name: &str, value: i64) {
    if map.len() >= REMEMBERED {
        map.clear();
    }
    map.insert(name.to_owned(), value);
}

#[cfg(test)]
mod tests {
    use super::Names;
    use crate::store::sql::Connection;
    use diesel::connection::SimpleConnection as _;
    use diesel::{Connection as _, SqliteConnection};

    fn numbers(of: &[&str]) -> Vec<i64> {
        let mut connection = SqliteConnection::establish(":memory:").unwrap();
        connection.batch_execute("CREATE TABLE patient_no (id TEXT PRIMARY KEY, no INTEGER NOT NULL UNIQUE) STRICT").unwrap();
        let mut connection = Connection::Sqlite(connection);
        let mut names = Names::default();
        let mut numbers: Vec<_> = of.iter().map(|id| (*id, names.patient(&mut connection, id).unwrap())).collect();
        numbers.sort_unstable();
        numbers.into_iter().map(|(_, no)| no).collect()
    }

    #[test]
    fn the_number_of_a_patient_does_not_tell_who_came_before() {
        assert_eq!(numbers(&["p1", "p2", "p3"]), numbers(&["p3", "p1", "p2"]));
        assert_eq!(numbers(&["hidden", "p1"])[1], numbers(&["p1"])[0]);
    }
}
