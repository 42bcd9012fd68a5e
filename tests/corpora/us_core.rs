//! The searches that US Core 6.1 and 7.0 ask of a server, over the examples of the guide and a patient of its test suite. Each is asked
//! with values that a record has, by GET and by POST, and must find what `tests/oracle` finds in the raw JSON.

use super::hospital::{Hospital, Reply};
use super::source::{files, folder, lines};
use super::tree::Tree;
use crate::oracle::{Kind, World, askable, find};
use crate::support::BASE;
use amanat::fhir::encode;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// Type: combinations, each of names joined by `+`. A name with `*` is asked with the prefixes of dates, one with `|` with several values.
const SEARCHES: &str = "
AllergyIntolerance: patient patient+clinical-status
CarePlan: patient+category patient+category+date* patient+category+status| patient+category+date*+status|
CareTeam: patient+status role patient+role
Condition: patient patient+category patient+_lastUpdated patient+abatement-date* patient+asserted-date* patient+clinical-status patient+code patient+onset-date* patient+recorded-date* patient+category+clinical-status patient+category+encounter
Coverage: patient
Device: patient patient+status| patient+type
DiagnosticReport: patient patient+category patient+code patient+category+date* patient+status| patient+_lastUpdated+category patient+code+date*
DocumentReference: _id patient patient+category patient+type patient+category+date* patient+status| patient+period*+type
Encounter: _id patient patient+date* identifier patient+_lastUpdated patient+class patient+discharge-disposition patient+location patient+status patient+type
Goal: patient patient+description patient+lifecycle-status patient+target-date*
Immunization: patient patient+date* patient+status
Location: address name address-city address-postalcode address-state
MedicationDispense: patient patient+status| patient+status|+type|
MedicationRequest: patient+intent| patient+intent|+status| patient+authoredon*+intent patient+encounter+intent
Observation: patient+category patient+code patient+category+date* patient+_lastUpdated+category patient+category+status| patient+code+date*
Organization: address name
Patient: _id identifier name birthdate+name gender+name birthdate+family death-date+family family+gender
Practitioner: identifier name _id
PractitionerRole: practitioner specialty
Procedure: patient patient+date* patient+status| patient+code+date*
QuestionnaireResponse: _id patient patient+authored* patient+questionnaire patient+status|
RelatedPerson: _id name patient patient+name
ServiceRequest: _id patient patient+category patient+code patient+authored*+category patient+status| patient+authored*+code
Specimen: _id patient
";

const INCLUDES: [(&str, &str); 8] = [
    ("CareTeam", "participant:Patient"),
    ("CareTeam", "participant:Practitioner"),
    ("CareTeam", "participant:PractitionerRole"),
    ("CareTeam", "participant:RelatedPerson"),
    ("MedicationDispense", "medication"),
    ("MedicationRequest", "medication"),
    ("PractitionerRole", "endpoint"),
    ("PractitionerRole", "practitioner"),
];

/// The guide's own search parameters: base, code, type, expression.
const OWN: [[&str; 4]; 4] = [
    ["CareTeam", "role", "token", "CareTeam.participant.role"],
    [
        "Condition",
        "asserted-date",
        "date",
        "Condition.extension.where(url = 'http://hl7.org/fhir/StructureDefinition/condition-assertedDate').value",
    ],
    ["Encounter", "discharge-disposition", "token", "Encounter.hospitalization.dischargeDisposition"],
    ["Goal", "description", "token", "Goal.description"],
];

const PREFIXES: [&str; 5] = ["", "gt", "ge", "lt", "le"];

/// The records of both sets; those of the suite that have the same key give way.
fn records() -> Option<BTreeMap<String, String>> {
    let (examples, suite) = (folder("us-core-6.1-examples")?, folder("inferno-reference-data")?);
    let mut all: BTreeMap<String, String> = BTreeMap::new();
    for (_, text) in files(&suite).into_iter().filter(|(name, _)| name.contains("bundle_patient_85")) {
        let bundle = Tree::read(&text);
        let records: Vec<&Tree> = bundle.items("entry").iter().map(|entry| entry.member("resource").unwrap()).collect();
        let places = bundle.items("entry").iter().map(|entry| entry.word("fullUrl").unwrap().to_owned());
        let map = places.zip(records.iter().map(|record| record.key())).collect();
        all.extend(records.into_iter().map(|record| (record.key(), record.clone().referring(&map).to_string())));
    }
    all.extend(lines(&examples).into_iter().map(|line| (Tree::read(&line).key(), line)));
    all.retain(|key, _| !key.starts_with("Bundle/"));
    Some(all)
}

