//! ADT: who a patient is, and that two records are of one patient.

use super::super::Gateway;
use super::super::write::{Failed, until_settled, version_made};
use super::filing::{End, told};
use super::matching::{Candidate, Whose};
use super::queue::findings;
use crate::access::{Caller, authorize};
use crate::audit::Entry;
use crate::disclosure::{Change, Commit, Draft, Row, Sealed, patched};
use crate::fhir::json::Document;
use crate::fhir::matching::Demographics;
use crate::fhir::{Instant, Interaction, Key, Need, Refusal, ResourceType, WriteCondition};
use crate::lab::mapping::json::Json;
use crate::lab::mapping::{Context, Matter, patients, prior_identifiers, testify};
use crate::lab::v2::Message;
use crate::lab::{Plan, Planned, Role};
use crate::store::lab::{Kept, State};
use std::sync::Arc;

/// What a PID replaces where it tells something.
const TOLD: [&str; 11] = [
    "name",
    "telecom",
    "gender",
    "birthDate",
    "address",
    "maritalStatus",
    "communication",
    "deceasedBoolean",
    "deceasedDateTime",
    "contact",
    "generalPractitioner",
];

fn demographics(patient: &Json) -> Result<Demographics, Refusal> {
    let document = Document::parse(patient.to_string().as_bytes()).map_err(|_| Refusal::Internal)?;
    Ok(Demographics::read(document.root()))
}

impl Gateway {
    /// Files who a patient is.
    pub(super) async fn file_identity(
        &self,
        kept: &Kept,
        message: &Message,
        matter: Matter,
        setting: &Context,
    ) -> Result<End, Refusal> {
        until_settled!(self.try_identity(kept, message, matter, setting).await)
    }

    async fn try_identity(&self, kept: &Kept, message: &Message, matter: Matter, setting: &Context) -> Result<End, Failed> {
        let sender = Self::sending_caller(&kept.feed);
        let told_patient = match patients(message, setting) {
            Ok(told) => told.into_iter().next().unwrap_or_default(),
            Err(faults) => return Ok(End::faulty(faults)),
        };
        if let Err(Refusal::ScopeMissing { needed }) = authorize(&sender, Interaction::Create(ResourceType::Patient, None)) {
            return Ok(End::not_granted(format!(
                "the grant of `{}` does not cover patients; it would need `{needed}`",
                kept.feed.client
            )));
        }
        let asked = demographics(&told_patient)?;
        let mut changes = Vec::new();
        let survivor = match self.survivor(kept, &asked).await? {
            Ok(survivor) => survivor,
            Err(end) => return Ok(*end),
        };
        let key = survivor.as_ref().map_or_else(|| fresh_key(&asked, setting), |found| found.row.facts.key.clone());
        let latest = self.parts.lab.store.latest(&kept.feed.client, &key.to_string(), "ADT").await.map_err(Refusal::from)?;
        if latest.is_some_and(|latest| latest > kept.sent) {
            return Ok(ended(State::Superseded, "older", &key));
        }
        let merged = if matter == Matter::Merge { Some(self.merged(message, setting, &key).await?) } else { None };
        let (old_numbers, prior) = match merged {
            Some(Ok(found)) => found,
            Some(Err(end)) => return Ok(*end),
            None => (Json::Absent, None),
        };
        let now = self.parts.clock.now();
        changes.push(self.patient_change(
            &sender,
            survivor.as_ref(),
            &key,
            &told_patient,
            (&old_numbers, prior.as_ref()),
            now,
        )?);
        if let Some(prior) = &prior {
            changes.push(self.replaced(&sender, prior, &key, now)?);
        }
        self.commit_identity(kept, message, setting, changes, now).await?;
        Ok(ended(State::Filed, "", &key))
    }

