//! Alarms, restrictions, reviews and incidents in the ledger.

use super::SqlStore;
use super::connection::Connection;
use super::emergency::close;
use super::statement::Statement;
use super::writer::Writer;
use crate::audit::{Entry, Receipt};
use crate::fhir::Instant;
use crate::store::emergency::{Review, ReviewError};
use crate::store::watch::{
    Alarming, Effect, Incident, IncidentLine, Mute, Raised, Restricted, Restriction, Reviewed, Step, WatchStore,
};
use crate::store::{Answering, CommitError, StoreError};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};

type RaisedColumns = (Text, Text, BigInt, BigInt, Text, Text, Text, Text, Text);
type RaisedValues = (String, String, i64, i64, String, String, String, String, String);
type RestrictionColumns = (Text, Text, Text, Text, BigInt, BigInt, Text, Text);
type RestrictionValues = (String, String, String, String, i64, i64, String, String);
type CaseColumns = ((Text, Text, Text, Text, Text), (BigInt, BigInt, Text, Text, Text));
type CaseValues = ((String, String, String, String, String), (i64, i64, String, String, String));
type MuteColumns = (Text, Text, BigInt, Text, Text);
type IncidentColumns = ((Text, Text, BigInt, BigInt, Text), (Text, Text, Text, BigInt, Text));
type IncidentValues = ((String, String, i64, i64, String), (String, String, String, i64, String));

const ALARM: &str = "SELECT id, rule, seq, at, subject, patient, text, action, state FROM alarm";
const INCIDENT: &str = "SELECT id, title, discovered, opened, opened_by, owner, state, cause, closed, closed_by FROM incident";

fn raised((id, rule, seq, at, subject, patient, text, action, state): RaisedValues) -> Raised {
    Raised { id, rule, seq, at: Instant(at), subject, patient, text, action, state }
}

fn restriction((id, kind, target, effect, begins, ends, reason, by): RestrictionValues) -> Result<Restriction, StoreError> {
    let damaged = || StoreError::Unavailable("a restriction is damaged".to_owned());
    let kind = Restricted::parse(&kind).ok_or_else(damaged)?;
    let effect = Effect::parse(&effect).ok_or_else(damaged)?;
    let ends = (ends != 0).then_some(Instant(ends));
    Ok(Restriction { id, kind, target, effect, begins: Instant(begins), ends, reason, by })
}

fn reviewed(((id, kind, about, patient, actor), (opened, due, state, reviewer, note)): CaseValues) -> Reviewed {
    Reviewed { id, kind, about, patient, actor, opened: Instant(opened), due: Instant(due), state, reviewer, note }
}

fn incident(((id, title, discovered, opened, opened_by), rest): IncidentValues) -> Incident {
    let (owner, state, cause, closed, closed_by) = rest;
    let closed = (closed != 0).then_some(Instant(closed));
    let (discovered, opened) = (Instant(discovered), Instant(opened));
    Incident { id, title, discovered, opened, opened_by, owner, state, cause, closed, closed_by }
}

fn put_restriction(connection: &mut Connection, one: &Restriction) -> QueryResult<()> {
    let text = "INSERT INTO restriction (id, kind, target, effect, begins, ends, reason, by) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING";
    Statement::new(text)
        .bind(one.id.as_str())
        .bind(one.kind.word())
        .bind(one.target.as_str())
        .bind(one.effect.word())
        .bind(one.begins.0)
        .bind(one.ends.map_or(0, |ends| ends.0))
        .bind(one.reason.as_str())
        .bind(one.by.as_str())
        .run(connection)
        .map(drop)
}

fn put_case(connection: &mut Connection, one: &Reviewed) -> QueryResult<()> {
    let text = "INSERT INTO review_case (id, kind, about, patient, actor, opened, due, state) VALUES (?, ?, ?, ?, ?, ?, ?, 'open') ON CONFLICT DO NOTHING";
    Statement::new(text)
        .bind(one.id.as_str())
        .bind(one.kind.as_str())
        .bind(one.about.as_str())
        .bind(one.patient.as_str())
        .bind(one.actor.as_str())
        .bind(one.opened.0)
        .bind(one.due.0)
        .run(connection)
        .map(drop)
}

fn put_line(connection: &mut Connection, incident: &str, line: &IncidentLine) -> QueryResult<()> {
    let text = "INSERT INTO incident_line (incident, number, at, kind, by, text) \
                VALUES (?, (SELECT coalesce(max(number), 0) + 1 FROM incident_line WHERE incident = ?), ?, ?, ?, ?)";
    Statement::new(text)
        .bind(incident)
        .bind(incident)
        .bind(line.at.0)
        .bind(line.kind.as_str())
        .bind(line.by.as_str())
        .bind(line.text.as_str())
        .run(connection)
        .map(drop)
}