/// A hospital that has the records and indexes by the guide's own parameters.
fn loaded(records: &BTreeMap<String, String>) -> (Hospital, World) {
    let hospital = Hospital::open("system/*.cruds");
    hospital.put_all(&records.values().cloned().collect::<Vec<_>>());
    for [base, code, kind, expression] in OWN {
        let id = format!("us-core-{}-{code}", base.to_lowercase());
        let one = json!({
            "resourceType": "SearchParameter", "id": id, "url": format!("http://hl7.org/fhir/us/core/SearchParameter/{id}"), "name": id,
            "status": "active", "description": code, "code": code, "base": [base], "type": kind, "expression": expression,
        });
        let reply = hospital.put(&format!("SearchParameter/{id}"), &one.to_string());
        assert_eq!(reply.status, 201, "{}", reply.diagnosis());
    }
    let begun = Instant::now();
    while hospital.get("SearchParameter/$index-status").text.matches("\"indexed\"").count() < OWN.len() {
        assert!(begun.elapsed() < Duration::from_mins(1), "the guide's own parameters are never indexed");
        std::thread::sleep(Duration::from_millis(100));
    }
    let read = |key: &String| {
        let reply = hospital.get(key);
        assert_eq!(reply.status, 200, "{key}: {}", reply.diagnosis());
        (key.clone(), reply.json())
    };
    let current = records.keys().map(read).collect();
    let now = amanat::clock::Clock::system().now().0;
    (hospital, World { records: current, base: BASE.to_owned(), now })
}

/// Every page's entries of a mode, as `Type/id`, sorted.
fn keys(hospital: &Hospital, mut reply: Reply, mode: &str) -> Result<Vec<String>, String> {
    let mut all = Vec::new();
    loop {
        if reply.status != 200 {
            return Err(reply.diagnosis());
        }
        let page = reply.json();
        let entries = page["entry"].as_array().into_iter().flatten().filter(|entry| entry["search"]["mode"] == mode);
        all.extend(entries.map(|entry| {
            let of = |name: &str| entry["resource"][name].as_str().unwrap().to_owned();
            format!("{}/{}", of("resourceType"), of("id"))
        }));
        let links = page["link"].as_array().into_iter().flatten();
        let next = links.into_iter().find(|link| link["relation"] == "next").and_then(|link| link["url"].as_str());
        match next {
            Some(next) => reply = hospital.get(next),
            None => break,
        }
    }
    all.sort();
    Ok(all)
}

struct Asking<'h> {
    hospital: &'h Hospital,
    world: &'h World,
    asked: usize,
    wrong: Vec<String>,
}

impl Asking<'_> {
    /// By GET and by POST; `about` is a record that must be found.
    fn ask(&mut self, of: &str, parameters: &[(String, String)], about: Option<&str>) {
        let found = self.world.found(of, parameters);
        let expected: Vec<String> = found.iter().map(|id| format!("{of}/{id}")).collect();
        let form: Vec<String> = parameters.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
        let form = form.join("&");
        if about.is_some_and(|id| !found.iter().any(|one| one == id)) {
            self.wrong.push(format!("{of}?{form}: the oracle does not find {about:?} by its own values"));
        }
        let headers = [("Content-Type", "application/x-www-form-urlencoded")];
        let get = self.hospital.get(&format!("{of}?{form}&_count=50"));
        let post = self.hospital.send("POST", &format!("{of}/_search"), &headers, format!("{form}&_count=50").into());
        for (how, reply) in [("GET", get), ("POST", post)] {
            self.asked += 1;
            match keys(self.hospital, reply, "match") {
                Ok(found) if found == expected => {}
                Ok(found) => self.wrong.push(format!("{how} {of}?{form}\n  expected {expected:?}\n  found    {found:?}")),
                Err(said) => self.wrong.push(format!("{how} {of}?{form}: {said}")),
            }
        }
    }
}

/// The values to ask for of one name of a combination, by which this record is found.
fn values(record: &Value, of: &str, name: &str) -> Vec<String> {
    let code = name.trim_end_matches(['*', '|']);
    match code {
        "_id" => vec![record["id"].as_str().unwrap().to_owned()],
        "_lastUpdated" => vec![format!("ge{}", record["meta"]["lastUpdated"].as_str().unwrap())],
        code => askable(record, find(of, code).unwrap_or_else(|| panic!("the oracle does not know {of} {code}"))),
    }
}

