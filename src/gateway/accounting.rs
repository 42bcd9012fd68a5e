//! Who saw a patient's records: the accounting of disclosures (45 CFR 164.528), the patient's own access log, and disclosures that upstream
//! systems report (FAST Consent Management).

use super::acquaintance::own_eyes;
use super::{Errand, Gateway};
use crate::access::{Caller, Predicate, authorize};
use crate::audit::{Decided, Entry, Event, TrailRow, audit_events};
use crate::disclosure::{Pending, input};
use crate::fhir::{
    Id, Instant, Interaction, Key, Need, Operation, Outcome, Problem, Refusal, Request, ResourceType, RouteOptions, Touched,
    interaction,
};
use crate::store::PageBounds;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How far an accounting looks back, in days: six years.
const LOOK_BACK: i64 = 6 * 366;
/// Days in which an accounting must be answered (45 CFR 164.528(c)).
const ANSWER: i64 = 60;
const DAY: i64 = 24 * 3_600;
/// Entries of one answer.
const MOST: usize = 10_000;

/// What an accounting holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// 45 CFR 164.528: without treatment, payment, operations, disclosures to the individual or under authorization.
    Hipaa,
    /// Everything.
    All,
}

/// Purposes that an accounting under HIPAA leaves out, each with those below it that the gateway knows.
const LEFT_OUT: &[&str] = &[
    "TREAT",
    "CAREMGT",
    "CLINTRL",
    "ETREAT",
    "COC",
    "HPAYMT",
    "CLMATTCH",
    "COVAUTH",
    "COVERAGE",
    "ELIGDTRM",
    "ELIGVER",
    "ENROLLM",
    "HOPERAT",
    "HQUALIMP",
    "HACCRED",
    "HCOMPL",
    "HSYSADMIN",
    "HDM",
    "HDIRECT",
    "PATRQT",
    "FAMRQT",
    "PWATRNY",
    "SUPNWK",
];

impl Gateway {
    /// `Patient/id/$accounting-of-disclosures`
    pub(super) async fn accounting(
        &self,
        caller: &Arc<Caller>,
        patient: &Id,
        operation: &Operation,
        errand: &Errand,
    ) -> Result<Pending, Refusal> {
        self.may_account(caller, patient, operation, errand)?;
        let given = input(&errand.body, operation)?;
        let mode = match given.text("mode").unwrap_or("all") {
            "hipaa" => Mode::Hipaa,
            "all" => Mode::All,
            other => return Err(wrong("mode", format!("`{other}` is no mode; those that are: hipaa, all"))),
        };
        let now = errand.visit.now;
        let start = moment(given.text("start"), "start", false)?.unwrap_or(now.plus_seconds(-LOOK_BACK * DAY));
        let end = moment(given.text("end"), "end", true)?.unwrap_or(now);
        if end < start {
            return Err(wrong("end", "`end` lies before `start`".to_owned()));
        }
        let entries = self.disclosures(patient, start, end).await?;
        let own = Key::new(ResourceType::Patient, patient.clone());
        let told: Vec<&TrailRow> = entries.iter().filter(|row| accounted(&row.entry, patient, &own, mode)).collect();
        let document = match given.text("format").unwrap_or("bundle") {
            "bundle" => self.bundle_of(patient, &told, now),
            "csv" => csv(&told, patient),
            other => return Err(wrong("format", format!("`{other}` is no format; those that are: bundle, csv"))),
        };
        let entry = errand.visit.concluded(vec![patient.clone()], errand.visit.record.iter().cloned().collect());
        Ok(Pending::public(document.to_string()).owes(Entry { event: Event::TrailUse("read"), ..entry }))
    }

    /// `Patient/id/$access-log`: for the patient, in plain words.
    pub(super) async fn access_log(
        &self,
        caller: &Arc<Caller>,
        patient: &Id,
        operation: &Operation,
        errand: &Errand,
    ) -> Result<Pending, Refusal> {
        self.may_account(caller, patient, operation, errand)?;
        let given = input(&errand.body, operation)?;
        let now = errand.visit.now;
        let start = moment(given.text("start"), "start", false)?.unwrap_or(now.plus_seconds(-366 * DAY));
        let end = moment(given.text("end"), "end", true)?.unwrap_or(now);
        let entries = self.disclosures(patient, start, end).await?;
        let document = json!({ "resourceType": "Parameters", "parameter": plain(&entries, patient) });
        let entry = errand.visit.concluded(vec![patient.clone()], errand.visit.record.iter().cloned().collect());
        Ok(Pending::public(document.to_string()).owes(Entry { event: Event::TrailUse("read"), ..entry }))
    }

