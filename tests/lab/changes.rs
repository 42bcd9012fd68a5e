//! A result that takes the place of another: who is told, and who is not. And tables that change while the gateway serves.

use super::*;

const WARD: &str = "system/DiagnosticReport.rs system/Observation.rs";

/// A laboratory whose site tells `ward`, and `blind`, who may read no result, of results that were replaced.
fn told_of() -> Server {
    let subscriber =
        |name: &str| format!("[[lab.subscribers]]\nname = \"{name}\"\nclient = \"{name}\"\nto = \"file:{name}.ndjson\"\n");
    let server = laboratory_with(&[subscriber("ward"), subscriber("blind")].concat(), GRANT);
    register(&server, "ward", WARD);
    register(&server, "blind", "system/Patient.rs");
    server
}

/// The records that a subscriber was told of, with their versions.
fn told(server: &Server, name: &str) -> Vec<(String, String)> {
    let text = std::fs::read_to_string(server.folder().join(format!("{name}.ndjson"))).unwrap_or_default();
    let one = |line: &str| {
        let bundle: Value = serde_json::from_str(line).unwrap();
        assert_eq!(bundle["type"], "history");
        assert!(bundle["entry"][1]["resource"].is_null(), "nothing of the record leaves");
        let change = &bundle["entry"][1];
        (change["request"]["url"].as_str().unwrap().to_owned(), change["response"]["etag"].as_str().unwrap().to_owned())
    };
    text.lines().map(one).collect()
}

#[test]
fn a_replaced_result_is_told_to_whom_it_may_be_shown_and_to_nobody_else() {
    let server = told_of();
    let mut feed = Feed::open(&server);
    assert_eq!(feed.told(result("c1", "F", "91", "20260501090000+0000")), ok("c1"));
    assert_eq!(feed.told(result("c2", "C", "92", "20260501100000+0000")), ok("c2"));
    until("the ward is told", || told(&server, "ward").len() >= 2);
    let report = format!("DiagnosticReport/{}", only(&server, "DiagnosticReport?patient=anne")["id"].as_str().unwrap());
    let observation = format!("Observation/{}", only(&server, "Observation?patient=anne")["id"].as_str().unwrap());
    let mut found = told(&server, "ward");
    found.sort();
    assert_eq!(
        found,
        [(report, "W/\"2\"".to_owned()), (observation, "W/\"2\"".to_owned())],
        "the first version replaced nothing"
    );
    let entered = server.trail().iter().filter(|leaf| leaf.to_string().contains("lab told subscriber=ward")).count();
    assert_eq!(entered, 2, "that it was told is in the trail");
    assert!(told(&server, "blind").is_empty(), "who may not read results hears of none");
}

#[test]
fn whom_a_consent_denies_is_told_nothing() {
    let server = told_of();
    server.seed(&[json!({
        "resourceType": "Consent", "id": "no", "status": "active", "scope": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "patient-privacy"}]},
        "category": [{"coding": [{"system": "http://loinc.org", "code": "59284-0"}]}], "patient": {"reference": "Patient/anne"}, "dateTime": "2026-01-01",
        "policyRule": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "OPTOUT"}]},
        "provision": {"type": "deny"},
    })]);
    let mut feed = Feed::open(&server);
    for (at, status) in ["F", "C"].iter().enumerate() {
        let control = format!("c{at}");
        assert_eq!(feed.told(result(&control, status, "9", &format!("2026050110000{at}+0000"))), ok(&control));
    }
    let bobs = "PID|1||1002^^^MRN^MR||Roe^Bob||19750506|M";
    for (at, status) in ["F", "C"].iter().enumerate() {
        let control = format!("b{at}");
        let text = message(&control, bobs, status, "9", &format!("2026050110000{at}+0000"))
            .replace("100^", "200^")
            .replace("S100", "S200");
        assert_eq!(feed.told(text), ok(&control));
    }
    until("what is Bob's is told", || told(&server, "ward").len() >= 2);
    let bob = only(&server, "DiagnosticReport?patient=bob");
    let all = told(&server, "ward");
    assert!(all.iter().any(|(record, _)| record.ends_with(bob["id"].as_str().unwrap())));
    assert_eq!(all.len(), 2, "nothing of Anne's: {all:?}");
}

#[test]
fn a_receiver_that_was_away_is_told_when_it_is_back() {
    use std::io::{BufRead as _, BufReader};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let settings = format!(
        "[[lab.subscribers]]\nname = \"ward\"\nclient = \"ward\"\nto = \"http://127.0.0.1:{port}/told\"\nsecret = \"a long secret of the ward\"\n"
    );
    let server = laboratory_with(&settings, GRANT);
    register(&server, "ward", "system/DiagnosticReport.rs");
    let mut feed = Feed::open(&server);
    assert_eq!(feed.told(result("c1", "F", "91", "20260501090000+0000")), ok("c1"));
    assert_eq!(feed.told(result("c2", "C", "92", "20260501100000+0000")), ok("c2"));
    let mut bodies = Vec::new();
    for status in ["503 Service Unavailable", "200 OK"] {
        let (stream, _) = listener.accept().unwrap();
        let mut reader = BufReader::new(stream);
        let (mut length, mut signed, mut line) = (0, false, String::new());
        while reader.read_line(&mut line).unwrap() > 2 {
            let lower = line.to_lowercase();
            length = lower.strip_prefix("content-length:").map_or(length, |text| text.trim().parse().unwrap());
            signed |= lower.starts_with("x-amanat-signature: sha256=");
            line.clear();
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        assert!(signed);
        bodies.push(serde_json::from_slice::<Value>(&body).unwrap()["entry"][1].clone());
        reader
            .get_mut()
            .write_all(format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").as_bytes())
            .unwrap();
    }
    assert_eq!(bodies[0], bodies[1], "the same once more, until it is taken");
    let entered = server.trail().iter().filter(|leaf| leaf.to_string().contains("lab told subscriber=ward")).count();
    assert_eq!(entered, 1);
}

#[test]
fn tables_that_are_mended_count_from_the_next_message_on_and_broken_ones_change_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let tables = folder.path().join("lab.toml");
    std::fs::write(&tables, "").unwrap();
    let server = laboratory_with(&format!("tables = [\"{}\"]\n", tables.display()), GRANT);
    let mut feed = Feed::open(&server);
    let mut number = 0;
    let mut coded = |feed: &mut Feed<TcpStream>| {
        number += 1;
        let control = format!("c{number}");
        let local = result(&control, "F", "95", "20260501090000+0000");
        let local = local.replace("2345-7^Glucose^LN", "GLU-F^Glucose^L").replace("100^", &format!("{number}^"));
        assert_eq!(feed.told(local), ok(&control));
        !find(&server, "Observation?patient=anne&code=http://loinc.org|1558-6").is_empty()
    };
    assert!(!coded(&mut feed));
    std::fs::write(&tables, "[[codes]]\nsystem = \"L\"\ncode = \"GLU-F\"\nloinc = \"1558-6\"\n").unwrap();
    until("the table is read anew", || coded(&mut feed));
    std::fs::write(&tables, "[[codes]\nbroken").unwrap();
    std::thread::sleep(Duration::from_millis(2_500));
    let before = find(&server, "Observation?patient=anne&code=http://loinc.org|1558-6&_count=500").len();
    coded(&mut feed);
    let after = find(&server, "Observation?patient=anne&code=http://loinc.org|1558-6&_count=500").len();
    assert_eq!(after, before + 1, "the last good table counts on");
}
