//! Where the two databases differ. Everything else in this room is SQL that both understand and mean alike:
//!
//! * Truth is `TRUE` and `FALSE`; a number that is read is a `BIGINT`, by a cast where it would be something shorter.
//! * Texts are compared by their bytes: SQLite does so, and every text column in PostgreSQL says `COLLATE "C"`.
//! * `INDEXED BY` and `NOT INDEXED` may stand in a text. They are for SQLite, and left out on the way to PostgreSQL.
//! * A condition that looks at further rows is asked of the record at hand, row by row, as SQLite asks it. PostgreSQL would rather join, in an
//!   order that it estimates; [`fenced`] keeps it from that.
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

    /// A column is among what a query selects, which is read once and sought one by one. PostgreSQL might otherwise read the column's table
    /// whole and walk through the selection for each row.
    pub(super) fn among_selected(&mut self, column: &str, selected: Self) -> &mut Self {
        match self.dialect() {
            Dialect::Sqlite => self.say(&format!("{column} IN (")).append(selected).say(")"),
            Dialect::Postgres => self.say(&format!("{column} = ANY (ARRAY(")).append(selected).say("))"),
        }
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

/// What begins a condition on further rows, and what keeps it one: before its last bracket, or behind it. Where both come to stand in one
/// place, that of the inner condition comes first.
const FENCES: [(&str, &str, &str); 3] =
    [(" IN (SELECT x", "", " IS TRUE"), (" IN (SELECT rid FROM text_", "", " IS TRUE"), ("EXISTS (SELECT ", " OFFSET 0", "")];

/// A text whose conditions on further rows PostgreSQL leaves where they are: an offset keeps a subquery from becoming a join, and so does a
/// test of the truth of what it gives (<https://www.postgresql.org/docs/current/queries-table-expressions.html>). Its estimates of what such a
/// join finds are those of independent columns, which type, parameter and value are not: with a hundred thousand records behind a chain of
/// two hops it compares each with each.
pub(super) fn fenced(text: &str) -> Cow<'_, str> {
    let mut fences: Vec<(usize, &str)> = Vec::new();
    for (begin, inside, behind) in FENCES {
        for (at, _) in text.match_indices(begin) {
            let open = at + begin.find('(').unwrap_or_default();
            let Some(close) = closing(text, open) else { continue };
            fences.push(if inside.is_empty() { (close + 1, behind) } else { (close, inside) });
        }
    }
    if fences.is_empty() {
        return Cow::Borrowed(text);
    }
    fences.sort_by_key(|(at, _)| *at);
    let mut whole = String::with_capacity(text.len() + 10 * fences.len());
    let mut from = 0;
    for (at, fence) in fences {
        whole.push_str(text.get(from..at).unwrap_or_default());
        whole.push_str(fence);
        from = at;
    }
    whole.push_str(text.get(from..).unwrap_or_default());
    Cow::Owned(whole)
}

/// Where the bracket that is opened here is closed. Brackets in quotes are none.
fn closing(text: &str, open: usize) -> Option<usize> {
    let (mut depth, mut quoted) = (0_usize, false);
    for (at, byte) in text.bytes().enumerate().skip(open) {
        match byte {
            b'\'' => quoted = !quoted,
            b'(' if !quoted => depth += 1,
            b')' if !quoted => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{Dialect, fenced, without_hints};

    #[test]
    fn hints_are_left_out_and_nothing_else() {
        let text =
            "SELECT 1 FROM record d INDEXED BY record_live CROSS JOIN x INDEXED BY y_of, record e NOT INDEXED WHERE d.a = ?";
        assert_eq!(without_hints(text), "SELECT 1 FROM record d CROSS JOIN x, record e WHERE d.a = ?");
        assert_eq!(without_hints("SELECT 1"), "SELECT 1");
    }

    #[test]
    fn conditions_on_further_rows_stay_conditions() {
        let text = "SELECT 1 WHERE (NOT EXISTS (SELECT 1 FROM a WHERE a.b = ')' AND EXISTS (SELECT 1 FROM c)) OR d.rid IN (SELECT x1.rid FROM e)) \
            AND f IN (SELECT value FROM g)";
        let expected = "SELECT 1 WHERE (NOT EXISTS (SELECT 1 FROM a WHERE a.b = ')' AND EXISTS (SELECT 1 FROM c OFFSET 0) OFFSET 0) \
            OR d.rid IN (SELECT x1.rid FROM e) IS TRUE) AND f IN (SELECT value FROM g)";
        assert_eq!(fenced(text), expected);
        assert_eq!(fenced("SELECT 1"), "SELECT 1");
        let nested = "EXISTS (SELECT 1 WHERE a.rid IN (SELECT x1.rid))";
        assert_eq!(fenced(nested), "EXISTS (SELECT 1 WHERE a.rid IN (SELECT x1.rid) IS TRUE OFFSET 0)");
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
