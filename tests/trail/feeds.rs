//! What goes out to other systems: every format, to a file and over TLS; and what must never go out.

use super::{EVERYTHING, observation, patient, tls_listener};
use crate::site::{Site, until};
use serde_json::Value;
use std::fs;
use std::io::{Read as _, Write as _};
use std::sync::mpsc::{Receiver, channel};

fn used(sections: &str) -> Site {
    let mut site = Site::prepare(sections);
    let token = site.client("hospital", EVERYTHING);
    site.start();
    for id in ["pat-one", "pat-two"] {
        site.ask("PUT", &token, &format!("Patient/{id}"), Some(&patient(id))).expect(201);
        site.ask("POST", &token, "Observation", Some(&observation(id))).expect(201);
    }
    site.get(&token, "Observation?patient=pat-one&code:text=Haemoglobin").expect(200);
    site.send(
        "GET",
        "Patient/pat-one%0d%0aCEF:0%7CEvil",
        &format!("Authorization: Bearer {token}\r\nX-Request-Id: a\u{1b}[31m\r\n"),
        "",
    );
    site
}

fn feed(name: &str, format: &str, entitled: bool) -> String {
    format!("[[audit.feeds]]\nname = \"{name}\"\nformat = \"{format}\"\nto = \"file:{name}\"\nentitled = {entitled}\n")
}

