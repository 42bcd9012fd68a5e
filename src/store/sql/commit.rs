//! Applying a commit: guards, changes, entries, all in the writer's transaction.

use super::before;
use super::connection::Connection;
use super::index::{self, Adding};
use super::marks::{mark_columns, mark_values};
use super::pending::Pending;
use super::rows::{patients_column, patients_of, resource_type};
use super::select;
use super::statement::{Bind, Statement};
use super::writer::Writer;
use crate::disclosure::{Change, Commit, Expected, Forwarded, Guard, SealedColumn, Stored};
use crate::fhir::{Id, Instant, Key, ResourceType, Version};
use crate::store::{CommitError, StoreError};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

impl From<diesel::result::Error> for CommitError {
    fn from(error: diesel::result::Error) -> Self {
        Self::Unavailable(error.to_string())
    }
}

impl From<StoreError> for CommitError {
    fn from(error: StoreError) -> Self {
        match error {
            // It was there when the change was decided on.
            StoreError::Asked(_) => Self::Stale,
            error => Self::Unavailable(error.to_string()),
        }
    }
}

/// About what a commit holds in memory.
pub(super) fn bytes(commit: &Commit) -> usize {
    let of =
        |change: &Change| change.content.as_ref().map_or(0, Forwarded::size) + 100 * (change.add.len() + change.remove.len());
    commit.changes.iter().map(of).sum()
}

/// What a commit made, and the number of its last entry.
pub(super) struct Applied {
    pub(super) stored: Vec<Stored>,
    pub(super) seq: i64,
}

/// Applies a commit. Everything that can speak against it is looked at before anything is written.
pub(super) fn apply(writer: &mut Writer, commit: Commit) -> Result<Applied, CommitError> {
    for guard in &commit.guards {
        recheck(writer, guard)?;
    }
    let met = meet(writer, &commit.changes)?;
    if writer.loading && met.iter().any(Option::is_some) {
        // What a load has gathered of a record cannot be taken out again before it ends.
        return Err(CommitError::Unavailable("a load is on, which only adds records".to_owned()));
    }
    if commit.entries.is_empty() && !is_own(commit.changes.iter().map(|change| change.key.resource_type)) {
        return Err(CommitError::Trail);
    }
    writer.writing();
    writer.names.bound_places();
    let updated = writer.stamp();
    let changes = commit.changes.into_iter().zip(&met);
    let mut additions = Additions::begin(writer.loading);
    let stored = changes
        .map(|(change, current)| change_one(writer, change, current.as_ref(), updated, &mut additions))
        .collect::<Result<Vec<_>, _>>()?;
    additions.finish(&mut writer.connection)?;
    let mut seq = None;
    for entry in &commit.entries {
        seq = Some(writer.enter(entry));
    }
    Ok(Applied { stored, seq: seq.unwrap_or_else(|| writer.head()) })
}

/// Only the gateway's own AuditEvents come without an entry: they are made of entries that are durable already.
fn is_own(types: impl ExactSizeIterator<Item = ResourceType>) -> bool {
    types.len() > 0 && types.into_iter().all(|of| of == ResourceType::AuditEvent)
}

/// The rows that changes meet, when they are the expected ones, and no two changes meet one.
fn meet(writer: &mut Writer, changes: &[Change]) -> Result<Vec<Option<Current>>, CommitError> {
    let mut keys: Vec<&Key> = changes.iter().map(|change| &change.key).collect();
    keys.sort_unstable();
    if keys.windows(2).any(|pair| matches!(pair, [one, other] if one == other)) {
        return Err(CommitError::Stale);
    }
    let mut found = currents(&mut writer.connection, changes)?;
    let mut met = Vec::with_capacity(changes.len());
    for change in changes {
        let current = found.remove(&change.key);
        match (&current, change.expected) {
            (None, Expected::Absent) => {}
            (Some(current), Expected::Version(version)) if current.version == version => {}
            _ => return Err(CommitError::Stale),
        }
        met.push(current);
    }
    Ok(met)
}

/// One more than the condition selected suffices to see a difference.
fn recheck(writer: &mut Writer, guard: &Guard) -> Result<(), CommitError> {
    let limit = u32::try_from(guard.selected.len()).unwrap_or(u32::MAX).saturating_add(1);
    let mut selected = select::keys(&mut writer.connection, &guard.permit, guard.need, &guard.query, limit)?;
    selected.sort();
    if selected == guard.selected { Ok(()) } else { Err(CommitError::Stale) }
}