    /// The patient on file that a PID means; `None` for a new one.
    async fn survivor(&self, kept: &Kept, asked: &Demographics) -> Result<Result<Option<Candidate>, Box<End>>, Failed> {
        let decided = kept.decided.split(' ').find(|one| !one.is_empty()).and_then(Key::parse);
        let permit = self.own_permit(Interaction::Search(Box::new(self.patient_search("")?)))?;
        if let Some(key) = decided {
            let row = self.parts.store.read(&permit, Need::Update, &key).await.map_err(Refusal::from)?;
            let Some(row) = row.filter(|row| !row.facts.deleted) else {
                return Ok(Err(Box::new(End::held("unmatched", "[]".to_owned()))));
            };
            let tables = self.parts.lab.rules.tables.load_full();
            let compared = crate::disclosure::compared(asked, &row, &|system| tables.is_strong(system))?;
            return Ok(Ok(Some(Candidate { row, compared })));
        }
        Ok(match self.whose(asked).await? {
            Whose::This(found) => Ok(Some(*found)),
            Whose::Unclear("unmatched", _) => Ok(None),
            Whose::Unclear(why, candidates) => Err(Box::new(End::held(why, told(&candidates)))),
        })
    }

    /// The record under which the patient was known before (MRG), when it is another one; and its numbers.
    async fn merged(
        &self,
        message: &Message,
        setting: &Context,
        survivor: &Key,
    ) -> Result<Result<(Json, Option<Row>), Box<End>>, Failed> {
        let prior = prior_identifiers(message, setting);
        let asked = demographics(&prior)?;
        let permit = self.own_permit(Interaction::Search(Box::new(self.patient_search("")?)))?;
        let mut found = self.candidates(&permit, &asked, true).await?;
        found.retain(|one| one.compared.likeness.identified && one.row.facts.key != *survivor && !one.compared.replaced);
        if found.len() > 1 {
            let names: Vec<(Key, f64)> =
                found.iter().map(|one| (one.row.facts.key.clone(), one.compared.likeness.score)).collect();
            return Ok(Err(Box::new(End::held("ambiguous", told(&names)))));
        }
        let numbers = prior.get("identifier").cloned().unwrap_or_default();
        Ok(Ok((numbers, found.into_iter().next().map(|one| one.row))))
    }

    /// The change that makes a patient known as the PID tells it, with the numbers of a merged record.
    fn patient_change(
        &self,
        sender: &Arc<Caller>,
        on_file: Option<&Candidate>,
        key: &Key,
        told: &Json,
        (old_numbers, prior): (&Json, Option<&Row>),
        now: Instant,
    ) -> Result<Change, Failed> {
        let link = prior
            .map(|row| Json::object([("other", Json::reference(&row.facts.key.to_string())), ("type", Json::text("replaces"))]));
        let old_numbers = items(old_numbers).map(|mut one| {
            one.put("use", Json::text("old"));
            one
        });
        let Some(on_file) = on_file else {
            let permit = authorize(sender, Interaction::Create(ResourceType::Patient, None))?;
            let mut content = told.clone();
            content.extend("identifier", old_numbers);
            content.extend("link", link);
            let draft = Draft::read(&Sealed::from_wire(content.to_string().into_bytes()), ResourceType::Patient, None)?;
            return Ok(draft.change(&permit, Need::Create, key.clone(), None, &self.marking(), now)?);
        };
        let permit = authorize(sender, Interaction::Update(key.clone(), WriteCondition::None))?;
        let mut steps: Vec<Json> =
            TOLD.iter().filter_map(|name| Some(step(&format!("/{name}"), told.get(name)?.clone()))).collect();
        let lacking: Vec<Json> = items(&told.get("identifier").cloned().unwrap_or_default())
            .enumerate()
            .filter(|(at, _)| on_file.compared.lacks.contains(at))
            .map(|(_, one)| one)
            .collect();
        steps.extend(lacking.into_iter().chain(old_numbers).map(|one| step("/identifier/-", one)));
        steps.extend(link.map(|link| step("/link/-", link)));
        self.patched_patient(&permit, &on_file.row, &steps, now)
    }

    /// The change that marks a record as replaced by another.
    fn replaced(&self, sender: &Arc<Caller>, prior: &Row, survivor: &Key, now: Instant) -> Result<Change, Failed> {
        let permit = authorize(sender, Interaction::Update(prior.facts.key.clone(), WriteCondition::None))?;
        let link = Json::object([("other", Json::reference(&survivor.to_string())), ("type", Json::text("replaced-by"))]);
        self.patched_patient(&permit, prior, &[step("/active", Json::Bool(false)), step("/link/-", link)], now)
    }

