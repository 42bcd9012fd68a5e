use crate::site::{Site, signal, until};
use serde_json::{Value, json};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

fn request(method: &str, target: &str, token: &str, body: &str) -> String {
    format!(
        "{method} {target} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nContent-Type: application/fhir+json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// Reads one answer of a connection that stays open; `None` when it was closed before an answer began.
fn answer(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let count = stream.read(&mut chunk).unwrap_or(0);
        if count == 0 {
            assert!(bytes.is_empty(), "an answer that breaks off: {}", String::from_utf8_lossy(&bytes));
            return None;
        }
        bytes.extend_from_slice(&chunk[..count]);
        let text = String::from_utf8_lossy(&bytes);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length =
            head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse::<usize>().ok());
        if body.len() >= length.unwrap_or(0) {
            return Some(text.into_owned());
        }
    }
}

/// Writes one record after the other until the gateway takes no more; gives the ids of those that were answered.
fn write(site: &Site, token: &str, over: &AtomicBool) -> Vec<String> {
    let mut written = Vec::new();
    let record = json!({ "resourceType": "Basic", "code": { "text": "load" } }).to_string();
    let Ok(mut stream) = TcpStream::connect(site.listen) else { return written };
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    while !over.load(Ordering::Relaxed) {
        if stream.write_all(request("POST", "/fhir/Basic", token, &record).as_bytes()).is_err() {
            break;
        }
        let Some(text) = answer(&mut stream) else { break };
        assert!(text.starts_with("HTTP/1.1 201"), "{text}");
        let made: Value = serde_json::from_str(text.split_once("\r\n\r\n").unwrap().1).unwrap();
        written.push(made["id"].as_str().unwrap().to_owned());
    }
    written
}

#[test]
fn stopping_under_load_answers_what_was_taken_and_keeps_what_was_answered() {
    let mut site = Site::prepare("");
    let token = site.client("hospital", "system/*.cruds");
    site.start();
    let over = AtomicBool::new(false);
    let process = site.process().id();
    let written: Vec<String> = std::thread::scope(|scope| {
        let load: Vec<_> = (0..6).map(|_| scope.spawn(|| write(&site, &token, &over))).collect();
        // A body that is still on its way when the gateway is told to stop.
        let mut late = TcpStream::connect(site.listen).unwrap();
        late.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let whole = request("PUT", "/fhir/Basic/late", &token, r#"{"resourceType":"Basic","id":"late","code":{"text":"late"}}"#);
        let (first, rest) = whole.split_at(whole.len() - 20);
        late.write_all(first.as_bytes()).unwrap();
        std::thread::sleep(Duration::from_millis(600));
        std::process::Command::new("kill").args(["-s", "TERM", &process.to_string()]).status().unwrap();
        std::thread::sleep(Duration::from_millis(200));
        assert!(!site.ready(), "no new work should be sent here");
        late.write_all(rest.as_bytes()).unwrap();
        let text = answer(&mut late).expect("what was taken is answered");
        assert!(text.starts_with("HTTP/1.1 201"), "{text}");
        let written = load.into_iter().flat_map(|one| one.join().unwrap()).collect();
        over.store(true, Ordering::Relaxed);
        written
    });
    assert_eq!(site.process().wait().unwrap().code(), Some(0));
    assert!(written.len() > 20, "{} written", written.len());
    site.start();
    site.get(&token, "Basic/late").expect(200);
    for id in &written {
        site.get(&token, &format!("Basic/{id}")).expect(200);
    }
    site.done(&["audit", "verify"]);
}

#[test]
fn a_consent_whose_sender_hung_up_takes_effect() {
    let mut site = Site::prepare("");
    let token = site.client("hospital", "system/*.cruds");
    site.start();
    for number in 0..15 {
        let id = format!("p{number}");
        let patient = json!({ "resourceType": "Patient", "id": id });
        site.ask("PUT", &token, &format!("Patient/{id}"), Some(&patient)).expect(201);
        let consent = json!({
            "resourceType": "Consent", "id": format!("c{number}"), "status": "active",
            "scope": { "coding": [{ "system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "patient-privacy" }] },
            "category": [{ "coding": [{ "system": "http://loinc.org", "code": "59284-0" }] }],
            "patient": { "reference": format!("Patient/{id}") }, "dateTime": "2026-01-01",
            "policyRule": { "coding": [{ "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "OPTOUT" }] },
            "provision": { "type": "deny" }
        });
        let stream = TcpStream::connect(site.listen).unwrap();
        let text = request("PUT", &format!("/fhir/Consent/c{number}"), &token, &consent.to_string());
        (&stream).write_all(text.as_bytes()).unwrap();
        std::thread::sleep(Duration::from_micros(300 * number));
        drop(stream);
    }
    std::thread::sleep(Duration::from_millis(500));
    let served: Vec<u16> = (0..15).map(|number| site.get(&token, &format!("Patient/p{number}")).status).collect();
    assert_eq!(site.stop(), Some(0));
    site.start();
    let after: Vec<u16> = (0..15).map(|number| site.get(&token, &format!("Patient/p{number}")).status).collect();
    assert_eq!(served, after, "a restart, which reads every consent anew, decides the same");
    assert!(after.contains(&404), "some consents at least were stored: {after:?}");
}

#[test]
fn sighup_is_no_end() {
    let mut site = Site::open();
    signal(site.process(), "HUP");
    std::thread::sleep(Duration::from_millis(300));
    until("it serves on", || site.ready());
    assert_eq!(site.stop(), Some(0));
}