/// The row that a change meets.
struct Current {
    rid: i64,
    version: Version,
    deleted: bool,
    patients: Vec<Id>,
}

const CURRENT: &str = "SELECT type, id, rid, version, deleted, patients FROM record WHERE (type = ? AND id = ?)";

/// Rows asked for in one statement to a server.
const ASKED: usize = 16;

/// The rows that changes meet, by their keys.
fn currents(connection: &mut Connection, changes: &[Change]) -> QueryResult<HashMap<Key, Current>> {
    // Each statement to a server is a way there and back.
    let at_once = if connection.dialect().is_postgres() { ASKED } else { 1 };
    let mut all = HashMap::new();
    for some in changes.chunks(at_once) {
        let text = match some {
            [_] => Cow::Borrowed(CURRENT),
            more => Cow::Owned(format!("{CURRENT}{}", " OR (type = ? AND id = ?)".repeat(more.len() - 1))),
        };
        let bound = some.iter().fold(Statement::new(text), |statement, change| {
            statement.bind(i64::from(change.key.resource_type.code())).bind(change.key.id.as_str())
        });
        let rows =
            bound.rows::<(BigInt, Text, BigInt, BigInt, BigInt, Text), (i64, String, i64, i64, i64, String)>(connection)?;
        for (of, id, rid, version, deleted, patients) in rows {
            if let (Some(of), Some(id)) = (resource_type(of), Id::parse(&id)) {
                let patients = patients_of(&patients).collect();
                all.insert(Key::new(of, id), Current { rid, version: Version(version), deleted: deleted != 0, patients });
            }
        }
    }
    Ok(all)
}

/// What a commit adds to the tables, put in together.
struct Additions {
    records: Pending,
    patients: Pending,
    index: Adding,
}

impl Additions {
    fn begin(gathered: bool) -> Self {
        Self { records: Pending::heavy(RECORD, RECORD_COLUMNS, ""), patients: patients_pending(), index: Adding::begin(gathered) }
    }

    fn finish(self, connection: &mut Connection) -> QueryResult<()> {
        self.records.finish(connection)?;
        self.patients.finish(connection)?;
        self.index.finish(connection)
    }
}

/// Whose records are whose.
fn patients_pending() -> Pending {
    Pending::new("INSERT INTO record_patient (patient_no, type, rid) VALUES", 3, " ON CONFLICT DO NOTHING")
}

const RECORD: &str = concat!(
    "INSERT INTO record (rid, type, id, version, updated, deleted, patients, created, change, ",
    mark_columns!(""),
    ", content) VALUES"
);
const RECORD_COLUMNS: usize = 19;

fn change_one(
    writer: &mut Writer,
    change: Change,
    current: Option<&Current>,
    updated: Instant,
    additions: &mut Additions,
) -> Result<Stored, CommitError> {
    writer.touch(&change.key);
    let version = current.map_or(Version::FIRST, |current| current.version.next());
    let content = change.content.as_ref().map(|content| content.stamp(version, updated));
    let sealed = content.as_ref().map(SealedColumn::to_sealed);
    let live = content.is_some();
    let at = writer.next_change();
    let rid = match current {
        Some(current) => supersede(writer, current.rid, [version.0, updated.0, at], &change, content)?,
        None => insert(writer, &change, [version.0, updated.0, at], content, &mut additions.records)?,
    };
    let before: &[Id] = current.filter(|current| !current.deleted).map_or(&[], |current| &current.patients);
    let after: &[Id] = if live { &change.patients } else { &[] };
    move_patients(writer, (rid, &change.key), before, after, &mut additions.patients)?;
    before::remember(&mut writer.connection, rid, at, change.before)?;
    index::remove(&mut writer.connection, &mut writer.names, rid, change.remove)?;
    additions.index.add(&mut writer.connection, &mut writer.names, rid, change.add, current.is_none())?;
    Ok(Stored { key: change.key, version, updated, content: sealed })
}

