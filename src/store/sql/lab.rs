//! The inbox of result intake in the ledger.

use super::SqlStore;
use super::connection::Connection;
use super::statement::{Bind, Statement};
use crate::audit::Entry;
use crate::fhir::Instant;
use crate::store::lab::{Correction, Feed, Kept, LabStore, Listing, Settlement, State};
use crate::store::{Answering, CommitError, StoreError};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Nullable, Text};

const COLUMNS: &str = "id, sender, control, digest, kind, state, reason, detail, patients, decided, editor, \
                       client, issuer, scope, organization, purposes, door, address, \
                       sent, received, updated, replay, reply, answer, content, original";

type Said = (Text, Text, Text, Binary, Text, Text, Text, Text, Text, Text, Text);
type SaidRow = (String, String, String, Vec<u8>, String, String, String, String, String, String, String);
type Fed = (Text, Text, Text, Text, Text, Text, Text);
type FedRow = (String, String, String, String, String, String, String);
type Held = (BigInt, BigInt, BigInt, BigInt, Nullable<Binary>, Nullable<Binary>, Binary, Nullable<Binary>);
type HeldRow = (i64, i64, i64, i64, Option<Vec<u8>>, Option<Vec<u8>>, Vec<u8>, Option<Vec<u8>>);
type Columns = (Said, Fed, Held);
type Row = (SaidRow, FedRow, HeldRow);

fn kept((said, fed, held): Row) -> Result<Kept, StoreError> {
    let (id, sender, control, digest, kind, state, reason, detail, patients, decided, editor) = said;
    let (client, issuer, scope, organization, purposes, door, address) = fed;
    let (sent, received, updated, replays, reply, answer, content, original) = held;
    let purposes = purposes.split(' ').filter(|one| !one.is_empty()).map(str::to_owned).collect();
    let damaged = || StoreError::Unavailable("a message in the inbox is damaged".to_owned());
    Ok(Kept {
        id,
        sender,
        control,
        digest,
        feed: Feed { client, issuer, scope, organization, purposes, door, address },
        kind,
        sent: Instant(sent),
        received: Instant(received),
        updated: Instant(updated),
        state: State::parse(&state).ok_or_else(damaged)?,
        reason,
        detail,
        patients,
        decided,
        editor,
        replay: u32::try_from(replays).map_err(|_| damaged())?,
        reply,
        answer,
        content,
        original,
    })
}

fn blob(bytes: Option<Vec<u8>>) -> Bind {
    bytes.map_or(Bind::Null, Bind::Blob)
}

fn same(connection: &mut Connection, message: &Kept) -> Result<Option<Kept>, StoreError> {
    let text = format!("SELECT {COLUMNS} FROM lab_message WHERE sender = ? AND control = ? AND digest = ?");
    let found = Statement::new(text).bind(message.sender.as_str()).bind(message.control.as_str()).bind(message.digest.clone());
    found.row::<Columns, Row>(connection)?.map(kept).transpose()
}

fn insert(connection: &mut Connection, message: Kept) -> QueryResult<()> {
    let marks = ["?"; 26].join(", ");
    let feed = message.feed;
    Statement::new(format!("INSERT INTO lab_message ({COLUMNS}) VALUES ({marks})"))
        .bind(message.id)
        .bind(message.sender)
        .bind(message.control)
        .bind(message.digest)
        .bind(message.kind)
        .bind(message.state.word())
        .bind(message.reason)
        .bind(message.detail)
        .bind(message.patients)
        .bind(message.decided)
        .bind(message.editor)
        .bind(feed.client)
        .bind(feed.issuer)
        .bind(feed.scope)
        .bind(feed.organization)
        .bind(feed.purposes.join(" "))
        .bind(feed.door)
        .bind(feed.address)
        .bind(message.sent.0)
        .bind(message.received.0)
        .bind(message.updated.0)
        .bind(i64::from(message.replay))
        .bind(blob(message.reply))
        .bind(blob(message.answer))
        .bind(message.content)
        .bind(blob(message.original))
        .run(connection)
        .map(drop)
}

fn settle(connection: &mut Connection, id: &str, replay: u32, settled: Settlement) -> QueryResult<bool> {
    let text = "UPDATE lab_message SET state = ?, reason = ?, detail = ?, patients = ?, answer = ?, updated = ? \
                WHERE id = ? AND replay = ?";
    let changed = Statement::new(text)
        .bind(settled.state.word())
        .bind(settled.reason)
        .bind(settled.detail)
        .bind(settled.patients)
        .bind(blob(settled.answer))
        .bind(settled.now.0)
        .bind(id)
        .bind(i64::from(replay))
        .run(connection)?;
    Ok(changed > 0)
}

