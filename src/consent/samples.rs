//! For tests: people, records and consents made by hand, and the question put to both evaluators at once.

use super::{
    Actions, ConsentSettings, Directory, ImplicitPolicy, Question, Requester, Site, Standing, Vocabulary, compile, reference,
    verdicts,
};
use super::{bit_of, handling_of};
use crate::access::{Caller, Condition, Scopes, Test};
use crate::fhir::json::Document;
use crate::fhir::{
    Confidentiality, Dates, Fact, FactSet, Facts, Id, Instant, Interval, Key, Marks, ResourceType, Version, is_hub,
};
use serde_json::{Value, json};
use std::collections::BTreeSet;

pub(super) const ACT_REASON: &str = "http://terminology.hl7.org/CodeSystem/v3-ActReason";
pub(super) const ACT_CODE: &str = "http://terminology.hl7.org/CodeSystem/v3-ActCode";
pub(super) const CONFIDENTIALITY: &str = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality";

pub(super) fn key(text: &str) -> Key {
    Key::parse(text).unwrap()
}

pub(super) fn at(text: &str) -> Instant {
    Instant::parse(text).unwrap()
}

fn texts(value: &Value) -> Vec<&str> {
    value.as_array().into_iter().flatten().map(|one| one.as_str().unwrap()).collect()
}

/// Facts of a record, from a description: `id`, `patients`, `conf`, `sens`, `handling`, `authors`, `references`, `dates` (pairs),
/// `primary_codes` and `any_codes` (`system|code`), `profiles`, `mimes`.
pub(super) fn facts(of: &Value) -> Facts {
    let key = key(of["id"].as_str().unwrap());
    let bits = |name: &str, one: fn(&str) -> u64| texts(&of[name]).into_iter().fold(0, |all, code| all | one(code));
    let sensitivity = bits("sens", |code| match bit_of(code) {
        0 => 1 << super::OTHER,
        bit => bit,
    });
    let mut named = Vec::new();
    let mut add = |fact: Fact| named.push(fact);
    for author in texts(&of["authors"]) {
        add(Key::parse(author).map_or_else(|| Fact::author_named(author), |key| Fact::author(&key)));
    }
    for one in texts(&of["references"]) {
        add(Fact::names(&self::key(one)));
    }
    let split = |coding: &str| coding.rsplit_once('|').map(|(system, code)| (system.to_owned(), code.to_owned())).unwrap();
    texts(&of["primary_codes"]).into_iter().map(split).for_each(|(system, code)| add(Fact::primary(&system, &code)));
    for (system, code) in texts(&of["any_codes"]).into_iter().map(split) {
        add(Fact::coding(&system, &code));
        add(Fact::code(&code));
    }
    for one in texts(&of["profiles"]) {
        add(Fact::profile(one));
    }
    for one in texts(&of["mimes"]) {
        add(Fact::mime(one));
    }
    let interval = |pair: &Value| Interval { low: at(pair[0].as_str().unwrap()), high: at(pair[1].as_str().unwrap()) };
    let timeless = matches!(key.resource_type, ResourceType::Patient | ResourceType::RelatedPerson | ResourceType::Person);
    let dates = of["dates"].as_array().into_iter().flatten().map(interval).collect();
    let floor = Vocabulary::default().floor(sensitivity);
    let confidentiality = of["conf"].as_str().map_or(Confidentiality::N, |code| Confidentiality::parse(code).unwrap()).max(floor);
    Facts {
        version: Version(1),
        updated: Instant(0),
        deleted: false,
        patients: texts(&of["patients"]).into_iter().map(|one| Id::parse(one.trim_start_matches("Patient/")).unwrap()).collect(),
        marks: Marks {
            confidentiality,
            sensitivity,
            handling: bits("handling", handling_of),
            dates: if timeless { Dates::Timeless } else { Dates::At(dates) },
            facts: FactSet::of(&key, named),
            ruleset: 1,
        },
        key,
    }
}

