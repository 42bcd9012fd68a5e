//! A day of a hospital, and in its night a mass read with a token that was stolen from somebody who works there too: noticed, stopped, told
//! apart from that person's own work, and reported, patient by patient.

use crate::site::{amanat, until};
use crate::support::Server;
use crate::support::records::{observation, patient};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;

const PATIENTS: usize = 120;

fn names(list: &Value) -> BTreeSet<String> {
    list.as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect()
}

/// A command about an incident, on the settings of this gateway; its document.
fn incident(server: &Server, words: &[&str]) -> Value {
    let settings = server.folder().join("amanat.toml");
    let tail = ["--by", "Practitioner/dpo", "--json", "--config", settings.to_str().unwrap()];
    let output = amanat(&[&["incident"], words, &tail].concat());
    assert_eq!(output.status.code(), Some(0), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A token of a doctor, by its name.
fn doctor(server: &Server, number: usize, jti: &str) -> String {
    let user = format!("Practitioner/d{number}");
    let claims =
        json!({"scope": "user/*.rs", "fhirUser": user, "client_id": "ward", "sub": user, "jti": jti, "purpose_of_use": "TREAT"});
    server.token(claims)
}

/// Four doctors, each with thirty patients of their own, from this hour to that.
fn work(server: &Server, hours: std::ops::Range<usize>) {
    for hour in hours {
        for number in 0..4 {
            let token = doctor(server, number, &format!("day-{number}-{hour}"));
            for turn in 0..3 {
                let own = number * 30 + (hour * 3 + turn) % 30;
                let _ = server.get(&format!("Patient/p{own}"), &token).expect(200);
                let _ = server.get(&format!("Observation?patient=p{own}"), &token).expect(200);
            }
        }
        server.wait(3_600);
    }
}

#[test]
fn a_stolen_token_in_a_day_of_normal_traffic_is_found_scoped_contained_and_reported() {
    let server = Server::with("Policy-all-normal", "[alarms]\nlearn_days = 0\n[alarms.notify]\nfile = \"alarms\"\n");
    let records = (0..PATIENTS).flat_map(|number| {
        let id = format!("p{number}");
        [patient(&id, &format!("Family{number}")), observation(&format!("o{number}"), &id, "laboratory")]
    });
    server.seed(&records.collect::<Vec<Value>>());
    let begun = server.clock.now();
    work(&server, 0..14);
    let told = || fs::read_to_string(server.folder().join("alarms")).unwrap_or_default();
    assert!(!told().contains("R3"), "a day's work is no alarm: {}", told());
    // The thief has the token of doctor 1, whose night is quiet. Ten patients a search, one read each: as a script would.
    let stolen = doctor(&server, 1, "stolen");
    let mut read = BTreeSet::new();
    'thief: for page in 0..PATIENTS / 10 {
        let wanted: Vec<String> = (0..10).map(|at| format!("p{}", page * 10 + at)).collect();
        let found = server.get(&format!("Patient?_id={}", wanted.join(",")), &stolen);
        if found.status == 200 {
            read.extend(wanted.iter().cloned());
        }
        for id in &wanted {
            if server.get(&format!("Patient/{id}"), &stolen).status != 200 {
                continue 'thief;
            }
            read.insert(id.clone());
        }
    }
    assert!(read.len() > 50, "{}", read.len());
    until("the mass read is told", || told().contains("\"R3\""));
    assert!(told().contains("Practitioner/d1"), "{}", told());
    let id = incident(&server, &["open", "records read in bulk"])["incident"].as_str().unwrap().to_owned();
    incident(&server, &["contain", &id, "--token", "stolen"]);
    until("the token is of no use", || server.get("Patient/p0", &stolen).status == 401);
    server.wait(3_600);
    let (from, to) = (begun.to_string(), server.clock.now().to_string());
    let span = ["--from", from.as_str(), "--to", to.as_str()];
    let scope = incident(&server, &[&["scope", &id, "--token", "stolen"], &span[..]].concat());
    assert_eq!(names(&scope["patients"]), read, "exactly what the thief saw, and nothing of the doctor's own day");
    let doctors = incident(&server, &[&["scope", &id, "--user", "Practitioner/d1"], &span[..]].concat());
    let own: BTreeSet<String> = (30..60).map(|number| format!("p{number}")).collect();
    assert!(names(&doctors["patients"]).is_superset(&own) && names(&doctors["patients"]).is_superset(&read));
    let report = incident(&server, &[&["notify", &id, "--profile", "gdpr", "--token", "stolen"], &span[..]].concat());
    assert_eq!(names(&report["affected"]["patients"]), read);
    // The day goes on, for the doctor too.
    let _ = server.get("Patient/p31", &doctor(&server, 2, "next-day")).expect(200);
    work(&server, 14..24);
}
