//! `_include` and `_revinclude` at their bounds: what does not fit comes on a later page, and where it cannot, the answer says so.

use super::ALL;
use crate::support::records::{observation, organization, patient};
use crate::support::{Reply, Server, left_out_in_front};
use serde_json::{Value, json};
use std::collections::BTreeSet;

fn of_mode(reply: &Reply, mode: &str) -> Vec<Value> {
    let entries = reply.json()["entry"].as_array().cloned().unwrap_or_default();
    entries.into_iter().filter(|entry| entry["search"]["mode"] == mode).map(|entry| entry["resource"].clone()).collect()
}

fn ids(records: &[Value]) -> Vec<String> {
    records.iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
}

/// Six patients with four observations each, and one with nine, where five records may be included.
fn bounded() -> Server {
    let server = Server::with("Policy-all-normal", "[limits]\nincluded_max = 5");
    for n in 0..6 {
        let id = format!("p{n}");
        let results = (0..4).map(|at| observation(&format!("o{n}-{at}"), &id, "laboratory"));
        server.seed(&std::iter::once(patient(&id, "Few")).chain(results).collect::<Vec<_>>());
    }
    let results = (0..9).map(|at| observation(&format!("m{at}"), "many", "laboratory"));
    server.seed(&std::iter::once(patient("many", "Many")).chain(results).collect::<Vec<_>>());
    server
}

#[test]
fn a_page_has_fewer_matches_when_more_is_to_be_included_than_fits() {
    if left_out_in_front("what includes too much is refused there") {
        return;
    }
    let server = bounded();
    let all = server.system(ALL);
    let mut reply = server.get("Patient?family=Few&_revinclude=Observation:patient&_count=10&_total=accurate", &all).expect(200);
    let (mut matches, mut included, mut pages) = (Vec::new(), BTreeSet::new(), 0);
    loop {
        pages += 1;
        assert!(of_mode(&reply, "outcome").is_empty(), "nothing is missing: {}", reply.text());
        let here: BTreeSet<String> = ids(&of_mode(&reply, "match")).into_iter().collect();
        for one in of_mode(&reply, "include") {
            let about = one["subject"]["reference"].as_str().unwrap().trim_start_matches("Patient/").to_owned();
            assert!(here.contains(&about), "with the match that it belongs to");
            included.insert(one["id"].as_str().unwrap().to_owned());
        }
        matches.extend(here);
        match reply.next() {
            Some(next) => reply = server.get(&next, &all).expect(200),
            None => break,
        }
    }
    assert_eq!((matches.len(), included.len(), pages), (6, 24, 6));
}

#[test]
fn what_does_not_fit_with_one_match_is_said_to_be_missing() {
    if left_out_in_front("what includes too much is refused there") {
        return;
    }
    let server = bounded();
    let all = server.system(ALL);
    for path in
        ["Patient?family=Many&_revinclude=Observation:patient", "Patient?_id=many&_revinclude=Observation:subject&_sort=_id"]
    {
        let reply = server.get(path, &all).expect(200);
        assert_eq!((of_mode(&reply, "match").len(), of_mode(&reply, "include").len()), (1, 5));
        let outcome = of_mode(&reply, "outcome");
        assert_eq!(outcome.len(), 1);
        assert_eq!(
            (&outcome[0]["issue"][0]["severity"], &outcome[0]["issue"][0]["code"]),
            (&json!("warning"), &json!("incomplete"))
        );
        assert_eq!(reply.json()["total"], 1);
    }
    // Nobody hears of what they may not see: it takes no room.
    let app = server.patient("p1", "patient/*.rs");
    let reply = server.get("Patient?_revinclude=Observation:patient", &app).expect(200);
    assert_eq!((of_mode(&reply, "include").len(), of_mode(&reply, "outcome").len()), (4, 0));
}

#[test]
fn an_iterated_include_goes_as_far_as_there_is_anything() {
    if left_out_in_front("each step is a question to the server, and there are eight at most") {
        return;
    }
    let server = Server::open();
    let below = |n: usize| {
        let mut one = organization(&format!("h{n:02}"), "Ward");
        if n < 29 {
            one["partOf"] = json!({"reference": format!("Organization/h{:02}", n + 1)});
        }
        one
    };
    server.seed(&(0..30).map(below).collect::<Vec<_>>());
    let reply = server.get("Organization?_id=h00&_include:iterate=Organization:partof", &server.system(ALL)).expect(200);
    assert_eq!(of_mode(&reply, "include").len(), 29);
    let reply = server.get("Organization?_id=h29&_revinclude:iterate=Organization:partof", &server.system(ALL)).expect(200);
    assert_eq!(of_mode(&reply, "include").len(), 29);
}

/// Opt-in: `AMANAT_LARGE=1`.
#[test]
fn chains_are_right_with_a_hundred_thousand_in_between() {
    if std::env::var_os("AMANAT_LARGE").is_none() {
        println!("skipped: AMANAT_LARGE is not set");
        return;
    }
    let server = Server::open();
    let all = server.system(ALL);
    let mut wide = organization("h1", "Wide");
    wide["partOf"] = json!({"reference": "Organization/h0"});
    server.seed(&[organization("h0", "Top"), wide, organization("h2", "Narrow")]);
    for some in (0..100_000).collect::<Vec<usize>>().chunks(5_000) {
        let records: Vec<Value> = some
            .iter()
            .flat_map(|n| {
                let mut one = json!({"resourceType": "Patient", "id": format!("p{n}"), "name": [{"family": "Wide"}],
                    "managingOrganization": {"reference": "Organization/h1"}});
                if n % 2 == 0 {
                    one["gender"] = json!("male");
                }
                let result = (n % 10 == 0).then(|| {
                    json!({"resourceType": "Observation", "id": format!("o{n}"), "status": "final",
                    "code": {"text": "x"}, "subject": {"reference": format!("Patient/p{n}")}})
                });
                std::iter::once(one).chain(result)
            })
            .collect();
        server.seed(&records);
    }
    counted(&server, &all, "just loaded");
    if server.analyse() {
        counted(&server, &all, "analysed");
    }
}

fn counted(server: &Server, all: &str, state: &str) {
    for (query, expected) in [
        ("Observation?patient.family=wide", 10_000),
        ("Observation?subject:Patient.name=wide", 10_000),
        ("Observation?patient.gender=male", 10_000),
        ("Observation?patient.organization.name=wide", 10_000),
        ("Observation?patient.organization.name=narrow", 0),
        ("Observation?patient.organization.partof.name=top", 10_000),
        ("Observation?patient.organization.partof.name=wide", 0),
        ("Patient?organization.name=wide", 100_000),
        ("Patient?_has:Observation:patient:status=final", 10_000),
        ("Organization?_has:Patient:organization:family=wide", 1),
        ("Organization?_has:Patient:organization:_has:Observation:patient:status=final", 1),
    ] {
        let begun = std::time::Instant::now();
        let found = server.get(&format!("{query}&_summary=count"), all).expect(200).json();
        assert_eq!(found["total"], expected, "{query}");
        let counted = begun.elapsed();
        let begun = std::time::Instant::now();
        let page = server.get(&format!("{query}&_count=20"), all).expect(200);
        assert_eq!(of_mode(&page, "match").len(), expected.min(20), "{query}");
        println!("{state}: {query}: {expected} counted in {counted:?}, a page in {:?}", begun.elapsed());
    }
}
