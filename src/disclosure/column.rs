//! The content column: what a database may do with record content, which is to keep it.

use super::sealed::Form;
use super::{Forwarded, Sealed};
use crate::fhir::{Instant, Version};
use diesel::deserialize::{self, FromSql, Queryable};
use diesel::expression::AsExpression;
use diesel::pg::{Pg, PgValue};
use diesel::query_builder::QueryId;
use diesel::serialize::{self, IsNull, Output, ToSql};
use diesel::sql_types::Binary;
use diesel::sql_types::SqlType;
use diesel::sqlite::{Sqlite, SqliteValue};
use std::io::Write as _;

/// The SQL type of the content column. It loads as [`Sealed`] and as nothing else.
#[derive(Debug, Clone, Copy, Default, SqlType, QueryId)]
#[diesel(sqlite_type(name = "Binary"), postgres_type(oid = 17, array_oid = 1001))]
pub struct SealedContent;

/// Content on its way into the column.
#[derive(AsExpression)]
#[diesel(sql_type = SealedContent)]
pub struct SealedColumn(Vec<u8>);

impl std::fmt::Debug for SealedColumn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SealedColumn({} bytes)", self.0.len())
    }
}

impl Queryable<SealedContent, Sqlite> for Sealed {
    type Row = Self;

    fn build(row: Self) -> deserialize::Result<Self> {
        Ok(row)
    }
}

impl FromSql<SealedContent, Sqlite> for Sealed {
    fn from_sql(value: SqliteValue<'_, '_, '_>) -> deserialize::Result<Self> {
        <Vec<u8> as FromSql<Binary, Sqlite>>::from_sql(value).map(Self::from_column)
    }
}

impl Queryable<SealedContent, Pg> for Sealed {
    type Row = Self;

    fn build(row: Self) -> deserialize::Result<Self> {
        Ok(row)
    }
}

impl FromSql<SealedContent, Pg> for Sealed {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        <Vec<u8> as FromSql<Binary, Pg>>::from_sql(value).map(Self::from_column)
    }
}

impl ToSql<SealedContent, Pg> for SealedColumn {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        out.write_all(&self.0)?;
        Ok(IsNull::No)
    }
}

impl ToSql<SealedContent, Sqlite> for SealedColumn {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(self.0.as_slice());
        Ok(IsNull::No)
    }
}

/// Below this size compression costs more than it saves.
const SMALL: usize = 512;
const PLAIN: u8 = 0;
const LZ4: u8 = 1;

impl Forwarded {
    /// Writes version and time into the content and gives its stored form.
    pub fn stamp(&self, version: Version, updated: Instant) -> SealedColumn {
        SealedColumn(encode(self.prepared.stamp(version, updated).as_bytes()))
    }
}

impl SealedColumn {
    /// The same content, sealed for the answer.
    pub fn to_sealed(&self) -> Sealed {
        Sealed::from_column(self.0.clone())
    }
}

fn encode(text: &[u8]) -> Vec<u8> {
    let mut stored = Vec::with_capacity(text.len() + 1);
    if text.len() < SMALL {
        stored.push(PLAIN);
        stored.extend_from_slice(text);
    } else {
        stored.push(LZ4);
        stored.extend_from_slice(&lz4_flex::block::compress_prepend_size(text));
    }
    stored
}

impl Sealed {
    /// The text, for this room's eyes. `None` for a stored form that is damaged.
    pub(in crate::disclosure) fn open(&self) -> Option<std::borrow::Cow<'_, [u8]>> {
        use std::borrow::Cow;
        let bytes = self.bytes();
        match (self.form, bytes.split_first()) {
            (Form::Wire, _) => Some(Cow::Borrowed(bytes)),
            (Form::Stored, Some((&PLAIN, text))) => Some(Cow::Borrowed(text)),
            (Form::Stored, Some((&LZ4, packed))) => lz4_flex::block::decompress_size_prepended(packed).ok().map(Cow::Owned),
            (Form::Stored, _) => None,
        }
    }
}