    /// It is for the patient, with a token of their own, and for auditors.
    fn may_account(&self, caller: &Arc<Caller>, patient: &Id, operation: &Operation, errand: &Errand) -> Result<(), Refusal> {
        let permit = self.permit(caller, Interaction::Operate(operation.clone()), errand)?;
        let auditor = matches!(permit.granted(ResourceType::AuditEvent, Need::Read), Predicate::All);
        if auditor || caller.own_patient() == Some(patient) { Ok(()) } else { Err(Refusal::ExplanationRefused) }
    }

    /// What the trail has of a patient between two moments: found by the AuditEvents, told by the entries themselves.
    async fn disclosures(&self, patient: &Id, start: Instant, end: Instant) -> Result<Vec<TrailRow>, Refusal> {
        self.view_trail(ResourceType::AuditEvent).await?;
        let options = RouteOptions { base: &self.parts.base, now: self.parts.clock.now(), max_count: 1_000, known: self.known() };
        let search = format!("AuditEvent?patient={patient}&date=ge{start}&date=le{end}&_count=1000");
        let asked = interaction(&Request::get(&search), &options)?;
        let Interaction::Search(query) = asked.clone() else { return Err(Refusal::Internal) };
        let permit = own_eyes(asked)?;
        let (mut rows, mut from) = (BTreeMap::new(), None);
        loop {
            let bounds = PageBounds { count: 1_000, included: 0, bytes: 64 << 20 };
            let page = self.parts.store.search(&permit, &query, from.as_ref(), bounds).await?;
            for row in &page.matches {
                let Some((seq, _)) = self.parts.site.place(&row.facts.key.id) else { continue };
                if rows.contains_key(&seq) {
                    continue;
                }
                let found = self.parts.ledger.entries(seq - 1, 1).await.map_err(|_| Refusal::TrailUnavailable)?;
                rows.extend(found.into_iter().filter(|row| row.seq == seq).map(|row| (seq, row)));
            }
            from = page.next;
            if from.is_none() || rows.len() >= MOST {
                break;
            }
        }
        Ok(rows.into_values().filter(|row| row.entry.patients.contains(patient)).collect())
    }

    fn bundle_of(&self, patient: &Id, told: &[&TrailRow], now: Instant) -> Value {
        let site = &self.parts.site;
        let entries: Vec<Value> = told
            .iter()
            .flat_map(|row| audit_events(row.seq, &row.entry, site))
            .filter(|(_, text)| text.contains(&format!("\"Patient/{patient}\"")))
            .filter_map(|(id, text)| {
                let mut resource: Value = serde_json::from_str(&text).ok()?;
                // The words of a search may name others than whom the accounting is for, and it is made to be handed over.
                if let Some(entities) = resource.get_mut("entity").and_then(Value::as_array_mut) {
                    entities.retain(|entity| entity.get("query").is_none());
                }
                Some(json!({ "fullUrl": format!("{}/AuditEvent/{id}", self.parts.base), "resource": resource }))
            })
            .collect();
        json!({
            "resourceType": "Bundle", "type": "collection", "timestamp": now.to_string(),
            "meta": { "tag": [{ "system": "urn:amanat:accounting", "code": "answer-by", "display": now.plus_seconds(ANSWER * DAY).to_string() }] },
            "entry": entries,
        })
    }

    /// `AuditEvent/$recordDisclosure`: an upstream system tells whom it disclosed what to, or that a consultation led to no sharing.
    pub(super) fn record_disclosure(&self, caller: &Arc<Caller>, errand: &Errand) -> Result<Pending, Refusal> {
        let operation = Operation::RecordDisclosure;
        authorize(caller, Interaction::Operate(operation.clone()))?;
        registered_source(caller)?;
        let given = input(&errand.body, &operation)?;
        let patient = local(given.text("patient").unwrap_or_default(), &self.parts.base)
            .filter(|key| key.resource_type == ResourceType::Patient)
            .ok_or_else(|| wrong("patient", "must be a reference to a Patient of this server".to_owned()))?;
        let records: Vec<Touched> = given
            .texts("record")
            .map(|text| {
                let key = local(text, &self.parts.base).ok_or_else(|| wrong("record", format!("`{text}` is no record")))?;
                Ok(Touched { resource_type: key.resource_type, id: key.id, version: None })
            })
            .collect::<Result<_, Refusal>>()?;
        let consents: Vec<Key> = given
            .texts("consent")
            .map(|text| local(text, &self.parts.base).ok_or_else(|| wrong("consent", format!("`{text}` is no record"))))
            .collect::<Result<_, _>>()?;
        let shared = given.text("outcome").unwrap_or("shared");
        let event = match shared {
            "shared" => Event::Disclosure("reported"),
            "not-shared" => Event::Disclosure("none"),
            other => return Err(wrong("outcome", format!("`{other}` is no outcome; those that are: shared, not-shared"))),
        };
        let mut entry = errand.visit.concluded(vec![patient.id.clone()], records);
        entry.event = event;
        if let Some(purpose) = given.text("purpose") {
            entry.agent.purposes = vec![purpose.to_owned()];
        }
        if !consents.is_empty() {
            entry.decided = vec![Decided { patient: patient.id, consents }];
        }
        let told = format!(
            "recipient={} when={} what={}",
            crate::fhir::encode(given.text("recipient").unwrap_or_default()),
            given.text("when").unwrap_or_default(),
            crate::fhir::encode(given.text("what").unwrap_or_default())
        );
        let answer = json!({ "resourceType": "Parameters", "parameter": [{ "name": "recorded", "valueInstant": errand.visit.now.to_string() }] });
        Ok(Pending::public(answer.to_string()).owes(entry.asking(&told)))
    }
}

