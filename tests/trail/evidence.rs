//! The trail as evidence: checkpoints that were pushed off the host, exports that are verified without a gateway, proofs, a witness.

use super::{EVERYTHING, observation, patient};
use crate::site::{Site, amanat, until};
use serde_json::Value;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};

/// A site that pushes its checkpoints into a file, stopped after a little use.
fn stopped() -> (Site, PathBuf) {
    let mut site = Site::prepare("[audit.checkpoints]\nevery_entries = 3\nfile = \"away/checkpoints\"\n");
    fs::create_dir(site.folder.path().join("away")).unwrap();
    let token = site.client("hospital", EVERYTHING);
    site.start();
    use_it(&site, &token);
    assert_eq!(site.stop(), Some(0));
    let file = site.folder.path().join("away/checkpoints");
    (site, file)
}

fn use_it(site: &Site, token: &str) {
    for id in ["a", "b"] {
        site.ask("PUT", token, &format!("Patient/{id}"), Some(&patient(id)));
        site.ask("POST", token, "Observation", Some(&observation(id))).expect(201);
    }
    for _ in 0..4 {
        site.get(token, "Patient/a").expect(200);
    }
}

fn verified(site: &Site, words: &[&str]) -> (Option<i32>, Value) {
    let output = site.amanat(&[&["audit", "verify", "--json"], words].concat());
    (output.status.code(), serde_json::from_slice(&output.stdout).unwrap())
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The public key, in a file.
fn key(site: &Site) -> PathBuf {
    let file = site.folder.path().join("trail.pub");
    fs::write(&file, site.done(&["audit", "key"])).unwrap();
    file
}

#[test]
fn what_was_pushed_away_finds_a_cut_tail_and_an_old_copy() {
    let (mut site, file) = stopped();
    let notes = fs::read_to_string(&file).unwrap();
    let length = site.trail().len();
    assert!(notes.contains(&format!("\n{length}\n")), "the last entry is in the last checkpoint, made at the stop: {notes}");
    let (code, told) = verified(&site, &["--checkpoint", text(&file)]);
    assert_eq!((code, &told["confirmed"], &told["caveat"]), (Some(0), &Value::from(length), &Value::Null), "{told}");
    // An old copy, served again.
    let (database, copy) = (site.folder.path().join("amanat.db"), site.folder.path().join("copy"));
    fs::copy(&database, &copy).unwrap();
    site.start();
    let token = site.token("hospital");
    use_it(&site, &token);
    assert_eq!(site.stop(), Some(0));
    let (away, longer) = (fs::read_to_string(&file).unwrap(), site.trail().len());
    fs::copy(&copy, &database).unwrap();
    let (code, told) = verified(&site, &["--checkpoint", text(&file)]);
    assert_eq!(code, Some(3), "{longer}: {told} {away}");
    assert!(told["broken"].as_str().unwrap().contains("missing") && told["first_bad"].as_i64().unwrap() > 1, "{told}");
    // A cut tail.
    site.tamper("DELETE FROM trail WHERE seq > 6");
    let (code, told) = verified(&site, &["--checkpoint", text(&file)]);
    assert_eq!((code, &told["first_bad"]), (Some(3), &Value::from(7)), "{told}");
}

#[test]
fn without_a_checkpoint_from_elsewhere_that_is_said_and_a_forged_one_is_found() {
    let (site, file) = stopped();
    let (code, told) = verified(&site, &[]);
    assert_eq!(code, Some(0));
    assert!(told["caveat"].as_str().unwrap().contains("kept elsewhere"), "{told}");
    let notes = fs::read_to_string(&file).unwrap();
    let line = notes.lines().nth(1).unwrap();
    fs::write(&file, notes.replacen(&format!("\n{line}\n"), "\n1\n", 1)).unwrap();
    let (code, told) = verified(&site, &["--checkpoint", text(&file)]);
    assert_eq!(code, Some(3));
    assert!(told["broken"].as_str().unwrap().contains("signature"), "{told}");
    site.tamper("UPDATE checkpoint SET note = replace(note, '\n', '\n')");
    site.tamper("UPDATE checkpoint SET note = '1' || note");
    assert_eq!(verified(&site, &[]).0, Some(3), "those of the store are looked at too");
}

#[test]
fn an_export_is_verified_without_a_gateway_and_one_changed_byte_is_found() {
    let (site, away) = stopped();
    let (key, out) = (key(&site), site.folder.path().join("trail.jsonl"));
    site.done(&["audit", "export", "--out", text(&out)]);
    let offline = |file: &Path, more: &[&str]| {
        let output = amanat(&[&["audit", "verify", "--json", "--export", text(file), "--key", text(&key)], more].concat());
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let (code, told) = offline(&out, &["--checkpoint", text(&away)]);
    assert_eq!(code, Some(0), "{told}");
    let lines: Vec<String> = fs::read_to_string(&out).unwrap().lines().map(str::to_owned).collect();
    let first = lines.iter().position(|line| line.contains("\"seq\":1,") || line.contains("\"seq\":1}")).unwrap();
    let damages: [(&str, Vec<String>, i64); 4] = [
        ("one byte", edited(&lines, first + 4), 5),
        ("a row dropped", [&lines[..first + 4], &lines[first + 5..]].concat(), 5),
        ("two swapped", swapped(&lines, first + 4), 5),
        ("the tail cut", lines[..first + 6].to_vec(), 7),
    ];
    for (what, damaged, bad) in damages {
        let file = site.folder.path().join("damaged.jsonl");
        fs::write(&file, damaged.join("\n") + "\n").unwrap();
        let (code, told) = offline(&file, &[]);
        assert_eq!(code, Some(3), "{what}: {told}");
        assert_eq!(serde_json::from_str::<Value>(&told).unwrap()["first_bad"], bad, "{what}: {told}");
    }
    let part = site.folder.path().join("part.jsonl");
    site.done(&["audit", "export", "--out", text(&part), "--from", "5"]);
    assert_eq!(offline(&part, &[]).0, Some(0), "a part is verified too");
    let words: Vec<Value> = site.trail().iter().map(|entry| entry.told()["event"].clone()).collect();
    assert_eq!(words.iter().filter(|event| event["word"] == "exported").count(), 2, "who took it out is in it");
}

fn edited(lines: &[String], at: usize) -> Vec<String> {
    let mut lines = lines.to_vec();
    lines[at] = lines[at].replacen("hospital", "hospitam", 1);
    lines
}

fn swapped(lines: &[String], at: usize) -> Vec<String> {
    let mut lines = lines.to_vec();
    lines.swap(at, at + 1);
    lines
}

#[test]
fn an_entry_is_proved_to_whoever_has_the_key() {
    let (site, _) = stopped();
    let (key, file) = (key(&site), site.folder.path().join("proof.json"));
    for id in ["site-3-0", "AuditEvent/site-3-0", "3"] {
        fs::write(&file, site.done(&["audit", "prove", id])).unwrap();
        let checked = amanat(&["audit", "verify", "--json", "--proof", text(&file), "--key", text(&key)]);
        assert_eq!(checked.status.code(), Some(0), "{}", String::from_utf8_lossy(&checked.stderr));
    }
    let proof = fs::read_to_string(&file).unwrap();
    assert!(proof.contains("\"index\": 2"), "{proof}");
    fs::write(&file, proof.replace("hospital", "hospitam")).unwrap();
    let checked = amanat(&["audit", "verify", "--proof", text(&file), "--key", text(&key)]);
    assert_eq!(checked.status.code(), Some(3));
    assert_ne!(site.amanat(&["audit", "prove", "999999"]).status.code(), Some(0));
    assert_eq!(site.amanat(&["audit", "prove", "other-3-0"]).status.code(), Some(2));
}

#[test]
fn a_witness_signs_only_what_goes_on_from_what_it_saw() {
    let (mut site, _) = stopped();
    let folder = site.folder.path().to_owned();
    let at = |name: &str| folder.join(name);
    let log = key(&site);
    let made = amanat(&["audit", "witness", "--init", "partner.example", "--secret", text(&at("witness.key"))]);
    fs::write(at("witness.pub"), made.stdout).unwrap();
    let witness = |note: &str, proof: Option<&str>| {
        let (secret, state, note) = (at("witness.key"), at("seen"), at(note));
        let mut words = vec!["audit", "witness", "--secret", text(&secret), "--log", text(&log), "--state", text(&state)];
        let proof = proof.map(at);
        words.extend(["--note", text(&note)]);
        words.extend(proof.iter().flat_map(|file| ["--proof", text(file)]));
        amanat(&words)
    };
    let size =
        |site: &Site| serde_json::from_str::<Value>(&site.done(&["audit", "checkpoint", "--json"])).unwrap()["size"].to_string();
    let first = size(&site);
    fs::write(at("one"), site.done(&["audit", "checkpoint"]).trim_end().to_owned() + "\n").unwrap();
    let cosigned = witness("one", None);
    assert_eq!(cosigned.status.code(), Some(0), "{}", String::from_utf8_lossy(&cosigned.stderr));
    fs::write(at("cosigned"), &cosigned.stdout).unwrap();
    let (code, told) = verified(&site, &["--checkpoint", text(&at("cosigned")), "--witness", text(&at("witness.pub"))]);
    assert_eq!(code, Some(0), "{told}");
    let (code, _) = verified(&site, &["--checkpoint", text(&at("one")), "--witness", text(&at("witness.pub"))]);
    assert_eq!(code, Some(3), "the witness has not signed this one");
    site.start();
    let token = site.token("hospital");
    use_it(&site, &token);
    assert_eq!(site.stop(), Some(0));
    let second = size(&site);
    fs::write(at("two"), site.done(&["audit", "checkpoint"]).trim_end().to_owned() + "\n").unwrap();
    assert_eq!(witness("two", None).status.code(), Some(3), "no proof, no word");
    fs::write(at("proof"), site.done(&["audit", "consistency", &first, &second])).unwrap();
    assert_eq!(witness("two", Some("proof")).status.code(), Some(0));
    // A trail that was rewritten, and signed with the right key.
    site.tamper("DELETE FROM trail WHERE seq > 4");
    site.tamper("DELETE FROM checkpoint");
    site.tamper("DELETE FROM setting WHERE name = 'tree-frontier'");
    site.start();
    for _ in 0..3 {
        let token = site.token("hospital");
        use_it(&site, &token);
    }
    assert_eq!(site.stop(), Some(0));
    let third = size(&site);
    fs::write(at("three"), site.done(&["audit", "checkpoint"]).trim_end().to_owned() + "\n").unwrap();
    fs::write(at("proof"), site.done(&["audit", "consistency", &second, &third])).unwrap();
    let refused = witness("three", Some("proof"));
    assert_eq!(refused.status.code(), Some(3), "{}", String::from_utf8_lossy(&refused.stdout));
}

#[test]
fn a_receiver_that_was_away_gets_what_it_missed() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let sections = format!("[audit.checkpoints]\nevery_entries = 1\nhttps = \"http://{address}/\"\nsecret = \"shared\"\n");
    let mut site = Site::prepare(&sections);
    let token = site.client("hospital", EVERYTHING);
    site.start();
    use_it(&site, &token);
    std::thread::sleep(std::time::Duration::from_millis(1500));
    let listener = TcpListener::bind(address).unwrap();
    let received = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut bytes = Vec::new();
        let mut part = [0; 4096];
        while !String::from_utf8_lossy(&bytes).contains("\u{2014}") {
            let read = stream.read(&mut part).unwrap();
            bytes.extend_from_slice(&part[..read]);
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    });
    until("the checkpoint came", || received.is_finished());
    let text = received.join().unwrap();
    assert!(text.contains("x-amanat-signature: sha256="), "{text}");
    assert!(text.contains(&format!("{}/fhir\n", site.listen)), "{text}");
    site.stop();
}