fn combination(asking: &mut Asking<'_>, of: &str, combination: &str) -> bool {
    let names: Vec<&str> = combination.split('+').collect();
    let world = asking.world;
    let whole = |record: &&Value| names.iter().all(|name| !values(record, of, name).is_empty());
    let some: Vec<&Value> = world.of(of).filter(whole).take(3).collect();
    for record in &some {
        let id = record["id"].as_str().unwrap();
        let all: Vec<Vec<String>> = names.iter().map(|name| values(record, of, name)).collect();
        for at in 0..all.iter().map(Vec::len).max().unwrap().min(4) {
            let asked: Vec<(String, String)> = names
                .iter()
                .zip(&all)
                .map(|(name, values)| (name.trim_end_matches(['*', '|']).to_owned(), values[at % values.len()].clone()))
                .collect();
            // What began at a moment need not lie within it.
            let certain = !names.iter().any(|name| name.ends_with('*'));
            asking.ask(of, &asked, certain.then_some(id));
            for (dated, _) in names.iter().enumerate().filter(|(_, name)| name.ends_with('*')) {
                // Precise to the second, and to the day.
                let day = asked[dated].1.chars().take(10).collect::<String>();
                for prefix in PREFIXES {
                    for value in [&asked[dated].1, &day] {
                        let mut other = asked.clone();
                        other[dated].1 = format!("{prefix}{value}");
                        asking.ask(of, &other, None);
                    }
                }
            }
            for (listed, name) in names.iter().enumerate().filter(|(_, name)| name.ends_with('|')) {
                let each = world.of(of).flat_map(|record| values(record, of, name)).filter(|value| !value.contains('|'));
                let every: BTreeSet<String> = each.collect();
                let mut other = asked.clone();
                other[listed].1 = every.into_iter().collect::<Vec<_>>().join(",");
                asking.ask(of, &other, certain.then_some(id));
            }
        }
    }
    !some.is_empty()
}

fn include(asking: &mut Asking<'_>, of: &str, include: &str) -> usize {
    let (code, target) = include.split_once(':').map_or((include, None), |(code, target)| (code, Some(target)));
    let by = find(of, code).unwrap();
    let named = asking.world.of(of).flat_map(|record| asking.world.targets(record, by));
    let fits = |key: &String| {
        target.is_none_or(|target| key.starts_with(&format!("{target}/"))) && asking.world.records.contains_key(key)
    };
    let expected: BTreeSet<String> = named.filter(fits).collect();
    let reply = asking.hospital.get(&format!("{of}?_count=500&_include={of}:{include}"));
    asking.asked += 1;
    match keys(asking.hospital, reply, "include") {
        Ok(found) if found.iter().cloned().collect::<BTreeSet<_>>() == expected => {}
        other => asking.wrong.push(format!("{of}?_include={of}:{include}: expected {expected:?}, got {other:?}")),
    }
    expected.len()
}

fn provenance(asking: &mut Asking<'_>, of: &str) -> usize {
    let by = find("Provenance", "target").unwrap();
    let about = |record: &&Value| {
        asking
            .world
            .targets(record, by)
            .iter()
            .any(|key| key.starts_with(&format!("{of}/")) && asking.world.records.contains_key(key))
    };
    let expected: BTreeSet<String> =
        asking.world.of("Provenance").filter(about).map(|one| format!("Provenance/{}", one["id"].as_str().unwrap())).collect();
    let reply = asking.hospital.get(&format!("{of}?_count=500&_revinclude=Provenance:target"));
    asking.asked += 1;
    match keys(asking.hospital, reply, "include") {
        Ok(found) if found.iter().cloned().collect::<BTreeSet<_>>() == expected => {}
        other => asking.wrong.push(format!("{of}?_revinclude=Provenance:target: expected {expected:?}, got {other:?}")),
    }
    expected.len()
}

#[test]
fn the_searches_of_us_core_find_what_they_should() {
    let Some(records) = records() else { return };
    let (hospital, world) = loaded(&records);
    assert!(find("Observation", "code").is_some_and(|one| one.kind == Kind::Token));
    let mut asking = Asking { hospital: &hospital, world: &world, asked: 0, wrong: Vec::new() };
    let (mut combinations, mut without, mut beside) = (0, Vec::new(), 0);
    for line in SEARCHES.lines().filter(|line| !line.is_empty()) {
        let (of, all) = line.split_once(": ").unwrap();
        for one in all.split(' ') {
            combinations += 1;
            if !combination(&mut asking, of, one) {
                without.push(format!("{of} {one}"));
            }
        }
        beside += provenance(&mut asking, of);
    }
    for (of, one) in INCLUDES {
        beside += include(&mut asking, of, one);
    }
    println!(
        "US Core: {} records, {combinations} combinations, {} requests, {beside} included, {} wrong; no record has the values of: {}",
        records.len(),
        asking.asked,
        asking.wrong.len(),
        without.join(", ")
    );
    assert!(asking.wrong.is_empty(), "{}", asking.wrong.iter().take(30).cloned().collect::<Vec<_>>().join("\n"));
    assert!(without.len() * 5 < combinations, "too many combinations are not asked: {without:?}");
}
