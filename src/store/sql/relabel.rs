//! Reading the store anew for marks, a few records at a time, from where it was left.

use super::SqlStore;
use super::commit;
use super::connection::Connection;
use super::marks::mark_columns;
use super::rows::{Columns, Whole, WholeRow, whole_columns};
use super::statement::Statement;
use super::writer::Writer;
use crate::store::{Marked, StoreError, Unmarked, UnmarkedBatch};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary};

/// Records whose ruleset is looked at in one read.
const WINDOW: i64 = 2_000;
/// Records that are read whole in one read.
const RECORDS: usize = 128;
/// Bytes of content at which a batch ends early.
const BYTES: usize = 8 << 20;

const CURRENT: &str = concat!("SELECT ", whole_columns!(), " FROM record r WHERE r.rid = ?");
const SUPERSEDED: &str = concat!("SELECT ", whole_columns!(), " FROM record_version r WHERE r.rid = ? ORDER BY r.version");

/// The setting that says how far a run has come.
const PROGRESS: &str = "relabel";

/// Where a run stands.
#[derive(Debug, Clone, Copy)]
struct Progress {
    ruleset: i64,
    /// All records up to this place have been looked at.
    reached: i64,
    /// Something was marked since the run last began at the beginning: a record may have changed meanwhile, so it must go through again.
    again: bool,
    done: bool,
}

impl Progress {
    fn begin(ruleset: i64) -> Self {
        Self { ruleset, reached: -1, again: false, done: false }
    }

    /// Of a run for this ruleset; one for another begins anew.
    fn read(connection: &mut Connection, ruleset: i64) -> QueryResult<Self> {
        let kept =
            Statement::new("SELECT value FROM setting WHERE name = ?").bind(PROGRESS).row::<Binary, Vec<u8>>(connection)?;
        let known: Option<(i64, i64, bool, bool)> = kept.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        Ok(match known {
            Some((of, reached, again, done)) if of == ruleset => Self { ruleset, reached, again, done },
            _ => Self::begin(ruleset),
        })
    }

    fn write(self, connection: &mut Connection) -> QueryResult<()> {
        let value = format!("[{},{},{},{}]", self.ruleset, self.reached, self.again, self.done);
        let text = "INSERT INTO setting (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value";
        Statement::new(text).bind(PROGRESS).bind(value.into_bytes()).run(connection).map(drop)
    }
}

/// The next records that other rules marked, or none.
fn next(connection: &mut Connection, ruleset: i64) -> Result<Option<UnmarkedBatch>, StoreError> {
    let progress = Progress::read(connection, ruleset)?;
    if progress.done {
        return Ok(None);
    }
    let window = Statement::new("SELECT rid, ruleset FROM record WHERE rid > ? ORDER BY rid LIMIT ?");
    let window: Vec<(i64, i64)> = window.bind(progress.reached).bind(WINDOW).rows::<(BigInt, BigInt), (i64, i64)>(connection)?;
    let mut batch = UnmarkedBatch { records: Vec::new(), reached: progress.reached, last: window.is_empty() };
    let mut bytes = 0;
    for (rid, of) in window {
        if of != ruleset {
            if batch.records.len() >= RECORDS || bytes > BYTES {
                return Ok(Some(batch));
            }
            let versions = versions(connection, rid)?;
            bytes += versions.iter().map(Whole::bytes).sum::<usize>();
            batch.records.push(Unmarked { place: rid, versions: versions.into_iter().map(|whole| whole.row).collect() });
        }
        batch.reached = rid;
    }
    Ok(Some(batch))
}

fn versions(connection: &mut Connection, rid: i64) -> Result<Vec<Whole>, StoreError> {
    let mut rows = Statement::new(SUPERSEDED).bind(rid).rows::<Columns, WholeRow>(connection)?;
    rows.extend(Statement::new(CURRENT).bind(rid).row::<Columns, WholeRow>(connection)?);
    rows.into_iter().map(Whole::read).collect()
}

/// Writes marks, and how far that brings the run. A version that is no longer current is found among the superseded ones; the one that
/// took its place is met when the run goes through again.
fn write(writer: &mut Writer, ruleset: i64, marked: &[Marked], reached: i64, last: bool) -> Result<(), StoreError> {
    for one in marked {
        let newest = one.marks.iter().map(|(version, _)| *version).max();
        if let (Some(patients), Some(version)) = (&one.patients, newest) {
            commit::rehome(writer, one.place, version, patients)?;
        }
        let connection = &mut writer.connection;
        for (version, marks) in &one.marks {
            for text in [UPDATE_CURRENT, UPDATE_SUPERSEDED] {
                if Statement::new(text).bind_marks(marks).bind(one.place).bind(version.0).run(connection)? > 0 {
                    break;
                }
            }
        }
    }
    let connection = &mut writer.connection;
    let before = Progress::read(connection, ruleset)?;
    let again = before.again || !marked.is_empty();
    let progress = match (last, again) {
        (false, _) => Progress { reached, again, ..before },
        (true, true) => Progress::begin(ruleset),
        (true, false) => Progress { done: true, ..before },
    };
    Ok(progress.write(connection)?)
}

/// `SET` for the columns of marks, in their order.
macro_rules! set_marks {
    ($table:literal) => {
        concat!("UPDATE ", $table, " SET (", mark_columns!(""), ") = (?, ?, ?, ?, ?, ?, ?, ?, ?) WHERE rid = ? AND version = ?")
    };
}
const UPDATE_CURRENT: &str = set_marks!("record");
const UPDATE_SUPERSEDED: &str = set_marks!("record_version");

impl SqlStore {
    pub(super) async fn next_unmarked(&self, ruleset: i64) -> Result<Option<UnmarkedBatch>, StoreError> {
        self.ledger.read(move |connection| super::connection::snapshot(connection, |connection| next(connection, ruleset))).await
    }

    pub(super) async fn write_marks(
        &self,
        ruleset: i64,
        marked: Vec<Marked>,
        reached: i64,
        last: bool,
    ) -> Result<(), StoreError> {
        let write = move |writer: &mut Writer| {
            writer.touch_all();
            write(writer, ruleset, &marked, reached, last)
        };
        self.ledger.submit(0, write).await
    }

    /// How many records there are, and how many of them these rules have marked.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn marked(&self, ruleset: i64) -> Result<(u64, u64), StoreError> {
        self.ledger
            .read(move |connection| {
                let counted =
                    Statement::new("SELECT count(*), coalesce(sum(CASE WHEN ruleset = ? THEN 1 ELSE 0 END), 0) FROM record")
                        .bind(ruleset);
                let (all, marked) = counted.row::<(BigInt, BigInt), (i64, i64)>(connection)?.unwrap_or_default();
                Ok((u64::try_from(all).unwrap_or(0), u64::try_from(marked).unwrap_or(0)))
            })
            .await
    }
}