fn correct(connection: &mut Connection, id: &str, correction: Correction, now: Instant) -> QueryResult<bool> {
    let state = if correction.dismissed.is_some() { State::Dismissed } else { State::Received };
    let changed = Statement::new(
        "UPDATE lab_message SET state = ?, reason = ?, editor = ?, updated = ?, replay = replay + 1, answer = CASE WHEN ? = 'dismissed' THEN answer ELSE NULL END WHERE id = ?",
    )
    .bind(state.word())
    .bind(correction.dismissed.unwrap_or_default())
    .bind(correction.editor)
    .bind(now.0)
    .bind(state.word())
    .bind(id)
    .run(connection)?;
    if let Some(decided) = correction.decided {
        Statement::new("UPDATE lab_message SET decided = ? WHERE id = ?").bind(decided).bind(id).run(connection)?;
    }
    if let Some(content) = correction.content {
        let text = "UPDATE lab_message SET original = coalesce(original, content), content = ? WHERE id = ?";
        Statement::new(text).bind(content).bind(id).run(connection)?;
    }
    Ok(changed > 0)
}

/// The condition of a listing, with its values.
fn condition(listing: &Listing) -> (String, Vec<Bind>) {
    let (mut all, mut binds) = (vec!["1 = 1".to_owned()], Vec::new());
    if !listing.states.is_empty() {
        all.push(format!("state IN ({})", vec!["?"; listing.states.len()].join(", ")));
        binds.extend(listing.states.iter().map(|state| Bind::from(state.word())));
    }
    if let Some(reason) = &listing.reason {
        all.push("reason = ?".to_owned());
        binds.push(Bind::from(reason.as_str()));
    }
    (all.join(" AND "), binds)
}

impl LabStore for SqlStore {
    fn receive(&self, message: Kept, entry: Entry) -> Answering<'_, Option<Kept>, CommitError> {
        let bytes = message.content.len() + 1_000;
        Box::pin(self.ledger.submit(bytes, move |writer| {
            let known = same(&mut writer.connection, &message)?;
            if known.is_none() {
                insert(&mut writer.connection, message)?;
            }
            writer.enter(&entry);
            Ok(known)
        }))
    }

    fn message<'a>(&'a self, id: &'a str) -> Answering<'a, Option<Kept>> {
        let id = id.to_owned();
        Box::pin(self.ledger.peek(move |connection| {
            let text = format!("SELECT {COLUMNS} FROM lab_message WHERE id = ?");
            Statement::new(text).bind(id).row::<Columns, Row>(connection)?.map(kept).transpose()
        }))
    }

    fn settle<'a>(&'a self, id: &'a str, replay: u32, settlement: Settlement) -> Answering<'a, bool, CommitError> {
        let id = id.to_owned();
        Box::pin(self.ledger.submit(1_000, move |writer| Ok(settle(&mut writer.connection, &id, replay, settlement)?)))
    }

    fn correct<'a>(
        &'a self,
        id: &'a str,
        correction: Correction,
        now: Instant,
        entry: Entry,
    ) -> Answering<'a, bool, CommitError> {
        let id = id.to_owned();
        Box::pin(self.ledger.submit(1_000, move |writer| {
            let found = correct(&mut writer.connection, &id, correction, now)?;
            writer.enter(&entry);
            Ok(found)
        }))
    }

    fn list(&self, listing: Listing) -> Answering<'_, Vec<Kept>> {
        Box::pin(self.ledger.read(move |connection| {
            let (condition, binds) = condition(&listing);
            let text = format!("SELECT {COLUMNS} FROM lab_message WHERE {condition} ORDER BY received, id LIMIT ?");
            // What a message is about stands inside its findings: those are read, not searched.
            let about = listing.about.map(|about| format!("\"about\":{}", serde_json::Value::from(about)));
            let limit = if about.is_some() { i64::from(u32::MAX) } else { i64::from(listing.limit) };
            let rows = Statement::with(text, binds).bind(limit).rows::<Columns, Row>(connection)?.into_iter().map(kept);
            let fits = |one: &Result<Kept, StoreError>| match (one, &about) {
                (Ok(one), Some(about)) => one.detail.contains(about),
                _ => true,
            };
            rows.filter(fits).take(usize::try_from(listing.limit).unwrap_or(usize::MAX)).collect()
        }))
    }

    fn counts(&self) -> Answering<'_, Vec<(State, u64, Instant)>> {
        Box::pin(self.ledger.read(|connection| {
            let text = "SELECT state, count(*), min(received) FROM lab_message GROUP BY state ORDER BY state";
            let rows = Statement::new(text).rows::<(Text, BigInt, BigInt), (String, i64, i64)>(connection)?;
            let read = |(state, count, oldest): (String, i64, i64)| {
                Some((State::parse(&state)?, u64::try_from(count).ok()?, Instant(oldest)))
            };
            Ok(rows.into_iter().filter_map(read).collect())
        }))
    }

    fn latest<'a>(&'a self, client: &'a str, patients: &'a str, kind: &'a str) -> Answering<'a, Option<Instant>> {
        let (client, patients, kind) = (client.to_owned(), patients.to_owned(), kind.to_owned());
        Box::pin(self.ledger.read(move |connection| {
            let text = "SELECT coalesce(max(sent), 0) FROM lab_message \
                        WHERE client = ? AND patients = ? AND state = 'filed' AND kind LIKE ?";
            let found = Statement::new(text).bind(client).bind(patients).bind(format!("{kind}%"));
            Ok(found.row::<BigInt, i64>(connection)?.filter(|sent| *sent > 0).map(Instant))
        }))
    }
}
