//! The records of a message, each compared with what is on file, committed together.

use super::super::Gateway;
use super::super::write::{Failed, until_settled, version_made};
use super::filing::End;
use super::queue::findings;
use crate::access::{Caller, Permit, authorize};
use crate::audit::Entry;
use crate::disclosure::{Change, Commit, Draft, Row, Sealed, reported};
use crate::fhir::{
    Instant, Interaction, Key, Need, ReadConditions, Refusal, Request, ResourceType, RouteOptions, WriteCondition, interaction,
};
use crate::lab::mapping::json::Json;
use crate::lab::{Plan, Planned, Role, Stamp, WarningKind};
use crate::store::lab::{Kept, State};
use std::collections::HashMap;
use std::sync::Arc;

/// What is done with one record.
enum Decision {
    /// It is written, in place of this.
    Write(Option<Row>),
    /// It is on file, under this or another name.
    Known,
    /// What is on file is newer.
    Older,
    /// It would take back what was final.
    Regression,
}

/// The decisions on a plan, and under which names its records are known.
struct Decided {
    decisions: Vec<Decision>,
    names: HashMap<String, String>,
}

impl Gateway {
    /// Commits a plan: every record that is new or newer, with the testimony, or nothing.
    pub(super) async fn file_plan(&self, kept: &Kept, plan: &Plan, subjects: &[String]) -> Result<End, Refusal> {
        let sender = Self::sending_caller(&kept.feed);
        until_settled!(self.try_plan(kept, plan, subjects, &sender).await)
    }

    async fn try_plan(&self, kept: &Kept, plan: &Plan, subjects: &[String], sender: &Arc<Caller>) -> Result<End, Failed> {
        let decided = self.decide_plan(plan).await?;
        let testified =
            |(record, decision): (&Planned, &Decision)| record.role == Role::Testimony && matches!(decision, Decision::Known);
        if plan.records.iter().zip(&decided.decisions).any(testified) {
            // Somebody filed it in the meantime.
            return Ok(ended(plan, false, subjects));
        }
        let any = |wanted: fn(&Decision) -> bool| decided.decisions.iter().any(wanted);
        if any(|one| matches!(one, Decision::Regression)) {
            let text = "a result that was final would become preliminary again; look at both, then dismiss this or correct it";
            return Ok(End::held(
                "status-regression",
                serde_json::json!([{"kind": "order", "about": "", "text": text}]).to_string(),
            ));
        }
        let now = self.parts.clock.now();
        let (mut changes, mut entries): (Vec<Change>, Vec<Entry>) = (Vec::new(), Vec::new());
        for (record, decision) in plan.records.iter().zip(&decided.decisions) {
            let Decision::Write(old) = decision else { continue };
            if record.role == Role::Testimony && !attested(plan, &decided) {
                continue;
            }
            let (permit, need) = match self.permit_for(record, old.as_ref(), sender) {
                Ok(permit) => permit,
                Err(Refusal::ScopeMissing { needed }) => {
                    return Ok(End::not_granted(format!(
                        "the grant of `{}` does not cover this; it would need `{needed}`",
                        kept.feed.client
                    )));
                }
                Err(other) => return Err(other.into()),
            };
            match self.change_for(record, old.as_ref(), (&permit, need), &decided, plan, &changes, now).await {
                Ok(change) => {
                    let visit = Self::lab_visit(kept, if old.is_some() { "update" } else { "create" }, now);
                    let mut entry = visit.concluded(change.patients.clone(), vec![version_made(&change)]);
                    entry.query = None;
                    entries.push(entry);
                    changes.push(change);
                }
                Err(Failed::Refused(Refusal::WriteOutsideGrant)) => {
                    let text = format!("{} lies outside the grant of `{}`", record.key.resource_type, kept.feed.client);
                    return Ok(End::not_granted(text));
                }
                Err(other) => return Err(other),
            }
        }
        let written = !changes.is_empty();
        if written {
            self.commit(Commit { guards: Vec::new(), changes, entries }).await?;
        }
        Ok(ended(plan, any(|one| matches!(one, Decision::Older)) && !attested(plan, &decided), subjects))
    }

    async fn decide_plan(&self, plan: &Plan) -> Result<Decided, Failed> {
        let mut decided = Decided { decisions: Vec::with_capacity(plan.records.len()), names: HashMap::new() };
        for record in &plan.records {
            let decision = match &record.role {
                Role::With(_) => Decision::Write(self.on_file(&record.key).await?),
                Role::Testimony => match self.on_file(&record.key).await? {
                    Some(_) => Decision::Known,
                    None => Decision::Write(None),
                },
                Role::Result(stamp) => match self.on_file(&record.key).await? {
                    Some(old) => against(stamp, old)?,
                    None => Decision::Write(None),
                },
                Role::Known | Role::Order(_) => self.decide_known(record, &mut decided.names).await?,
            };
            decided.decisions.push(decision);
        }
        follow(plan, &mut decided);
        Ok(decided)
    }

    /// What may be on file under another name: then references go there, and nothing is written.
    async fn decide_known(&self, record: &Planned, names: &mut HashMap<String, String>) -> Result<Decision, Failed> {
        let own = self.on_file(&record.key).await?;
        match (own, &record.role) {
            (Some(old), Role::Order(Some(stamp))) => return Ok(against(stamp, old)?),
            (Some(_), _) => return Ok(Decision::Known),
            (None, _) => {}
        }
        for condition in &record.known_by {
            if let Some(found) = self.found_by(record.key.resource_type, condition).await? {
                names.insert(record.key.to_string(), found.to_string());
                return Ok(Decision::Known);
            }
        }
        Ok(Decision::Write(None))
    }

