//! Where the two databases differ. Everything else in this room is SQL that both understand and mean alike:
//!
//! * Truth is `TRUE` and `FALSE`; a number that is read is a `BIGINT`, by a cast where it would be something shorter.
//! * Texts are compared by their bytes: SQLite does so, and every text column in PostgreSQL says `COLLATE "C"`.
//! * `INDEXED BY` and `NOT INDEXED` may stand in a text. They are for SQLite, and left out on the way to PostgreSQL.
//! * What comes in an order says so. SQLite keeps the order of a subquery through a join, PostgreSQL promises nothing.

use super::compile::Sql;
use super::statement::Bind;
use aws_lc_rs::digest;
use std::borrow::Cow;

/// The database that SQL is written for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// The embedded one.
    Sqlite,
    /// The server.
    Postgres,
}

impl Dialect {
    /// PostgreSQL?
    pub(super) const fn is_postgres(self) -> bool {
        matches!(self, Self::Postgres)
    }

    /// Bytes as a literal.
    pub(super) fn bytes(self, bytes: &[u8]) -> String {
        use std::fmt::Write as _;
        let mut hex = String::with_capacity(2 * bytes.len());
        for byte in bytes {
            let _ = write!(hex, "{byte:02x}");
        }
        match self {
            Self::Sqlite => format!("x'{hex}'"),
            Self::Postgres => format!("CAST('\\x{hex}' AS BYTEA)"),
        }
    }

    /// The bytes that a text spells in hexadecimal digits.
    pub(super) fn of_hex(self, text: &str) -> String {
        match self {
            Self::Sqlite => format!("unhex({text})"),
            Self::Postgres => format!("decode({text}, 'hex')"),
        }
    }

    /// A text that is a key of an index, as it is kept and sought. A page of a PostgreSQL index takes no key of more than a third of it,
    /// so that of a long one only the beginning is kept, and a hash of the whole: equal texts have equal keys, others have others.
    pub(super) fn key(self, text: &str) -> Cow<'_, str> {
        if self == Self::Sqlite || text.len() <= LONG {
            return Cow::Borrowed(text);
        }
        let beginning = text.get(..text.floor_char_boundary(BEGINNING)).unwrap_or_default();
        let mut key = format!("{beginning}{BREAK}");
        for byte in digest::digest(&digest::SHA256, text.as_bytes()).as_ref() {
            use std::fmt::Write as _;
            let _ = write!(key, "{byte:02x}");
        }
        Cow::Owned(key)
    }
}

/// Bytes of a key above which only its beginning is kept.
const LONG: usize = 1_000;
/// Bytes of that beginning.
const BEGINNING: usize = 800;
/// Stands before the hash. A noncharacter, so it stands in no text itself.
const BREAK: char = '\u{10FFFE}';

/// Characters of a string that its index in PostgreSQL orders it by.
pub(super) const SOUGHT: usize = 128;

impl Sql {
    /// Where `of`, text or bytes, begins in `within`; 0 for nowhere.
    pub(super) fn position(&mut self, of: impl FnOnce(&mut Self), within: &str) -> &mut Self {
        match self.dialect() {
            Dialect::Sqlite => {
                self.say(&format!("instr({within}, "));
                of(self);
                self.say(")")
            }
            Dialect::Postgres => {
                self.say("position(");
                of(self);
                self.say(&format!(" IN {within})"))
            }
        }
    }

    /// The elements of a JSON array in a column, as a table with a column `value` of JSON. An alias must follow.
    pub(super) fn elements(&mut self, column: &str) -> &mut Self {
        match self.dialect() {
            Dialect::Sqlite => self.say(&format!("json_each({column})")),
            Dialect::Postgres => self.say(&format!("jsonb_array_elements(CAST({column} AS JSONB))")),
        }
    }

    /// The elements of a JSON array of texts or numbers, as a table with a column `value` of text. One value however many there are, so
    /// that the SQL stays the same. An alias must follow.
    pub(super) fn texts(&mut self, array: impl Into<Bind>) -> &mut Self {
        match self.dialect() {
            Dialect::Sqlite => self.say("json_each(").value(array).say(")"),
            Dialect::Postgres => self.say("json_array_elements_text(CAST(").value(array).say(" AS JSON))"),
        }
    }

    /// A text as a key, see [`Dialect::key`].
    pub(super) fn key(&mut self, text: &str) -> &mut Self {
        let key = self.dialect().key(text);
        self.value(key.as_ref())
    }

    /// Ends a statement whose rows come in an order, and are wanted up to a number. SQLite hands over row by row, so it is told to stop
    /// when there are enough.
    pub(super) fn at_most(&mut self, rows: i64) -> &mut Self {
        if self.dialect().is_postgres() { self.say(" LIMIT ").value(rows) } else { self }
    }
}

/// A text without what is for SQLite alone.
pub(super) fn without_hints(text: &str) -> Cow<'_, str> {
    if !text.contains(" INDEXED") {
        return Cow::Borrowed(text);
    }
    let mut pieces = text.split(" INDEXED BY ");
    let mut kept = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let name = piece.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(piece.len());
        kept.push_str(piece.get(name..).unwrap_or_default());
    }
    Cow::Owned(kept.replace(" NOT INDEXED", ""))
}

#[cfg(test)]
mod tests {
    use super::{Dialect, without_hints};

    #[test]
    fn hints_are_left_out_and_nothing_else() {
        let text =
            "SELECT 1 FROM record d INDEXED BY record_live CROSS JOIN x INDEXED BY y_of, record e NOT INDEXED WHERE d.a = ?";
        assert_eq!(without_hints(text), "SELECT 1 FROM record d CROSS JOIN x, record e WHERE d.a = ?");
        assert_eq!(without_hints("SELECT 1"), "SELECT 1");
    }

    #[test]
    fn long_keys_are_short_and_as_different_as_the_texts() {
        let (long, other) = ("ä".repeat(5_000), format!("{}o", "ä".repeat(4_999)));
        assert_eq!(Dialect::Sqlite.key(&long), long);
        assert_eq!(Dialect::Postgres.key("short"), "short");
        assert!(Dialect::Postgres.key(&long).len() < 1_000);
        assert_ne!(Dialect::Postgres.key(&long), Dialect::Postgres.key(&other));
    }
}
