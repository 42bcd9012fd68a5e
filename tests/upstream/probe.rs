//! What a server says of itself is compared with what it does: by `amanat doctor`, and in what the gateway says of itself.

use crate::site::Site;
use crate::support::{Behind, Heard, Said, Server, records};
use serde_json::{Value, json};

fn statement(extra: &Value) -> Said {
    let mut patient = json!({"type": "Patient", "interaction": [{"code": "read"}, {"code": "search-type"}, {"code": "create"}],
        "versioning": "no-version", "updateCreate": false, "searchParam": [{"name": "name", "type": "string"}]});
    for (name, value) in extra.as_object().unwrap() {
        patient[name] = value.clone();
    }
    let observation = json!({"type": "Observation", "interaction": [{"code": "read"}, {"code": "update"}, {"code": "delete"}]});
    let all = json!({"resourceType": "CapabilityStatement", "fhirVersion": "4.0.1", "rest": [{"mode": "server",
        "interaction": [{"code": extra["system"].as_str().unwrap_or("batch")}], "resource": [patient, observation]}]});
    Said::json(200, all.to_string())
}

fn bundle(heard: &Heard, own: bool, records: &[Value]) -> Said {
    let url = format!("http://x{}", heard.target);
    let entries: Vec<Value> = records.iter().map(|record| json!({"resource": record})).collect();
    let link = if own { json!([{"relation": "self", "url": url}]) } else { json!([]) };
    Said::json(200, json!({"resourceType": "Bundle", "type": "searchset", "link": link, "entry": entries}).to_string())
}

#[test]
fn the_gateway_says_of_itself_what_the_server_can_do_too() {
    let behind = Behind::start(|heard| match heard.below().0 {
        "metadata" => statement(&json!({})),
        _ => bundle(heard, true, &[]),
    });
    let server = Server::before(behind, "Policy-all-normal", "");
    let told = server.get("metadata", "").expect(200).json();
    let rest = &told["rest"][0];
    let names = |list: &Value, name: &str| -> Vec<String> {
        list.as_array().into_iter().flatten().map(|one| one[name].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&rest["resource"], "type"), ["AuditEvent", "Observation", "Patient"]);
    assert!(!names(&rest["interaction"], "code").contains(&"transaction".to_owned()));
    let of = |name: &str| rest["resource"].as_array().unwrap().iter().find(|one| one["type"] == name).unwrap().clone();
    let patient = of("Patient");
    assert_eq!(names(&patient["interaction"], "code"), ["read", "search-type"], "it creates by update alone");
    assert_eq!(
        (&patient["versioning"], &patient["updateCreate"], &patient["readHistory"]),
        (&json!("no-version"), &json!(false), &json!(false))
    );
    let searched = names(&patient["searchParam"], "name");
    assert!(
        searched.contains(&"name".to_owned()) && searched.iter().all(|name| name == "name" || name.starts_with('_')),
        "{searched:?}"
    );
    let observation = names(&of("Observation")["interaction"], "code");
    assert_eq!(observation, ["read", "create", "update", "patch", "delete"]);
    // What it has no parameter for, the gateway holds against each record.
    let reply = server.get("Patient?birthdate=1980", &server.system("system/*.rs"));
    assert_eq!(reply.status, 200, "{}", reply.text());
    let asked = server.behind.as_ref().unwrap().asked();
    assert!(!asked.iter().any(|asked| asked.contains("birthdate")), "{asked:?}");
}

/// What `amanat doctor` finds of a server, and its exit code.
fn examined(behind: &Behind, settings: &str) -> (i32, Value) {
    let site = Site::prepare(&format!("[upstream]\n{settings}\n"));
    let text = std::fs::read_to_string(site.settings()).unwrap();
    let store = format!("url = \"{}\"\nledger = \"sqlite:amanat.db\"", behind.base());
    std::fs::write(site.settings(), text.replace("url = \"sqlite:amanat.db\"", &store)).unwrap();
    let output = site.amanat(&["doctor", "--json"]);
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    let check = told["checks"].as_array().unwrap().iter().find(|check| check["number"] == 70).unwrap().clone();
    (output.status.code().unwrap(), check)
}

#[test]
fn the_doctor_tells_a_server_that_does_what_it_says_from_one_that_does_not() {
    let good = Behind::start(|heard| match heard.below() {
        ("metadata", _) => statement(&json!({"updateCreate": true, "system": "transaction"})),
        (_, query) if query.contains("amanat-probe-nobody=1") => Said::json(400, "{}"),
        _ => bundle(heard, true, &[]),
    });
    let (_, check) = examined(&good, "");
    assert_eq!(check["result"], "fine", "{check}");
    // It ignores filters and parameters, says in no link what it understood, and knows no compartments.
    let bad = Behind::start(|heard| match heard.below() {
        ("metadata", _) => statement(&json!({})),
        (path, _) if path.starts_with("Patient/") => Said::json(404, "{}"),
        (path, _) if path.contains('/') => Said::json(400, "{}"),
        _ => bundle(heard, false, &[records::patient("p1", "Ahmad")]),
    });
    let (code, check) = examined(&bad, "");
    assert!(code == 3 && check["result"] != "fine", "{code} {check}");
    let text = check.to_string();
    for word in ["filters", "self link", "unknown parameters"] {
        assert!(text.contains(word), "{word}: {text}");
    }
    assert!(bad.asked().iter().all(|asked| asked.starts_with("GET")), "nothing is changed: {:?}", bad.asked());
    let none = Behind::start(|_| Said::json(200, "<html>"));
    let (code, check) = examined(&none, "");
    assert!(code == 3 && check.to_string().contains("CapabilityStatement"), "{code} {check}");
}
