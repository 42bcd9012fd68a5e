//! Records pass through whole: the JSON that came in is the JSON that goes out.

use crate::support::Server;
use serde_json::json;

/// Number texts, unknown extensions, contained resources, primitive siblings, escapes, order.
const BODY: &str = r#"{"resourceType":"Observation","id":"w1","modifierExtension":[{"url":"urn:x","valueDecimal":0.10}],"language":"ur","contained":[{"resourceType":"Device","id":"d","extension":[{"url":"urn:y","extension":[{"url":"z","valueString":"\u06a9\u0627 \\ \" \/"}]}]}],"_status":{"extension":[{"url":"urn:why","valueCode":"x"}]},"status":"final","code":{"coding":[{"code":"718-7","system":"http://loinc.org"}]},"subject":{"display":"A\tB","reference":"Patient/p1"},"valueQuantity":{"unit":"g","value":1.50},"component":[{"code":{"text":"a"},"valueQuantity":{"value":-0.00}},{"code":{"text":"b"},"valueQuantity":{"value":1e-7}},{"code":{"text":"c"},"valueQuantity":{"value":12345678901234567890.123456789}}]}"#;

/// The text from the first member that the server does not own.
fn tail(text: &str) -> &str {
    let at = text.find("\"modifierExtension\"").unwrap();
    let end = text[at..].find("12345678901234567890.123456789}}]").unwrap();
    &text[at..at + end + 33]
}

/// What the server puts in between: `meta`.
fn without_meta(text: &str) -> String {
    let Some(at) = text.find("\"meta\":{") else { return text.to_owned() };
    let end = text[at..].find("},").unwrap();
    format!("{}{}", &text[..at], &text[at + end + 2..])
}

#[test]
fn a_record_comes_out_of_every_path_as_it_came_in() {
    let server = Server::open();
    let all = server.system("system/*.cruds");
    let put = || server.call("PUT", "Observation/w1").token(&all).body("application/fhir+json", BODY).send();
    let mut answers = vec![put().expect(201)];
    answers.push(put().expect(200));
    for path in [
        "Observation/w1",
        "Observation/w1/_history/1",
        "Observation/w1/_history",
        "Observation/_history",
        "_history",
        "Observation?_id=w1",
        "Observation?status=final&_include=Observation:subject",
        "Patient/p1/Observation",
    ] {
        answers.push(server.get(path, &all).expect(200));
    }
    let read = json!({"request": {"method": "GET", "url": "Observation/w1"}});
    for kind in ["batch", "transaction"] {
        answers.push(server.post("", &all, &json!({"resourceType": "Bundle", "type": kind, "entry": [read]})).expect(200));
    }
    let want = tail(BODY);
    for answer in &answers {
        assert_eq!(tail(&without_meta(answer.text())), want);
    }
    // In a transaction with references to rewrite, all else stays.
    let entry = format!(
        r#"{{"resourceType":"Bundle","type":"transaction","entry":[{{"fullUrl":"urn:uuid:1","resource":{},"request":{{"method":"POST","url":"Observation"}}}},{{"fullUrl":"urn:uuid:2","resource":{{"resourceType":"Patient"}},"request":{{"method":"POST","url":"Patient"}}}}]}}"#,
        BODY.replace("Patient/p1", "urn:uuid:2")
    );
    let reply = server
        .call("POST", "")
        .token(&all)
        .header("Prefer", "return=representation")
        .body("application/fhir+json", entry)
        .send()
        .expect(200);
    let patient = reply.json()["entry"][1]["resource"]["id"].as_str().unwrap().to_owned();
    assert_eq!(tail(&without_meta(reply.text())), want.replace("Patient/p1", &format!("Patient/{patient}")));
    // What a patch does not touch stays too.
    let patched =
        server.patch("Observation/w1", &all, &json!([{"op": "add", "path": "/note", "value": [{"text": "x"}]}])).expect(200);
    assert_eq!(tail(&without_meta(patched.text())), want);
}
