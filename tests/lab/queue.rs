//! The queue for people: nothing is dropped, everything can be mended.

use super::*;
use amanat::config::{Config, Sources};
use std::path::PathBuf;

fn settings(server: &Server) -> PathBuf {
    server.folder().join("amanat.toml")
}

/// Runs a command beside the server.
fn amanat(server: &Server, arguments: &[&str]) -> (u8, Value) {
    let file = settings(server);
    assert!(Config::load(Sources { file: Some(file.clone()), ..Sources::default() }).is_ok());
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut all: Vec<std::ffi::OsString> = vec!["amanat".into(), "lab".into()];
    all.extend(arguments.iter().map(Into::into));
    all.extend(["--json".into(), "--config".into(), file.into()]);
    let code = amanat::cli::run(all, &mut out, &mut err);
    let text = String::from_utf8_lossy(&out).into_owned();
    let json = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}{}", String::from_utf8_lossy(&err)));
    (code, json)
}

#[test]
fn an_unmatched_result_waits_until_somebody_says_whose_it_is() {
    let server = laboratory();
    let pid = "PID|1||4711^^^MRN^MR||Stranger^A||19800203|F";
    assert_eq!(Feed::open(&server).told(message("c1", pid, "F", "95", "20260501090000+0000")), ok("c1"));
    let (code, listed) = amanat(&server, &["queue"]);
    assert_eq!(code, 3, "something waits");
    let waiting = &listed["messages"][0];
    assert_eq!(
        (waiting["state"].clone(), waiting["reason"].clone(), waiting["kind"].clone()),
        (json!("held"), json!("unmatched"), json!("ORU^R01"))
    );
    assert!(waiting["age_seconds"].is_number());
    let id = waiting["id"].as_str().unwrap().to_owned();

    let (_, shown) = amanat(&server, &["show", &id, "--by", "sara"]);
    assert!(shown["text"].as_str().unwrap().contains("Stranger^A"));
    assert!(
        server.trail().iter().any(|leaf| leaf.to_string().contains("lab show") && leaf.to_string().contains("sara")),
        "looking is an access"
    );

    let (code, fixed) = amanat(&server, &["fix", &id, "--patient", "Patient/anne", "--by", "sara"]);
    assert_eq!((code, fixed["messages"][0]["state"].clone()), (0, json!("filed")));
    assert_eq!(fixed["messages"][0]["editor"], "sara");
    assert_eq!(only(&server, "Observation?patient=anne")["valueQuantity"]["value"], 95);
    let (code, listed) = amanat(&server, &["queue"]);
    assert_eq!((code, listed["messages"].as_array().unwrap().len()), (0, 0));
}

