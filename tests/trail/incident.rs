//! A seeded attack, dealt with by the commands of the runbook as they stand there.

use super::patient;
use crate::site::{PROGRAM, Site, until};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

/// The commands of `docs/runbooks/incident.md`, section by section.
fn runbook() -> Vec<(String, String)> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/runbooks/incident.md");
    let text = std::fs::read_to_string(file).unwrap();
    let (mut title, mut blocks, mut open) = (String::new(), Vec::new(), None::<String>);
    for line in text.lines() {
        match (&mut open, line) {
            (None, "```sh") => open = Some(String::new()),
            (Some(_), "```") => blocks.extend(open.take().map(|block| (title.clone(), block))),
            (Some(block), line) => block.push_str(&format!("{line}\n")),
            (None, line) if line.starts_with("## ") => line[3..].clone_into(&mut title),
            _ => {}
        }
    }
    blocks
}

/// A gateway with forty patients, a ward that works, and a client whose token will be stolen.
fn hospital() -> (Site, String, String) {
    let mut site = Site::prepare("[alarms]\nlearn_days = 0\npatients_an_hour = 15\n[alarms.notify]\nfile = \"alarms\"\n");
    let writer = site.client("writer", "system/*.cruds");
    for id in ["ward", "tablet"] {
        site.done(&["client", "add", id, "--scope", "user/*.rs", "--purpose", "TREAT", "--redirect-uri", "http://127.0.0.1:1/"]);
    }
    site.start();
    let entry = |id: &String| json!({"resource": patient(id), "request": {"method": "PUT", "url": format!("Patient/{id}")}});
    let entries: Vec<Value> = (0..40).map(|number| format!("p{number}")).map(|id| entry(&id)).collect();
    let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": entries});
    site.ask("POST", &writer, "", Some(&bundle)).expect(200);
    let token = |client: &str, user: &str| site.done(&["token", "--client", client, "--user", user]).trim().to_owned();
    let (ward, stolen) = (token("ward", "Practitioner/d1"), token("tablet", "Practitioner/d2"));
    (site, ward, stolen)
}

/// The mass read, between the work of others; gives who was really read.
fn attack(site: &Site, ward: &str, stolen: &str) -> BTreeSet<String> {
    let mut read = BTreeSet::new();
    for number in 0..40 {
        let id = format!("p{number}");
        if number % 4 == 0 {
            site.get(ward, &format!("Patient/p{}", number % 8)).expect(200);
        }
        if site.get(stolen, &format!("Patient/{id}")).status == 200 {
            read.insert(id);
        }
        std::thread::sleep(std::time::Duration::from_millis(25));
    }
    read
}