/// `AuditEvent?patient=me`: the caller's own patient in its place. `None` for every other request.
pub(super) fn mine(request: &Request, caller: &Caller) -> Option<Request> {
    if request.path != "AuditEvent" || request.form.is_some() || !request.query.split('&').any(|pair| pair == "patient=me") {
        return None;
    }
    let own = caller.own_patient()?;
    let query: Vec<String> = request
        .query
        .split('&')
        .map(|pair| if pair == "patient=me" { format!("patient={own}") } else { pair.to_owned() })
        .collect();
    Some(Request { query: query.join("&"), ..request.clone() })
}

/// A source of audit events is a client whose registration names AuditEvent itself; a scope on everything is none.
pub(super) fn registered_source(caller: &Caller) -> Result<(), Refusal> {
    let named = caller
        .scopes
        .grants
        .iter()
        .any(|grant| grant.resource_type == Some(ResourceType::AuditEvent) && grant.needs.contains(&Need::Create));
    if named { Ok(()) } else { Err(Refusal::ScopeMissing { needed: "system/AuditEvent.c".to_owned() }) }
}

fn local(text: &str, base: &str) -> Option<Key> {
    Key::parse(text.strip_prefix(base).map_or(text, |rest| rest.trim_start_matches('/')))
}

fn wrong(name: &'static str, text: String) -> Refusal {
    Refusal::Unprocessable(vec![Problem::at("value", name, text)])
}

/// A moment, or a day: its first or last moment.
fn moment(text: Option<&str>, name: &'static str, last: bool) -> Result<Option<Instant>, Refusal> {
    let Some(text) = text else { return Ok(None) };
    let time = if last { "T23:59:59.999Z" } else { "T00:00:00Z" };
    let read = Instant::parse(text).or_else(|| Instant::parse(&format!("{text}{time}")));
    read.map(Some).ok_or_else(|| wrong(name, format!("`{text}` is neither a date nor a moment")))
}

/// Does the entry tell that something of this patient was disclosed, as this mode counts?
fn accounted(entry: &Entry, patient: &Id, own: &Key, mode: Mode) -> bool {
    let shown = entry.outcome == Outcome::Success
        && match entry.event {
            Event::Rest(word) => {
                !matches!(word, "create" | "update" | "patch" | "delete" | "capabilities" | "batch" | "transaction")
            }
            Event::Export(_) => true,
            Event::Disclosure(word) => word != "none",
            _ => false,
        };
    if !shown || mode == Mode::All {
        return shown;
    }
    let purposes = &entry.agent.purposes;
    let routine = !purposes.is_empty() && purposes.iter().all(|purpose| LEFT_OUT.contains(&purpose.as_str()));
    let authorized = entry.decided.iter().any(|decided| decided.patient == *patient && !decided.consents.is_empty());
    !(routine || authorized || entry.agent.user.as_ref() == Some(own))
}

fn who(entry: &Entry) -> String {
    let agent = &entry.agent;
    let person = agent.user.as_ref().map_or_else(|| agent.client.clone(), ToString::to_string);
    match &agent.organization {
        Some(organization) => format!("{person} for {organization}"),
        None => person,
    }
}

fn kinds(entry: &Entry) -> Vec<&'static str> {
    let mut kinds: Vec<&'static str> = entry.records.iter().map(|record| record.resource_type.name()).collect();
    kinds.sort_unstable();
    kinds.dedup();
    kinds
}

/// Disclosures of one kind to one recipient.
struct Series {
    first: Instant,
    last: Instant,
    times: usize,
    address: String,
}