/// The records of the patient `m`, one of `n`, and one of both.
pub(super) fn records() -> Vec<Facts> {
    let day = |text: &str| json!([[format!("{text}T00:00:00Z"), format!("{text}T23:59:59Z")]]);
    let made = [
        json!({"id": "Patient/m", "patients": ["m"]}),
        json!({"id": "Encounter/visit", "patients": ["m"], "references": ["Patient/m"], "dates": day("2021-03-01")}),
        json!({"id": "Observation/pulse", "patients": ["m"], "references": ["Patient/m", "Encounter/visit"], "dates": day("2021-03-01"),
            "authors": ["Practitioner/doc"], "primary_codes": ["urn:c|pulse"], "any_codes": ["urn:c|pulse"]}),
        json!({"id": "Observation/undated", "patients": ["m"], "references": ["Patient/m"]}),
        json!({"id": "Observation/drink", "patients": ["m"], "sens": ["ETHUD"], "dates": day("2022-05-05")}),
        json!({"id": "Condition/mood", "patients": ["m"], "sens": ["PSY"], "dates": day("2022-06-06"),
            "primary_codes": ["urn:c|mood"], "any_codes": ["urn:c|mood", "urn:c|pulse"]}),
        json!({"id": "Observation/virus", "patients": ["m"], "sens": ["HIV"], "dates": day("2023-01-01")}),
        json!({"id": "Condition/two", "patients": ["m"], "sens": ["HIV", "PSY"], "dates": day("2023-02-02")}),
        json!({"id": "DocumentReference/talk", "patients": ["m"], "sens": ["PSYTHPN"], "mimes": ["text/plain"], "dates": day("2023-03-03")}),
        json!({"id": "Observation/n1", "patients": ["n"], "dates": day("2022-01-01")}),
        json!({"id": "List/family", "patients": ["m", "n"], "references": ["Patient/m", "Patient/n"]}),
    ];
    made.iter().map(facts).collect()
}

/// Who asks.
#[derive(Debug, Clone)]
pub(super) struct Who {
    pub(super) references: Vec<String>,
    pub(super) roles: Vec<String>,
    pub(super) own: Option<&'static str>,
    pub(super) proxy_for: Vec<&'static str>,
    pub(super) grants: Vec<&'static str>,
    pub(super) purposes: Vec<String>,
    pub(super) actions: Actions,
    pub(super) now: Instant,
    /// Groups and their like whose members are known.
    pub(super) resolved: Vec<String>,
}

/// A practitioner of Organization/here, member of Group/night, who treats.
pub(super) fn doc() -> Who {
    let owned = |all: &[&str]| all.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>();
    Who {
        references: owned(&["Practitioner/doc", "Organization/here", "Group/night"]),
        roles: owned(&["clinician"]),
        own: None,
        proxy_for: Vec::new(),
        grants: Vec::new(),
        purposes: owned(&["TREAT"]),
        actions: Actions::ACCESS,
        now: at("2025-06-01T10:00:00Z"),
        resolved: owned(&["Group/night", "Group/day"]),
    }
}

impl Who {
    pub(super) fn purposes(mut self, codes: &[&str]) -> Self {
        self.purposes = codes.iter().map(|one| (*one).to_owned()).collect();
        self
    }

    pub(super) fn requester(&self) -> Requester {
        let user = self.references.first().and_then(|one| Key::parse(one));
        let user =
            user.filter(|key| key.resource_type != ResourceType::Organization && key.resource_type != ResourceType::Device);
        let caller = Caller {
            issuer: String::new(),
            subject: String::new(),
            client: String::new(),
            user,
            organization: None,
            scopes: Scopes::default(),
            patient: None,
            encounter: None,
            purposes: self.purposes.clone(),
            acr: None,
            sign_in: crate::access::SignIn::default(),
            token_id: None,
            expires: Instant(0),
        };
        let ids = |all: &[&str]| all.iter().map(|one| Id::parse(one).unwrap()).collect::<BTreeSet<_>>();
        let standing = Standing {
            references: self.references.iter().map(|one| key(one)).collect(),
            identifiers: BTreeSet::new(),
            roles: self.roles.iter().cloned().collect(),
            own: self.own.and_then(Id::parse),
            proxy_for: ids(&self.proxy_for),
            grants: ids(&self.grants),
            complete: true,
            valid_until: Instant(i64::MAX),
        };
        Requester::of(&caller, self.actions, &standing)
    }
}

