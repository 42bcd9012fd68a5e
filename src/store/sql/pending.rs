//! Rows of one table that wait to be put in, so that one statement serves many records.

use super::connection::Connection;
use super::statement::{Bind, Statement};
use diesel::prelude::*;

/// Rows in one statement at most. Each number up to it has a statement of its own, so that most records need one a table.
const FEW: usize = 16;

/// Rows in one statement to a server, once so many wait: there each statement is a way there and back.
const MANY: usize = 256;

/// The rows, and how they are put in.
#[derive(Debug)]
pub(super) struct Pending {
    head: &'static str,
    columns: usize,
    tail: &'static str,
    /// Rows that are large themselves.
    heavy: bool,
    binds: Vec<Bind>,
}

impl Pending {
    /// Of a statement whose `head` ends in `VALUES`, with `tail` behind the rows.
    pub(super) const fn new(head: &'static str, columns: usize, tail: &'static str) -> Self {
        Self { head, columns, tail, heavy: false, binds: Vec::new() }
    }

    /// Of rows that may be large themselves: few at once.
    pub(super) fn heavy(head: &'static str, columns: usize, tail: &'static str) -> Self {
        Self { heavy: true, ..Self::new(head, columns, tail) }
    }

    /// Adds a row by the values that `fill` appends; puts rows in when there are enough of them.
    pub(super) fn row<E: From<diesel::result::Error>>(
        &mut self,
        connection: &mut Connection,
        fill: impl FnOnce(&mut Connection, &mut Vec<Bind>) -> Result<(), E>,
    ) -> Result<(), E> {
        fill(connection, &mut self.binds)?;
        let many = if self.heavy || !connection.dialect().is_postgres() { FEW } else { MANY };
        if self.binds.len() >= many * self.columns {
            self.put(connection, many)?;
        }
        Ok(())
    }

    /// Puts in what is left.
    pub(super) fn finish(mut self, connection: &mut Connection) -> QueryResult<()> {
        while !self.binds.is_empty() {
            self.put(connection, FEW)?;
        }
        Ok(())
    }

    /// Puts the first rows in.
    fn put(&mut self, connection: &mut Connection, rows: usize) -> QueryResult<()> {
        let rest = self.binds.split_off(self.binds.len().min(rows * self.columns));
        let binds = std::mem::replace(&mut self.binds, rest);
        Statement::insert(self.head, self.columns, self.tail, binds).run(connection).map(drop)
    }
}
