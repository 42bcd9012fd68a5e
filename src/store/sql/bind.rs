//! The values of a statement, and how each is handed to either database.

use crate::access::Verdicts;
use crate::disclosure::{SealedColumn, SealedContent};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::AstPass;
use diesel::sql_types::{BigInt, Binary, Double, Nullable, Text};
use diesel::sqlite::Sqlite;
use std::borrow::Cow;
use std::sync::Arc;

/// A value of a statement.
#[derive(Debug, Clone)]
pub(super) enum Bind {
    /// A number, truth value, moment or code.
    Int(i64),
    /// A floating point number.
    Real(f64),
    /// Text.
    Text(Cow<'static, str>),
    /// Text that many statements share.
    Shared(Arc<str>),
    /// Bytes.
    Blob(Vec<u8>),
    /// Nothing.
    Null,
    /// Nothing in a column of this type: to PostgreSQL it is a value like others, so that the text of the statement stays the same.
    Absent(Absent),
    /// Verdicts, for [`super::judge`], by their number.
    Verdicts(Verdicts, i64),
    /// Record content on its way in; `None` is null.
    Content(Option<Arc<SealedColumn>>),
}

/// The type of a column that may have nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Absent {
    /// A whole number.
    Number,
    /// Text.
    Text,
    /// Bytes.
    Bytes,
}

impl Bind {
    /// The same value. Content is like nothing, not even itself.
    pub(super) fn is_as(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Int(a), Self::Int(b)) | (Self::Verdicts(_, a), Self::Verdicts(_, b)) => a == b,
            (Self::Real(a), Self::Real(b)) => a.to_bits() == b.to_bits(),
            (Self::Text(a), Self::Text(b)) => a == b,
            (Self::Shared(a), Self::Shared(b)) => Arc::ptr_eq(a, b) || a == b,
            (Self::Blob(a), Self::Blob(b)) => a == b,
            (Self::Null, Self::Null) => true,
            (Self::Absent(a), Self::Absent(b)) => a == b,
            _ => false,
        }
    }

    /// The verdicts, with their number.
    pub(super) fn verdicts(&self) -> Option<(i64, Verdicts)> {
        match self {
            Self::Verdicts(verdicts, number) => Some((*number, verdicts.clone())),
            _ => None,
        }
    }
}

impl From<i64> for Bind {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<f64> for Bind {
    fn from(value: f64) -> Self {
        Self::Real(value)
    }
}

impl From<&str> for Bind {
    fn from(value: &str) -> Self {
        Self::Text(Cow::Owned(value.to_owned()))
    }
}

impl From<String> for Bind {
    fn from(value: String) -> Self {
        Self::Text(Cow::Owned(value))
    }
}

impl From<Arc<str>> for Bind {
    fn from(value: Arc<str>) -> Self {
        Self::Shared(value)
    }
}

impl From<Verdicts> for Bind {
    fn from(value: Verdicts) -> Self {
        // An address has at most 57 bits.
        let number = i64::try_from(value.handle()).unwrap_or_default();
        Self::Verdicts(value, number)
    }
}

impl From<Vec<u8>> for Bind {
    fn from(value: Vec<u8>) -> Self {
        Self::Blob(value)
    }
}

static NULL: Option<i64> = None;
static NO_TEXT: Option<String> = None;
static NO_BYTES: Option<Vec<u8>> = None;

pub(super) fn push<'b>(bind: &'b Bind, pass: &mut AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
    match bind {
        Bind::Int(value) | Bind::Verdicts(_, value) => pass.push_bind_param::<BigInt, _>(value),
        Bind::Real(value) => pass.push_bind_param::<Double, _>(value),
        Bind::Text(value) => pass.push_bind_param::<Text, str>(value),
        Bind::Shared(value) => pass.push_bind_param::<Text, str>(value),
        Bind::Blob(value) => pass.push_bind_param::<Binary, _>(value),
        Bind::Content(Some(value)) => pass.push_bind_param::<SealedContent, SealedColumn>(value),
        Bind::Null | Bind::Absent(_) | Bind::Content(None) => pass.push_bind_param::<Nullable<BigInt>, Option<i64>>(&NULL),
    }
}

/// Nothing has no type of its own here, and takes that of its place.
pub(super) fn push_postgres<'b>(bind: &'b Bind, pass: &mut AstPass<'_, 'b, Pg>) -> QueryResult<()> {
    match bind {
        Bind::Int(value) | Bind::Verdicts(_, value) => pass.push_bind_param::<BigInt, _>(value),
        Bind::Real(value) => pass.push_bind_param::<Double, _>(value),
        Bind::Text(value) => pass.push_bind_param::<Text, str>(value),
        Bind::Shared(value) => pass.push_bind_param::<Text, str>(value),
        Bind::Blob(value) => pass.push_bind_param::<Binary, _>(value),
        Bind::Content(Some(value)) => pass.push_bind_param::<SealedContent, SealedColumn>(value),
        Bind::Absent(Absent::Number) => pass.push_bind_param::<Nullable<BigInt>, Option<i64>>(&NULL),
        Bind::Absent(Absent::Text) => pass.push_bind_param::<Nullable<Text>, Option<String>>(&NO_TEXT),
        Bind::Absent(Absent::Bytes) | Bind::Content(None) => pass.push_bind_param::<Nullable<Binary>, Option<Vec<u8>>>(&NO_BYTES),
        Bind::Null => {
            pass.push_sql("NULL");
            Ok(())
        }
    }
}
