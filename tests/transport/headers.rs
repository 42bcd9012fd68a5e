use super::House;

#[tokio::test]
async fn every_response_forbids_sniffing_caching_framing_and_running() {
    let house = House::open("", "").await;
    for line in ["GET /fhir/metadata", "GET /fhir/Patient/p1", "GET /nowhere", "GET /token", "BREW /fhir/Patient"] {
        let reply = house.ask(line, "");
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"), "{line}");
        assert_eq!(reply.header("cache-control"), Some("no-store"), "{line}");
        assert!(reply.header("content-security-policy").unwrap().contains("sandbox"), "{line}");
        assert!(reply.header("vary").unwrap().contains("Authorization"), "{line}");
        assert_eq!(reply.header("x-request-id").unwrap().len(), 36, "{line}");
        assert_eq!(reply.header("strict-transport-security"), None, "localhost is promised nothing");
    }
    assert_eq!(house.ask("GET /fhir/metadata", "X-Request-Id: visit-7\r\n").header("x-request-id"), Some("visit-7"));
    house.running.stop().await;
}

#[tokio::test]
async fn a_head_request_gets_the_length_and_no_body() {
    let house = House::open("", "").await;
    let (get, head) = (house.ask("GET /fhir/metadata", ""), house.ask("HEAD /fhir/metadata", ""));
    assert_eq!((get.status(), head.status()), (200, 200));
    assert_eq!(head.header("content-length"), Some(get.body().len().to_string().as_str()));
    assert_eq!(head.body(), "");
    house.running.stop().await;
}

#[tokio::test]
async fn what_is_not_there_is_told_as_an_operation_outcome() {
    let house = House::open("", "").await;
    let reply = house.ask("GET /nowhere", "");
    assert_eq!(reply.status(), 404);
    assert_eq!(reply.json()["resourceType"], "OperationOutcome");
    assert!(reply.json()["issue"][0]["diagnostics"].as_str().unwrap().contains("https://localhost:8443/fhir"));
    // Whoever refuses, door or vault, speaks in the same codes and says the same of them.
    let issues =
        [house.ask("BREW /fhir/Patient", ""), house.ask("GET /fhir/Patient", "")].map(|reply| reply.json()["issue"][0].clone());
    for (issue, code) in issues.iter().zip(["AMANAT-IN-0007", "AMANAT-AUTH-0001"]) {
        let coding = &issue["details"]["coding"][0];
        assert_eq!((coding["system"].as_str(), coding["code"].as_str()), (Some("urn:amanat:error"), Some(code)));
        assert_eq!(issue["diagnostics"], format!("{code}: {}", issue["details"]["text"].as_str().unwrap()));
    }
    let reply = house.ask("BREW /fhir/Patient", "");
    assert_eq!((reply.status(), reply.header("allow").is_some()), (405, true));
    let reply = house.ask("GET /token", "");
    assert_eq!((reply.status(), reply.header("allow")), (405, Some("POST, OPTIONS")));
    assert_eq!(reply.json()["error"], "invalid_request");
    house.running.stop().await;
}

#[tokio::test]
async fn discovery_is_json_whatever_is_accepted_and_only_below_the_base() {
    let house = House::open("", "").await;
    for accept in ["application/fhir+json", "text/html", "*/*"] {
        let reply = house.ask("GET /fhir/.well-known/smart-configuration", &format!("Accept: {accept}\r\n"));
        assert_eq!(reply.status(), 200);
        assert!(reply.header("content-type").unwrap().starts_with("application/json"));
        assert!(reply.json()["capabilities"].is_array());
    }
    assert!(house.ask("GET /.well-known/jwks.json", "").json()["keys"].is_array());
    assert_eq!(house.ask("GET /.well-known/smart-configuration", "").status(), 404);
    assert_eq!(house.ask("POST /.well-known/jwks.json", "Content-Length: 0\r\n").status(), 405);
    house.running.stop().await;
}

#[tokio::test]
async fn open_documents_are_for_every_origin_and_records_for_configured_ones() {
    let house = House::open("cors_origins = [\"https://app.example\"]", "").await;
    let allowed = |line: &str, origin: &str, more: &str| {
        let reply = house.ask(line, &format!("Origin: {origin}\r\n{more}"));
        (reply.status(), reply.header("access-control-allow-origin").map(str::to_owned))
    };
    for path in ["/fhir/metadata", "/fhir/.well-known/smart-configuration"] {
        assert_eq!(allowed(&format!("GET {path}"), "https://any.example", ""), (200, Some("*".to_owned())));
        assert_eq!(allowed(&format!("OPTIONS {path}"), "https://any.example", "").0, 204);
    }
    let record = "GET /fhir/Patient/p1";
    assert_eq!(allowed(record, "https://app.example", ""), (401, Some("https://app.example".to_owned())));
    for other in ["https://evil.example", "null", "https://app.example.evil", "http://app.example"] {
        assert_eq!(allowed(record, other, ""), (401, None), "{other}");
    }
    let preflight = "Access-Control-Request-Method: PUT\r\nAccess-Control-Request-Headers: authorization\r\n";
    let reply = house.ask("OPTIONS /fhir/Patient/p1", &format!("Origin: https://app.example\r\n{preflight}"));
    assert_eq!(reply.status(), 204);
    assert!(reply.header("access-control-allow-methods").unwrap().contains("PATCH"));
    assert!(reply.header("access-control-allow-headers").unwrap().contains("If-None-Exist"));
    assert_eq!(reply.header("access-control-allow-credentials"), None);
    house.running.stop().await;
}

#[tokio::test]
async fn addresses_that_a_caller_claims_appear_nowhere() {
    let house = House::open("", "").await;
    let reply = house.ask("GET /fhir/metadata", "X-Forwarded-Host: evil.example\r\nForwarded: host=evil.example\r\n");
    assert_eq!(reply.status(), 200);
    assert!(!reply.0.contains("evil.example"));
    let reply = house.raw(b"GET /fhir/metadata HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n");
    assert!(reply.starts_with("HTTP/1.1 200") && !reply.contains("evil.example"), "{reply}");
    house.running.stop().await;
}