    /// Applies steps; a list that is not there yet is begun by the first item for it.
    fn patched_patient(&self, permit: &crate::access::Permit, old: &Row, steps: &[Json], now: Instant) -> Result<Change, Failed> {
        let apply =
            |steps: &[Json]| patched(&Sealed::from_wire(Json::array(steps.iter().cloned()).to_string().into_bytes()), old);
        let variants: [&[&str]; 4] = [&[], &["/link"], &["/identifier"], &["/link", "/identifier"]];
        let found = variants.iter().find_map(|lists| apply(&begun(steps, lists)).ok());
        let draft = match found {
            Some(draft) => draft,
            None => apply(steps)?,
        };
        Ok(draft.change(permit, Need::Update, old.facts.key.clone(), Some(old), &self.marking(), now)?)
    }

    async fn commit_identity(
        &self,
        kept: &Kept,
        message: &Message,
        setting: &Context,
        mut changes: Vec<Change>,
        now: Instant,
    ) -> Result<(), Failed> {
        let mut plan = Plan::default();
        for change in &changes {
            let (key, content) = (change.key.clone(), Json::Absent);
            plan.records.push(Planned { key, known_by: Vec::new(), role: Role::Testimony, content });
        }
        let people = plan.records.len();
        testify(message, setting, &mut plan);
        let permit = self.own_permit(Interaction::Create(ResourceType::Provenance, None))?;
        for record in plan.records.iter().skip(people).filter(|record| record.role == Role::Testimony) {
            let mut content = record.content.clone();
            // Whoever sent it is told by name: no organization is made of a message about a patient.
            if let Some(display) = sender_name(&content) {
                content.put("agent", Json::one(Json::object([("who", Json::object([("display", Json::text(&display))]))])));
            }
            let draft = Draft::read(&Sealed::from_wire(content.to_string().into_bytes()), ResourceType::Provenance, None)?;
            let draft = self.settled(draft, &changes).await?;
            changes.push(draft.change(&permit, Need::Create, record.key.clone(), None, &self.marking(), now)?);
        }
        let entries: Vec<Entry> = changes
            .iter()
            .map(|change| {
                let made = matches!(change.expected, crate::disclosure::Expected::Absent);
                let mut entry = Self::lab_visit(kept, if made { "create" } else { "update" }, now)
                    .concluded(change.patients.clone(), vec![version_made(change)]);
                entry.query = None;
                entry
            })
            .collect();
        self.commit(Commit { guards: Vec::new(), changes, entries }).await.map(drop)
    }
}

fn ended(state: State, reason: &str, patient: &Key) -> End {
    End { state, reason: reason.to_owned(), detail: findings(&[], &[]), patients: patient.to_string(), faults: Vec::new() }
}

fn sender_name(provenance: &Json) -> Option<String> {
    let agent = items(provenance.get("agent")?).next()?;
    agent.get("who")?.get("display")?.as_text().map(str::to_owned)
}

/// A new patient's name: made of the first number that tells who somebody is.
fn fresh_key(asked: &Demographics, setting: &Context) -> Key {
    let number = asked.identifiers.iter().find(|(system, _)| !system.is_empty()).or_else(|| asked.identifiers.first());
    let identity = number.map_or_else(|| setting.message.clone(), |(system, value)| format!("{system}|{value}"));
    setting.namer.key(ResourceType::Patient, &identity)
}

fn items(list: &Json) -> impl Iterator<Item = Json> {
    let items = if let Json::List(items) = list { items.clone() } else { Vec::new() };
    items.into_iter()
}

fn step(path: &str, value: Json) -> Json {
    Json::object([("op", Json::text("add")), ("path", Json::text(path)), ("value", value)])
}

/// The same steps, where these lists do not exist yet: the first item for each makes it.
fn begun(steps: &[Json], lists: &[&str]) -> Vec<Json> {
    let mut seen: Vec<String> = Vec::new();
    steps
        .iter()
        .map(|one| {
            let path = one.get("path").and_then(Json::as_text).unwrap_or_default();
            match path.strip_suffix("/-") {
                Some(list) if lists.contains(&list) && !seen.iter().any(|known| known == list) => {
                    seen.push(list.to_owned());
                    step(list, Json::one(one.get("value").cloned().unwrap_or_default()))
                }
                _ => one.clone(),
            }
        })
        .collect()
}
