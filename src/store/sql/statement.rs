//! SQL text with its values, prepared once and kept.
//!
//! Diesel prepares a `sql_query` anew at each use, so this is a query fragment of our own: the connection keeps its prepared form by
//! its text. Text is built from fixed pieces, values are bound, so texts are as many as query *shapes*; see [`Statement::once`].

pub(super) use super::bind::Bind;
use super::bind::{push, push_postgres};
use super::connection::Connection;
use super::dialect::{fenced, without_hints};
use super::judge::Session;
use super::postgres::PgLink;
use super::wording::Wording;
use diesel::backend::Backend;
use diesel::connection::{CacheSize, Connection as _};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::query_dsl::methods::{ExecuteDsl, LoadQuery};
use diesel::sqlite::Sqlite;
use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::marker::PhantomData;

/// SQL with its values.
#[derive(Debug, Clone)]
pub(super) struct Statement {
    text: Wording,
    binds: Vec<Bind>,
    keep: bool,
}

impl Statement {
    /// A statement that is kept prepared.
    pub(super) fn new(text: impl Into<Cow<'static, str>>) -> Self {
        Self { text: Wording::Marked(text.into()), binds: Vec::new(), keep: true }
    }

    /// With these values, which the text's `?` take in order.
    pub(super) fn with(text: impl Into<Cow<'static, str>>, binds: Vec<Bind>) -> Self {
        Self { text: Wording::Marked(text.into()), binds, keep: true }
    }

    /// Puts rows of so many columns in. `head` ends in `VALUES`, `tail` comes behind the rows.
    pub(super) fn insert(head: &'static str, columns: usize, tail: &'static str, binds: Vec<Bind>) -> Self {
        Self { text: Wording::Rows { head, columns, tail }, binds, keep: true }
    }

    /// Not to be kept prepared.
    #[must_use]
    pub(super) fn once(mut self) -> Self {
        self.keep = false;
        self
    }

    /// With one more value.
    #[must_use]
    pub(super) fn bind(mut self, value: impl Into<Bind>) -> Self {
        self.binds.push(value.into());
        self
    }

    /// The question how the database would run it.
    #[cfg(test)]
    pub(super) fn explained(mut self, dialect: super::dialect::Dialect) -> Self {
        let how = if dialect.is_postgres() { "EXPLAIN" } else { "EXPLAIN QUERY PLAN" };
        if let Wording::Marked(text) = &mut self.text {
            *text = format!("{how} {text}").into();
        }
        self
    }

    /// Its text as PostgreSQL gets it.
    #[cfg(test)]
    pub(super) fn text_for_postgres(self) -> String {
        let told = diesel::debug_query::<Pg, _>(&Typed::<()>(self, PhantomData).for_postgres()).to_string();
        told.split(" -- binds:").next().unwrap_or_default().to_owned()
    }

    /// Runs it; the number of rows changed.
    pub(super) fn run(self, connection: &mut Connection) -> QueryResult<usize> {
        self.count();
        let statement = Typed::<()>(self, PhantomData);
        match connection {
            Connection::Sqlite(connection) => ExecuteDsl::execute(statement, connection),
            Connection::Postgres(connection) => ExecuteDsl::execute(statement.for_postgres(), connection.as_mut()),
        }
    }

    /// All rows, by position of the column.
    pub(super) fn rows<'q, T, U>(self, connection: &mut Connection) -> QueryResult<Vec<U>>
    where
        Typed<T>: Loads<'q, U>,
    {
        let mut all = Vec::new();
        self.each::<T, U>(connection, |row| {
            all.push(row);
            More::Please
        })?;
        Ok(all)
    }

    /// The first row, if there is one.
    pub(super) fn row<'q, T, U>(self, connection: &mut Connection) -> QueryResult<Option<U>>
    where
        Typed<T>: Loads<'q, U>,
    {
        let mut first = None;
        self.each::<T, U>(connection, |row| {
            first = Some(row);
            More::Enough
        })?;
        Ok(first)
    }

    /// Hands over row after row until `each` has enough. To be used on one state of the database when verdicts are asked: where another
    /// record is wanting, it is run again, and goes on behind the rows that were handed over.
    pub(super) fn each<'q, T, U>(self, connection: &mut Connection, mut each: impl FnMut(U) -> More) -> QueryResult<()>
    where
        Typed<T>: Loads<'q, U>,
    {
        self.count();
        let Some(session) = Session::of(&self.binds) else { return self.over::<T, U>(connection, each) };
        let mut handed = 0_usize;
        loop {
            let (mut at, mut enough) = (0_usize, false);
            self.clone().over::<T, U>(connection, |row| {
                if session.lacks() {
                    return More::Enough;
                }
                at += 1;
                if at <= handed {
                    return More::Please;
                }
                handed = at;
                let more = each(row);
                enough = more == More::Enough;
                more
            })?;
            if enough || !session.lacks() {
                return Ok(());
            }
            session.learn(connection)?;
        }
    }