#[test]
fn an_edited_message_is_filed_and_the_original_kept() {
    let server = laboratory();
    let broken = result("c1", "F", "95", "20260501090000+0000").replace("2345-7^Glucose^LN", "");
    assert_eq!(Feed::open(&server).told(broken.clone()).0, "AE");
    let (_, listed) = amanat(&server, &["queue"]);
    let id = listed["messages"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(listed["messages"][0]["findings"][0]["place"], "OBX[1]-3");
    let file = server.folder().join("mended.hl7");
    std::fs::write(&file, result("c1", "F", "95", "20260501090000+0000").replace('\r', "\n")).unwrap();
    let (code, fixed) = amanat(&server, &["fix", &id, "--message", file.to_str().unwrap(), "--by", "sara"]);
    assert_eq!((code, fixed["messages"][0]["state"].clone()), (0, json!("filed")));
    assert_eq!(only(&server, "Observation?patient=anne")["status"], "final");
    let again = Feed::open(&server).told(broken);
    assert_eq!(again.0, "AA", "the sender's own message is now taken care of");
}

#[test]
fn an_unmapped_code_is_filed_as_it_is_and_mended_for_all_by_a_replay() {
    let folder = tempfile::tempdir().unwrap();
    let tables = folder.path().join("lab.toml");
    std::fs::write(&tables, "").unwrap();
    let server = laboratory_with(&format!("tables = [\"{}\"]\n", tables.display()), GRANT);
    let mut feed = Feed::open(&server);
    for at in 0..3 {
        let control = format!("c{at}");
        let local = result(&control, "F", "95", "20260501090000+0000")
            .replace("2345-7^Glucose^LN", "GLU-F^Glucose^L")
            .replace("100^", &format!("{at}^"));
        assert_eq!(feed.told(local), ok(&control));
    }
    let told = &find(&server, "Observation?patient=anne")[0];
    assert_eq!((told["code"]["coding"][0]["code"].clone(), told["code"]["text"].clone()), (json!("GLU-F"), json!("Glucose")));
    let (_, listed) = amanat(&server, &["queue", "--about", "L|GLU-F"]);
    assert_eq!(listed["messages"].as_array().unwrap().len(), 3);
    assert_eq!(listed["messages"][0]["reason"], "unmapped");

    std::fs::write(&tables, "[[codes]]\nsystem = \"L\"\ncode = \"GLU-F\"\nloinc = \"1558-6\"\ndisplay = \"Fasting glucose\"\n")
        .unwrap();
    let (code, replayed) = amanat(&server, &["replay", "--about", "L|GLU-F", "--by", "sara"]);
    assert_eq!((code, replayed["messages"].as_array().unwrap().len()), (0, 3));
    let found = find(&server, "Observation?patient=anne&code=http://loinc.org|1558-6");
    assert_eq!(found.len(), 3);
    assert!(found.iter().all(|one| one["meta"]["versionId"] == "2" && one["code"]["coding"][1]["code"] == "GLU-F"));
    assert_eq!(find(&server, "Observation?patient=anne").len(), 3, "none twice");
}

#[test]
fn what_is_dismissed_stays_on_record() {
    let server = laboratory();
    let pid = "PID|1||4711^^^MRN^MR||Stranger^A||19800203|F";
    assert_eq!(Feed::open(&server).told(message("c1", pid, "F", "95", "20260501090000+0000")), ok("c1"));
    let (_, listed) = amanat(&server, &["queue"]);
    let id = listed["messages"][0]["id"].as_str().unwrap().to_owned();
    let (code, _) = amanat(&server, &["fix", &id, "--dismiss", "sent to us by mistake", "--by", "sara"]);
    assert_eq!(code, 0);
    assert_eq!(inbox(&server), [state("dismissed", "sent to us by mistake")]);
    assert_eq!(amanat(&server, &["queue", "--all"]).1["messages"].as_array().unwrap().len(), 1);
    assert_eq!(Feed::open(&server).told(message("c1", pid, "F", "95", "20260501090000+0000")), ok("c1"), "replayed as it was");
}

#[test]
fn wrong_decisions_are_refused_and_change_nothing() {
    let server = laboratory();
    let pid = "PID|1||4711^^^MRN^MR||Stranger^A||19800203|F";
    assert_eq!(Feed::open(&server).told(message("c1", pid, "F", "95", "20260501090000+0000")), ok("c1"));
    let run = |arguments: &[&str]| {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let file = settings(&server);
        let mut all = vec!["amanat", "lab"];
        all.extend(arguments);
        all.extend(["--config", file.to_str().unwrap()]);
        (amanat::cli::run(all.into_iter().map(Into::into), &mut out, &mut err), String::from_utf8_lossy(&err).into_owned())
    };
    let (_, listed) = amanat(&server, &["queue"]);
    let id = listed["messages"][0]["id"].as_str().unwrap();
    assert_eq!(run(&["fix", id, "--patient", "Patient/nobody", "--by", "s"]).0, 1);
    assert_eq!(run(&["fix", id, "--patient", "Observation/x", "--by", "s"]).0, 1);
    assert_eq!(run(&["fix", id, "--by", "s"]).0, 2);
    assert_eq!(run(&["show", "nothing"]).0, 1);
    assert!(run(&["queue", "--state", "lost"]).1.contains("superseded"));
    assert_eq!(inbox(&server), [state("held", "unmatched")]);
}

#[test]
fn what_was_stored_and_not_filed_is_filed_by_the_gateway_itself() {
    let server = laboratory();
    assert_eq!(Feed::open(&server).told(result("c1", "F", "95", "20260501090000+0000")), ok("c1"));
    let report = only(&server, "DiagnosticReport?patient=anne");
    // As if the process had ended between the commit and the note about it.
    server.execute("UPDATE lab_message SET state = 'received', answer = NULL");
    server.wait(5);
    until("the gateway files it by itself", || inbox(&server)[0].0 == "filed");
    assert_eq!(only(&server, "DiagnosticReport?patient=anne")["meta"]["versionId"], report["meta"]["versionId"], "and not twice");
    let answer = Feed::open(&server).send(result("c1", "F", "95", "20260501090000+0000").as_bytes()).unwrap();
    assert!(answer.contains("MSA|AA|c1"));
}

#[test]
fn a_dry_run_prints_the_records_and_stores_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("r.hl7");
    std::fs::write(&file, result("c1", "F", "95.50", "20260501090000+0000")).unwrap();
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let code = amanat::cli::run(["amanat", "lab", "map", file.to_str().unwrap(), "--json"].map(Into::into), &mut out, &mut err);
    let told: Value = serde_json::from_slice(&out).unwrap();
    assert_eq!(code, 0);
    let types: Vec<&str> = told["bundle"]["entry"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["resource"]["resourceType"].as_str().unwrap())
        .collect();
    for of in ["Patient", "DiagnosticReport", "Observation", "Specimen", "ServiceRequest", "Provenance"] {
        assert!(types.contains(&of), "{of} in {types:?}");
    }
    assert!(String::from_utf8_lossy(&out).contains("95.5"));
    assert_eq!(told["observations"].as_array().unwrap().len(), 1);
    std::fs::write(&file, "MSH|^~\\&|A|||||SIU^S12|1|P|2.5\r").unwrap();
    assert_eq!(
        amanat::cli::run(["amanat", "lab", "map", file.to_str().unwrap()].map(Into::into), &mut Vec::new(), &mut Vec::new()),
        3
    );
}

#[test]
fn what_waits_for_long_is_told_by_the_doctor() {
    let server = laboratory();
    let check = || {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let file = settings(&server);
        amanat::cli::run(["amanat", "doctor", "--json", "--config", file.to_str().unwrap()].map(Into::into), &mut out, &mut err);
        let told: Value = serde_json::from_slice(&out).unwrap();
        let all = told["checks"].as_array().or(told.as_array()).unwrap().clone();
        all.into_iter().find(|one| one["title"] == "no message of a laboratory waits for long").unwrap()
    };
    assert!(check().to_string().contains("nothing waits"));
    // By the clock of the command line this came long ago.
    let pid = "PID|1||4711^^^MRN^MR||Stranger^A||19800203|F";
    assert_eq!(Feed::open(&server).told(message("c1", pid, "F", "95", "20260501090000+0000")), ok("c1"));
    let told = check().to_string();
    assert!(told.contains("1 held") && told.contains("amanat lab queue"), "{told}");
}
