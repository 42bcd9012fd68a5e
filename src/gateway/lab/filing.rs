//! Filing a message: its patients matched, its records mapped and committed, its end noted and told.

use super::super::Gateway;
use super::intake::{acceptable, look, number, reason};
use super::matching::Whose;
use super::queue::findings;
use crate::fhir::json::Document;
use crate::fhir::matching::Demographics;
use crate::fhir::{Key, Refusal};
use crate::lab::acknowledge::{Mode, Verdict, acknowledgement};
use crate::lab::fhir_message::FhirMessage;
use crate::lab::mapping::json::Json;
use crate::lab::mapping::{self, Context, Matter};
use crate::lab::mllp::Trouble;
use crate::lab::tables::{OnUnmatched, Sender};
use crate::lab::v2::{Fault, FaultKind};
use crate::store::lab::{Kept, Settlement, State};

/// How the filing of a message ended.
#[derive(Debug, Clone)]
pub(super) struct End {
    pub(super) state: State,
    pub(super) reason: String,
    pub(super) detail: String,
    pub(super) patients: String,
    pub(super) faults: Vec<Fault>,
}

impl End {
    /// What the sender must correct, or cannot send here.
    pub(super) fn faulty(faults: Vec<Fault>) -> Self {
        let state = if Verdict::on(&faults) == Verdict::Rejected { State::Rejected } else { State::Failed };
        let reason = faults.first().map_or("syntax", reason).to_owned();
        Self { state, reason, detail: findings(&faults, &[]), patients: String::new(), faults }
    }

    /// It is not granted.
    pub(super) fn not_granted(text: String) -> Self {
        let faults = vec![Fault::of(FaultKind::Application, text)];
        Self {
            state: State::Rejected,
            reason: "grant".to_owned(),
            detail: findings(&faults, &[]),
            patients: String::new(),
            faults,
        }
    }

    /// A person must decide.
    pub(super) fn held(reason: &str, detail: String) -> Self {
        Self { state: State::Held, reason: reason.to_owned(), detail, patients: String::new(), faults: Vec::new() }
    }

    fn verdict(&self) -> Verdict {
        match self.state {
            State::Failed => Verdict::Error,
            State::Rejected => Verdict::Rejected,
            _ => Verdict::Accepted,
        }
    }
}

/// Whether nothing is wrong with the message, and trying again later may help.
pub(super) fn is_transient(refusal: &Refusal) -> bool {
    matches!(
        refusal,
        Refusal::StoreUnavailable
            | Refusal::StoreFull(_)
            | Refusal::TrailUnavailable
            | Refusal::Conflict
            | Refusal::Internal
            // Its records have ids that follow from the message: what was made before is found again.
            | Refusal::UpstreamSlow
            | Refusal::UpstreamBusy(_)
            | Refusal::UpstreamInDoubt
            | Refusal::ConsentsStale
    )
}

impl Gateway {
    /// Files a message that was stored, unless that was done before; the acknowledgement of the application, when one is wanted.
    pub(super) async fn file_message(&self, id: &str) -> Result<Option<Vec<u8>>, Trouble> {
        let kept = self.parts.lab.store.message(id).await.map_err(|_| Trouble)?.ok_or(Trouble)?;
        if !matches!(kept.state, State::Received | State::Failed | State::Rejected) {
            return Ok(kept.answer);
        }
        let end = match self.process(&kept).await {
            Ok(end) => end,
            Err(refusal) if is_transient(&refusal) => {
                tracing::warn!(message = id, code = refusal.told().code, "a message of a laboratory could not be filed now");
                return Err(Trouble);
            }
            Err(refusal) => held_by(&refusal),
        };
        let answer = self.answer_to(&kept, &end);
        let settlement = Settlement {
            state: end.state,
            reason: end.reason,
            detail: end.detail,
            patients: end.patients,
            answer: answer.clone(),
            now: self.parts.clock.now(),
        };
        metrics::counter!("amanat_lab_ends_total", "state" => end.state.word()).increment(1);
        if self.parts.lab.store.settle(id, kept.replay, settlement).await.map_err(|_| Trouble)? {
            return Ok(answer);
        }
        let now = self.parts.lab.store.message(id).await.map_err(|_| Trouble)?.ok_or(Trouble)?;
        Ok(now.answer)
    }

