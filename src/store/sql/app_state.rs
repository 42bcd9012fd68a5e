//! What apps keep here for themselves, in the ledger.

use super::SqlStore;
use super::connection::Connection;
use super::statement::Statement;
use super::writer::Writer;
use crate::audit::{Entry, Receipt};
use crate::fhir::{Id, Version};
use crate::store::app_state::{AppStateFault, AppStateStore, Keeper, KeptState, MOST_BYTES, MOST_STATES, StateName};
use crate::store::{Answering, StoreError};
use diesel::sql_types::{BigInt, Text};

type Columns = (Text, BigInt, BigInt, Text);
type StateRow = (String, i64, i64, String);

/// An absent subject is kept as the empty text.
fn subject(name: &StateName) -> &str {
    name.subject.as_deref().unwrap_or_default()
}

fn size(state: &KeptState) -> i64 {
    i64::try_from(state.bytes).unwrap_or(i64::MAX)
}

fn states(connection: &mut Connection, keeper: &Keeper, name: &StateName) -> Result<Vec<KeptState>, StoreError> {
    let text =
        "SELECT id, version, bytes, body FROM app_state WHERE client = ? AND issuer = ? AND subject = ? AND code = ? ORDER BY id";
    let rows = Statement::new(text)
        .bind(keeper.client.as_str())
        .bind(keeper.issuer.as_str())
        .bind(subject(name))
        .bind(name.code.as_str())
        .rows::<Columns, StateRow>(connection)?;
    let state = |(id, version, bytes, body): StateRow| {
        let id = Id::parse(&id).ok_or_else(|| StoreError::Unavailable("an app's state is damaged".to_owned()))?;
        let bytes = usize::try_from(bytes).unwrap_or_default();
        Ok(KeptState { id, name: name.clone(), version: Version(version), bytes, body })
    };
    rows.into_iter().map(state).collect()
}

/// The name of this version of an app's own state.
fn named(
    connection: &mut Connection,
    keeper: &Keeper,
    id: &Id,
    version: Version,
) -> Result<Option<(StateName, i64)>, StoreError> {
    let text = "SELECT subject, code, bytes FROM app_state WHERE id = ? AND client = ? AND issuer = ? AND version = ?";
    let found = Statement::new(text)
        .bind(id.as_str())
        .bind(keeper.client.as_str())
        .bind(keeper.issuer.as_str())
        .bind(version.0)
        .row::<(Text, Text, BigInt), (String, String, i64)>(connection)?;
    Ok(found.map(|(subject, code, bytes)| (StateName { subject: Some(subject).filter(|one| !one.is_empty()), code }, bytes)))
}

/// Is there room for so many more states and bytes beside what the app keeps about this subject?
fn room(connection: &mut Connection, keeper: &Keeper, name: &StateName, more: (i64, i64)) -> Result<(), AppStateFault> {
    let text =
        "SELECT count(*), CAST(coalesce(sum(bytes), 0) AS BIGINT) FROM app_state WHERE client = ? AND issuer = ? AND subject = ?";
    let asked = Statement::new(text).bind(keeper.client.as_str()).bind(keeper.issuer.as_str()).bind(subject(name));
    let (states, bytes) = asked.row::<(BigInt, BigInt), (i64, i64)>(connection)?.unwrap_or_default();
    let fits = states + more.0 <= MOST_STATES && bytes + more.1 <= MOST_BYTES;
    if fits { Ok(()) } else { Err(AppStateFault::Full) }
}

fn add(writer: &mut Writer, keeper: &Keeper, state: &KeptState, entry: &Entry) -> Result<Receipt, AppStateFault> {
    room(&mut writer.connection, keeper, &state.name, (1, size(state)))?;
    let text = "INSERT INTO app_state (id, issuer, client, subject, code, version, bytes, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?)";
    Statement::new(text)
        .bind(state.id.as_str())
        .bind(keeper.issuer.as_str())
        .bind(keeper.client.as_str())
        .bind(subject(&state.name))
        .bind(state.name.code.as_str())
        .bind(state.version.0)
        .bind(size(state))
        .bind(state.body.as_str())
        .run(&mut writer.connection)?;
    Ok(Receipt::durable(writer.enter(entry)))
}

fn change(writer: &mut Writer, keeper: &Keeper, state: &KeptState, entry: &Entry) -> Result<Receipt, AppStateFault> {
    let before = Version(state.version.0 - 1);
    let (name, bytes) = named(&mut writer.connection, keeper, &state.id, before)?.ok_or(AppStateFault::Stale)?;
    if name != state.name {
        return Err(AppStateFault::Stale);
    }
    room(&mut writer.connection, keeper, &name, (0, size(state) - bytes))?;
    Statement::new("UPDATE app_state SET version = ?, bytes = ?, body = ? WHERE id = ?")
        .bind(state.version.0)
        .bind(size(state))
        .bind(state.body.as_str())
        .bind(state.id.as_str())
        .run(&mut writer.connection)?;
    Ok(Receipt::durable(writer.enter(entry)))
}

fn remove(writer: &mut Writer, keeper: &Keeper, id: &Id, version: Version, entry: &Entry) -> Result<Receipt, AppStateFault> {
    named(&mut writer.connection, keeper, id, version)?.ok_or(AppStateFault::Stale)?;
    Statement::new("DELETE FROM app_state WHERE id = ?").bind(id.as_str()).run(&mut writer.connection)?;
    Ok(Receipt::durable(writer.enter(entry)))
}

impl AppStateStore for SqlStore {
    fn states<'a>(&'a self, keeper: &'a Keeper, name: &'a StateName) -> Answering<'a, Vec<KeptState>> {
        let (keeper, name) = (keeper.clone(), name.clone());
        Box::pin(self.ledger.read(move |connection| states(connection, &keeper, &name)))
    }

    fn add_state(&self, keeper: Keeper, state: KeptState, entry: Entry) -> Answering<'_, Receipt, AppStateFault> {
        let bytes = state.body.len() + 500;
        Box::pin(self.ledger.submit(bytes, move |writer| add(writer, &keeper, &state, &entry)))
    }

    fn change_state(&self, keeper: Keeper, state: KeptState, entry: Entry) -> Answering<'_, Receipt, AppStateFault> {
        let bytes = state.body.len() + 500;
        Box::pin(self.ledger.submit(bytes, move |writer| change(writer, &keeper, &state, &entry)))
    }

    fn name_of<'a>(&'a self, keeper: &'a Keeper, id: &'a Id, version: Version) -> Answering<'a, Option<StateName>> {
        let (keeper, id) = (keeper.clone(), id.clone());
        Box::pin(self.ledger.read(move |connection| Ok(named(connection, &keeper, &id, version)?.map(|(name, _)| name))))
    }

    fn remove_state(&self, keeper: Keeper, id: Id, version: Version, entry: Entry) -> Answering<'_, Receipt, AppStateFault> {
        Box::pin(self.ledger.submit(500, move |writer| remove(writer, &keeper, &id, version, &entry)))
    }

    fn forget<'a>(&'a self, keeper: &'a Keeper) -> Answering<'a, ()> {
        let keeper = keeper.clone();
        Box::pin(self.ledger.write(move |connection| {
            let delete = Statement::new("DELETE FROM app_state WHERE client = ? AND issuer = ?");
            delete.bind(keeper.client.as_str()).bind(keeper.issuer.as_str()).run(connection)?;
            Ok(())
        }))
    }
}
