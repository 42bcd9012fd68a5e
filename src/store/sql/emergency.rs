//! Emergency access in the ledger.

use super::SqlStore;
use super::connection::Connection;
use super::statement::Statement;
use super::writer::Writer;
use crate::access::BreakGlass;
use crate::audit::{Entry, Receipt};
use crate::fhir::{Id, Instant, Key};
use crate::store::emergency::{Case, EmergencyStore, Kept, Opening, Review, ReviewError, Which};
use crate::store::{Answering, CommitError, StoreError};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use uuid::Uuid;

const GRANT: &str = "g.id, g.patient, g.issuer, g.subject, g.\"user\", g.client, g.certificate, g.token, g.reason, g.text, \
                     g.begins, g.ends, g.ended, g.ended_by";

type Grant = ((Text, Text, Text, Text, Text, Text, Text), (Text, Text, Text, BigInt, BigInt, BigInt, Text));
type GrantRow = ((String, String, String, String, String, String, String), (String, String, String, i64, i64, i64, String));
type CaseColumns = (Grant, (Text, BigInt, BigInt, Text, Text, Text));
type CaseRow = (GrantRow, (String, i64, i64, String, String, String));

/// Absent texts are kept empty.
fn some(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

fn grant(row: GrantRow) -> Result<BreakGlass, StoreError> {
    let ((id, patient, issuer, subject, user, client, certificate), (token_id, reason, text, begins, ends, ended, ended_by)) =
        row;
    let damaged = || StoreError::Unavailable("a grant of emergency access is damaged".to_owned());
    Ok(BreakGlass {
        id,
        patient: Id::parse(&patient).ok_or_else(damaged)?,
        issuer,
        subject,
        user: Key::parse(&user).ok_or_else(damaged)?,
        client,
        certificate: some(certificate),
        token_id,
        reason,
        text,
        begins: Instant(begins),
        ends: Instant(ends),
        ended: (ended != 0).then_some(Instant(ended)),
        ended_by: some(ended_by),
    })
}

fn case((row, (id, opened, due, state, reviewer, note)): CaseRow) -> Result<Case, StoreError> {
    Ok(Case { id, grant: grant(row)?, opened: Instant(opened), due: Instant(due), state, reviewer, note })
}

fn enter(writer: &mut Writer, entry: &Entry) -> Receipt {
    Receipt::durable(writer.enter(entry))
}

fn insert(connection: &mut Connection, opening: &Opening) -> QueryResult<()> {
    let grant = &opening.grant;
    let text = "INSERT INTO break_glass (id, patient, issuer, subject, \"user\", client, certificate, token, reason, text, begins, ends) \
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    Statement::new(text)
        .bind(grant.id.as_str())
        .bind(grant.patient.as_str())
        .bind(grant.issuer.as_str())
        .bind(grant.subject.as_str())
        .bind(grant.user.to_string())
        .bind(grant.client.as_str())
        .bind(grant.certificate.as_deref().unwrap_or_default())
        .bind(grant.token_id.as_str())
        .bind(grant.reason.as_str())
        .bind(grant.text.as_str())
        .bind(grant.begins.0)
        .bind(grant.ends.0)
        .run(connection)?;
    let text = "INSERT INTO review_case (id, kind, about, patient, actor, opened, due, state) VALUES (?, 'break-glass', ?, ?, ?, ?, ?, 'open')";
    Statement::new(text)
        .bind(Uuid::now_v7().to_string())
        .bind(grant.id.as_str())
        .bind(grant.patient.as_str())
        .bind(grant.user.to_string())
        .bind(grant.begins.0)
        .bind(opening.due.0)
        .run(connection)?;
    for notice in &opening.notices {
        Statement::new("INSERT INTO notice (id, rule, recipient, about, text, made) VALUES (?, ?, ?, ?, ?, ?)")
            .bind(Uuid::now_v7().to_string())
            .bind(notice.rule)
            .bind(notice.recipient.to_text())
            .bind(grant.id.as_str())
            .bind(notice.text.as_str())
            .bind(grant.begins.0)
            .run(connection)?;
    }
    Ok(())
}

pub(super) fn close(writer: &mut Writer, review: &Review) -> Result<Receipt, ReviewError> {
    let failed = |error: diesel::result::Error| ReviewError::Store(error.into());
    let found = Statement::new("SELECT state, actor FROM review_case WHERE id = ?")
        .bind(review.case.as_str())
        .row::<(Text, Text), (String, String)>(&mut writer.connection)
        .map_err(failed)?;
    match found {
        None => return Err(ReviewError::Unknown),
        Some((state, _)) if state != "open" && state != "escalated" => return Err(ReviewError::Closed),
        Some((_, actor)) if actor == review.reviewer => return Err(ReviewError::Own),
        Some(_) => {}
    }
    Statement::new("UPDATE review_case SET state = ?, reviewer = ?, closed = ?, note = ? WHERE id = ?")
        .bind(review.disposition.word())
        .bind(review.reviewer.as_str())
        .bind(review.now.0)
        .bind(review.note.as_str())
        .bind(review.case.as_str())
        .run(&mut writer.connection)
        .map_err(failed)?;
    Ok(enter(writer, &review.entry))
}

type NoticeColumns = (Text, Text, Text, Text, Text, Text, BigInt, BigInt, Text);
type NoticeRow = (String, String, String, String, String, String, i64, i64, String);

fn notices(connection: &mut Connection, which: &Which) -> Result<Vec<Kept>, StoreError> {
    // Each condition stands there always, and is switched off by its first value.
    let text = "SELECT n.id, n.rule, n.recipient, n.about, g.patient, n.text, n.made, n.taken, n.taken_by \
                FROM notice n JOIN break_glass g ON g.id = n.about \
                WHERE (? = 1 OR n.taken = 0) AND (? = 1 OR g.patient = ?) AND (? = 1 OR n.recipient = ?) ORDER BY n.made, n.id";
    let rows = Statement::new(text)
        .bind(i64::from(which.all))
        .bind(i64::from(which.patient.is_none()))
        .bind(which.patient.as_ref().map(Id::as_str).unwrap_or_default())
        .bind(i64::from(which.recipient.is_none()))
        .bind(which.recipient.as_deref().unwrap_or_default())
        .rows::<NoticeColumns, NoticeRow>(connection)?;
    rows.into_iter().map(kept).collect()
}

fn kept((id, rule, recipient, grant, patient, text, made, taken, by): NoticeRow) -> Result<Kept, StoreError> {
    let patient = Id::parse(&patient).ok_or_else(|| StoreError::Unavailable("a notice is damaged".to_owned()))?;
    let taken = (taken != 0).then_some((Instant(taken), by));
    Ok(Kept { id, rule, recipient, grant, patient, text, made: Instant(made), taken })
}

impl EmergencyStore for SqlStore {
    fn open(&self, opening: Opening) -> Answering<'_, Receipt, CommitError> {
        Box::pin(self.ledger.submit(1_000, move |writer| {
            insert(&mut writer.connection, &opening)?;
            Ok(enter(writer, &opening.entry))
        }))
    }

    fn live(&self, now: Instant) -> Answering<'_, Vec<BreakGlass>> {
        Box::pin(self.ledger.read(move |connection| {
            let text = format!("SELECT {GRANT} FROM break_glass g WHERE g.ended = 0 AND g.ends > ? ORDER BY g.ends");
            let rows = Statement::new(text).bind(now.0).rows::<Grant, GrantRow>(connection)?;
            rows.into_iter().map(grant).collect()
        }))
    }

    fn history<'a>(&'a self, user: &'a str, patient: &'a Id, since: Instant) -> Answering<'a, (i64, i64)> {
        let (user, patient) = (user.to_owned(), patient.to_string());
        Box::pin(self.ledger.read(move |connection| {
            let text = "SELECT coalesce(sum(CASE WHEN patient = ? THEN 1 ELSE 0 END), 0), count(*) FROM break_glass WHERE \"user\" = ? AND begins >= ?";
            let counted = Statement::new(text).bind(patient).bind(user).bind(since.0);
            Ok(counted.row::<(BigInt, BigInt), (i64, i64)>(connection)?.unwrap_or_default())
        }))
    }

    fn end<'a>(&'a self, grants: &'a [String], by: &'a str, now: Instant, entry: Entry) -> Answering<'a, Receipt, CommitError> {
        let (grants, by) = (grants.to_vec(), by.to_owned());
        Box::pin(self.ledger.submit(500, move |writer| {
            for grant in &grants {
                Statement::new("UPDATE break_glass SET ended = ?, ended_by = ? WHERE id = ? AND ended = 0")
                    .bind(now.0)
                    .bind(by.as_str())
                    .bind(grant.as_str())
                    .run(&mut writer.connection)?;
            }
            Ok(enter(writer, &entry))
        }))
    }

    fn cases(&self, all: bool) -> Answering<'_, Vec<Case>> {
        Box::pin(self.ledger.read(move |connection| {
            let only = if all { "" } else { "WHERE c.state IN ('open', 'escalated')" };
            let text = format!(
                "SELECT {GRANT}, c.id, c.opened, c.due, c.state, c.reviewer, c.note \
                 FROM review_case c JOIN break_glass g ON g.id = c.about {only} ORDER BY c.due, c.id"
            );
            let rows = Statement::new(text).rows::<CaseColumns, CaseRow>(connection)?;
            rows.into_iter().map(case).collect()
        }))
    }

    fn notices(&self, which: Which) -> Answering<'_, Vec<Kept>> {
        Box::pin(self.ledger.read(move |connection| notices(connection, &which)))
    }

    fn take_notices<'a>(
        &'a self,
        ids: &'a [String],
        recipient: &'a str,
        by: &'a str,
        now: Instant,
        entry: Entry,
    ) -> Answering<'a, (Vec<String>, Receipt), CommitError> {
        let (ids, recipient, by) = (ids.to_vec(), recipient.to_owned(), by.to_owned());
        Box::pin(self.ledger.submit(500, move |writer| {
            let mut taken = Vec::new();
            for id in ids {
                let text = "UPDATE notice SET taken = ?, taken_by = ? WHERE id = ? AND recipient = ? AND taken = 0";
                let update = Statement::new(text).bind(now.0).bind(by.as_str()).bind(id.as_str()).bind(recipient.as_str());
                if update.run(&mut writer.connection)? > 0 {
                    taken.push(id);
                }
            }
            Ok((taken, enter(writer, &entry)))
        }))
    }

    fn close_case(&self, review: Review) -> Answering<'_, Receipt, ReviewError> {
        Box::pin(self.ledger.submit(500, move |writer| close(writer, &review)))
    }
}