/// Writes an alarm and all that comes with it, when it is new.
fn put_alarm(writer: &mut Writer, alarming: &Alarming) -> QueryResult<bool> {
    let one = &alarming.raised;
    let connection = &mut writer.connection;
    let there = Statement::new("SELECT seq FROM alarm WHERE id = ?").bind(one.id.as_str());
    if there.row::<BigInt, i64>(connection)?.is_some() {
        return Ok(false);
    }
    let text =
        "INSERT INTO alarm (id, rule, seq, at, subject, patient, text, action, state) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'open')";
    Statement::new(text)
        .bind(one.id.as_str())
        .bind(one.rule.as_str())
        .bind(one.seq)
        .bind(one.at.0)
        .bind(one.subject.as_str())
        .bind(one.patient.as_str())
        .bind(one.text.as_str())
        .bind(one.action.as_str())
        .run(connection)?;
    if let Some(restriction) = &alarming.restriction {
        put_restriction(connection, restriction)?;
    }
    put_case(
        connection,
        &Reviewed {
            id: one.id.clone(),
            kind: "alarm".to_owned(),
            about: one.id.clone(),
            patient: one.patient.clone(),
            actor: one.subject.clone(),
            opened: one.at,
            due: alarming.due,
            state: String::new(),
            reviewer: String::new(),
            note: String::new(),
        },
    )?;
    for entry in &alarming.entries {
        writer.enter(entry);
    }
    Ok(true)
}

fn put_incident(connection: &mut Connection, one: &Incident) -> QueryResult<()> {
    let text = "INSERT INTO incident (id, title, discovered, opened, opened_by, owner, state) VALUES (?, ?, ?, ?, ?, ?, 'open')";
    Statement::new(text)
        .bind(one.id.as_str())
        .bind(one.title.as_str())
        .bind(one.discovered.0)
        .bind(one.opened.0)
        .bind(one.opened_by.as_str())
        .bind(one.owner.as_str())
        .run(connection)
        .map(drop)
}

fn enter(writer: &mut Writer, entry: &Entry) -> Receipt {
    Receipt::durable(writer.enter(entry))
}

