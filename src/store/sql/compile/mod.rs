//! From a query and a permit to SQL.
//!
//! Every piece is written for one record at a time: given the SQL of a record's number, a condition that is true or false of it.
//! A search is then one *driver* (which records to look at, chosen to be few) and the conditions of everything else, among them the
//! predicate of the permit. Each further record that a condition looks at (a hop of a chain, a `_has`) gets the permit's predicate too.

mod condition;
mod criterion;
mod driver;
mod judged;
mod patients;
mod predicate;
mod ranges;
mod sort;
mod value;

mod beside;
mod searched;
mod sets;

pub(super) use driver::{Driver, choose};
pub(super) use predicate::array;
pub(super) use searched::Searched;
pub(super) use sort::{KeyKind, Order};

use predicate::Eyes;

use super::dialect::Dialect;
use super::statement::{Bind, Statement};
use crate::fhir::ResourceType;
use crate::fhir::search::{ELEMENTS, ParameterId};
use std::fmt::Write as _;

/// Bytes of text above which a statement is not kept prepared.
const KEPT_BYTES: usize = 32 << 10;

/// SQL under construction.
#[derive(Debug, Clone)]
pub(super) struct Sql {
    dialect: Dialect,
    text: String,
    binds: Vec<Bind>,
    aliases: u32,
}

impl Sql {
    /// Nothing yet.
    pub(super) fn new(dialect: Dialect) -> Self {
        Self { dialect, text: String::new(), binds: Vec::new(), aliases: 0 }
    }

    /// What it is written for.
    pub(super) fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Adds fixed text. No value ever comes this way.
    pub(super) fn say(&mut self, text: &str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    /// Adds a value.
    pub(super) fn value(&mut self, value: impl Into<Bind>) -> &mut Self {
        self.text.push('?');
        self.binds.push(value.into());
        self
    }

    /// Adds values, separated by commas; nothing, which equals nothing, when there are none: a list must not be empty.
    pub(super) fn list<V: Into<Bind>>(&mut self, values: impl IntoIterator<Item = V>) -> &mut Self {
        let before = self.binds.len();
        for (at, value) in values.into_iter().enumerate() {
            if at > 0 {
                self.text.push_str(", ");
            }
            self.value(value);
        }
        if self.binds.len() == before { self.say("NULL") } else { self }
    }

    /// Adds conditions in brackets, joined by ` OR ` or ` AND `.
    pub(super) fn joined<T>(
        &mut self,
        by: &str,
        parts: impl IntoIterator<Item = T>,
        mut each: impl FnMut(&mut Self, T),
    ) -> &mut Self {
        self.say("(");
        for (at, part) in parts.into_iter().enumerate() {
            if at > 0 {
                self.say(by);
            }
            each(self, part);
        }
        self.say(")")
    }

    /// Ends a sentence of calls where nothing is to be returned.
    pub(super) fn end(&mut self) {
        debug_assert!(!self.text.is_empty(), "something was said");
    }

    /// A table alias that is not in use yet.
    pub(super) fn alias(&mut self) -> String {
        self.aliases += 1;
        format!("x{}", self.aliases)
    }

    /// The same SQL with the same values.
    pub(super) fn is_as(&self, other: &Self) -> bool {
        self.text == other.text
            && self.binds.len() == other.binds.len()
            && self.binds.iter().zip(&other.binds).all(|(a, b)| a.is_as(b))
    }

    /// A builder for a part of this one: no alias of the part is in use here so far.
    pub(super) fn part(&self) -> Self {
        Self { aliases: self.aliases, ..Self::new(self.dialect) }
    }

    /// Adds a part.
    pub(super) fn append(&mut self, other: Self) -> &mut Self {
        self.text.push_str(&other.text);
        self.binds.extend(other.binds);
        self.aliases = self.aliases.max(other.aliases);
        self
    }

    /// Ready to run. A very long text is not kept prepared: it comes of many conditions, and goes with any of them.
    pub(super) fn statement(self) -> Statement {
        let long = self.text.len() > KEPT_BYTES;
        let (text, binds) = if self.binds.len() > VARIABLES { self.written_out() } else { (self.text, self.binds) };
        let statement = Statement::with(text, binds);
        if long { statement.once() } else { statement }
    }

    /// The same with its numbers and bytes in the text: databases have a bound on values, not on text. Texts stay values.
    fn written_out(self) -> (String, Vec<Bind>) {
        let mut text = String::with_capacity(2 * self.text.len());
        let mut kept = Vec::new();
        let mut pieces = self.text.split('?');
        text.push_str(pieces.next().unwrap_or_default());
        for (bind, piece) in self.binds.into_iter().zip(pieces) {
            match bind {
                Bind::Int(number) => {
                    let _ = write!(text, "({number})");
                }
                Bind::Blob(bytes) => text.push_str(&self.dialect.bytes(&bytes)),
                other => {
                    text.push('?');
                    kept.push(other);
                }
            }
            text.push_str(piece);
        }
        (text, kept)
    }
}

/// Values of one statement; SQLite takes 32,766, PostgreSQL 65,535.
const VARIABLES: usize = 32_000;

/// The record that a condition is about.
#[derive(Debug, Clone, Copy)]
pub(super) struct On<'s> {
    /// SQL of its number.
    pub(super) rid: &'s str,
    /// Its type, where it is known.
    pub(super) of: Option<ResourceType>,
    /// It is contained in the record of that number: SQL of its group (see [`ELEMENTS`]).
    pub(super) inside: Option<&'s str>,
}

impl<'s> On<'s> {
    /// A record.
    pub(super) const fn record(rid: &'s str, of: Option<ResourceType>) -> Self {
        Self { rid, of, inside: None }
    }

    /// The number of a parameter's rows for it.
    fn rows(self, id: ParameterId) -> i64 {
        i64::from(if self.inside.is_some() { id.inside().0 } else { id.0 })
    }

    /// Adds that a row of this alias is its own, and not of something else that the same record contains.
    fn own(self, sql: &mut Sql, a: &str) {
        if let Some(group) = self.inside {
            sql.say(&format!(" AND {a}.grp / {ELEMENTS} = {group} / {ELEMENTS}")).end();
        }
    }
}