fn lines(site: &Site, name: &str) -> Vec<String> {
    let text = fs::read_to_string(site.folder.path().join(name)).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn every_format_has_every_entry_one_a_line_and_nothing_of_any_record() {
    let formats = ["syslog", "cef", "json", "otlp", "atna"];
    let sections: String =
        formats.iter().map(|format| feed(format, format, true)).collect::<String>() + &feed("outside", "json", false);
    let mut site = used(&sections);
    let all = site.trail().len();
    until("the feeds have caught up", || ["syslog", "cef", "json", "outside"].iter().all(|name| lines(&site, name).len() >= all));
    assert_eq!(site.stop(), Some(0));
    for (name, begin) in [("syslog", "<85>1 "), ("cef", "<85>1 ")] {
        assert!(lines(&site, name).iter().all(|line| line.starts_with(begin)), "{name}");
    }
    let numbers: Vec<i64> =
        lines(&site, "json").iter().map(|line| serde_json::from_str::<Value>(line).unwrap()["seq"].as_i64().unwrap()).collect();
    assert!((1..).zip(&numbers).all(|(at, number)| at == *number), "in order, none twice: {numbers:?}");
    assert!(
        lines(&site, "cef")
            .iter()
            .any(|line| line.contains("cs1Label=patient cs1=pat-one,pat-two") || line.contains("cs1=pat-one"))
    );
    for line in lines(&site, "otlp") {
        let document: Value = serde_json::from_str(&line).unwrap();
        assert!(document["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0]["timeUnixNano"].is_string());
    }
    for line in lines(&site, "atna") {
        let document: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(
            (&document["type"], &document["entry"][0]["resource"]["resourceType"]),
            (&"batch".into(), &"AuditEvent".into())
        );
    }
    let outside = fs::read_to_string(site.folder.path().join("outside")).unwrap();
    assert!(!outside.contains("pat-one") && outside.contains("\"p-"), "patients by pseudonym");
    for name in formats.iter().copied().chain(["outside", "amanat.log"]) {
        let text = fs::read_to_string(site.folder.path().join(name)).unwrap();
        assert!(!text.contains("confidential"), "record content in {name}");
        assert!(!text.contains('\u{1b}') && !text.contains("\nCEF:0|Evil"), "an escape in {name}");
    }
}

/// A syslog receiver over TLS that gives what it reads.
fn syslog_receiver() -> (u16, tempfile::TempDir, Receiver<Vec<u8>>) {
    let (sender, receiver) = channel();
    let (port, folder) = tls_listener(move |mut tls| {
        let mut part = [0; 4096];
        while let Ok(read) = tls.read(&mut part) {
            if read == 0 || sender.send(part[..read].to_vec()).is_err() {
                break;
            }
        }
    });
    (port, folder, receiver)
}

/// What came so far, until it holds this.
fn received(receiver: &Receiver<Vec<u8>>, wanted: &str) -> String {
    let mut bytes = Vec::new();
    until("messages came", || {
        bytes.extend(receiver.try_iter().flatten());
        String::from_utf8_lossy(&bytes).contains(wanted)
    });
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The messages of a stream that counts octets (RFC 5425 § 4.3).
fn messages(stream: &str) -> Vec<String> {
    let (mut rest, mut all) = (stream.as_bytes(), Vec::new());
    while let Some(blank) = rest.iter().position(|byte| *byte == b' ') {
        let length: usize = std::str::from_utf8(&rest[..blank]).unwrap().parse().unwrap();
        let Some(message) = rest.get(blank + 1..blank + 1 + length) else { break };
        all.push(String::from_utf8(message.to_vec()).unwrap());
        rest = &rest[blank + 1 + length..];
    }
    all
}

#[test]
fn a_receiver_over_tls_gets_each_message_behind_its_length() {
    for (format, wanted) in [("syslog", "AUDIT"), ("cef", "CEF:0|Amanat|amanat|"), ("json", "\"event\"")] {
        let (port, folder, receiver) = syslog_receiver();
        let ca = folder.path().join("ca.pem");
        let sections = format!(
            "[[audit.feeds]]\nname = \"siem\"\nformat = \"{format}\"\nto = \"syslog://localhost:{port}\"\nca = \"{}\"\n",
            ca.display()
        );
        let mut site = used(&sections);
        let all = messages(&received(&receiver, wanted));
        assert!(!all.is_empty());
        if format != "json" {
            assert!(all.iter().all(|message| message.starts_with("<85>1 ")), "{all:?}");
        }
        assert!(all.iter().all(|message| !message.contains(['\n', '\r', '\u{1b}'])), "{all:?}");
        assert_eq!(site.stop(), Some(0));
    }
}

#[test]
fn checkpoints_are_pushed_to_a_syslog_receiver_over_tls() {
    let (port, folder, receiver) = syslog_receiver();
    let ca = folder.path().join("ca.pem");
    let sections = format!("[audit.checkpoints]\nevery_entries = 2\nsyslog = \"localhost:{port}\"\nca = \"{}\"\n", ca.display());
    let mut site = used(&sections);
    let text = received(&receiver, "\u{2014} ");
    assert!(messages(&text).iter().any(|message| message.contains("/fhir") && message.contains("\u{2014} ")), "{text}");
    assert_eq!(site.stop(), Some(0));
}

#[test]
fn telemetry_is_posted_over_tls_and_signed() {
    let (sender, receiver) = channel();
    let (port, folder) = tls_listener(move |mut tls| {
        let (mut bytes, mut part) = (Vec::new(), [0; 16384]);
        while let Ok(read) = tls.read(&mut part) {
            bytes.extend_from_slice(&part[..read]);
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let length =
                text.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ").map(str::to_owned));
            let whole = text
                .split_once("\r\n\r\n")
                .is_some_and(|(_, body)| length.is_some_and(|length| length.parse() == Ok(body.len())));
            if whole && sender.send(text).is_ok() {
                bytes.clear();
                drop(tls.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
            } else if read == 0 {
                break;
            }
        }
    });
    let sections = format!(
        "[[audit.feeds]]\nname = \"otel\"\nformat = \"otlp\"\nto = \"https://localhost:{port}/v1/logs\"\nca = \"{}\"\nsecret = \"shared\"\n",
        folder.path().join("ca.pem").display()
    );
    let mut site = used(&sections);
    let posted = receiver.recv_timeout(std::time::Duration::from_secs(30)).unwrap();
    let (head, body) = posted.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /v1/logs ") && head.to_ascii_lowercase().contains("x-amanat-signature: sha256="), "{head}");
    let document: Value = serde_json::from_str(body).unwrap();
    let record = &document["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0];
    assert!(record["timeUnixNano"].is_string() && record["attributes"].is_array(), "{record}");
    assert!(!posted.contains("confidential") && !posted.contains("pat-one"), "patients by pseudonym, nothing of a record");
    assert_eq!(site.stop(), Some(0));
}

#[test]
fn under_a_legal_hold_nothing_is_dropped() {
    let settings = "[audit.retention]\nfolder = \"sealed\"\n";
    let mut site = Site::prepare(&format!("{settings}hold = true\n"));
    fs::create_dir(site.folder.path().join("sealed")).unwrap();
    let token = site.client("hospital", EVERYTHING);
    site.start();
    site.ask("PUT", &token, "Patient/a", Some(&patient("a"))).expect(201);
    assert_eq!(site.stop(), Some(0));
    site.tamper("UPDATE trail SET recorded = 0");
    site.start();
    site.get(&token, "Patient/a").expect(200);
    // Expired months are thought of as soon as the gateway serves.
    std::thread::sleep(std::time::Duration::from_secs(2));
    assert_eq!((site.trail()[0].seq, fs::read_dir(site.folder.path().join("sealed")).unwrap().count()), (1, 0));
    assert_eq!(site.stop(), Some(0));
    let text = fs::read_to_string(site.settings()).unwrap();
    fs::write(site.settings(), text.replace("hold = true", "hold = false")).unwrap();
    site.start();
    until("what is expired goes when the hold is lifted", || site.trail()[0].seq > 1);
    assert_eq!(fs::read_dir(site.folder.path().join("sealed")).unwrap().count(), 1);
    assert_eq!(site.stop(), Some(0));
}

#[test]
fn expired_months_are_sealed_and_dropped_and_what_follows_still_verifies() {
    let mut site = Site::prepare("[audit.retention]\nfolder = \"sealed\"\n");
    fs::create_dir(site.folder.path().join("sealed")).unwrap();
    let token = site.client("hospital", EVERYTHING);
    site.start();
    site.ask("PUT", &token, "Patient/a", Some(&patient("a"))).expect(201);
    assert_eq!(site.stop(), Some(0));
    let old = site.trail().len();
    site.done(&["audit", "checkpoint"]);
    // As if all of it were from long ago.
    site.tamper("UPDATE trail SET recorded = 0");
    site.start();
    site.get(&token, "Patient/a").expect(200);
    let sealed = || fs::read_dir(site.folder.path().join("sealed")).unwrap().map(|file| file.unwrap().path()).next();
    until("what is expired is sealed", || sealed().is_some() && site.trail()[0].seq > 1);
    assert_eq!(site.trail()[0].seq, i64::try_from(old).unwrap() + 1, "and nothing else");
    let file = sealed().unwrap();
    let key = site.folder.path().join("trail.pub");
    fs::write(&key, site.done(&["audit", "key"])).unwrap();
    let words = ["audit", "verify", "--export", file.to_str().unwrap(), "--key", key.to_str().unwrap()];
    assert_eq!(crate::site::amanat(&words).status.code(), Some(0), "the seal verifies by itself");
    let verified = site.amanat(&["audit", "verify", "--json"]);
    assert_eq!(verified.status.code(), Some(0), "{}", String::from_utf8_lossy(&verified.stdout));
    site.done(&["audit", "prove", &(old + 2).to_string()]);
    let words: Vec<Value> = site.trail().iter().map(|entry| entry.told()["event"]["word"].clone()).collect();
    assert!(words.contains(&"expired".into()), "{words:?}");
    assert_eq!(site.stop(), Some(0));
}

#[test]
fn a_change_of_what_decides_is_entered_at_the_next_start() {
    let mut site = Site::prepare("");
    site.start();
    assert_eq!(site.stop(), Some(0));
    let text = fs::read_to_string(site.settings()).unwrap();
    fs::write(site.settings(), text.replace("Policy-all-normal", "Policy-deny")).unwrap();
    site.start();
    assert_eq!(site.stop(), Some(0));
    let told: Vec<Value> =
        site.trail().iter().map(crate::site::Entry::told).filter(|entry| entry["event"]["kind"] == "policy").collect();
    let words: Vec<&str> = told.iter().map(|entry| entry["event"]["word"].as_str().unwrap()).collect();
    assert_eq!(words, ["consent-settings-changed", "configuration-changed"]);
    assert!(told[0]["query"].as_str().unwrap().contains("before=sha256:"), "{told:?}");
    let start = site.trail().iter().map(crate::site::Entry::told).find(|entry| entry["event"]["kind"] == "start").unwrap();
    assert!(start["query"].as_str().unwrap().contains("version="), "{start}");
}
