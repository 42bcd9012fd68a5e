//! What the gateway says of itself, held against what it does.

use crate::site::Site;
use serde_json::{Value, json};

fn open(site: &Site, path: &str, headers: &str) -> crate::site::Answer {
    site.raw(&format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n"))
}

#[test]
fn d2_to_d9_d13_d16_d17_the_smart_configuration_tells_what_is_there() {
    let site = Site::open();
    let place = "/fhir/.well-known/smart-configuration";
    for accept in ["", "Accept: application/fhir+json\r\n", "Accept: text/html\r\n", "Accept: */*\r\n"] {
        let answer = open(&site, place, accept).expect(200);
        assert!(answer.header("content-type").starts_with("application/json"), "D-2 {accept}: {answer:?}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "D-17");
        assert!(answer.header("cache-control").contains("max-age="), "D-17");
    }
    let answer = open(&site, place, "Origin: https://app.example\r\n");
    assert!(["*", "https://app.example"].contains(&answer.header("access-control-allow-origin")), "D-16");
    let told = answer.json();
    let list = |name: &str| {
        told[name]
            .as_array()
            .unwrap_or_else(|| panic!("{name}"))
            .iter()
            .map(|one| one.as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let capabilities = list("capabilities");
    assert!(!told["token_endpoint"].as_str().unwrap().is_empty(), "D-3");
    assert_eq!(list("grant_types_supported"), ["authorization_code", "refresh_token", "client_credentials"], "D-3, D-5");
    assert_eq!(list("code_challenge_methods_supported"), ["S256"], "D-6");
    let launches = capabilities.iter().any(|one| one.starts_with("launch-"));
    assert_eq!(launches, told.get("authorization_endpoint").is_some(), "D-4");
    assert_eq!(capabilities.iter().any(|one| one == "sso-openid-connect"), told.get("issuer").is_some(), "D-7");
    assert!(list("token_endpoint_auth_methods_supported").contains(&"private_key_jwt".to_owned()), "D-9");
    let algorithms = list("token_endpoint_auth_signing_alg_values_supported");
    assert!(["RS384", "ES384"].iter().all(|one| algorithms.iter().any(|found| found == one)), "D-9");
    assert!(!list("scopes_supported").is_empty(), "D-9");
    let families = ["launch-", "authorize-", "client-", "sso-", "context-", "permission-", "smart-"];
    for capability in &capabilities {
        let known = families.iter().any(|family| capability.starts_with(family));
        assert!(known || capability.contains("://"), "D-13: {capability}");
    }
    for endpoint in ["token_endpoint", "jwks_uri"] {
        assert!(told[endpoint].as_str().unwrap().starts_with(&format!("http://{}/", site.listen)), "D-8 {endpoint}");
    }
    let jwks = told["jwks_uri"].as_str().unwrap().trim_start_matches(&format!("http://{}", site.listen)).to_owned();
    let keys = open(&site, &jwks, "").expect(200).json();
    assert!(!keys["keys"].as_array().unwrap().is_empty());
    assert!(
        keys["keys"]
            .as_array()
            .unwrap()
            .iter()
            .all(|key| key.get("d").is_none() && key["kid"].is_string() && key["alg"].is_string())
    );
    let preflight = site.raw(&format!(
        "OPTIONS {place} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nOrigin: https://app.example\r\nAccess-Control-Request-Method: GET\r\n\r\n"
    ));
    assert!((200..300).contains(&preflight.status), "D-16");
    let token = told["token_endpoint"].as_str().unwrap().trim_start_matches(&format!("http://{}", site.listen)).to_owned();
    assert_eq!(open(&site, &token, "").status, 405, "T-1");
}

#[test]
fn d17_the_configuration_is_not_sent_twice_to_those_who_have_it() {
    let site = Site::open();
    let place = "/fhir/.well-known/smart-configuration";
    let tag = open(&site, place, "").expect(200).header("etag").to_owned();
    assert_ne!(tag, "", "D-17");
    let again = open(&site, place, &format!("If-None-Match: {tag}\r\n"));
    assert_eq!((again.status, again.body.as_str()), (304, ""), "D-17");
    open(&site, place, "If-None-Match: \"other\"\r\n").expect(200);
}

/// A value that a parameter of this kind can have.
fn plausible(kind: &str, name: &str, definition: &str) -> String {
    match kind {
        "date" => "ge2020-01-01".to_owned(),
        "number" => "5".to_owned(),
        "quantity" => "5.4%7Chttp://unitsofmeasure.org%7Cmg".to_owned(),
        "reference" => "Patient/p".to_owned(),
        "uri" => "http://example.org/x".to_owned(),
        "token" if name == "_id" => "p".to_owned(),
        "token" => "final".to_owned(),
        "string" => "ab".to_owned(),
        _ => definition.to_owned(),
    }
}

#[test]
fn cs3_everything_that_the_capability_statement_claims_works() {
    let mut site = Site::prepare("");
    let token = site.client("hospital", "system/*.cruds system/AuditEvent.rs");
    site.start();
    let statement = open(&site, "/fhir/metadata", "").expect(200).json();
    assert_eq!((&statement["resourceType"], &statement["fhirVersion"]), (&json!("CapabilityStatement"), &json!("4.0.1")));
    let resources = statement["rest"][0]["resource"].as_array().unwrap().clone();
    assert!(resources.len() > 140, "{}", resources.len());
    let mut broken = Vec::new();
    let (mut searches, mut skipped) = (0, 0);
    // One batch for each type: a search for each parameter, and one that is not claimed.
    for resource in &resources {
        let of = resource["type"].as_str().unwrap();
        let parameters = resource["searchParam"].as_array().cloned().unwrap_or_default();
        let mut asked: Vec<(String, u16)> = Vec::new();
        for parameter in &parameters {
            let [name, kind, definition] =
                ["name", "type", "definition"].map(|part| parameter[part].as_str().unwrap_or_default());
            let value = plausible(kind, name, definition);
            if kind == "composite" {
                // A year is a word, a number and a date too, so that every part can have it.
                let parts = if name.contains("coordinate") { "2020$2020$2020" } else { "2020$2020" };
                asked.push((format!("{of}?{name}={parts}"), 200));
            } else if kind == "special" {
                skipped += 1;
            } else {
                asked.push((format!("{of}?{name}={value}"), 200));
            }
        }
        searches += asked.len();
        for include in resource["searchInclude"].as_array().into_iter().flatten() {
            asked.push((format!("{of}?_include={}&_count=1", include.as_str().unwrap()), 200));
        }
        asked.push((format!("{of}?nonsense=1"), 400));
        asked.push((format!("{of}/nobody"), 404));
        for (code, url) in [("history-type", format!("{of}/_history")), ("search-type", of.to_owned())] {
            if resource["interaction"].as_array().unwrap().iter().any(|one| one["code"] == code) {
                asked.push((url, 200));
            }
        }
        let entry = |(url, _): &(String, u16)| json!({ "request": { "method": "GET", "url": url } });
        let batch = json!({ "resourceType": "Bundle", "type": "batch", "entry": asked.iter().map(entry).collect::<Vec<_>>() });
        let answers = site.ask("POST", &token, "", Some(&batch)).expect(200).json();
        for ((url, wanted), answer) in asked.iter().zip(answers["entry"].as_array().unwrap()) {
            let status = answer["response"]["status"].as_str().unwrap_or_default();
            if !status.starts_with(&wanted.to_string()) {
                broken.push(format!("{url}: {status} {}", answer["response"]["outcome"]["issue"][0]["diagnostics"]));
            }
        }
    }
    println!("{} types, {searches} searches, {skipped} special parameters not asked", resources.len());
    assert!(searches > 1500, "{searches}");
    assert!(broken.is_empty(), "{} of what is claimed does not work:\n{}", broken.len(), broken.join("\n"));
}

#[test]
fn cs3_the_interactions_that_are_claimed_for_the_whole_server_work() {
    let (mut site, mut codes) = (Site::prepare(""), Vec::new());
    let token = site.client("hospital", "system/*.cruds");
    site.start();
    let statement = open(&site, "/fhir/metadata", "").expect(200).json();
    for interaction in statement["rest"][0]["interaction"].as_array().unwrap() {
        codes.push(interaction["code"].as_str().unwrap().to_owned());
    }
    let bundle = |kind: &str| json!({ "resourceType": "Bundle", "type": kind, "entry": [{ "request": { "method": "GET", "url": "Patient" } }] });
    for code in codes {
        let answer = match code.as_str() {
            "transaction" | "batch" => site.ask("POST", &token, "", Some(&bundle(&code))),
            "search-system" => site.get(&token, "?_type=Patient,Observation"),
            "history-system" => site.get(&token, "_history"),
            other => panic!("`{other}` is claimed, and this test does not know it"),
        };
        assert_eq!(answer.status, 200, "{code}: {answer:?}");
    }
    let name: Value = statement["rest"][0]["security"]["service"][0]["coding"][0]["code"].clone();
    assert_eq!(name, "SMART-on-FHIR");
}