pub(super) fn settings(implicit_policy: ImplicitPolicy) -> ConsentSettings {
    let custodian = vec!["Organization/keeper".to_owned()];
    ConsentSettings { implicit_policy, custodian, ..ConsentSettings::default() }
}

pub(super) fn directory(consents: &[Value], site: &Site) -> Directory {
    let mut directory = Directory::default();
    for (at, consent) in consents.iter().enumerate() {
        let document = Document::parse(consent.to_string().as_bytes()).unwrap();
        let _ = directory.put(&key(&format!("Consent/c{at}")), Version(1), Some(compile(&document, site)));
    }
    directory
}

/// An active consent of `m` with these further members.
pub(super) fn consent(members: &Value) -> Value {
    let mut consent = json!({
        "resourceType": "Consent", "status": "active", "patient": {"reference": "Patient/m"}, "dateTime": "2020-01-01",
        "scope": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "patient-privacy"}]},
        "policy": [{"uri": "urn:policy"}],
    });
    consent.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    if consent.get("policyRule").is_some() && members.get("policy").is_none() {
        consent.as_object_mut().unwrap().remove("policy");
    }
    consent
}

/// A consent with this provision.
pub(super) fn with(provision: &Value) -> Value {
    consent(&json!({ "provision": provision }))
}

pub(super) fn label(code: &str) -> Value {
    let system = if Confidentiality::parse(code).is_some() { CONFIDENTIALITY } else { ACT_CODE };
    json!({"system": system, "code": code})
}

pub(super) fn purpose(code: &str) -> Value {
    json!({"system": ACT_REASON, "code": code})
}

pub(super) fn to(reference: &str) -> Value {
    json!([{"reference": {"reference": reference}}])
}

/// Decides a condition with other records at hand.
pub(super) fn holds(condition: &Condition, facts: &Facts, look: &dyn Fn(&Key) -> Option<Facts>) -> bool {
    match condition {
        Condition::Not(inner) => !holds(inner, facts, look),
        Condition::And(all) => all.iter().all(|one| holds(one, facts, look)),
        Condition::Or(any) => any.iter().any(|one| holds(one, facts, look)),
        Condition::Test(Test::ReferredToBy(keys)) => keys.iter().any(|key| {
            let referred = || look(key).is_some_and(|named| named.marks.facts.contains(Fact::names(&facts.key)));
            facts.key == *key || (!is_hub(facts.key.resource_type) && referred())
        }),
        one => one.holds(facts).unwrap(),
    }
}

/// What the caller sees of these records. Both evaluators are asked, and must agree.
pub(super) fn seen_of(records: &[Facts], consents: &[Value], who: &Who, settings: &ConsentSettings) -> BTreeSet<String> {
    let site = Site::new(settings, "https://own/fhir");
    let directory = directory(consents, &site);
    let requester = who.requester();
    let resolves = |key: &Key| who.resolved.contains(&key.to_string());
    let question = Question { requester: &requester, site: &site, resolves: &resolves, now: who.now };
    let ruling = verdicts(&directory, &question);
    let look = |key: &Key| records.iter().find(|one| one.key == *key).cloned();
    let mut seen = BTreeSet::new();
    for record in records {
        let folded = record.patients.iter().all(|patient| holds(ruling.verdicts.of(patient), record, &look));
        let trace = reference::explain(&directory, &question, record, &look);
        assert_eq!(folded, trace.permitted, "{}\n{consents:#?}\n{trace:#?}\n{:#?}", record.key, ruling.verdicts);
        if folded {
            seen.insert(record.key.to_string());
        }
    }
    seen
}

/// What the caller sees of the records made here.
pub(super) fn seen(consents: &[Value], who: &Who, settings: &ConsentSettings) -> BTreeSet<String> {
    seen_of(&records(), consents, who, settings)
}
