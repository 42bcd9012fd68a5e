//! What reaches the server behind: questions that the gateway made of what it understood, and nothing that could mean more than that.

use super::hostile::{Stage, bundle, is};
use crate::support::{Heard, Said, records};
use serde_json::{Value, json};

fn heard(stage: &Stage, of: &str) -> Vec<Heard> {
    let heard = stage.server.behind.as_ref().unwrap().heard.lock().unwrap();
    heard.iter().filter(|one| is(one, of) && !one.target.contains("amanat-probe")).cloned().collect()
}

#[test]
fn what_a_caller_writes_in_a_value_stays_in_the_value() {
    let stage = Stage::new("");
    for value in [
        "a%26_count%3D999%26patient%3Dp2",
        "a%23b",
        "a%0D%0AX-Evil%3A%201%0D%0A%0D%0AGET%20%2Fadmin",
        "a%3Bpatient%3Dp2",
        "..%2F..%2Fadmin%3Fx",
        "a%00b",
        "a%2Bb%20c",
        "%C3%BC%E2%80%A8",
        "a%5C%2Cb%7Cc%24d",
        "%25%32%36_count=1",
    ] {
        for query in [format!("code={value}"), format!("identifier=urn:x|{value}"), format!("patient=p1&note:text={value}")] {
            let reply = stage.server.get(&format!("Observation?{query}"), &stage.app());
            assert!(matches!(reply.status, 200 | 400), "{query}: {}", reply.text());
        }
    }
    for path in [
        "Observation/..%2F..%2Fadmin",
        "Observation/a%3Fb",
        "Observation/a%0D%0Ab",
        "Patient/p1/..%2fp2",
        "Observation/%2e%2e",
        "Observation/%2e",
        "Patient/%2e%2e/Observation",
        "Observation/%2e%2e/_history",
    ] {
        let reply = stage.server.get(path, &stage.app());
        assert!((400..=404).contains(&reply.status), "{path}: {}", reply.status);
    }
    let all = stage.server.behind.as_ref().unwrap().heard.lock().unwrap().clone();
    assert!(all.iter().any(|one| one.target.contains("code=")));
    for one in &all {
        assert!(one.target.starts_with("/fhir/") && one.target.bytes().all(|byte| byte.is_ascii_graphic()), "{}", one.target);
        assert!(!one.target.contains("admin") || one.below().1.contains("admin"), "{}", one.target);
        assert!(one.header("x-evil").is_none() && one.method == "GET");
        let names: Vec<&str> = one.below().1.split('&').map(|pair| pair.split('=').next().unwrap()).collect();
        let known = |name: &&str| ["code", "identifier", "patient", "subject", "_count", ""].contains(name);
        assert!(!is(one, "Observation") || names.iter().all(known), "{}", one.target);
        assert!(
            names.iter().filter(|name| **name == "_count").count() <= 1 && !one.target.contains("_count=999"),
            "{}",
            one.target
        );
        assert!(!is(one, "Observation") || one.target.starts_with("/fhir/Patient/p1/Observation?"), "{}", one.target);
    }
}

#[test]
fn joins_orders_and_shapes_are_the_gateways_own_affair() {
    let stage = Stage::new("");
    stage.says(|heard| {
        let mine = records::observation("mine", "p1", "laboratory");
        match heard.below().0 {
            "Patient" => Some(Said::json(200, bundle(heard, &[records::patient("p1", "Ahmad")]).to_string())),
            "Patient/p1" => Some(Said::json(200, records::patient("p1", "Ahmad").to_string())),
            "Practitioner/d1" => Some(Said::json(200, records::practitioner("d1", "House").to_string())),
            _ if is(heard, "Observation") => Some(Said::json(200, bundle(heard, &[mine]).to_string())),
            _ => None,
        }
    });
    for query in [
        "Observation?patient.name=ahmad",
        "Observation?subject:Patient.name=ahmad",
        "Observation?_has:Provenance:target:agent=Practitioner/d1",
        "Patient?_has:Observation:patient:code=718-7",
        "Observation?_sort=-date",
        "Observation?_elements=status",
        "Observation?_summary=true",
        "Observation?_summary=count",
        "Observation?_total=accurate",
        "Observation?_include=Observation:subject&_include:iterate=Patient:general-practitioner",
        "Patient?_revinclude=Observation:patient",
        "Observation?_filter=status eq final and patient.name eq ahmad",
    ] {
        let reply = stage.server.get(query, &stage.app());
        assert_eq!(reply.status, 200, "{query}: {}", reply.text());
    }
    for one in stage.server.behind.as_ref().unwrap().heard.lock().unwrap().iter() {
        let (path, query) = one.below();
        let names = query.split('&').map(|pair| pair.split('=').next().unwrap());
        let pushed =
            |name: &str| name.contains('.') || (name.starts_with('_') && !["_count", "_id", "_lastUpdated"].contains(&name));
        assert!(!names.into_iter().any(pushed) || query.contains("amanat-probe"), "{path}?{query}");
        assert!(one.header("prefer").is_none_or(|prefer| prefer == "handling=strict"));
    }
}

#[test]
fn pages_that_are_thinned_by_what_is_withheld_are_filled() {
    let stage = Stage::new("");
    stage.says(|heard| {
        if !is(heard, "Observation") {
            return None;
        }
        let at: usize = heard.below().1.split("page=").nth(1).and_then(|at| at.parse().ok()).unwrap_or(0);
        let all: Vec<Value> = (0..6)
            .map(|one| {
                let owner = if one == at % 6 { "p1" } else { "p2" };
                records::observation(&format!("o{at}-{one}"), owner, "laboratory")
            })
            .collect();
        let mut page = bundle(heard, &all);
        if at < 7 {
            let url = format!("http://{}/fhir/Patient/p1/Observation?page={}", heard.header("host").unwrap(), at + 1);
            page["link"].as_array_mut().unwrap().push(json!({"relation": "next", "url": url}));
        }
        Some(Said::json(200, page.to_string()))
    });
    let (mut next, mut sizes, mut keys) = (Some("Observation?_count=3".to_owned()), Vec::new(), Vec::new());
    while let Some(path) = next.take() {
        let reply = stage.server.get(&path, &stage.app()).expect(200);
        assert!(reply.json().get("total").is_none(), "what the server counts is not told");
        assert!(!reply.text().contains("?page=") && !reply.text().contains("Patient/p2"), "{}", reply.text());
        sizes.push(reply.keys().len());
        keys.extend(reply.keys());
        next = reply.next();
    }
    assert_eq!(sizes, [3, 3, 2]);
    let expected: Vec<String> = (0..8).map(|at| format!("Observation/o{at}-{}", at % 6)).collect();
    assert_eq!(keys, expected, "each once, in their order");
    assert_eq!(heard(&stage, "Observation").len(), 8 + 2, "a page that was left in the middle is read again");
}