impl WatchStore for SqlStore {
    fn raise(&self, alarming: Alarming) -> Answering<'_, bool, CommitError> {
        Box::pin(self.ledger.submit(1_000, move |writer| Ok(put_alarm(writer, &alarming)?)))
    }

    fn alarms(&self, all: bool, limit: u32) -> Answering<'_, Vec<Raised>> {
        Box::pin(self.ledger.read(move |connection| {
            let only = if all { "" } else { "WHERE state = 'open'" };
            let statement = Statement::new(format!("{ALARM} {only} ORDER BY at DESC, id LIMIT ?")).bind(i64::from(limit));
            Ok(statement.rows::<RaisedColumns, RaisedValues>(connection)?.into_iter().map(raised).collect())
        }))
    }

    fn alarms_since(&self, seq: i64, limit: u32) -> Answering<'_, Vec<Raised>> {
        Box::pin(self.ledger.read(move |connection| {
            let statement =
                Statement::new(format!("{ALARM} WHERE seq >= ? ORDER BY seq, id LIMIT ?")).bind(seq).bind(i64::from(limit));
            Ok(statement.rows::<RaisedColumns, RaisedValues>(connection)?.into_iter().map(raised).collect())
        }))
    }

    fn restrictions(&self, now: Instant) -> Answering<'_, Vec<Restriction>> {
        Box::pin(self.ledger.read(move |connection| {
            let text = "SELECT id, kind, target, effect, begins, ends, reason, by FROM restriction \
                        WHERE lifted = 0 AND (ends = 0 OR ends > ?) ORDER BY id";
            let rows = Statement::new(text).bind(now.0).rows::<RestrictionColumns, RestrictionValues>(connection)?;
            rows.into_iter().map(restriction).collect()
        }))
    }

    fn restrict(&self, restriction: Restriction, entry: Entry) -> Answering<'_, Receipt, CommitError> {
        Box::pin(self.ledger.submit(500, move |writer| {
            put_restriction(&mut writer.connection, &restriction)?;
            Ok(enter(writer, &entry))
        }))
    }

    fn lift<'a>(&'a self, id: &'a str, by: &'a str, now: Instant, entry: Entry) -> Answering<'a, usize, CommitError> {
        let statement = Statement::new("UPDATE restriction SET lifted = ?, lifted_by = ? WHERE id = ? AND lifted = 0")
            .bind(now.0)
            .bind(by)
            .bind(id);
        Box::pin(self.ledger.submit(500, move |writer| {
            let lifted = statement.run(&mut writer.connection)?;
            if lifted > 0 {
                writer.enter(&entry);
            }
            Ok(lifted)
        }))
    }

    fn mutes(&self, now: Instant) -> Answering<'_, Vec<Mute>> {
        Box::pin(self.ledger.read(move |connection| {
            let statement = Statement::new("SELECT rule, subject, ends, reason, by FROM mute WHERE ends > ?").bind(now.0);
            let rows = statement.rows::<MuteColumns, (String, String, i64, String, String)>(connection)?;
            let mute = |(rule, subject, ends, reason, by)| Mute { rule, subject, ends: Instant(ends), reason, by };
            Ok(rows.into_iter().map(mute).collect())
        }))
    }

    fn mute(&self, mute: Mute, entry: Entry) -> Answering<'_, Receipt, CommitError> {
        Box::pin(self.ledger.submit(500, move |writer| {
            let text = "INSERT INTO mute (rule, subject, ends, reason, by) VALUES (?, ?, ?, ?, ?) \
                        ON CONFLICT (rule, subject) DO UPDATE SET ends = excluded.ends, reason = excluded.reason, by = excluded.by";
            let statement = Statement::new(text).bind(mute.rule).bind(mute.subject).bind(mute.ends.0).bind(mute.reason).bind(mute.by);
            statement.run(&mut writer.connection)?;
            Ok(enter(writer, &entry))
        }))
    }

    fn sample(&self, cases: Vec<Reviewed>) -> Answering<'_, ()> {
        Box::pin(self.ledger.write(move |connection| {
            cases.iter().try_for_each(|case| put_case(connection, case))?;
            Ok::<_, StoreError>(())
        }))
    }

    fn queue(&self, all: bool) -> Answering<'_, Vec<Reviewed>> {
        Box::pin(self.ledger.read(move |connection| {
            let only = if all { "" } else { "WHERE state IN ('open', 'escalated')" };
            let text = format!(
                "SELECT id, kind, about, patient, actor, opened, due, state, reviewer, note FROM review_case {only} ORDER BY due, id"
            );
            Ok(Statement::new(text).rows::<CaseColumns, CaseValues>(connection)?.into_iter().map(reviewed).collect())
        }))
    }

    fn review(&self, review: Review) -> Answering<'_, Receipt, ReviewError> {
        Box::pin(self.ledger.submit(500, move |writer| {
            let receipt = close(writer, &review)?;
            let text = "UPDATE alarm SET state = ?, judge = ?, judged = ?, note = ? WHERE id = ?";
            Statement::new(text)
                .bind(review.disposition.word())
                .bind(review.reviewer.as_str())
                .bind(review.now.0)
                .bind(review.note.as_str())
                .bind(review.case.as_str())
                .run(&mut writer.connection)
                .map_err(|error| ReviewError::Store(error.into()))?;
            Ok(receipt)
        }))
    }

    fn open_incident(&self, incident: Incident, line: IncidentLine, entry: Entry) -> Answering<'_, Receipt, CommitError> {
        Box::pin(self.ledger.submit(500, move |writer| {
            put_incident(&mut writer.connection, &incident)?;
            put_line(&mut writer.connection, &incident.id, &line)?;
            Ok(enter(writer, &entry))
        }))
    }

    fn incident<'a>(&'a self, id: &'a str) -> Answering<'a, Option<(Incident, Vec<IncidentLine>)>> {
        let find = Statement::new(format!("{INCIDENT} WHERE id = ?")).bind(id);
        let lines = Statement::new("SELECT at, kind, by, text FROM incident_line WHERE incident = ? ORDER BY number").bind(id);
        Box::pin(self.ledger.read(move |connection| {
            let Some(found) = find.row::<IncidentColumns, IncidentValues>(connection)? else { return Ok(None) };
            let lines = lines.rows::<(BigInt, Text, Text, Text), (i64, String, String, String)>(connection)?;
            let line = |(at, kind, by, text)| IncidentLine { at: Instant(at), kind, by, text };
            Ok(Some((incident(found), lines.into_iter().map(line).collect())))
        }))
    }

    fn incidents(&self) -> Answering<'_, Vec<Incident>> {
        Box::pin(self.ledger.read(|connection| {
            let rows = Statement::new(format!("{INCIDENT} ORDER BY opened DESC, id"))
                .rows::<IncidentColumns, IncidentValues>(connection)?;
            Ok(rows.into_iter().map(incident).collect())
        }))
    }

    fn step(&self, step: Step) -> Answering<'_, Receipt, CommitError> {
        Box::pin(self.ledger.submit(500, move |writer| {
            put_line(&mut writer.connection, &step.incident, &step.line)?;
            for restriction in &step.restrictions {
                put_restriction(&mut writer.connection, restriction)?;
            }
            if let Some(cause) = &step.closes {
                Statement::new("UPDATE incident SET state = 'closed', cause = ?, closed = ?, closed_by = ? WHERE id = ?")
                    .bind(cause.as_str())
                    .bind(step.line.at.0)
                    .bind(step.line.by.as_str())
                    .bind(step.incident.as_str())
                    .run(&mut writer.connection)?;
            }
            Ok(enter(writer, &step.entry))
        }))
    }
}