    /// The application's acknowledgement: the same each time that it is made for the same end.
    fn answer_to(&self, kept: &Kept, end: &End) -> Option<Vec<u8>> {
        if kept.feed.door == "fhir" {
            return None;
        }
        let looked = look(&kept.content, &kept.feed.client, &self.parts.lab.rules);
        let verdict = end.verdict();
        let wanted = match &looked.message {
            Ok(message) => match Mode::of(message, looked.sender.acknowledge_to_the_letter) {
                Mode::Original => true,
                Mode::Enhanced { application, .. } => application.wants(verdict == Verdict::Accepted),
            },
            Err(_) => true,
        };
        let text = end.faults.first().map(|fault| fault.text.clone()).unwrap_or_default();
        wanted.then(|| {
            acknowledgement(&looked.header, verdict.code(false), &end.faults, &text, &number(&kept.id, 'A'), kept.received)
        })
    }

    async fn process(&self, kept: &Kept) -> Result<End, Refusal> {
        if kept.feed.door == "fhir" {
            return self.process_fhir(kept).await;
        }
        let rules = &self.parts.lab.rules;
        let looked = look(&kept.content, &kept.feed.client, rules);
        let message = match looked.message {
            Ok(message) => message,
            Err(fault) => return Ok(End::faulty(vec![fault])),
        };
        let matter = match acceptable(&message, &kept.feed.client, &looked.sender, rules) {
            Ok(matter) => matter,
            Err(fault) => return Ok(End::faulty(vec![fault])),
        };
        let context = self.lab_context(kept, looked.sender);
        if self.is_testified(&context).await? {
            return Ok(filed_before(kept));
        }
        if matches!(matter, Matter::Identity | Matter::Merge) {
            return self.file_identity(kept, &message, matter, &context).await;
        }
        let patients = match mapping::patients(&message, &context) {
            Ok(patients) => patients,
            Err(faults) => return Ok(End::faulty(faults)),
        };
        let subjects = match self.subjects(kept, &patients, &context.sender).await? {
            Ok(subjects) => subjects,
            // What its sender must correct is told at once, whoever it is about.
            Err(end) => return Ok(mapping::map(&message, &nobody(patients.len()), &context).map_or_else(End::faulty, |_| *end)),
        };
        match mapping::map(&message, &subjects, &context) {
            Ok(plan) => self.file_plan(kept, &plan, &subjects).await,
            Err(faults) => Ok(End::faulty(faults)),
        }
    }

    async fn process_fhir(&self, kept: &Kept) -> Result<End, Refusal> {
        let wrong = |text: String| Ok(End::faulty(vec![Fault::of(FaultKind::DataType, text)]));
        let Ok(document) = Document::parse(&kept.content) else { return wrong("the message is no JSON".to_owned()) };
        let message = match FhirMessage::read(&document) {
            Ok(message) => message,
            Err(problems) => return wrong(problems.into_iter().map(|problem| problem.text).collect::<Vec<_>>().join("; ")),
        };
        let context = self.lab_context(kept, Sender::default());
        if self.is_testified(&context).await? {
            return Ok(filed_before(kept));
        }
        let patients = message.patients();
        if patients.is_empty() {
            return wrong("there is no Patient in the message: whose results are these?".to_owned());
        }
        let subjects = match self.subjects(kept, &patients, &context.sender).await? {
            Ok(subjects) => subjects,
            Err(end) => return Ok(message.map(&nobody(patients.len()), &context).map_or_else(End::faulty, |_| *end)),
        };
        match message.map(&subjects, &context) {
            Ok(plan) => self.file_plan(kept, &plan, &subjects).await,
            Err(faults) => Ok(End::faulty(faults)),
        }
    }