    /// The one live record that a condition finds.
    async fn found_by(&self, of: ResourceType, condition: &str) -> Result<Option<Key>, Failed> {
        let options = RouteOptions { base: &self.parts.base, now: self.parts.clock.now(), max_count: 2, known: self.known() };
        let Interaction::Search(search) = interaction(&Request::get(&format!("{of}?{condition}")), &options)? else {
            return Err(Refusal::Internal.into());
        };
        let permit = self.own_permit(Interaction::Search(search.clone()))?;
        let rows = self.parts.store.select(&permit, Need::Search, &search, 2).await.map_err(Refusal::from)?;
        Ok(if let [one] = rows.as_slice() { Some(one.facts.key.clone()) } else { None })
    }

    /// A record on file, whoever may see it: a sender is never told what was found.
    async fn on_file(&self, key: &Key) -> Result<Option<Row>, Failed> {
        let permit = self.own_permit(Interaction::Read(key.clone(), ReadConditions::default()))?;
        Ok(self.parts.store.read(&permit, Need::Update, key).await.map_err(Refusal::from)?)
    }

    /// Under whose grant a record is written: results, what goes with them, and orders that are sent as such under the sender's.
    fn permit_for(&self, record: &Planned, old: Option<&Row>, sender: &Arc<Caller>) -> Result<(Permit, Need), Refusal> {
        let (interaction, need) = match old {
            Some(_) => (Interaction::Update(record.key.clone(), WriteCondition::None), Need::Update),
            None => (Interaction::Create(record.key.resource_type, None), Need::Create),
        };
        let permit = match record.role {
            Role::Result(_) | Role::With(_) | Role::Order(Some(_)) => authorize(sender, interaction)?,
            Role::Known | Role::Order(None) | Role::Testimony => self.own_permit(interaction)?,
        };
        Ok((permit, need))
    }

    #[expect(clippy::too_many_arguments, reason = "what a change depends on, once")]
    async fn change_for(
        &self,
        record: &Planned,
        old: Option<&Row>,
        (permit, need): (&Permit, Need),
        decided: &Decided,
        plan: &Plan,
        changes: &[Change],
        now: Instant,
    ) -> Result<Change, Failed> {
        let mut content = record.content.clone();
        if record.role == Role::Testimony {
            content.put("target", targets(plan, decided));
        }
        if let (ResourceType::DiagnosticReport, Some(old)) = (record.key.resource_type, old) {
            keep_results(&mut content, &reported(old)?.results);
        }
        let body = Sealed::from_wire(content.to_string().into_bytes());
        let draft = Draft::read(&body, record.key.resource_type, None)?;
        let draft = self.settled(draft.rewritten(&|url| decided.names.get(url).cloned()), changes).await?;
        Ok(draft.change(permit, need, record.key.clone(), old, &self.marking(), now)?)
    }
}

/// A new version of a result against the one on file.
fn against(new: &Stamp, old: Row) -> Result<Decision, Refusal> {
    let known = reported(&old)?;
    let (rank, before) = (Stamp::rank(&new.status), Stamp::rank(&known.status));
    let Some(at) = known.at else { return Ok(Decision::Write(Some(old))) };
    Ok(if new.at < at || (new.at == at && rank < before) {
        Decision::Older
    } else if before >= Stamp::rank("final") && rank < Stamp::rank("final") {
        Decision::Regression
    } else {
        Decision::Write(Some(old))
    })
}

/// What goes with a result is written when that is.
fn follow(plan: &Plan, decided: &mut Decided) {
    let written = |key: &Key, decisions: &[Decision]| {
        let at = plan.records.iter().position(|record| record.key == *key);
        at.and_then(|at| decisions.get(at)).is_none_or(|decision| matches!(decision, Decision::Write(_)))
    };
    for (at, record) in plan.records.iter().enumerate() {
        if let Role::With(key) = &record.role
            && !written(key, &decided.decisions)
            && let Some(decision) = decided.decisions.get_mut(at)
        {
            *decision = Decision::Older;
        }
    }
}

/// What a testimony is about: everything that is written, but for whom or what it only names.
fn targets(plan: &Plan, decided: &Decided) -> Json {
    let written = plan.records.iter().zip(&decided.decisions).filter(|(record, decision)| {
        matches!(decision, Decision::Write(_)) && !matches!(record.role, Role::Known | Role::Testimony)
    });
    Json::array(written.map(|(record, _)| Json::reference(&record.key.to_string())))
}

/// Whether there is anything to testify of.
fn attested(plan: &Plan, decided: &Decided) -> bool {
    targets(plan, decided).is_there()
}

/// Results that an earlier version named and this one does not: they were reported, and stay so.
fn keep_results(content: &mut Json, before: &[String]) {
    let now: Vec<String> = match content.get("result") {
        Some(Json::List(items)) => items.iter().filter_map(|one| one.get("reference")?.as_text().map(str::to_owned)).collect(),
        _ => Vec::new(),
    };
    content.extend("result", before.iter().filter(|one| !now.contains(one)).map(|one| Json::reference(one)));
}

fn ended(plan: &Plan, superseded: bool, subjects: &[String]) -> End {
    let unmapped = |kind: WarningKind| matches!(kind, WarningKind::UnmappedCode | WarningKind::UnmappedUnit);
    let reason = match (superseded, plan.warnings.iter().any(|warning| unmapped(warning.kind))) {
        (true, _) => "older",
        (false, true) => "unmapped",
        (false, false) => "",
    };
    End {
        state: if superseded { State::Superseded } else { State::Filed },
        reason: reason.to_owned(),
        detail: findings(&[], &plan.warnings),
        patients: subjects.join(" "),
        faults: Vec::new(),
    }
}