    /// Hands over row after row of one run.
    fn over<'q, T, U>(self, connection: &mut Connection, each: impl FnMut(U) -> More) -> QueryResult<()>
    where
        Typed<T>: Loads<'q, U>,
    {
        let statement = Typed(self, PhantomData);
        match connection {
            Connection::Sqlite(connection) => hand_over(LoadQuery::internal_load(statement, connection)?, each),
            Connection::Postgres(connection) => {
                hand_over(LoadQuery::internal_load(statement.for_postgres(), connection.as_mut())?, each)
            }
        }
    }
}

fn hand_over<U>(rows: impl Iterator<Item = QueryResult<U>>, mut each: impl FnMut(U) -> More) -> QueryResult<()> {
    for row in rows {
        if each(row?) == More::Enough {
            break;
        }
    }
    Ok(())
}

/// Rows that can be read as `U` from either database.
pub(super) trait Loads<'q, U>: LoadQuery<'q, SqliteConnection, U> + LoadQuery<'q, PgLink, U> {}

impl<'q, T, U> Loads<'q, U> for T where T: LoadQuery<'q, SqliteConnection, U> + LoadQuery<'q, PgLink, U> {}

impl Statement {
    /// Notes a text that was put together at run time, see [`bound_kept`].
    fn count(&self) {
        if let (true, Wording::Marked(Cow::Owned(text))) = (self.keep, &self.text) {
            let mut hasher = DefaultHasher::new();
            text.hash(&mut hasher);
            KEPT.with(|kept| kept.borrow_mut().insert(hasher.finish()));
        }
    }
}

thread_local! {
    /// The texts put together at run time that this thread's connection keeps prepared.
    static KEPT: RefCell<HashSet<u64>> = RefCell::default();
}

/// Texts kept at most: prepared forms take memory, and callers choose the shape of a search.
const KEPT_MOST: usize = 400;

/// Forgets all prepared forms of the connection when there are too many. To be called between two pieces of work.
pub(super) fn bound_kept(connection: &mut Connection) {
    KEPT.with(|kept| {
        let mut kept = kept.borrow_mut();
        if kept.len() > KEPT_MOST {
            kept.clear();
            // Changing the strategy is how diesel empties the cache.
            for size in [CacheSize::Disabled, CacheSize::Unbounded] {
                match connection {
                    Connection::Sqlite(connection) => connection.set_prepared_statement_cache_size(size),
                    Connection::Postgres(connection) => connection.as_mut().set_prepared_statement_cache_size(size),
                }
            }
        }
    });
}

/// Whether another row is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum More {
    /// Go on.
    Please,
    /// Stop reading.
    Enough,
}

/// A statement whose columns have the SQL types `T`.
#[derive(Debug)]
pub(super) struct Typed<T>(Statement, PhantomData<T>);

impl<T> QueryFragment<Sqlite> for Typed<T> {
    fn walk_ast<'b>(&'b self, pass: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        self.0.walk(pass, push)
    }
}

impl<T> QueryFragment<Pg> for Typed<T> {
    fn walk_ast<'b>(&'b self, pass: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        self.0.walk(pass, push_postgres)
    }
}

impl<T> Typed<T> {
    /// Without hints, and without what PostgreSQL cannot keep: a NUL in a text is a noncharacter there, when it is kept as when it is
    /// sought.
    fn for_postgres(mut self) -> Self {
        if let Wording::Marked(marked) = &mut self.0.text {
            for with in [without_hints, fenced] {
                if let Cow::Owned(text) = with(marked) {
                    *marked = Cow::Owned(text);
                }
            }
        }
        for bind in &mut self.0.binds {
            if let Bind::Text(text) = bind
                && text.contains('\0')
            {
                *text = Cow::Owned(text.replace('\0', NUL));
            }
        }
        self
    }
}

/// Stands for a NUL.
const NUL: &str = "\u{10FFFD}";

impl Statement {
    fn walk<'b, DB: Backend>(
        &'b self,
        mut pass: AstPass<'_, 'b, DB>,
        push: impl Fn(&'b Bind, &mut AstPass<'_, 'b, DB>) -> QueryResult<()>,
    ) -> QueryResult<()> {
        if !self.keep {
            pass.unsafe_to_cache_prepared();
        }
        self.text.walk(&self.binds, pass, push)
    }
}

impl<T> QueryId for Typed<T> {
    type QueryId = ();

    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<T> Query for Typed<T> {
    type SqlType = T;
}

impl<T> RunQueryDsl<SqliteConnection> for Typed<T> {}

impl<T> RunQueryDsl<PgLink> for Typed<T> {}