fn document(site: &Site, name: &str) -> Value {
    let text = std::fs::read_to_string(site.folder.path().join(name)).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn names(list: &Value) -> BTreeSet<String> {
    list.as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_mass_read_is_noticed_contained_scoped_and_reported_as_the_runbook_says() {
    let (site, ward, stolen) = hospital();
    let read = attack(&site, &ward, &stolen);
    assert!(read.len() > 15 && !read.is_empty(), "{read:?}");
    let alarms = site.folder.path().join("alarms");
    until("the alarm is told", || std::fs::read_to_string(&alarms).is_ok_and(|text| text.contains("\"R3\"")));
    let script: String = runbook().into_iter().map(|(title, block)| format!("echo '# {title}'\n{block}")).collect();
    let folder = Path::new(PROGRAM).parent().unwrap();
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap_or_default());
    // Up to the containment, then a look at the gateway, then the rest.
    let (before, after) = script.split_once("echo '# 7.").unwrap();
    let run = |script: &str, incident: &str| {
        let mut command = Command::new("bash");
        command.args(["-e", "-u", "-o", "pipefail", "-c", script]).current_dir(site.folder.path());
        command.env("PATH", &path).env("AMANAT_CONFIG", site.settings()).env("CLIENT", "tablet");
        command.env("USER_REFERENCE", "Practitioner/d2").env("FROM", "2020-01-01T00:00:00Z").env("TO", "2099-01-01T00:00:00Z");
        command.env("incident", incident);
        let output = command.output().unwrap();
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stderr));
        told
    };
    let told = run(&format!("{before}\necho \"incident=$incident\""), "");
    until("whoever was contained is refused", || site.get(&stolen, "Patient/p0").status == 403);
    let refused = site.get(&stolen, "Patient/p0").expect(403);
    assert_eq!(refused.json()["issue"][0]["details"]["coding"][0]["code"], "AMANAT-HOLD-0001");
    site.get(&ward, "Patient/p0").expect(200);
    let scope = document(&site, "scope.json");
    assert_eq!(names(&scope["patients"]), read, "exactly those who were read");
    assert_eq!(names(&scope["records_shown"]), read.iter().map(|id| format!("Patient/{id}")).collect());
    let report = document(&site, "report.json");
    assert_eq!((names(&report["affected"]["patients"]), &report["clock"]["duties"][0]["hours_left"]), (read.clone(), &json!(71)));
    assert!(report["integrity"]["checkpoint"].as_str().unwrap().contains('\u{2014}'), "{report:#}");
    assert!(report["measures"][0].as_str().unwrap().contains("tablet"), "{report:#}");
    let incident = told.lines().last().unwrap().strip_prefix("incident=").unwrap().to_owned();
    let own = site.amanat(&["incident", "close", &incident, "--cause", "x", "--by", "Practitioner/dpo"]);
    assert_eq!(own.status.code(), Some(1), "who opened it does not close it");
    run(&format!("echo '# 7.{after}"), &incident);
    until("whoever was let in again is served", || site.get(&stolen, "Patient/p0").status == 200);
    let shown = site.done(&["incident", "show", &incident, "--json"]);
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!((&shown["state"], &shown["closed_by"]), (&json!("closed"), &json!("Practitioner/ciso")));
    let kinds: Vec<&str> = shown["history"].as_array().unwrap().iter().map(|line| line["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["opened", "contained", "scoped", "notified", "noted", "closed"]);
}

#[test]
fn a_case_is_closed_by_somebody_else_and_a_rule_is_muted_with_an_end_and_a_reason() {
    let mut site = Site::prepare("[alarms]\ncanaries = [\"Patient/p0\"]\n");
    let writer = site.client("writer", "system/*.cruds");
    site.done(&["client", "add", "ward", "--scope", "user/*.rs", "--purpose", "TREAT", "--redirect-uri", "http://127.0.0.1:1/"]);
    let token = site.done(&["token", "--client", "ward", "--user", "Practitioner/d1"]).trim().to_owned();
    site.start();
    site.ask("PUT", &writer, "Patient/p0", Some(&patient("p0"))).expect(201);
    site.get(&token, "Patient/p0").expect(200);
    let cases = || {
        let told: Value = serde_json::from_slice(&site.amanat(&["audit", "review", "list", "--json"]).stdout).unwrap();
        told["cases"].as_array().unwrap().clone()
    };
    until("the alarm waits for a reviewer", || cases().iter().any(|case| case["actor"] == "Practitioner/d1"));
    let case = cases().into_iter().find(|case| case["actor"] == "Practitioner/d1").unwrap();
    assert!(case["text"].as_str().unwrap().contains("canary"), "{case}");
    let close = |by: &str| {
        let id = case["case"].as_str().unwrap();
        site.amanat(&["audit", "review", "close", id, "--by", by, "--as", "violation", "--note", "asked"]).status.code()
    };
    assert_eq!((close("Practitioner/d1"), close("Practitioner/dpo"), close("Practitioner/dpo")), (Some(1), Some(0), Some(1)));
    site.done(&["audit", "review", "mute", "R13", "--days", "1", "--by", "Practitioner/dpo", "--reason", "drill"]);
    assert_eq!(
        site.amanat(&["audit", "review", "mute", "R13", "--days", "1", "--by", "x", "--reason", " "]).status.code(),
        Some(2)
    );
    let digest: Value = serde_json::from_str(&site.done(&["audit", "digest", "--json"])).unwrap();
    let own = digest["digests"].as_array().unwrap().iter().find(|one| one["user"] == "Practitioner/d1").unwrap();
    assert_eq!((&own["accesses"], &own["patients"]), (&json!(1), &json!(1)), "{own}");
    assert!(own["text"].as_str().unwrap().contains("records under break-glass"));
    let anonymous: Value =
        serde_json::from_str(&site.done(&["incident", "suspect", "somebody reads by night", "--json"])).unwrap();
    assert!(anonymous["incident"].is_string());
    let words: Vec<Value> = site.trail().iter().map(|entry| entry.told()["event"]["word"].clone()).collect();
    for word in ["alarm", "reviewed", "muted", "suspected"] {
        assert!(words.contains(&json!(word)), "{word}");
    }
}