    /// Whether this message, in this replay, has been filed.
    async fn is_testified(&self, context: &Context) -> Result<bool, Refusal> {
        let key = context.testimony();
        Ok(self.parts.store.versions(&[key]).await?.into_iter().flatten().next().is_some())
    }

    /// The references of the patients of a message: those that a person decided on, else those that match for certain.
    async fn subjects(&self, kept: &Kept, patients: &[Json], sender: &Sender) -> Result<Result<Vec<String>, Box<End>>, Refusal> {
        let decided: Vec<&str> = kept.decided.split(' ').filter(|one| !one.is_empty()).collect();
        if !decided.is_empty() && decided.len() == patients.len() {
            return Ok(Ok(decided.into_iter().map(str::to_owned).collect()));
        }
        let mut subjects = Vec::with_capacity(patients.len());
        for patient in patients {
            let text = patient.to_string();
            let document = Document::parse(text.as_bytes()).map_err(|_| Refusal::Internal)?;
            match self.whose(&Demographics::read(document.root())).await? {
                Whose::This(found) if outside(sender, found.compared.managed_by.as_deref()) => {
                    return Ok(Err(Box::new(End::held("patient-outside-grant", "[]".to_owned()))));
                }
                Whose::This(found) => subjects.push(found.row.facts.key.to_string()),
                Whose::Unclear(..) if sender.on_unmatched == OnUnmatched::Reject => {
                    let text = "the patient is not known here for certain, and this site takes no such results from this sender";
                    return Ok(Err(Box::new(End::faulty(vec![Fault::at(FaultKind::Application, "PID", 3, text)]))));
                }
                Whose::Unclear(why, candidates) => return Ok(Err(Box::new(End::held(why, told(&candidates))))),
            }
        }
        Ok(Ok(subjects))
    }
}

/// Stands for patients whom nobody knows, to see whether the rest of a message can be mapped.
fn nobody(count: usize) -> Vec<String> {
    (0..count).map(|at| format!("Patient/unmatched-{at}")).collect()
}

/// Whether a patient is none of those whose results this sender may file.
fn outside(sender: &Sender, managed_by: Option<&str>) -> bool {
    !sender.patients_of.is_empty()
        && managed_by.is_none_or(|organization| !sender.patients_of.iter().any(|one| one == organization))
}

/// Candidates as findings.
pub(super) fn told(candidates: &[(Key, f64)]) -> String {
    let all: Vec<serde_json::Value> = candidates
        .iter()
        .map(|(key, score)| serde_json::json!({"kind": "candidate", "about": key.to_string(), "text": format!("score {score:.2}")}))
        .collect();
    serde_json::Value::from(all).to_string()
}

fn filed_before(kept: &Kept) -> End {
    End {
        state: State::Filed,
        reason: String::new(),
        detail: kept.detail.clone(),
        patients: kept.patients.clone(),
        faults: Vec::new(),
    }
}

/// A refusal that neither the sender nor time will mend.
fn held_by(refusal: &Refusal) -> End {
    match refusal {
        Refusal::ScopeMissing { needed } => {
            return End::not_granted(format!("the grant does not cover this; it would need `{needed}`"));
        }
        Refusal::WriteOutsideGrant => return End::not_granted("a record lies outside the grant".to_owned()),
        _ => {}
    }
    let problems: Vec<serde_json::Value> = refusal
        .problems()
        .iter()
        .map(|problem| serde_json::json!({"kind": "problem", "place": problem.expression, "about": "", "text": problem.text}))
        .collect();
    let told = refusal.told();
    let detail = if problems.is_empty() {
        serde_json::json!([{"kind": "problem", "about": told.code, "text": told.text}]).to_string()
    } else {
        serde_json::Value::from(problems).to_string()
    };
    let moved = refusal.problems().iter().any(|problem| problem.text.contains("move to another patient"));
    End::held(if moved { "patient-changed" } else { "record-refused" }, detail)
}