/// Date, recipient, address, what, purpose: a line each; repeated disclosures to one recipient in summary form.
fn csv(told: &[&TrailRow], patient: &Id) -> Value {
    let field = |text: &str| format!("\"{}\"", text.replace('"', "\"\"").replace(['\r', '\n'], " "));
    let mut series: BTreeMap<[String; 3], Series> = BTreeMap::new();
    for row in told {
        let entry = &row.entry;
        let key = [who(entry), kinds(entry).join(" "), entry.agent.purposes.join(" ")];
        let fresh = || Series { first: entry.recorded, last: entry.recorded, times: 0, address: entry.agent.address.clone() };
        let one = series.entry(key).or_insert_with(fresh);
        (one.last, one.times) = (entry.recorded, one.times + 1);
    }
    let mut text = "first,last,times,recipient,address,what,purpose\r\n".to_owned();
    for ([recipient, what, purpose], Series { first, last, times, address }) in &series {
        let line = [
            first.to_string(),
            last.to_string(),
            times.to_string(),
            recipient.clone(),
            address.clone(),
            what.clone(),
            purpose.clone(),
        ];
        // A cell that begins with a sign would be a formula to a spreadsheet.
        let safe = |text: &String| if text.starts_with(['=', '+', '-', '@']) { field(&format!("'{text}")) } else { field(text) };
        text.push_str(&line.iter().map(safe).collect::<Vec<_>>().join(","));
        text.push_str("\r\n");
    }
    json!({ "resourceType": "Binary", "contentType": "text/csv; charset=utf-8", "securityContext": { "reference": format!("Patient/{patient}") }, "data": STANDARD.encode(text) })
}

/// People first, each access in a sentence; systems together, labelled as such.
fn plain(entries: &[TrailRow], patient: &Id) -> Vec<Value> {
    let mut people: Vec<Value> = Vec::new();
    let mut systems: BTreeMap<[String; 2], (Instant, usize)> = BTreeMap::new();
    for row in entries.iter().rev() {
        let entry = &row.entry;
        let seen = entry.outcome == Outcome::Success
            && !entry.is_opening()
            && matches!(entry.event, Event::Rest(_) | Event::Export(_) | Event::Disclosure(_) | Event::Override(_));
        if !seen {
            continue;
        }
        if entry.agent.user.is_some() {
            people.push(json!({ "name": "access", "part": sentence(entry, patient) }));
        } else {
            let one = systems.entry([who(entry), kinds(entry).join(", ")]).or_insert((entry.recorded, 0));
            (one.0, one.1) = (one.0.max(entry.recorded), one.1 + 1);
        }
    }
    people.extend(systems.into_iter().map(|([name, what], (last, times))| {
        let text = format!("The system {name} handled your data {times} times, last on {}.", &last.to_string()[..10.min(Instant::TEXT_LENGTH)]);
        json!({ "name": "system", "part": [
            { "name": "text", "valueString": text }, { "name": "who", "valueString": name }, { "name": "times", "valueInteger": times },
            { "name": "last", "valueInstant": last.to_string() }, { "name": "what", "valueString": what },
        ] })
    }));
    people
}

fn sentence(entry: &Entry, patient: &Id) -> Vec<Value> {
    let (name, what) = (who(entry), kinds(entry).join(", "));
    let emergency = matches!(entry.event, Event::Override(_)) || entry.agent.purposes.iter().any(|purpose| purpose == "BTG");
    let verb = match entry.event {
        Event::Rest("create" | "update" | "patch") => "wrote to",
        Event::Rest("delete") => "deleted something in",
        Event::Override("started") => "opened, for an emergency,",
        Event::Override(_) => "closed, after an emergency,",
        Event::Export(_) | Event::Disclosure(_) => "passed on data of",
        _ => "looked at",
    };
    let kinds = if what.is_empty() { String::new() } else { format!(" ({what})") };
    let why = if entry.agent.purposes.is_empty() {
        "no purpose was given".to_owned()
    } else {
        format!("purpose: {}", entry.agent.purposes.join(", "))
    };
    let mut parts = vec![
        json!({ "name": "text", "valueString": format!("{name} {verb} your record{kinds}; {why}.") }),
        json!({ "name": "when", "valueInstant": entry.recorded.to_string() }),
        json!({ "name": "who", "valueString": name }),
        json!({ "name": "emergency", "valueBoolean": emergency }),
    ];
    if !what.is_empty() {
        parts.push(json!({ "name": "what", "valueString": what }));
    }
    let consents = entry.decided.iter().filter(|decided| decided.patient == *patient).flat_map(|decided| &decided.consents);
    parts.extend(consents.map(|key| json!({ "name": "consent", "valueReference": { "reference": key.to_string() } })));
    parts
}