fn insert(
    writer: &mut Writer,
    change: &Change,
    of: [i64; 3],
    content: Option<SealedColumn>,
    records: &mut Pending,
) -> QueryResult<i64> {
    let [version, updated, at] = of;
    let rid = writer.names.place(&mut writer.connection, change.key.resource_type, change.patients.first())?;
    records.row(&mut writer.connection, |_, binds| {
        binds.extend([rid.into(), i64::from(change.key.resource_type.code()).into(), change.key.id.as_str().into()]);
        binds.extend([version.into(), updated.into(), i64::from(content.is_none()).into()]);
        binds.extend([patients_column(&change.patients).into(), at.into(), at.into()]);
        binds.extend(mark_values(&change.marks));
        binds.push(Bind::Content(content.map(Arc::new)));
        Ok::<_, diesel::result::Error>(())
    })?;
    Ok(rid)
}

/// Moves the current version among the superseded and puts the new one in its place. A record that comes back after its deletion
/// counts as created anew: it was on no earlier page.
fn supersede(writer: &mut Writer, rid: i64, of: [i64; 3], change: &Change, content: Option<SealedColumn>) -> QueryResult<i64> {
    let [version, updated, at] = of;
    Statement::new(concat!(
        "INSERT INTO record_version (rid, version, type, id, updated, deleted, patients, change, ",
        mark_columns!(""),
        ", content) SELECT rid, version, type, id, updated, deleted, patients, change, ",
        mark_columns!(""),
        ", content FROM record WHERE rid = ?"
    ))
    .bind(rid)
    .run(&mut writer.connection)?;
    Statement::new(
        "UPDATE record SET created = CASE WHEN deleted <> 0 THEN ? ELSE created END, version = ?, updated = ?, deleted = ?, \
         patients = ?, change = ?, conf = ?, ruleset = ?, sens = ?, handling = ?, dates = ?, date_lo = ?, date_hi = ?, spans = ?, \
         facts = ?, content = ? WHERE rid = ?",
    )
    .bind(at)
    .bind(version)
    .bind(updated)
    .bind(i64::from(content.is_none()))
    .bind(patients_column(&change.patients))
    .bind(at)
    .bind_marks(&change.marks)
    .bind(Bind::Content(content.map(Arc::new)))
    .bind(rid)
    .run(&mut writer.connection)?;
    Ok(rid)
}

/// Says anew whose record the current version is, if this is the current one still. Where it lies stays.
pub(super) fn rehome(writer: &mut Writer, rid: i64, version: Version, patients: &[Id]) -> QueryResult<()> {
    let row = Statement::new("SELECT type, id, deleted, patients FROM record WHERE rid = ? AND version = ?")
        .bind(rid)
        .bind(version.0)
        .row::<(BigInt, Text, BigInt, Text), (i64, String, i64, String)>(&mut writer.connection)?;
    let Some((of, id, deleted, had)) = row else { return Ok(()) };
    let (Some(of), Some(id)) = (resource_type(of), Id::parse(&id)) else { return Ok(()) };
    let had: Vec<Id> = patients_of(&had).collect();
    if had != patients {
        Statement::new("UPDATE record SET patients = ? WHERE rid = ?")
            .bind(patients_column(patients))
            .bind(rid)
            .run(&mut writer.connection)?;
        if deleted == 0 {
            let mut joining = patients_pending();
            move_patients(writer, (rid, &Key::new(of, id)), &had, patients, &mut joining)?;
            joining.finish(&mut writer.connection)?;
        }
    }
    Ok(())
}

fn move_patients(
    writer: &mut Writer,
    (rid, key): (i64, &Key),
    before: &[Id],
    after: &[Id],
    joining: &mut Pending,
) -> QueryResult<()> {
    let of = i64::from(key.resource_type.code());
    for patient in before.iter().filter(|patient| !after.contains(patient)) {
        let no = writer.names.patient(&mut writer.connection, patient.as_str())?;
        let text = "DELETE FROM record_patient WHERE patient_no = ? AND type = ? AND rid = ?";
        Statement::new(text).bind(no).bind(of).bind(rid).run(&mut writer.connection)?;
    }
    for patient in after.iter().filter(|patient| !before.contains(patient)) {
        let no = writer.names.patient(&mut writer.connection, patient.as_str())?;
        joining.row(&mut writer.connection, |_, binds| {
            binds.extend([no.into(), of.into(), rid.into()]);
            Ok::<_, diesel::result::Error>(())
        })?;
    }
    Ok(())
}
